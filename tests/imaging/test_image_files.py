"""Every usual kind of image file is read right, or refused in one sentence."""

from __future__ import annotations

import errno
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms

from zoo.errors import UserError
from zoo.imaging import files, find_images, read_image, write_image

RED, HALF = (220, 30, 10), (128, 128, 128)


def _gradient(height: int = 6, width: int = 9) -> np.ndarray:
    """8-bit RGB without any symmetry."""
    y, x = np.mgrid[:height, :width]
    return np.stack([20 * y + 5, 25 * x + 10, 3 * x * y + 40], axis=-1).astype(np.uint8)


def _same(image: torch.Tensor, expected: np.ndarray, tolerance: float = 1e-6) -> None:
    assert image.dtype == torch.float32
    assert image.is_contiguous()
    np.testing.assert_allclose(image.permute(1, 2, 0).numpy(), expected, atol=tolerance)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp", ".gif", ".ppm"])
def test_plain_colours(tmp_path: Path, suffix: str):
    picture = Image.fromarray(_gradient())
    picture.save(tmp_path / f"a{suffix}", **({"lossless": True} if suffix == ".webp" else {}))
    _same(read_image(tmp_path / f"a{suffix}"), _gradient() / 255)


def test_jpeg(tmp_path: Path):
    Image.new("RGB", (16, 16), RED).save(tmp_path / "a.jpg", quality=95)
    _same(read_image(str(tmp_path / "a.jpg")), np.broadcast_to(np.array(RED) / 255, (16, 16, 3)), 0.02)


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey_and_one_bit(tmp_path: Path, mode: str):
    values = np.array([[0, 255, 0], [255, 255, 0]], dtype=np.uint8)
    Image.fromarray(values).convert(mode).save(tmp_path / "a.png")
    _same(read_image(tmp_path / "a.png"), np.repeat(values[..., None] / 255, 3, axis=2))


def test_alpha_lies_over_white(tmp_path: Path):
    pixels = np.zeros((1, 3, 4), dtype=np.uint8)
    pixels[0, :, :3] = RED
    pixels[0, :, 3] = [0, 51, 255]
    Image.fromarray(pixels).save(tmp_path / "a.png")
    red = np.array(RED) / 255
    _same(read_image(tmp_path / "a.png"), np.stack([np.ones(3), 0.2 * red + 0.8, red])[None])


def test_grey_with_alpha(tmp_path: Path):
    Image.fromarray(np.array([[[100, 0], [100, 255]]], dtype=np.uint8)).save(tmp_path / "a.png")
    _same(read_image(tmp_path / "a.png"), np.array([[[1.0] * 3, [100 / 255] * 3]]))


def test_grey_with_one_transparent_value(tmp_path: Path):
    Image.fromarray(np.array([[7, 200]], dtype=np.uint8)).save(tmp_path / "a.png", transparency=7)
    _same(read_image(tmp_path / "a.png"), np.array([[[1.0] * 3, [200 / 255] * 3]]))


@pytest.mark.parametrize("transparent", [False, True])
def test_palette(tmp_path: Path, transparent: bool):
    picture = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), mode=None).convert("P")
    picture.putpalette([*RED, *HALF])
    picture.save(tmp_path / "a.png", **({"transparency": 0} if transparent else {}))
    first = np.ones(3) if transparent else np.array(RED) / 255
    _same(read_image(tmp_path / "a.png"), np.stack([first, np.array(HALF) / 255])[None])


def test_sixteen_bits_of_grey(tmp_path: Path):
    values = np.array([[0, 1, 257, 65535]], dtype=np.uint16)
    for name in ("a.png", "a.tif"):
        Image.fromarray(values).save(tmp_path / name)
        _same(read_image(tmp_path / name), np.repeat(values[..., None] / 65535, 3, axis=2))


