"""Data sets that read one sample after the other from files, and collate them into batches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.augment import flip_coins, hflip
from datamodules.base import BatchDataset
from datamodules.loader import epoch_and_sample
from datamodules.sampling.draws import Draws

__all__ = ["SampleDataset", "collate", "crop", "jitter_box", "resize"]


class SampleDataset(BatchDataset):
    """Samples that come one by one from files: a subclass says how many there are, and reads one.

    Args:
        count: Samples in an epoch.
        split: ``train``, ``val``, ``test`` or ``predict``: whose random numbers are drawn.
        seed: Of all that is drawn.
        flip: Mirror half of the samples, others in each epoch.
    """

    def __init__(self, count: int, split: str, seed: int, flip: bool = False) -> None:
        self.count, self.split, self.seed, self.flip = count, split, seed, flip

    def __len__(self) -> int:
        return self.count

    @abstractmethod
    def read(self, sample: int, draws: Draws) -> dict[str, Any]:
        """One sample without the batch dimension; ``draws`` are its random numbers in this epoch."""

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        """The samples of these indices, collated; see ``collate``."""
        rows = []
        for index in indices:
            _, sample = epoch_and_sample(index, self.count)
            rows.append(self.read(sample, Draws(self.seed, self.split, [index])))
        batch = collate(rows)
        return hflip(batch, flip_coins(self.seed, indices)) if self.flip else batch


def collate(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Samples to a batch: tensors are stacked, everything else is listed.

    ``judgements`` are padded with rows of zeros, which weigh nothing, to the longest. What is called ``native_…`` keeps
    the size of its own file, and so is listed.
    """
    batch: dict[str, Any] = {}
    for key in rows[0]:
        values = [row[key] for row in rows]
        if key == "judgements":
            longest = max(1, *(len(value) for value in values))
            values = [F.pad(value, (0, 0, 0, longest - len(value))) for value in values]
        stacked = isinstance(values[0], Tensor) and not key.startswith("native_")
        batch[key] = torch.stack(values) if stacked else values
    return batch


def resize(values: Tensor, height: int, width: int, mode: str = "bilinear") -> Tensor:
    """Another size for (C,H,W) or (H,W): "bilinear" (plain, as the papers' code), "area", or "nearest" for labels."""
    if values.shape[-2:] == (height, width):
        return values
    planes = values.float().reshape(1, -1, *values.shape[-2:])
    options: dict[str, Any] = {"align_corners": False} if mode == "bilinear" else {}
    name = "nearest-exact" if mode == "nearest" else mode
    sized = F.interpolate(planes, size=(height, width), mode=name, **options)
    return sized.reshape(*values.shape[:-2], height, width).to(values.dtype)


def crop(values: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """A part of (..., H, W)."""
    return values[..., top : top + height, left : left + width]


def jitter_box(draws: Draws, shape: Sequence[int], margin: int) -> tuple[int, int, int, int]:
    """Top, left, height and width of a crop that is smaller by ``margin``, anywhere in a picture of this shape."""
    margin = margin if min(shape) > margin else 0
    top, left = (draws.uniform("crop", 2)[0] * margin).astype(int).tolist()
    return top, left, shape[0] - margin, shape[1] - margin
