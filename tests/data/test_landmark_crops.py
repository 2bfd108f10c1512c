"""Crops for landmarks: points stay on what they mark, faces are framed as asked, and negatives hold no framed face."""

from __future__ import annotations

import math

import pytest
import torch

from datamodules import LandmarkCrops, ProceduralFaces
from datamodules.landmark_crops import CropRange, cut
from datamodules.sampling.camera import CameraRange
from zoo.contract import LANDMARK_FLIP
from zoo.errors import UserError
from zoo.faces import crop_box_from_landmarks, five_points


def dotted(points: torch.Tensor, size: int = 96) -> torch.Tensor:
    """A picture (1, 1, size, size) with a soft dot at each point."""
    axis = torch.arange(size).float()
    distance = (axis[None, None, :] - points[:, 0, None, None]) ** 2 + (
        axis[None, :, None] - points[:, 1, None, None]
    ) ** 2
    return torch.exp(-distance / 4).amax(0)[None, None]


def sixty_eight(chosen: torch.Tensor) -> torch.Tensor:
    return chosen[torch.arange(68) % len(chosen)][None]


@pytest.mark.parametrize("mirrored", [False, True])
def test_points_go_where_the_picture_goes(mirrored: bool) -> None:
    points = torch.tensor([[40.0, 50.0], [55.0, 44.0], [47.0, 60.0]])
    crops, moved = cut(
        dotted(points), sixty_eight(points), torch.tensor([[48.0, 52.0]]), torch.tensor([40.0]), torch.tensor([0.4]),
        torch.tensor([mirrored]), 64,
    )  # fmt: skip
    order = list(LANDMARK_FLIP) if mirrored else list(range(68))
    back = torch.empty(68, dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(68)
    for index in range(3):
        x, y = moved[0, back[index]].tolist()
        assert crops[0, 0, round(y), round(x)] > 0.8


def test_a_face_turned_clockwise_is_set_upright() -> None:
    eyes = torch.tensor([[40.0, 40.0], [40.0 + 20 * math.cos(0.5), 40.0 + 20 * math.sin(0.5)]])
    _, moved = cut(
        dotted(eyes), sixty_eight(eyes), torch.tensor([[48.0, 48.0]]), torch.tensor([60.0]), torch.tensor([0.5]),
        torch.tensor([False]), 64,
    )  # fmt: skip
    assert moved[0, 0, 1].item() == pytest.approx(moved[0, 1, 1].item(), abs=1e-3)


@pytest.fixture
def crops(tiny_face: None) -> LandmarkCrops:
    faces = ProceduralFaces(
        size=64, train=48, val=8, test=8, cache=False, keys=("image", "landmarks"), camera=CameraRange(margin=1.6)
    )
    return LandmarkCrops(faces, size=32, batch_size=48, negatives=0.4)


def test_faces_are_framed_within_the_range(crops: LandmarkCrops) -> None:
    batch = crops.split("train").batch(range(48))
    is_face = batch["is_face"] > 0.5
    assert 0.4 < is_face.float().mean() < 0.8
    x, y, side = crop_box_from_landmarks(batch["landmarks"][is_face]).unbind(-1)
    limits = CropRange()
    assert 32 / limits.scale[1] - 0.1 < side.min()
    assert side.max() < 32 / limits.scale[0] + 0.1
    for middle in (x, y):
        assert ((middle - 15.5).abs() <= (limits.shift * side * math.sqrt(2)) + 0.1).all()
    across = five_points(batch["landmarks"][is_face])
    roll = torch.atan2(*(across[:, 1] - across[:, 0]).flip(-1).unbind(-1))
    assert roll.abs().max() < math.radians(limits.roll) + 0.01
    assert batch["image"].min() >= 0
    assert batch["image"].max() <= 1


def test_another_epoch_has_other_crops_and_validation_has_not(crops: LandmarkCrops) -> None:
    train, val = crops.split("train"), crops.split("val")
    first, again, later = train.batch([3]), train.batch([3]), train.batch([3 + len(train)])
    torch.testing.assert_close(first, again)
    assert (first["landmarks"] - later["landmarks"]).abs().max() > 0.1
    torch.testing.assert_close(val.batch([3]), val.batch([3]))
    together = train.batch([2, 3])
    torch.testing.assert_close({key: value[1:] for key, value in together.items()}, first)


def test_bad_settings(tiny_face: None) -> None:
    faces = ProceduralFaces(size=32, cache=False)
    with pytest.raises(UserError, match="no corruption named 'snow'"):
        LandmarkCrops(faces, corruptions=["snow"])
    with pytest.raises(UserError, match="negatives is 1"):
        LandmarkCrops(faces, negatives=1.0)
