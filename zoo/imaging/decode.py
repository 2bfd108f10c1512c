"""From an opened picture of any mode to sRGB values: depth, alpha, palette, profile, rotation."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from zoo.errors import UserError

__all__ = ["decode", "decode_tiff", "is_tiff"]

_ORIENTATION = 0x0112
_BITS_PER_SAMPLE, _SAMPLES_PER_PIXEL = 258, 277
_PNG_COLOURS = {2: 3, 4: 2, 6: 4}
"""PNG colour types with more than one channel, and how many they have."""


def decode(picture: Image.Image, path: Path) -> NDArray[np.float32]:
    """Turn an opened picture into what a person sees.

    Args:
        picture: As Pillow opened it; its first frame counts.
        path: Its file, for those depths that Pillow would cut to 8 bits.

    Returns:
        (H, W, 3) float32, sRGB-encoded, in [0, 1].

    Raises:
        UserError: A float or 32-bit picture has values that are not in a range we could guess.
        Exception: Whatever a decoder raises about a damaged file.
    """
    turn = int(picture.getexif().get(_ORIENTATION, 1))
    if _deep_png(path):
        picture.load()  # OpenCV lets a truncated file pass
        pixels = _read_deep_png(path)
    elif picture.format == "TIFF" and _deep_tiff(picture):
        pixels = _read_deep_tiff(path)
    else:
        pixels = _read_shallow(picture, path)
        if picture.format == "TIFF":
            turn = 1  # Pillow has turned a TIFF by itself while loading it
    return np.ascontiguousarray(_turned(_opaque_rgb(pixels), turn))


def is_tiff(path: Path) -> bool:
    """Tell a TIFF by its first bytes."""
    with path.open("rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def decode_tiff(path: Path, most_pixels: int) -> NDArray[np.float32]:
    """Read a TIFF that Pillow does not know, such as colours of floats; else as ``decode``.

    Raises:
        UserError: It has more than that many pixels, or values in a range we would have to guess.
        Exception: Whatever the decoder raises about a damaged file.
    """
    pixels = _read_deep_tiff(path, most_pixels)
    return np.ascontiguousarray(_opaque_rgb(pixels))


def _read_shallow(picture: Image.Image, path: Path) -> NDArray[np.float32]:
    """Everything that Pillow reads without loss: (H, W, 1 to 4) in [0, 1]."""
    picture.load()
    mode = picture.mode
    if mode.startswith("I;16"):
        return _grey(np.asarray(picture).astype(np.float32) / np.float32(65535))
    if mode in ("I", "F"):
        return _grey(_unit_range(np.asarray(picture, dtype=np.float32), path))
    transparent = "transparency" in picture.info or mode in ("LA", "La", "PA", "RGBa", "RGBA")
    profile = picture.info.get("icc_profile")
    if transparent:
        picture = picture.convert("RGBA")
    elif mode == "1":
        picture = picture.convert("L")
    elif mode not in ("L", "RGB", "CMYK", "LAB"):
        picture = picture.convert("RGB")
    picture = _to_srgb(picture, profile)
    return _grey(np.asarray(picture).astype(np.float32) / np.float32(255))


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Apply the embedded colour profile (phones write Display P3), or the usual reading where there is none."""
    if profile and picture.mode in ("RGB", "RGBA", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            colour = picture.convert("RGB") if picture.mode == "RGBA" else picture
            converted = ImageCms.profileToProfile(colour, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None  # a broken profile is no reason to refuse the picture
        if converted is not None:
            if picture.mode == "RGBA":
                converted.putalpha(picture.getchannel("A"))
            return converted
    return picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGB")


def _deep_png(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(26)
    return head[:8] == b"\x89PNG\r\n\x1a\n" and head[24] == 16 and head[25] in _PNG_COLOURS


def _read_deep_png(path: Path) -> NDArray[np.float32]:
    """16 bits in more than one channel: Pillow keeps only the upper 8 of them."""
    import cv2  # slow to import, and needed for this kind of file alone

    stored = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if stored is None:
        raise OSError("the pixels cannot be decoded")
    pixels = _grey(stored.astype(np.float32) / np.float32(65535 if stored.dtype == np.uint16 else 255))
    order = {1: [0], 2: [0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[pixels.shape[2]]
    return pixels[..., order]


def _deep_tiff(picture: Image.Image) -> bool:
    tags = getattr(picture, "tag_v2", {})
    return int(tags.get(_SAMPLES_PER_PIXEL, 1)) > 1 and max(tags.get(_BITS_PER_SAMPLE, (8,))) > 8


def _read_deep_tiff(path: Path, most_pixels: int | None = None) -> NDArray[np.float32]:
    import tifffile  # comes with scikit-image; needed for this kind of file alone

    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        if most_pixels is not None and page.imagelength * page.imagewidth > most_pixels:
            raise UserError(
                f"{path} has {page.imagewidth} x {page.imagelength} pixels; at most {most_pixels // 1_000_000} million "
                "are read. Make it smaller first."
            )
        stored = page.asarray()
        planar = "PlanarConfiguration" in page.tags and int(page.tags["PlanarConfiguration"].value) == 2
    if planar:
        stored = np.moveaxis(stored, 0, -1)
    if stored.ndim != 3 or stored.shape[2] not in (2, 3, 4):
        raise OSError(f"a TIFF of shape {stored.shape} is not a picture")
    if np.issubdtype(stored.dtype, np.integer):
        return stored.astype(np.float32) / np.float32(np.iinfo(stored.dtype).max)
    return _unit_range(stored.astype(np.float32), path)


def _unit_range(values: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    if not np.isfinite(values).all():
        raise UserError(f"{path} holds values that are not finite (NaN or infinity). Repair them and save it again.")
    low, high = float(values.min()), float(values.max())
    if low < -1e-3 or high > 1 + 1e-3:
        raise UserError(
            f"{path} holds numbers from {low:.4g} to {high:.4g}, which no rule turns into a picture. "
            "Scale them to [0, 1], or save it with 8 or 16 bits."
        )
    return values.clip(0, 1)


def _grey(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _opaque_rgb(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W, 1 grey, 2 grey + alpha, 3 RGB, 4 RGB + alpha) to (H, W, 3), laid over white."""
    channels = pixels.shape[2]
    colour = pixels[..., : 1 if channels < 3 else 3]
    if channels in (2, 4):
        alpha = pixels[..., -1:]
        colour = colour * alpha + (1 - alpha)
    return np.repeat(colour, 3, axis=2) if colour.shape[2] == 1 else colour


def _turned(pixels: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """Undo the camera's rotation: EXIF orientation 1 to 8, anything else is taken as upright."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
