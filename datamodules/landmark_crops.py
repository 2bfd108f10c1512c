"""Crops of faces as a detector frames them, and crops without a face: what landmarks are learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.base import BatchDataset, ZooDataModule
from datamodules.sampling.draws import Draws, noise
from zoo.contract import LANDMARK_FLIP
from zoo.errors import UserError
from zoo.faces import crop_box_from_landmarks, five_points

__all__ = ["CropRange", "LandmarkCrops"]

_CORRUPTIONS = ("tone", "ramp", "softness", "grain", "patch")


@dataclass(frozen=True)
class CropRange:
    """How crops miss the canonical frame of ``zoo.faces``, as the boxes of a detector do.

    Args:
        shift: Largest shift along each axis, in sides of the canonical crop.
        scale: Smallest and largest size of the crop, in sizes of the canonical one.
        roll: Largest roll of the face in the crop, in degrees; half of the faces lie within a third of it.
    """

    shift: float = 0.16
    scale: tuple[float, float] = (0.72, 1.4)
    roll: float = 38.0


_RANGE = CropRange()


class LandmarkCrops(ZooDataModule):
    """Cuts a new small crop out of a larger picture each time it is asked for, so that few renders give many samples.

    Keys: ``image``, ``landmarks``, and ``is_face`` (B,): 0 where the crop shows no face, or one that it frames so badly
    that a detector should not have drawn it; landmarks count where it is 1.

    Args:
        faces: Pictures of faces with landmarks and room around them, such as ``ProceduralFaces`` with a camera whose
            ``margin`` is 1.6 and a ``size`` that is as much larger than that of the crops.
        size: Height and width of the crops.
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order, crops and corruptions.
        frame: How the crops miss the face.
        negatives: Share of crops without a face: of the background, of a part of a face, of a face far too small,
            upside down, or with its parts in disorder.
        corruptions: Some of tone, ramp (light from a side), softness, grain and patch (a piece of the picture laid over
            another part of it); they happen in training alone.
        flip: Mirror half of the training crops.

    Raises:
        UserError: A value that cannot be used.
    """

    def __init__(
        self,
        faces: ZooDataModule,
        size: int = 80,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        frame: CropRange = _RANGE,
        negatives: float = 0.25,
        corruptions: Sequence[str] = _CORRUPTIONS,
        flip: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        unknown = sorted(set(corruptions) - set(_CORRUPTIONS))
        if unknown:
            raise UserError(f"no corruption named '{unknown[0]}'; there are {', '.join(_CORRUPTIONS)}.")
        if not 0 <= negatives < 1 or size < 16:
            raise UserError(f"negatives is {negatives} and size {size}; take a share below 1, and at least 16 pixels.")
        self.faces, self.size, self.frame, self.negatives = faces, size, frame, negatives
        self.corruptions, self.flip = tuple(corruptions), flip

    def prepare_data(self) -> None:
        """Make the pictures ready."""
        self.faces.trainer = self.trainer
        self.faces.prepare_data()

    def dataset(self, split: str) -> BatchDataset:
        """The crops of a split; those of validation and test are the same in every epoch, and not corrupted."""
        source = self.faces.split(split)
        assert isinstance(source, BatchDataset)
        return _Crops(source, split, self)


class _Crops(BatchDataset):
    def __init__(self, source: BatchDataset, split: str, settings: LandmarkCrops) -> None:
        self.source, self.split, self.settings = source, split, settings

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        pictures, settings = self.source.batch(indices), self.settings
        draws = Draws(settings.seed, self.split, indices)
        wide, landmarks = pictures["image"], pictures["landmarks"]
        kind = _kinds(draws, settings.negatives)
        centre, side, roll = _frames(draws, landmarks, wide.shape[-1], settings.frame, kind)
        training = self.split == "train"
        mirrored = draws.chance("crop flip", 0.5 if training and settings.flip else 0.0)
        image, landmarks = cut(wide, landmarks, centre, side, roll, torch.from_numpy(mirrored), settings.size)
        image = _jumbled(draws, image, kind == _JUMBLED)
        if training:
            image = _corrupted(draws, image, settings.corruptions)
        is_face = torch.from_numpy(kind == _FACE).float().to(image.device)
        return {"image": image, "landmarks": landmarks, "is_face": is_face}


_FACE, _AWAY, _PART, _SMALL, _TURNED, _JUMBLED, _BACKGROUND = range(7)
"""Kinds of crops; all but the first are negatives."""
_SHARES = (0.2, 0.12, 0.16, 0.12, 0.12, 0.28)


def _kinds(draws: Draws, negatives: float) -> np.ndarray:
    """The kind of each crop, (B,)."""
    first, second = draws.uniform("crop kind", 2).T
    return np.where(first < negatives, 1 + np.searchsorted(np.cumsum(_SHARES[:-1]), second, side="right"), _FACE)


def _frames(
    draws: Draws, landmarks: Tensor, width: int, frame: CropRange, kind: np.ndarray
) -> tuple[Tensor, Tensor, Tensor]:
    """Centre (B,2) and side (B,) in pixels of the wide picture, and roll (B,) in radians, of each crop."""
    box = crop_box_from_landmarks(landmarks.double()).cpu().numpy()
    x, y, size, turn, which, away = (2 * draws.uniform("crop frame", 6) - 1).T
    shift = frame.shift * np.stack((x, y), -1)
    low, high = np.log(frame.scale)
    scale = np.exp((low + high) / 2 + size * (high - low) / 2)
    roll = np.radians(frame.roll) * turn * np.abs(turn) ** 0.6
    angle = np.pi * which
    direction = np.stack((np.cos(angle), np.sin(angle)), -1)
    unit = (away + 1) / 2
    shift = np.where((kind == _AWAY)[:, None], direction * (0.42 + 0.4 * unit)[:, None], shift)
    shift = np.where((kind == _PART)[:, None], direction * (0.3 * unit)[:, None], shift)
    scale = np.where(kind == _PART, 0.22 + 0.25 * (size + 1) / 2, scale)
    scale = np.where(kind == _SMALL, 2.3 + 1.2 * unit, scale)
    roll = np.where(kind == _TURNED, np.pi + which * 0.5 * np.pi, roll)

    eyes = five_points(landmarks.double()).cpu().numpy()[:, :2]
    face_roll = np.arctan2(*(eyes[:, 1] - eyes[:, 0]).T[::-1])
    centre = box[:, :2] + shift * box[:, 2:]
    side = scale * box[:, 2]
    # a background crop lies in the corner that is farthest from the face, where there is room beside it
    corner = np.where(box[:, :2] < width / 2, 1.0, 0.0) * (width - 1)
    beside = kind == _BACKGROUND
    room = np.abs(corner - box[:, :2]).max(-1) - 0.4 * box[:, 2]
    side = np.where(beside, np.maximum(room, 8) * (0.5 + 0.5 * unit), side)
    inward = np.where(corner > 0, -0.5, 0.5) * side[:, None]
    centre = np.where(beside[:, None], corner + inward, centre)
    centres, sides, rolls = (torch.from_numpy(value).to(landmarks) for value in (centre, side, face_roll - roll))
    return centres, sides, rolls


def cut(
    wide: Tensor,
    landmarks: Tensor,
    centre: Tensor,
    side: Tensor,
    roll: Tensor,
    mirrored: Tensor,
    size: int,
    padding: Literal["border", "zeros"] = "border",
) -> tuple[Tensor, Tensor]:
    """Cut a square out of each picture, and take the landmarks along.

    Args:
        wide: (B, C, H, W).
        landmarks: (B, 68, 2) in its pixels.
        centre: (B, 2) of the squares.
        side: (B,) of the squares.
        roll: (B,) radians, positive clockwise as seen.
        mirrored: (B,) bools: which are flipped left to right after the cut; their landmarks swap sides.
        size: Height and width of the result.
        padding: Beyond its border a picture goes on as it ends, or is black.

    Returns:
        Crops (B, C, size, size) and landmarks (B, 68, 2) in their pixels.
    """
    turn = torch.stack((roll.cos(), -roll.sin(), roll.sin(), roll.cos()), -1).view(-1, 2, 2)
    sign = torch.where(mirrored.to(wide.device), -1.0, 1.0)
    extent = wide.new_tensor([wide.shape[-1], wide.shape[-2]])
    # from the crop's coordinates to the picture's, both from -1 at one edge to 1 at the other
    across = turn * torch.stack((sign, torch.ones_like(sign)), -1)[:, None] * side.view(-1, 1, 1) / extent[:, None]
    middle = (centre * 2 + 1) / extent - 1
    grid = F.affine_grid(torch.cat((across, middle[..., None]), -1), [len(wide), 1, size, size], align_corners=False)
    crops = F.grid_sample(wide, grid, mode="bilinear", padding_mode=padding, align_corners=False)
    points = (landmarks - centre[:, None]) @ turn
    points = points * torch.stack((sign, torch.ones_like(sign)), -1)[:, None]
    points = points * (size / side.view(-1, 1, 1)) + (size - 1) / 2
    return crops, torch.where(mirrored.to(wide.device).view(-1, 1, 1), points[:, list(LANDMARK_FLIP)], points)


def _jumbled(draws: Draws, image: Tensor, where: np.ndarray) -> Tensor:
    """Sixteen tiles in a random order, in some pictures: it has all parts of a face and is none."""
    rows = np.flatnonzero(where)
    if not len(rows):
        return image
    tile = image.shape[-1] // 4
    order = torch.from_numpy(draws.uniform("jumble", 16)[rows].argsort(-1)).to(image.device)
    some = torch.from_numpy(rows).to(image.device)
    inner = image[some, :, : 4 * tile, : 4 * tile]
    tiles = F.unfold(inner, tile, stride=tile)
    tiles = tiles.gather(2, order[:, None].expand_as(tiles))
    image[some, :, : 4 * tile, : 4 * tile] = F.fold(tiles, (4 * tile, 4 * tile), tile, stride=tile)
    return image


def _corrupted(draws: Draws, image: Tensor, corruptions: Sequence[str]) -> Tensor:
    """What may happen to a picture between the lens and the network, on encoded values and crudely."""
    size = image.shape[-1]
    if "patch" in corruptions:
        image = _patched(draws, image)
    if "ramp" in corruptions:
        axis = (torch.arange(size, device=image.device) + 0.5) / size * 2 - 1
        slope = _column(0.35 * draws.normal("ramp", 2, limit=2) * draws.chance("is ramped", 0.5)[:, None], image)
        image = image * (slope[:, 0] * axis.view(1, 1, 1, -1) + slope[:, 1] * axis.view(1, 1, -1, 1)).exp()
    if "tone" in corruptions:
        numbers = draws.normal("tone", 2, limit=2)
        gain, gamma = (_column(np.exp(0.3 * number), image) for number in numbers.T)
        image = (image * gain).clamp(1e-4, 1) ** gamma
    if "softness" in corruptions:
        amount = _column(draws.uniform("softness", 2) * draws.chance("is soft", 0.3, 2), image)
        for number, factor in enumerate((2, 4)):
            coarse = F.interpolate(F.avg_pool2d(image, factor), size=(size, size), mode="bilinear")
            image = torch.lerp(image, coarse, amount[:, number])
    if "grain" in corruptions:
        strength = 0.08 * draws.uniform("grain strength") ** 2
        white = noise(draws.words("grain"), 1, size, size).to(image.device)
        image = image + _column(strength, image) * 3.46 * (white - 0.5)
    return image.clamp(0, 1)


def _patched(draws: Draws, image: Tensor) -> Tensor:
    """A rectangle that shows another place of the same picture upside down, over a part of it."""
    size = image.shape[-1]
    u = draws.uniform("patch", 4)
    half = np.exp(np.log(0.08) + u[:, 2:] * np.log(3.5))
    centre, reach = (_column(value, image) for value in (u[:, :2], half))
    axis = (torch.arange(size, device=image.device) + 0.5) / size
    inside = ((axis.view(1, 1, 1, -1) - centre[:, 0]).abs() < reach[:, 0]) & (
        (axis.view(1, 1, -1, 1) - centre[:, 1]).abs() < reach[:, 1]
    )
    there = torch.from_numpy(draws.chance("has patch", 0.25)).to(image.device).view(-1, 1, 1, 1)
    return torch.where(inside & there, image.flip(2).roll((size // 3, size // 2), (2, 3)), image)


def _column(values: np.ndarray, like: Tensor) -> Tensor:
    """(B, ...) as (B, ..., 1, 1, 1)."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(like)[..., None, None, None]
