"""The default detector on real portraits and on pictures without a face."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch

from zoo.errors import UserError
from zoo.faces import Crop, Face, crop_box, crop_box_from_landmarks, detect_faces, read_landmarks, require_face
from zoo.imaging import read_image

PORTRAITS = ("000002", "000006", "000007", "000031", "000033", "000037", "000050", "000055", "000114", "000125")


def _sample(name: str) -> torch.Tensor:
    pixels = torch.from_numpy(np.atleast_3d(getattr(skimage.data, name)()))
    return pixels.permute(2, 0, 1)[:3].expand(3, -1, -1).float() / 255


def _holds(face: Face, points: torch.Tensor) -> bool:
    left, top, right, bottom = face.box
    inside = (points >= torch.tensor([left, top])).all() and (points <= torch.tensor([right, bottom])).all()
    return bool(inside) and 0.6 < crop_box(face)[2] / float(crop_box_from_landmarks(points)[2]) < 1.5


@pytest.mark.parametrize("name", PORTRAITS)
def test_portraits(shared: Path, name: str):
    """One face each, all five points in its box, and the crop within a tenth of where the points put it."""
    image = read_image(shared / f"data/faces/{name}.jpg")
    points = read_landmarks(shared / f"data/faces/{name}.txt", image)
    (face,) = detect_faces(image, "cascade")
    assert _holds(face, points)
    assert face.score > 0.5
    x, y, side = crop_box_from_landmarks(points).tolist()
    found_x, found_y, _ = crop_box(face)
    assert math.hypot(found_x - x, found_y - y) < 0.1 * side


def test_a_tilted_head(shared: Path):
    image = read_image(shared / "data/faces/000033.jpg")
    points = read_landmarks(shared / "data/faces/000033.txt")
    turned = Crop((124.5, 130.5), 360.0, 360, roll=-0.6)
    (face,) = detect_faces(turned.cut(image), "cascade")
    assert _holds(face, turned.to_crop(points))
    assert 0.3 < face.roll < 0.9


def test_astronaut():
    (face,) = detect_faces(_sample("astronaut"))
    assert face.centre == pytest.approx((221, 115), abs=12)
    assert 70 < face.side < 140


@pytest.mark.parametrize("name", ["coffee", "chelsea", "grass", "brick"])
def test_no_face(name: str):
    image = _sample(name)[:, ::2, ::2]
    assert detect_faces(image) == []
    with pytest.raises(UserError, match=r"no face found in a/photo\.jpg: .*--face whole"):
        require_face(image, "a/photo.jpg")


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (23, 23), (40, 24)])
def test_tiny_pictures(shape: tuple[int, int]):
    assert detect_faces(torch.rand(3, *shape)) == []


def test_many_faces_come_largest_first(shared: Path):
    small = read_image(shared / "data/faces/000033.jpg")
    large = torch.nn.functional.interpolate(small[None], scale_factor=1.5, mode="bicubic").clamp(0, 1)[0]
    both = torch.zeros(3, large.shape[1], small.shape[2] + large.shape[2])
    both[:, : small.shape[1], : small.shape[2]] = small
    both[:, :, small.shape[2] :] = large
    first, second = detect_faces(both)
    assert first.side > second.side
    assert first.centre[0] > small.shape[2] > second.centre[0]
    assert require_face(both, "x.jpg", which=1) == second
    assert require_face(both, "x.jpg", which="0") == first
    with pytest.raises(UserError, match=r"there is no face 2 in .*: 2 faces found"):
        require_face(both, "x.jpg", which=2)
