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
from zoo.imaging import Size

__all__ = [
    "GroupSampler",
    "GroupedDataModule",
    "GroupedSamples",
    "by_orientation",
    "picture_size",
]


def by_orientation(height: int, width: int) -> Size:
    """The network size of an IIW photo: landscape, portrait or square.

    Example:
        >>> by_orientation(341, 512), by_orientation(512, 341), by_orientation(512, 512)
        ((256, 384), (384, 256), (384, 384))
    """
    return (256, 384) if height < width else (384, 256) if height > width else (384, 384)


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
    """A data module whose data sets are ``GroupedSamples``.

    Args:
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
        height: With ``width``, one size for all pictures; 0 for sizes by their shape.
        width: See ``height``.

    Raises:
        UserError: Only one of both is given, or a negative one.
    """

    def __init__(
        self, batch_size: int = 16, num_workers: int = 0, seed: int = 0, height: int = 0, width: int = 0
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        if (height > 0) != (width > 0) or min(height, width) < 0:
            raise UserError(f"height is {height} and width {width}; give both, or 0 for both.")
        self.size: Size | None = (height, width) if height else None

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
