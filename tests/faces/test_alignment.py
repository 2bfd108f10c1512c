"""Alignment as the authors do it: their figures, their pixels, the way back, and what a person is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from golden import load_golden
from PIL import Image
from torch import Tensor

from zoo.errors import UserError
from zoo.faces import (
    Face,
    align_face,
    align_found_face,
    aligned_boxes,
    aligned_crop,
    alignment,
    read_landmarks,
    whole_picture,
)
from zoo.faces.alignment import REFERENCE_POINTS
from zoo.imaging import read_image

# The authors' examples: width and height, points (y down), s, scale, t, resized to, left and up, aligned points
EXAMPLES = {
    "000002": (
        (423, 594), [142.84, 207.18, 222.02, 203.90, 159.24, 253.57, 146.59, 290.93, 227.52, 284.74],
        139.8459, 0.729374, (196.6142, 355.0627), (308, 433), (31, 62),
        [73.041, 134.558, 130.793, 136.950, 85.003, 100.722, 75.776, 73.473, 134.805, 77.987],
    ),
    "015259": (
        (500, 491), [226.38, 193.65, 319.12, 208.97, 279.99, 245.88, 213.79, 290.55, 303.03, 302.10],
        155.9402, 0.654097, (260.4806, 246.1762), (327, 321), (58, 48),
        [89.719, 144.899, 150.380, 134.878, 124.785, 110.736, 81.484, 81.517, 139.856, 73.962],
    ),
    "vd006": (
        (321, 341), [123.12, 117.58, 176.59, 122.09, 126.99, 144.68, 117.61, 183.43, 163.94, 186.41],
        101.9731, 1.000263, (154.6408, 188.4666), (321, 341), (42, 40),
        [80.513, 146.007, 133.997, 141.496, 84.384, 118.900, 75.002, 80.140, 121.344, 77.159],
    ),
}  # fmt: skip


def face_of(points: Tensor) -> Face:
    return Face((0.0, 0.0, 1.0, 1.0), 1.0, points)


def painted(height: int, width: int, points: Tensor, radius: float = 3.0) -> Tensor:
    """A grey picture (3,H,W) with a soft bright dot at each point."""
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    distance = (x - points[:, 0, None, None]) ** 2 + (y - points[:, 1, None, None]) ** 2
    return (0.2 + 0.8 * torch.exp(-distance / (2 * radius**2)).amax(0)).float().expand(3, -1, -1)


def dot_near(picture: Tensor, place: Tensor, reach: int) -> Tensor:
    """The centre of brightness around a place, (2,)."""
    x, y = place.round().long().tolist()
    window = (picture[0, y - reach : y + reach + 1, x - reach : x + reach + 1].double() - 0.2).clamp_min(0)
    axis = torch.arange(-reach, reach + 1).double()
    return torch.stack(((window * axis).sum() + x * window.sum(), (window.T * axis).sum() + y * window.sum())) / (
        window.sum()
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_authors_figures(name: str) -> None:
    (width, height), flat, density, expected_scale, origin, resized, corner, aligned = EXAMPLES[name]
    points = torch.tensor(flat, dtype=torch.float64).view(5, 2)
    scale, t = alignment(points, height)
    assert scale.item() == pytest.approx(expected_scale, abs=1e-6)
    assert 102 / scale.item() == pytest.approx(density, abs=1e-4)
    assert t.tolist() == pytest.approx(origin, abs=1e-4)
    moved = aligned_crop(points, height, width).to_crop(points)
    moved[:, 1] = 223 - moved[:, 1]
    assert moved.flatten().tolist() == pytest.approx(aligned, abs=1e-3)
    # where the picture lies tells the whole pixels that the steps round to
    _, crop = align_face(torch.zeros(3, height, width), face_of(points))
    w, h = resized
    assert crop.side == pytest.approx(112 * (width / w + height / h))
    assert crop.centre == pytest.approx(
        ((corner[0] + 112) * width / w - 0.5, (corner[1] + 112) * height / h - 0.5), abs=1e-9
    )


@pytest.mark.parametrize("name", ["000002", "000031", "000050"])
def test_the_authors_code(shared: Path, name: str) -> None:
    golden = load_golden(shared, "deep3d_align")
    photo = read_image(shared / f"data/faces/{name}.jpg")
    points = read_landmarks(shared / f"data/faces/{name}.txt", photo)
    height, width = photo.shape[-2:]
    scale, t = alignment(points.double(), height)
    golden.assert_close(f"{name}.transform", torch.tensor([width, height, scale, *t.tolist()]))
    moved = aligned_crop(points, height, width).to_crop(points.double())
    golden.assert_close(f"{name}.landmarks", torch.stack((moved[:, 0], 223 - moved[:, 1]), -1))
    crop, _ = align_face(photo, face_of(points))
    means = golden.arrays[f"out.{name}.crop_channel_means"]
    np.testing.assert_allclose((crop * 255).mean((1, 2)), means, atol=2e-3)
    assert int((crop.sum(0) == 0).sum()) == int(golden.arrays[f"out.{name}.crop_zero_pixels"][0])


def test_resizing_only_what_is_seen_changes_nothing() -> None:
    torch.manual_seed(0)
    photo = torch.rand(3, 150, 130)
    points = torch.tensor([[70.0, 20.0], [104.0, 27.0], [90.0, 42.0], [68.0, 60.0], [100.0, 66.0]])
    crop, _ = align_face(photo, face_of(points))
    scale, (x, y) = (value.tolist() for value in alignment(points.double(), 150))
    w, h = int(130 * scale), int(150 * scale)
    picture = Image.fromarray((photo * 255).round().byte().permute(1, 2, 0).numpy()).resize((w, h), Image.BICUBIC)
    left, up = int(w / 2 - 112 + (x - 65) * scale), int(h / 2 - 112 + (75 - y) * scale)
    assert up < 0 < left, "the crop reaches beyond the photo"
    whole = np.asarray(picture.crop((left, up, left + 224, up + 224)))
    off = np.abs((crop * 255).round().permute(1, 2, 0).numpy() - whole)
    assert off.max() <= 2, "Pillow computes in 8 bits, and knows the part to single precision"
    assert (off > 0).mean() < 2e-3


@pytest.mark.parametrize("size", [112, 224])
@pytest.mark.parametrize("name", EXAMPLES)
def test_back_to_the_photo(name: str, size: int) -> None:
    (width, height), flat, *_ = EXAMPLES[name]
    points = torch.tensor(flat, dtype=torch.float64).view(5, 2)
    crop, place = align_face(painted(height, width, points), face_of(points), size)
    for point, seen in zip(points, place.to_crop(points), strict=True):
        found = place.to_photo(dot_near(crop, seen, round(9 * size / place.side)))
        assert (found - point).norm() < 0.1


@pytest.mark.parametrize("size", [112, 224])
def test_batches_without_rounding(size: int) -> None:
    points = torch.stack([torch.tensor(example[1]).view(5, 2) for example in EXAMPLES.values()])
    centre, side = aligned_boxes(points, size)
    for number, ((width, height), *_) in enumerate(EXAMPLES.values()):
        crop = aligned_crop(points[number], height, width, size)
        assert side[number].item() == pytest.approx(crop.side, rel=1e-4)
        # half of a resized pixel at most, which the authors round off the photo
        assert (centre[number] - torch.tensor(crop.centre)).abs().max() <= 0.5 * crop.side / size + 1e-3


def test_the_origin_of_the_mean_face_lies_in_the_middle_whatever_the_size() -> None:
    mean = torch.tensor(REFERENCE_POINTS)[:, :2] * torch.tensor([40.0, -40.0]) + torch.tensor([90.0, 80.0])
    for size in (64, 224):
        (centre,), (side,) = aligned_boxes(mean[None], size)
        assert side.item() == pytest.approx(40 * 224 / 102, rel=1e-4)
        origin = (torch.tensor([90.0, 80.0]) - centre) * size / side + (size - 1) / 2
        assert origin.tolist() == pytest.approx([size / 2, size / 2 - 1], abs=1e-3)


def test_five_of_68_points_decide() -> None:
    points = torch.rand(4, 68, 2) * 100
    five = torch.stack(
        (points[:, 36:42].mean(1), points[:, 42:48].mean(1), points[:, 30], points[:, 48], points[:, 54]), 1
    )
    torch.testing.assert_close(aligned_boxes(points), aligned_boxes(five))


def test_a_face_that_is_no_face() -> None:
    photo = torch.zeros(3, 100, 100)
    with pytest.raises(UserError, match="all lie in one place"):
        align_face(photo, face_of(torch.full((5, 2), 50.0)))
    far = torch.tensor([[40.0, 40.0], [60.0, 40.0], [50.0, 50.0], [42.0, 60.0], [58.0, 60.0]])
    with pytest.raises(UserError, match="outside of the photo"):
        align_face(photo, face_of(far + 500))
    with pytest.raises(UserError, match="the photo is too small"):
        align_face(photo, face_of(far * 5000))
    with pytest.raises(ValueError, match="has none"):
        align_face(photo, Face((0.0, 0.0, 1.0, 1.0), 1.0))


def test_a_cut_face_is_told_and_a_whole_one_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    (width, height), flat, *_ = EXAMPLES["vd006"]
    points = torch.tensor(flat).view(5, 2)
    photo = torch.ones(3, height, width)
    crop, _ = align_found_face(photo, face_of(points), 112, "anna.jpg")
    assert capsys.readouterr().err == ""
    assert crop.min() == 1
    crop, place = align_found_face(photo[:, :, 110:], face_of(points - torch.tensor([110.0, 0.0])), 112, "anna.jpg")
    assert "the face in anna.jpg is cut by the border" in capsys.readouterr().err
    assert crop[:, :, : int(place.to_crop(torch.zeros(2))[0]) - 1].max() == 0, "black beyond the border"


def test_a_whole_picture_is_taken_as_the_crop() -> None:
    picture = torch.rand(3, 64, 64)
    crop, place = align_found_face(picture, whole_picture(picture), 64, "crop.png")
    torch.testing.assert_close(crop, picture, atol=1e-4, rtol=0)
    assert (place.centre, place.side) == ((31.5, 31.5), 64)


def test_landmarks_that_the_detector_lacks_are_searched_for(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = read_image(shared / "data/faces/000055.jpg")
    points = read_landmarks(shared / "data/faces/000055.txt", photo)
    x, y = points.mean(0).tolist()
    reach = 1.3 * float((points[1] - points[0]).norm())
    _, place = align_found_face(photo, Face((x - reach, y - reach, x + reach, y + reach), 1.0), 224, "him.jpg")
    assert "landmarks found in him.jpg are uncertain" in capsys.readouterr().err
    _, known = align_face(photo, face_of(points))
    assert abs(place.side / known.side - 1) < 0.08
