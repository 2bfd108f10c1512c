"""Batches of one size from pictures of several: photos keep their shape, and meet only photos of the same shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from datamodules.base import ZooDataModule
from datamodules.loader import EpochSampler, TrainLoader, as_is
from datamodules.samples import SampleDataset
from zoo.errors import UserError

__all__ = [
    "SAW_SHAPES",
    "GroupSampler",
    "GroupedDataModule",
    "GroupedSamples",
    "by_orientation",
    "by_ratio",
    "picture_size",
]

Size = tuple[int, int]
"""Height and width in pixels."""

Shapes = tuple[tuple[float, Size], ...]


def by_orientation(height: int, width: int) -> Size:
    """The network size of an IIW photo: landscape, portrait or square.

    Example:
        >>> by_orientation(341, 512), by_orientation(512, 341), by_orientation(512, 512)
        ((256, 384), (384, 256), (384, 384))
    """
    return (256, 384) if height < width else (384, 256) if height > width else (384, 384)


SAW_SHAPES: Shapes = ((1.73, (512, 256)), (1.41, (384, 256)), (1.15, (512, 384)), (0.0, (384, 384)))
"""The sizes that CGIntrinsics feeds SAW's photos in."""


def by_ratio(height: int, width: int, shapes: Shapes = SAW_SHAPES) -> Size:
    """The network size of a photo, by its longer over its shorter side.

    Args:
        height: Of the photo.
        width: Of the photo.
        shapes: From which ratio on which size holds, for upright photos; in falling order, the last from 0.

    Source: the released code of CGIntrinsics (Li and Snavely, ECCV 2018).

    Example:
        >>> by_ratio(341, 512), by_ratio(384, 512), by_ratio(512, 256), by_ratio(480, 512)
        ((256, 384), (384, 512), (512, 256), (384, 384))
    """
    longer, shorter = max(height, width), min(height, width)
    size = next(size for ratio, size in shapes if longer / shorter > ratio)
    return size if height > width else (size[1], size[0])


def picture_size(path: Any) -> Size:
    """Height and width of an image file, from its first bytes.

    Raises:
        UserError: The file is no image.
    """
    try:
        with Image.open(path) as picture:
            return picture.height, picture.width
    except (OSError, ValueError, SyntaxError) as problem:
        raise UserError(f"{path} is damaged or no image. Copy it again.") from problem


class GroupedSamples(SampleDataset):
    """Samples of several sizes.

    Args:
        sizes: Of each sample, in the batch.
        split: As ``SampleDataset`` takes it.
        seed: Of all that is drawn.
        flip: Mirror half of the samples, others in each epoch.
    """

    def __init__(self, sizes: Sequence[Size], split: str, seed: int, flip: bool) -> None:
        super().__init__(len(sizes), split, seed, flip)
        self.sizes = list(sizes)

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        """The samples of these indices, collated.

        Raises:
            UserError: They differ in size.
        """
        if len({self.sizes[index % self.count] for index in indices}) > 1:
            raise UserError(
                "pictures of several sizes met in one batch. Give them one size by --data.height and --data.width, or "
                "a batch_size of 1."
            )
        return super().batch(indices)

    def __getitem__(self, index: Any) -> dict[str, Any]:
        """A whole batch for the list that ``GroupSampler`` gives; a sample without batch dimension for a number."""
        return self.batch(index) if isinstance(index, list) else super().__getitem__(index)


class GroupSampler(EpochSampler):
    """Yields whole batches, lists of indices, whose samples have one size.

    Shuffled, every size gives as many full batches as it has, and one that repeats samples where it has too few; which
    samples are left over differs between epochs. In order, the last batch of each size is smaller.

    Args:
        dataset: What is sampled.
        batch_size: Samples in a batch.
        seed: Of the order.
        rank: Of this process.
        world_size: Number of processes; each gets as many batches as the others.
        shuffle: Anew in each epoch, by seed and epoch alone.
    """

    def __init__(
        self,
        dataset: GroupedSamples,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        shuffle: bool = True,
    ) -> None:
        super().__init__(dataset, seed, rank, world_size)
        self.batch_size, self.shuffle = batch_size, shuffle
        groups: dict[Size, list[int]] = {}
        for index, size in enumerate(dataset.sizes):
            groups.setdefault(size, []).append(index)
        self._groups = [groups[size] for size in sorted(groups)]
        self._count = len(dataset)

    def __len__(self) -> int:
        """Batches in an epoch of this rank."""
        return len(self._batches(0)[self.rank :: self.num_replicas])

    def __iter__(self) -> Iterator[Any]:
        batches = self._batches(self.epoch)[self.rank :: self.num_replicas][self.skip :]
        self.skip = 0
        offset = self.epoch * self._count if self.shuffle else 0
        return iter([[offset + index for index in batch] for batch in batches])

    def _batches(self, epoch: int) -> list[list[int]]:
        random = torch.Generator().manual_seed(self.seed + epoch)
        batches = []
        for group in self._groups:
            if self.shuffle:
                group = [group[i] for i in torch.randperm(len(group), generator=random).tolist()]
                if len(group) < self.batch_size:
                    group = (group * self.batch_size)[: self.batch_size]
                group = group[: len(group) // self.batch_size * self.batch_size]
            batches += [group[i : i + self.batch_size] for i in range(0, len(group), self.batch_size)]
        if self.shuffle:
            batches = [batches[i] for i in torch.randperm(len(batches), generator=random).tolist()]
        lacking = -len(batches) % self.num_replicas
        return batches + batches[:lacking]


class GroupedDataModule(ZooDataModule):
    """A data module whose data sets are ``GroupedSamples``."""

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled anew in each epoch, sizes mixed; goes on in the middle of an epoch after a restart."""
        return TrainLoader(self.split("train"), sampler=self._sampler("train", True), **self._options())

    def val_dataloader(self) -> DataLoader[Any]:
        """In order within each size."""
        return self._in_order("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """In order within each size."""
        return self._in_order("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """In order within each size."""
        return self._in_order("predict")

    def _in_order(self, split: str) -> DataLoader[Any]:
        return DataLoader(self.split(split), sampler=self._sampler(split, False), **self._options())

    def _sampler(self, split: str, shuffle: bool) -> GroupSampler:
        data: Dataset[Any] = self.split(split)
        assert isinstance(data, GroupedSamples)
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return GroupSampler(data, self.batch_size, self.seed, rank, world, shuffle)

    def _options(self) -> dict[str, Any]:
        # the sampler makes the batches, so that the loader must not
        return {**super()._options(), "batch_size": None, "collate_fn": as_is}