def test_sixteen_bits_of_colour_keep_the_lower_eight(tmp_path: Path):
    rgb = np.array([[[1, 40000, 65535], [300, 2, 5]]], dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), rgb[..., ::-1])
    tifffile.imwrite(tmp_path / "a.tif", rgb, photometric="rgb")
    tifffile.imwrite(tmp_path / "b.tif", rgb.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate")
    for name in ("a.png", "a.tif", "b.tif"):
        _same(read_image(tmp_path / name), rgb / 65535)


def test_sixteen_bits_of_colour_with_alpha(tmp_path: Path):
    rgba = np.array([[[60000, 100, 200, 0], [60000, 100, 200, 65535]]], dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), rgba[..., [2, 1, 0, 3]])
    _same(read_image(tmp_path / "a.png"), np.array([[[1, 1, 1], rgba[0, 1, :3] / 65535]]))


def test_sixteen_bits_of_grey_with_alpha(tmp_path: Path):
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 4, 0, 0, 0))
    line = chunk(b"IDAT", zlib.compress(b"\0" + struct.pack(">4H", 500, 0, 500, 65535)))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + line + chunk(b"IEND", b""))
    _same(read_image(tmp_path / "a.png"), np.array([[[1.0] * 3, [500 / 65535] * 3]]))


def test_float_tiff(tmp_path: Path):
    grey, rgb = np.array([[0.0, 0.25, 1.0]], np.float32), np.array([[[0.1, 0.2, 0.3]]], np.float32)
    tifffile.imwrite(tmp_path / "grey.tif", grey)
    tifffile.imwrite(tmp_path / "rgb.tif", rgb, photometric="rgb")
    _same(read_image(tmp_path / "grey.tif"), np.repeat(grey[..., None], 3, axis=2))
    _same(read_image(tmp_path / "rgb.tif"), rgb)


