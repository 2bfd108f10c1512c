"""What all data modules share: loaders with a repeatable order, whole batches from the data set, ranks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from datamodules.loader import EpochSampler, TrainLoader, as_is
from zoo.errors import UserError

__all__ = ["BatchDataset", "ZooDataModule"]

Batch = dict[str, Any]


class BatchDataset(Dataset[Any], ABC):
    """A data set that makes a whole batch at once, which for arrays and renderers is far faster than one by one.

    Indices may count on through the epochs (see ``datamodules.loader.EpochSampler``).
    """

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples in an epoch."""

    @abstractmethod
    def batch(self, indices: Sequence[int]) -> Batch:
        """The samples of these indices, collated: tensors by the contract's names."""

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """What a DataLoader calls for a batch."""
        return self.batch(indices)

    def __getitem__(self, index: int) -> Batch:
        """One sample, without the batch dimension."""
        if index < 0 or isinstance(index, slice):
            raise IndexError("samples are counted from 0")
        sample = self.batch([index])
        return {key: value if key == "triangles" else value[0] for key, value in sample.items()}


class ZooDataModule(LightningDataModule):
    """Yields batches with the contract's keys.

    A subclass makes its data ready in ``prepare_data`` (once a node) and says in ``dataset`` what a split holds.

    Args:
        batch_size: Samples in a batch, on each device.
        num_workers: Processes that load; 0 loads in the main one.
        seed: Of order and augmentation.
    """

    def __init__(self, batch_size: int = 16, num_workers: int = 0, seed: int = 0) -> None:
        super().__init__()
        if batch_size < 1 or num_workers < 0:
            raise UserError(f"batch_size is {batch_size} and num_workers {num_workers}; take at least 1 and 0.")
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self._datasets: dict[str, Dataset[Any]] = {}

    @abstractmethod
    def dataset(self, split: str) -> Dataset[Any]:
        """The data of ``train``, ``val``, ``test`` or ``predict``."""

    def split(self, split: str) -> Dataset[Any]:
        """The same, made once."""
        if split not in self._datasets:
            self._datasets[split] = self.dataset(split)
        return self._datasets[split]

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled anew in each epoch, by seed and epoch alone; goes on in the middle of an epoch after a restart."""
        data = self.split("train")
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        sampler = EpochSampler(data, self.seed, rank, world)
        return TrainLoader(data, sampler=sampler, drop_last=len(sampler) > self.batch_size, **self._options())

    def val_dataloader(self) -> DataLoader[Any]:
        """In order."""
        return DataLoader(self.split("val"), **self._options())

    def test_dataloader(self) -> DataLoader[Any]:
        """In order."""
        return DataLoader(self.split("test"), **self._options())

    def predict_dataloader(self) -> DataLoader[Any]:
        """In order."""
        return DataLoader(self.split("predict"), **self._options())

    def _options(self) -> dict[str, Any]:
        return {
            "batch_size": self.batch_size,
            "num_workers": self.num_workers,
            "collate_fn": as_is,
            "pin_memory": torch.cuda.is_available(),
            "persistent_workers": self.num_workers > 0,
        }
