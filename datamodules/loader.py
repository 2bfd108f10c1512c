"""The order in which samples come: the same after a restart, shared out by rank, with the epoch in the index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader, Dataset, DistributedSampler

__all__ = ["EpochSampler", "TrainLoader", "as_is", "epoch_and_sample"]


class EpochSampler(DistributedSampler[Any]):
    """Shuffles by seed and epoch alone, and says the epoch with each index: ``epoch * len(dataset) + sample``.

    A data set so knows the epoch in any worker, and augments each sample in a way that a restarted run repeats.
    Lightning calls ``set_epoch``, and leaves a sampler of this kind in place when there are several ranks.

    Args:
        dataset: What is sampled.
        seed: Of the order.
        rank: Of this process.
        world_size: Number of processes.
    """

    def __init__(self, dataset: Dataset[Any], seed: int, rank: int = 0, world_size: int = 1) -> None:
        super().__init__(dataset, num_replicas=world_size, rank=rank, shuffle=True, seed=seed)
        self.skip = 0

    def __iter__(self) -> Iterator[int]:
        indices = list(super().__iter__())[self.skip :]
        self.skip = 0
        offset = self.epoch * len(self.dataset)  # type: ignore[arg-type]
        return iter([offset + index for index in indices])


def epoch_and_sample(index: int, count: int) -> tuple[int, int]:
    """The two parts of an index from ``EpochSampler``.

    Example:
        >>> epoch_and_sample(207, 100)
        (2, 7)
    """
    return divmod(index, count)


class TrainLoader(DataLoader[Any]):
    """A DataLoader that goes on where an interrupted epoch stopped: Lightning stores and restores its state."""

    _begin = 0
    _given = 0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        self._given = self._begin
        if isinstance(self.sampler, EpochSampler):
            self.sampler.skip = self._begin * (self.batch_size or 1)
        self._begin = 0
        for batch in super().__iter__():
            self._given += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """How many batches of the epoch were handed out."""
        return {"batches": self._given % max(1, len(self))}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Make the next pass start behind those batches."""
        self._begin = state["batches"]


def as_is(batch: Any) -> Any:
    """The collate function of data sets that make whole batches themselves."""
    return batch
