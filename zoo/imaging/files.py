"""Image files in and out: every usual kind is read right, or refused in one sentence."""

from __future__ import annotations

import contextlib
import difflib
import errno
import glob
import os
import threading
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from zoo.errors import UserError
from zoo.imaging.decode import decode, decode_tiff, is_tiff

__all__ = ["IMAGE_SUFFIXES", "MAX_PIXELS", "find_images", "read_image", "write_image"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".avif")
"""What counts as an image when a folder or a pattern is searched."""

MAX_PIXELS = 80_000_000
"""The largest picture that is read: 80 megapixels are one gigabyte as float32."""

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def read_image(path: str | Path) -> Tensor:
    """Read an image file as a person sees it.

    Grey pictures get three equal channels. 16-bit files keep their 16 bits. Transparent pixels are laid over white, as
    most viewers show them (what lies under full transparency is arbitrary). EXIF rotation is applied.
    CMYK and colour profiles are converted to sRGB. Of an animation or a multi-page file the first picture counts.
    A float file must hold sRGB-encoded values in [0, 1].

    Args:
        path: A PNG, JPEG, WebP, TIFF, BMP, GIF or any other file that Pillow opens.

    Returns:
        (3, H, W) float32, sRGB-encoded, in [0, 1].

    Raises:
        UserError: The file is missing, a folder, empty, damaged, not an image, or larger than ``MAX_PIXELS``.
    """
    path = Path(path).expanduser()
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder, not an image. Name a file in it.")
        if path.stat().st_size == 0:
            raise UserError(f"{path} is empty (0 bytes). Copy or download it again.")
        with path.open("rb"):
            pass
    except OSError as problem:
        raise UserError(_cannot_open(path, problem)) from problem
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about odd metadata and sizes; sizes are checked below
            with Image.open(path) as picture:
                width, height = picture.size
                if width * height > MAX_PIXELS:
                    raise UserError(_too_large(path, f"{width} x {height} pixels"))
                pixels = decode(picture, path)
    except UserError:
        raise
    except Image.UnidentifiedImageError as problem:
        pixels = _without_pillow(path, problem)
    except (Image.DecompressionBombError, MemoryError) as problem:
        raise UserError(_too_large(path, "more pixels than that")) from problem
    except Exception as problem:  # decoders raise nearly anything when a file is damaged
        raise UserError(_unreadable(path, problem)) from problem
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def write_image(path: str | Path, image: Tensor, quality: int = 95) -> None:
    """Write an image file, whole or not at all.

    Folders on the way are made. The file appears under its name only when it is complete, so an interrupted run leaves
    the old picture or the new one, never half of one.

    Args:
        path: Where to; the suffix (.png, .jpg, .jpeg, .webp) chooses the format.
        image: (3, H, W) or (1, H, W), sRGB-encoded; values outside [0, 1] are clipped.
        quality: 1 to 100 for JPEG and WebP; PNG loses nothing anyway.

    Raises:
        UserError: Another suffix, a wrong shape, values that are not finite, or a place that cannot be written.
    """
    path = Path(path).expanduser()
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(_FORMATS)
        raise UserError(f"{path} cannot be written: its name must end in one of {known}.")
    if image.ndim != 3 or image.shape[0] not in (1, 3) or not image.numel():
        raise UserError(f"{path} cannot be written: the image has shape {tuple(image.shape)}, not (1 or 3, H, W).")
    image = image.detach().float().cpu()
    if not bool(torch.isfinite(image).all()):
        raise UserError(f"{path} is not written: the image holds values that are not finite (NaN or infinity).")
    bytes_ = (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    picture = Image.fromarray(bytes_[..., 0] if bytes_.shape[2] == 1 else np.ascontiguousarray(bytes_))
    options: dict[str, object] = {"compress_level": 4} if kind == "PNG" else {"quality": quality}
    if kind == "JPEG":
        options["subsampling"] = 0  # full colour resolution: albedo and normals are pictures of colour
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            picture.save(file, kind, **options)
        os.replace(part, path)
    except OSError as problem:
        reason = (problem.strerror or _first_line(problem)).lower()
        full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "Make room there, or choose another place." if full else "Choose another place."
        raise UserError(f"{path} cannot be written ({reason}). {advice}") from problem
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def find_images(sources: Iterable[str | Path], *, recursive: bool = False) -> list[Path]:
    """Find the image files that a person means by files, folders and patterns.

    Args:
        sources: Files (kept whatever their suffix), folders (the images in them), patterns (``shots/**/*.jpg``).
        recursive: Whether the folders inside folders are searched too.

    Returns:
        Paths in the order of the sources, sorted within each, every file once. Hidden files are left out unless named.

    Raises:
        UserError: A source matches no image.
    """
    found: dict[Path, Path] = {}
    sources = [sources] if isinstance(sources, str | Path) else list(sources)
    if not sources:
        raise UserError("no image is named. Give files, folders or patterns like 'photos/*.jpg'.")
    for source in sources:
        matches = _matches(Path(source).expanduser(), recursive)
        for match in matches:
            found.setdefault(match.resolve(), match)
    return list(found.values())


def _matches(source: Path, recursive: bool) -> list[Path]:
    if source.is_file():
        return [source]
    if source.is_dir():
        matches = _only_images(source.rglob("*") if recursive else source.iterdir())
        if not matches:
            deeper = "" if recursive else f" To look deeper, write '{source}/**/*.jpg' with the quotes."
            raise UserError(f"the folder {source} holds no image ({', '.join(IMAGE_SUFFIXES[:6])} …).{deeper}")
        return matches
    if glob.has_magic(str(source)):
        matches = _only_images(map(Path, glob.glob(str(source), recursive=True)))
        if not matches:
            raise UserError(f"no image matches {source}. Check the folder and the quotes around the pattern.")
        return matches
    raise UserError(_cannot_open(source, FileNotFoundError()))


def _only_images(paths: Iterable[Path]) -> list[Path]:
    return sorted(
        path
        for path in paths
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _without_pillow(path: Path, problem: Exception) -> NDArray[np.float32]:
    """Pillow knows no colour TIFF of floats; whatever else it does not know is refused."""
    if not is_tiff(path):
        raise UserError(
            f"{path} is not an image that can be read here. Save it as PNG, JPEG, WebP or TIFF."
        ) from problem
    try:
        return decode_tiff(path, MAX_PIXELS)
    except UserError:
        raise
    except Exception as deeper:  # decoders raise nearly anything when a file is damaged
        raise UserError(_unreadable(path, deeper)) from deeper


def _unreadable(path: Path, problem: Exception) -> str:
    return f"{path} is damaged or of a rare kind ({_first_line(problem)}). Copy it again, or save it as PNG."


def _cannot_open(path: Path, problem: OSError) -> str:
    if not isinstance(problem, FileNotFoundError):
        return f"{path} cannot be opened ({(problem.strerror or _first_line(problem)).lower()})."
    if not path.parent.is_dir():
        return f"{path} does not exist: there is no folder {path.parent}."
    near = difflib.get_close_matches(path.name, [other.name for other in path.parent.iterdir()], n=1)
    return f"{path} does not exist." + (f" Did you mean {path.with_name(near[0])}?" if near else " Check the name.")


def _too_large(path: Path, size: str) -> str:
    return f"{path} has {size}; at most {MAX_PIXELS // 1_000_000} million are read. Make it smaller first."


def _first_line(problem: BaseException) -> str:
    return (str(problem).splitlines() or [""])[0].rstrip(".") or type(problem).__name__