@pytest.mark.parametrize("value", [7.0, -1.0, np.nan])
def test_float_tiff_out_of_range_is_refused(tmp_path: Path, value: float):
    tifffile.imwrite(tmp_path / "a.tif", np.full((2, 2), value, np.float32))
    with pytest.raises(UserError, match=r"a\.tif holds"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.tif", "deep.png"])
def test_exif_rotation(tmp_path: Path, orientation: int, name: str):
    seen = _gradient()
    # What a camera stores, so that turning it as the tag says gives what was seen.
    stored = {
        1: seen, 2: seen[:, ::-1], 3: seen[::-1, ::-1], 4: seen[::-1],
        5: seen.transpose(1, 0, 2), 6: np.rot90(seen), 7: seen[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(seen, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / name
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    if name == "deep.png":
        deep = cv2.imencode(".png", stored[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
        tag = path.read_bytes()
        start = tag.index(b"eXIf") - 4
        length = struct.unpack(">I", tag[start : start + 4])[0] + 12
        path.write_bytes(deep[:33] + tag[start : start + length] + deep[33:])
    _same(read_image(path), seen / 255)


def test_cmyk(tmp_path: Path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    red = read_image(tmp_path / "a.jpg").mean(dim=(1, 2))
    assert red[0] > 0.9
    assert red[1:].max() < 0.1


def test_colour_profile_is_applied(tmp_path: Path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    Image.new("RGB", (2, 2), RED).save(tmp_path / "srgb.png", icc_profile=lab.tobytes())
    _same(read_image(tmp_path / "srgb.png"), np.broadcast_to(np.array(RED) / 255, (2, 2, 3)), 1.5 / 255)
    swapped = bytearray(lab.tobytes())
    swapped[:] = swapped.replace(b"rXYZ", b"_XYZ").replace(b"bXYZ", b"rXYZ").replace(b"_XYZ", b"bXYZ")
    Image.new("RGB", (2, 2), RED).save(tmp_path / "swapped.png", icc_profile=bytes(swapped))
    _same(read_image(tmp_path / "swapped.png"), np.broadcast_to(np.array(RED[::-1]) / 255, (2, 2, 3)), 2.5 / 255)


def test_broken_colour_profile_is_ignored(tmp_path: Path):
    Image.new("RGB", (2, 2), RED).save(tmp_path / "a.png", icc_profile=b"nonsense")
    _same(read_image(tmp_path / "a.png"), np.broadcast_to(np.array(RED) / 255, (2, 2, 3)))


def test_first_frame_of_an_animation(tmp_path: Path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, (0, 0, 255))]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    _same(read_image(tmp_path / "a.gif"), np.broadcast_to(np.array(RED) / 255, (4, 4, 3)))


def _refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_image(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["a.png", "a.jpg", "a.tif", "a.gif", "deep.png"])
def test_truncated(tmp_path: Path, kind: str):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    if kind == "deep.png":
        cv2.imwrite(str(tmp_path / kind), noise.astype(np.uint16) * 200)
    else:
        Image.fromarray(noise).save(tmp_path / kind)
    whole = (tmp_path / kind).read_bytes()
    (tmp_path / kind).write_bytes(whole[: len(whole) // 2])
    assert "damaged" in _refused(tmp_path / kind) or kind == "a.tif"


def test_missing_empty_folder_and_text(tmp_path: Path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "folder.png").mkdir()
    assert "0 bytes" in _refused(tmp_path / "empty.png")
    assert "not an image" in _refused(tmp_path / "text.png")
    assert "folder" in _refused(tmp_path / "folder.png")
    assert "Did you mean" in _refused(tmp_path / "texd.png")
    assert "no folder" in _refused(tmp_path / "nowhere" / "x.png")


def test_decompression_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Image.new("1", (30_000, 20_000)).save(tmp_path / "bomb.png")
    assert "at most 80 million" in _refused(tmp_path / "bomb.png")
    monkeypatch.setattr(files, "MAX_PIXELS", 99)
    Image.new("L", (10, 10)).save(tmp_path / "large.png")
    assert "10 x 10 pixels" in _refused(tmp_path / "large.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_write_then_read(tmp_path: Path, suffix: str):
    smooth = torch.linspace(0, 1, 32)[None, :, None].expand(3, 32, 24)
    path = tmp_path / "new" / "folders" / f"a{suffix}"
    write_image(path, smooth)
    assert (read_image(path) - smooth).abs().max() < (0.51 / 255 if suffix == ".png" else 0.04)
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_write_grey_and_clip(tmp_path: Path):
    write_image(tmp_path / "a.png", torch.tensor([[[-1.0, 0.5, 2.0]]]))
    assert Image.open(tmp_path / "a.png").mode == "L"
    assert read_image(tmp_path / "a.png")[0, 0].tolist() == pytest.approx([0, 128 / 255, 1])


@pytest.mark.parametrize(
    ("name", "image", "message"),
    [
        ("a.xyz", torch.zeros(3, 2, 2), "must end in one of"),
        ("a.png", torch.zeros(2, 2, 2), "has shape"),
        ("a.png", torch.zeros(1, 3, 2, 2), "has shape"),
        ("a.png", torch.full((3, 2, 2), torch.nan), "not finite"),
    ],
)
def test_write_refuses(tmp_path: Path, name: str, image: torch.Tensor, message: str):
    with pytest.raises(UserError, match=message):
        write_image(tmp_path / name, image)
    assert not list(tmp_path.iterdir())


def test_write_where_it_cannot_be(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write_image(tmp_path / "file" / "a.png", torch.zeros(3, 2, 2))


def test_full_disk_keeps_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.png"
    write_image(path, torch.zeros(3, 2, 2))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(UserError, match="no space left on device"):
        write_image(path, torch.ones(3, 2, 2))
    assert read_image(path).max() == 0
    assert list(tmp_path.iterdir()) == [path]


def test_find_images(tmp_path: Path):
    for name in ("b.jpg", "a.PNG", "notes.txt", ".hidden.jpg", "deep/c.webp", "odd"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def names(*sources: str, recursive: bool = False) -> list[str]:
        return [path.name for path in find_images([tmp_path / source for source in sources], recursive=recursive)]

    assert names(".") == ["a.PNG", "b.jpg"]
    assert names(".", recursive=True) == ["a.PNG", "b.jpg", "c.webp"]
    assert names("**/*") == ["a.PNG", "b.jpg", "c.webp"]
    assert names("b.jpg", ".", "*.jpg") == ["b.jpg", "a.PNG"]
    assert names("odd") == ["odd"]


@pytest.mark.parametrize("source", ["*.jpg", "empty", "missing.jpg"])
def test_find_images_says_what_matches_nothing(tmp_path: Path, source: str):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no image|does not exist"):
        find_images([tmp_path / source])


def test_find_images_of_nothing():
    with pytest.raises(UserError, match="no image is named"):
        find_images([])
