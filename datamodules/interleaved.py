"""Several kinds of data in turn: one batch of each, as networks that learn from labels of many kinds are trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from datamodules.base import BatchDataset, ZooDataModule
from datamodules.loader import EpochSampler, TrainLoader
from zoo.errors import UserError

__all__ = ["Interleaved"]

Turn = tuple[int, list[int]]
"""Whose turn it is, and the indices of the batch, which count on through that part's own epochs."""


class Interleaved(ZooDataModule):
    """Trains on whole batches of several data modules in turn; validates and tests on the first.

    A round is one batch of each part in their order, but part k has a batch in every ``every[k]``-th round only, from
    the first round on. An epoch is as many rounds as the first part has batches; parts that are shorter begin again,
    shuffled anew, and parts that are longer go on in the next epoch where they stopped. Which kind a batch is of shows
    in its keys.

    Args:
        parts: The data modules, each with its own batch size, seed and augmentation.
        every: A number for each part, 1 for the first; by default every part has its turn in every round.
        num_workers: Processes that load training batches; 0 loads in the main one. Validation and test go by the first
            part's own number.

    Raises:
        UserError: No part, other than one number a part, or a number below 1.

    Source: the training loop of Li and Snavely, CGIntrinsics, ECCV 2018.
    """

    def __init__(self, parts: list[ZooDataModule], every: list[int] | None = None, num_workers: int = 0) -> None:
        super().__init__(parts[0].batch_size if parts else 1, num_workers)
        self.parts, self.every = list(parts), list(every) if every else [1] * len(parts)
        if not self.parts:
            raise UserError("there must be at least one part to take turns.")
        if len(self.every) != len(self.parts) or min(self.every) < 1 or self.every[0] != 1:
            raise UserError(
                f"every is {self.every}; give a whole number for each of the {len(self.parts)} parts, 1 for the first."
            )

    def prepare_data(self) -> None:
        """Make every part ready."""
        for part in self.parts:
            part.trainer = self.trainer
            part.prepare_data()

    def dataset(self, split: str) -> Dataset[Any]:
        """The turns for ``train``; the first part for the other splits."""
        for part in self.parts:
            part.trainer = self.trainer  # those that render on the training device ask it
        if split != "train":
            return self.parts[0].split(split)
        return _Turns([part.split("train") for part in self.parts])

    def train_dataloader(self) -> DataLoader[Any]:
        """The batches in turn; goes on in the middle of an epoch after a restart."""
        data = self.split("train")
        sampler = _TurnSampler(data, [part.train_dataloader() for part in self.parts], self.every)
        # what is rendered on the training device is rendered in its process
        on_device = any(getattr(part, "on_the_fly", False) for part in self.parts)
        workers = 0 if on_device else self.num_workers
        return TrainLoader(
            data,
            batch_size=None,
            sampler=sampler,
            num_workers=workers,
            pin_memory=torch.cuda.is_available() and not on_device,
            persistent_workers=workers > 0,
        )

    def val_dataloader(self) -> DataLoader[Any]:
        """Those of the first part."""
        return self.parts[0].val_dataloader()

    def test_dataloader(self) -> DataLoader[Any]:
        """Those of the first part."""
        return self.parts[0].test_dataloader()

    def predict_dataloader(self) -> DataLoader[Any]:
        """Those of the first part."""
        return self.parts[0].predict_dataloader()


class _Turns(Dataset[Any]):
    """What a turn says, as a whole batch."""

    def __init__(self, parts: Sequence[Dataset[Any]]) -> None:
        for part in parts:
            assert isinstance(part, BatchDataset), "parts make whole batches"
        self.parts = parts

    def __len__(self) -> int:
        """Number of samples in all parts."""
        return sum(len(part) for part in self.parts)  # type: ignore[arg-type, misc]

    def __getitem__(self, turn: Turn) -> dict[str, Any]:
        part, indices = turn
        data = self.parts[part]
        assert isinstance(data, BatchDataset)
        return data.batch(indices)


class _TurnSampler(EpochSampler):
    """The turns of an epoch, each a whole batch, as the loaders of the parts would put them together on this rank."""

    def __init__(self, data: Dataset[Any], loaders: Sequence[DataLoader[Any]], every: Sequence[int]) -> None:
        super().__init__(data, seed=0)  # the order is that of the loaders' samplers
        self.loaders, self.every = list(loaders), list(every)
        self.rounds = len(loaders[0])
        self._order = lru_cache(maxsize=2 * len(loaders))(self._batches)

    def __len__(self) -> int:
        """Turns in an epoch."""
        return sum(self._turns_of(part) for part in range(len(self.every)))

    def __iter__(self) -> Iterator[Turn]:  # type: ignore[override]
        skip, self.skip = self.skip, 0
        turns = (
            (part, round_ // every)
            for round_ in range(self.rounds)
            for part, every in enumerate(self.every)
            if round_ % every == 0
        )
        for part, turn in islice(turns, skip, None):
            # counted through all epochs, and then through the part's own
            epoch, place = divmod(self.epoch * self._turns_of(part) + turn, len(self.loaders[part]))
            yield part, self._order(part, epoch)[place]

    def _turns_of(self, part: int) -> int:
        return -(-self.rounds // self.every[part])

    def _batches(self, part: int, epoch: int) -> list[list[int]]:
        """The indices of all batches in a part's own epoch."""
        loader = self.loaders[part]
        assert isinstance(loader.sampler, EpochSampler), "parts shuffle as the zoo's data modules do"
        loader.sampler.set_epoch(epoch)
        order: list[Any] = list(loader.sampler)
        size = loader.batch_size
        if size is None:  # the sampler itself makes batches
            return order
        return [order[place * size : (place + 1) * size] for place in range(len(loader))]
