"""The landmark network: its shapes and symmetries, its shipped weights on photographs, and what is no face."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch

from zoo.cards import load_card
from zoo.contract import LANDMARK_FLIP
from zoo.errors import UserError
from zoo.faces import Crop, Face, crop_box_from_landmarks, detect_faces, five_points, read_landmarks
from zoo.faces.landmarks import (
    LandmarkNetwork,
    draw_landmarks,
    find_landmarks,
    find_landmarks_of_all,
    load_network,
    shipped_network,
    weights,
)
from zoo.imaging import read_image

LIMIT = 12.0  # per cent of the distance between the eyes
PORTRAITS = ("000002", "000006", "000007", "000031", "000033", "000037", "000050", "000055", "000114", "000125")


def portrait(shared: Path, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    image = read_image(shared / f"data/faces/{name}.jpg")
    return image, read_landmarks(shared / f"data/faces/{name}.txt", image)


def framed(points: torch.Tensor, shift: float = 0.0, scale: float = 1.0, roll: float = 0.0) -> Face:
    x, y, side = crop_box_from_landmarks(points).tolist()
    x, y, half = x + shift * side, y - shift * side, scale * side / 2
    return Face((x - half, y - half, x + half, y + half), 1.0, roll=roll, framed=True)


def error(face: Face, points: torch.Tensor) -> float:
    """Mean over five points, in per cent of the distance between the eyes."""
    return float(100 * (five_points(face.landmarks) - points).norm(dim=-1).mean() / (points[1] - points[0]).norm())


def test_shapes_and_a_few_parameters() -> None:
    points, log_scale, logit = LandmarkNetwork(size=32).eval()(torch.rand(3, 3, 32, 32))
    assert points.shape == (3, 68, 2)
    assert log_scale.shape == (3, 68)
    assert logit.shape == (3,)
    assert sum(p.numel() for p in LandmarkNetwork().parameters()) < 0.75e6
    with pytest.raises(ValueError, match="multiple of 16"):
        LandmarkNetwork(size=40)


def test_brightness_and_contrast_do_not_matter() -> None:
    network = LandmarkNetwork(size=32).eval()
    crop = 0.2 + 0.6 * torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        for found, dimmed in zip(network(crop), network(0.5 * crop), strict=True):
            torch.testing.assert_close(found, dimmed, atol=2e-3, rtol=1e-2)


def test_shipped_weights_are_those_of_the_card() -> None:
    entry = load_card("face_landmarks").default_weights
    assert entry is not None
    assert entry.sha256 == weights.SHA256
    assert (load_card("face_landmarks").folder / entry.file).resolve() == weights.WEIGHTS.resolve()
    assert weights.WEIGHTS.stat().st_size < 1.5e6
    assert not shipped_network().training


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights.safetensors").write_bytes(weights.WEIGHTS.read_bytes()[:-1] + b"\0")
    monkeypatch.setattr(weights, "WEIGHTS", tmp_path / "weights.safetensors")
    with pytest.raises(UserError, match="not the file that was shipped"):
        weights.shipped_network.__wrapped__()
    (tmp_path / "weights.safetensors").unlink()
    with pytest.raises(UserError, match="install the package again"):
        weights.shipped_network.__wrapped__()
    (tmp_path / "other.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="no weights of the landmark network"):
        load_network(tmp_path / "other.safetensors")


@pytest.mark.parametrize("name", PORTRAITS)
def test_portraits(shared: Path, name: str) -> None:
    """From the true crop and from bad ones; the network says that it is sure."""
    image, points = portrait(shared, name)
    for frame in (framed(points), framed(points, 0.12, 1.3, 0.4), framed(points, -0.12, 0.78, -0.4)):
        face = find_landmarks(image, frame)
        assert face.landmarks is not None
        assert face.landmarks.shape == (68, 2)
        assert error(face, points) < LIMIT
        assert face.score > 0.9


def test_a_mirrored_picture_has_mirrored_points(shared: Path) -> None:
    image, points = portrait(shared, "000033")
    face = find_landmarks(image, framed(points))
    width = image.shape[-1]
    mirrored_points = torch.stack((width - 1 - points[:, 0], points[:, 1]), -1)[[1, 0, 2, 4, 3]]
    mirrored = find_landmarks(image.flip(-1), framed(mirrored_points))
    back = mirrored.landmarks[list(LANDMARK_FLIP)]
    back = torch.stack((width - 1 - back[:, 0], back[:, 1]), -1)
    # the second looks agree; only the crops that the first looks lead to differ a little
    eyes = float((points[1] - points[0]).norm())
    assert float((back - face.landmarks).norm(dim=-1).mean()) < 0.015 * eyes
    assert mirrored.roll == pytest.approx(-face.roll, abs=0.02)


def test_a_turned_picture_has_turned_points(shared: Path) -> None:
    image, points = portrait(shared, "000055")
    turned = Crop((image.shape[-1] / 2, image.shape[-2] / 2), 500.0, 500, roll=-0.5)
    face = find_landmarks(turned.cut(image), framed(turned.to_crop(points)))
    assert error(face, turned.to_crop(points)) < LIMIT
    assert 0.3 < face.roll < 0.7


def test_what_is_no_face_is_told_from_faces(shared: Path) -> None:
    """Confidence is lower, and the expected error larger, on every texture than on every portrait."""
    faces = [find_landmarks(image, framed(points)) for image, points in (portrait(shared, n) for n in PORTRAITS)]
    others = []
    for name in ("coffee", "chelsea", "brick", "grass"):
        pixels = torch.from_numpy(np.atleast_3d(getattr(skimage.data, name)())).permute(2, 0, 1)
        image = pixels[:3].expand(3, -1, -1).float() / 255
        boxes = [(x, y, x + 120.0, y + 120.0) for x in (10.0, 150.0, 300.0) for y in (20.0, 150.0)]
        others += find_landmarks_of_all(image, [Face(box, 1.0) for box in boxes])
    assert max(face.error for face in faces) < min(face.error for face in others)
    assert np.median([face.score for face in others]) < 0.3 < min(face.score for face in faces)


def test_a_blank_picture_is_answered_without_confidence() -> None:
    face = find_landmarks(torch.full((3, 50, 60), 0.5), Face((10.0, 10.0, 40.0, 40.0), 1.0))
    assert bool(torch.isfinite(face.landmarks).all())
    assert math.isfinite(face.error)
    assert face.score < 0.5


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="an image"):
        find_landmarks(torch.rand(1, 3, 20, 20), Face((0.0, 0.0, 9.0, 9.0), 1.0))
    assert find_landmarks_of_all(torch.rand(3, 20, 20), []) == []


def test_detected_faces_have_landmarks(shared: Path) -> None:
    image, points = portrait(shared, "000007")
    (face,) = detect_faces(image)
    assert face.landmarks.shape == (68, 2)
    assert face.error is not None
    assert face.error < 15
    assert error(face, points) < LIMIT


@pytest.mark.parametrize("change", ["mirrored", "dimmed", "halved"])
def test_changed_pictures_are_found_too(shared: Path, change: str) -> None:
    image, _ = portrait(shared, "000031")  # the least sure of all
    if change == "mirrored":
        image = image.flip(-1)
    elif change == "dimmed":
        image = 0.5 * image
    else:
        image = torch.nn.functional.interpolate(image[None], scale_factor=0.5, mode="bilinear", antialias=True)[0]
    assert len(detect_faces(image, "cascade")) == 1


def test_points_are_drawn_where_they_are() -> None:
    image = torch.zeros(1, 3, 60, 60)
    points = torch.full((1, 68, 2), -50.0)
    points[0, 30] = torch.tensor([20.0, 40.0])
    drawn = draw_landmarks(image, points)
    assert drawn.shape == image.shape
    assert drawn[0, 1, 40, 20] > 0.5
    assert drawn[0, :, 10, 50].max() == 0
    assert draw_landmarks(image, points, smallest=150).shape == (1, 3, 180, 180)
    assert image.max() == 0
