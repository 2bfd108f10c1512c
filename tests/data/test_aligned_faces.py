"""Aligned crops of wider pictures: points stay on what they mark, sets stay together, training sees no truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from recorded import Recorder, fit
from torch import Tensor

from datamodules import AlignedFaces, AlignmentJitter, BatchDataset, Interleaved, ProceduralFaces, ZooDataModule
from datamodules.loader import epoch_and_sample
from datamodules.sampling.camera import CameraRange
from zoo.errors import UserError
from zoo.faces import aligned_boxes
from zoo.faces.alignment import REFERENCE_POINTS

RED, GREEN, BLUE = torch.eye(3)


def landmarks_of(index: int) -> Tensor:
    """(68,2): the mean face as seen from the front, somewhere near the middle of 96 pixels, rolled a little."""
    random = torch.Generator().manual_seed(index)
    dx, dy, roll, grow = (torch.rand(4, generator=random) - 0.5).tolist()
    flat = torch.tensor(REFERENCE_POINTS)[:, :2] * torch.tensor([1.0, -1.0]) * (28 + 4 * grow)
    turn = torch.tensor([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    five = flat @ turn.T + torch.tensor([48 + 4 * dx, 48 + 4 * dy])
    points = five.mean(0).repeat(68, 1)
    points[36:42], points[42:48] = five[0], five[1]
    points[30], points[48], points[54] = five[2], five[3], five[4]
    return points


class Dots(BatchDataset):
    """Faces of dots: the eyes that the picture shows left and right are red and green, the mouth's corners blue."""

    def __init__(self, count: int, pictures: int) -> None:
        self.count, self.pictures = count, pictures

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        samples = [epoch_and_sample(index, self.count)[1] for index in indices]
        landmarks = torch.stack([landmarks_of(sample) for sample in samples])
        axis = torch.arange(96.0)
        image = torch.zeros(len(samples), 3, 96, 96)
        for point, colour in ((36, RED), (42, GREEN), (48, BLUE), (54, BLUE)):
            x, y = landmarks[:, point].unbind(-1)
            away = (axis - x[:, None])[:, None, :] ** 2 + (axis - y[:, None])[:, :, None] ** 2
            image += torch.exp(-away / 4)[:, None] * colour.view(3, 1, 1)
        batch = {
            "image": image.clamp(0, 1),
            "mask": torch.ones(len(samples), 1, 96, 96),
            "landmarks": landmarks,
            "person": torch.tensor([sample // self.pictures for sample in samples]),
            "sample": torch.tensor(samples),
        }
        for key in ("identity", "expression", "texture", "rotation", "translation"):
            batch[key] = torch.zeros(len(samples), 3)
        return {**batch, "light": torch.zeros(len(samples), 3, 9), "normal": torch.zeros(len(samples), 3, 96, 96)}


class DotsData(ZooDataModule):
    def __init__(self, count: int = 60, pictures: int = 3) -> None:
        super().__init__(4)
        self.count, self.pictures = count, pictures

    def dataset(self, split: str) -> Dots:
        return Dots(self.count, self.pictures)


def colour_at(image: Tensor, points: Tensor) -> Tensor:
    """(B,3) of images (B,3,H,W) at points (B,2)."""
    grid = ((points * 2 + 1) / image.shape[-1] - 1).view(-1, 1, 1, 2)
    return torch.nn.functional.grid_sample(image, grid, align_corners=False)[..., 0, 0]


def test_flip_and_jitter_move_picture_and_points_alike() -> None:
    batch = AlignedFaces(DotsData(), size=64).split("train").batch(range(40))
    image, points = batch["image"], batch["landmarks"]
    left, right = colour_at(image, points[:, 36]), colour_at(image, points[:, 42])
    mirrored = left[:, 1] > left[:, 0]
    assert 8 < mirrored.sum() < 32
    # whichever way round, point 36 lies on the eye that the picture shows left
    assert (points[:, 36, 0] < points[:, 42, 0]).all()
    for on_left, on_right, where in ((RED, GREEN, ~mirrored), (GREEN, RED, mirrored)):
        torch.testing.assert_close(left[where], on_left.expand_as(left[where]), atol=0.25, rtol=0)
        torch.testing.assert_close(right[where], on_right.expand_as(right[where]), atol=0.25, rtol=0)
    for corner in (48, 54):
        assert (colour_at(image, points[:, corner])[:, 2] > 0.75).all()


def test_training_misses_the_alignment_within_the_range() -> None:
    jitter = AlignmentJitter()
    data = AlignedFaces(DotsData(), size=64, flip=False)
    crops, source = data.split("train").batch(range(60)), data.faces.split("train").batch(range(60))
    centre, side = aligned_boxes(crops["landmarks"], 64)
    assert (side > 64 * 0.9 - 0.01).all()
    assert (side < 64 * 1.1 + 0.01).all()
    assert side.max() - side.min() > 6
    assert (centre - 31.5).abs().max() < 64 * jitter.shift * 1.6 + 0.1
    assert (centre - 31.5).abs().max() > 2

    def roll(points: Tensor) -> Tensor:
        across = points[:, 42] - points[:, 36]
        return torch.atan2(across[:, 1], across[:, 0])

    turned = (roll(crops["landmarks"]) - roll(source["landmarks"])).abs()
    assert 6 < math.degrees(turned.max()) < 10.01
    none = AlignedFaces(DotsData(), size=64, flip=False, jitter=AlignmentJitter(0, 0, 0)).split("train")
    centre, side = aligned_boxes(none.batch(range(9))["landmarks"], 64)
    assert (centre - 31.5).abs().max() < 1e-3
    assert (side - 64).abs().max() < 1e-3


def test_validation_is_aligned_and_keeps_the_truth_and_training_has_none() -> None:
    data = AlignedFaces(DotsData(), size=64)
    val = data.split("val").batch(range(6))
    centre, side = aligned_boxes(val["landmarks"], 64)
    torch.testing.assert_close(centre, torch.full((6, 2), 31.5), atol=1e-3, rtol=0)
    torch.testing.assert_close(side, torch.full((6,), 64.0), atol=1e-3, rtol=0)
    truth = {"identity", "expression", "texture", "rotation", "translation", "light", "sample"}
    assert set(val) == {"image", "mask", "landmarks", "person"} | truth, "maps that are not cut would not fit"
    assert set(data.split("train").batch([0])) == {"image", "mask", "landmarks", "person"}
    assert val["mask"].shape == (6, 1, 64, 64)


def test_another_epoch_has_other_crops_and_batches_do_not_matter() -> None:
    train = AlignedFaces(DotsData(), size=64).split("train")
    first, later = train.batch([3]), train.batch([3 + len(train)])
    assert (first["landmarks"] - later["landmarks"]).abs().max() > 0.1
    together = train.batch([2, 3])
    torch.testing.assert_close({key: value[1:] for key, value in together.items()}, first)


def test_pictures_of_one_person_stay_together() -> None:
    data = AlignedFaces(DotsData(60, 3), size=32, batch_size=4, people=3)
    assert len(data.split("train")) == 20
    loader = data.train_dataloader()
    seen = []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        batches = [batch["person"].view(4, 3) for batch in loader]
        assert all(len(batch) == 4 and (batch == batch[:, :1]).all() for batch in batches)
        seen.append(torch.cat(batches)[:, 0].tolist())
    assert sorted(seen[0]) == sorted(seen[1]) == list(range(20))
    assert seen[0] != seen[1] != sorted(seen[1])
    val = next(iter(data.val_dataloader()))
    assert val["sample"].tolist() == list(range(12))


def test_a_set_is_mirrored_as_a_whole_and_jittered_one_by_one() -> None:
    train = AlignedFaces(DotsData(60, 3), size=64, people=3).split("train")
    batch = train.batch(range(20))
    left = colour_at(batch["image"], batch["landmarks"][:, 36])
    mirrored = (left[:, 1] > left[:, 0]).view(20, 3)
    assert (mirrored == mirrored[:, :1]).all()
    assert 3 < mirrored[:, 0].sum() < 17
    _, side = aligned_boxes(batch["landmarks"], 64)
    assert (side.view(20, 3).std(1) > 0.2).all()
    later = train.batch([20])
    assert later["person"].tolist() == batch["person"][:3].tolist(), "the second epoch begins with the same person"
    assert (later["landmarks"] - batch["landmarks"][:3]).abs().max() > 0.1


@pytest.mark.parametrize("people", [0, 3])
def test_a_restart_goes_on_in_the_middle_of_an_epoch(tmp_path: Path, people: int) -> None:
    def data() -> Interleaved:
        first = AlignedFaces(DotsData(24, 3), size=16, batch_size=8 if people == 0 else 2, people=people)
        return Interleaved([first, AlignedFaces(DotsData(9, 3), size=16, batch_size=2)], [1, 2])

    whole, resumed = Recorder(), Recorder()
    fit(whole, data(), tmp_path / "whole")
    checkpoint = next((tmp_path / "whole").glob("*step=4.ckpt"))
    fit(resumed, data(), tmp_path / "resumed", checkpoint)
    names = len(whole.seen) // _steps(tmp_path / "whole")
    assert names == 4
    assert resumed.seen == whole.seen[4 * names :]


def _steps(folder: Path) -> int:
    return len(list(folder.glob("*.ckpt")))


def test_rendered_faces_in_sets(tiny_face: None) -> None:
    keys = ("image", "landmarks", "identity", "light", "rotation", "person")
    camera = CameraRange(fov=(10, 40), careless=0, margin=1.35)
    faces = ProceduralFaces(
        size=48, train=10, val=4, test=4, cache=False, flip=False, keys=keys, camera=camera, pictures_per_person=2
    )
    data = AlignedFaces(faces, size=32, batch_size=2, people=2)
    train, val = data.split("train").batch([0, 7]), data.split("val").batch([0, 1])
    assert train["person"].tolist() == [0, 0, 2, 2]
    assert set(train) == {"image", "landmarks", "person"}
    assert set(val) == set(keys)
    assert val["image"].shape == (4, 3, 32, 32)


def test_bad_settings(tiny_face: None) -> None:
    with pytest.raises(UserError, match="make no whole sets of 7"):
        AlignedFaces(DotsData(60, 3), people=7).split("train")
    with pytest.raises(UserError, match="must show one person to be a set"):
        AlignedFaces(DotsData(60, 3), size=32, people=2).split("val").batch([0, 1])
    with pytest.raises(UserError, match="size is 8"):
        AlignedFaces(DotsData(), size=8)
    with pytest.raises(UserError, match="the jitter's scale is 1"):
        AlignedFaces(DotsData(), jitter=AlignmentJitter(scale=1))
    faces = ProceduralFaces(size=32, cache=False, keys=["image"], train=2)
    with pytest.raises(UserError, match="have 'landmarks' among the keys"):
        AlignedFaces(faces, size=32).split("train").batch([0])
