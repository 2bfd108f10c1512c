"""Batches of several kinds in turn: who comes when, what comes again, and where a restarted run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from recorded import Recorder, fit

from datamodules import BatchDataset, ZooDataModule
from datamodules.interleaved import Interleaved
from datamodules.sampling.draws import Draws
from datamodules.size_groups import GroupedDataModule, GroupedSamples
from zoo.errors import UserError


class Numbers(BatchDataset):
    def __init__(self, name: str, count: int) -> None:
        self.name, self.count = name, count

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        return {self.name: torch.tensor(indices)}


class NumbersData(ZooDataModule):
    def __init__(self, name: str, count: int, batch_size: int) -> None:
        super().__init__(batch_size)
        self.name, self.count, self.prepared = name, count, 0

    def prepare_data(self) -> None:
        self.prepared += 1

    def dataset(self, split: str) -> Numbers:
        return Numbers(f"{self.name}{'' if split == 'train' else ' ' + split}", self.count)


def data(workers: int = 0) -> Interleaved:
    parts: list[ZooDataModule] = [NumbersData("a", 11, 2), NumbersData("b", 6, 3), NumbersData("c", 5, 1)]
    return Interleaved(parts, [1, 1, 2], num_workers=workers)


def names(batches: Sequence[dict[str, torch.Tensor]]) -> str:
    return "".join(next(iter(batch)) for batch in batches)


def test_parts_take_turns() -> None:
    loader = data().train_dataloader()
    epochs = []
    for epoch in range(4):
        loader.sampler.set_epoch(epoch)
        epochs.append(list(loader))
    assert [names(each) for each in epochs] == ["abcababcababc"] * 4, "five rounds of which the third part has three"
    assert len(loader) == 13
    assert [len(batch["a"]) for batch in epochs[0] if "a" in batch] == [2] * 5
    together = {
        name: torch.cat([batch[name] for each in epochs for batch in each if name in batch]).tolist() for name in "abc"
    }
    for epoch in range(4):
        own = together["a"][10 * epoch : 10 * (epoch + 1)]
        assert len(set(own)) == 10
        assert all(index // 11 == epoch for index in own)
    # ten batches of three of the second part, six samples each time around: its own epochs go on through those of all
    assert [sorted(together["b"][6 * i : 6 * i + 6]) for i in range(10)] == [
        list(range(6 * i, 6 * i + 6)) for i in range(10)
    ]
    assert [sorted(together["c"][5 * i : 5 * i + 5]) for i in range(2)] == [[*range(5)], [*range(5, 10)]]
    assert together["b"][:6] != [index - 6 for index in together["b"][6:12]], "shuffled anew"


def test_validation_and_test_are_those_of_the_first_part() -> None:
    both = data()
    both.prepare_data()
    assert [part.prepared for part in both.parts] == [1, 1, 1]
    assert names(list(both.val_dataloader())) == "a val" * 6
    assert names(list(both.test_dataloader())) == "a test" * 6
    assert both.val_dataloader().dataset is both.split("val")


def test_ranks_share_the_samples_of_one_process() -> None:
    def turns(size: int, rank: int, world_size: int) -> list[tuple[int, list[int]]]:
        both = Interleaved([NumbersData("a", 12, size), NumbersData("b", 8, size)], [1, 2])
        both.trainer = SimpleNamespace(global_rank=rank, world_size=world_size)  # type: ignore[assignment]
        return list(both.train_dataloader().sampler)

    alone, ranks = turns(4, 0, 1), [turns(2, rank, 2) for rank in range(2)]
    assert len(alone) == 5
    for (part, indices), *shares in zip(alone, *ranks, strict=True):
        assert all(whose == part for whose, _ in shares)
        assert sorted(index for _, share in shares for index in share) == sorted(indices)


class Shapes(GroupedSamples):
    def read(self, sample: int, draws: Draws) -> dict[str, Any]:
        return {"size": torch.tensor(self.sizes[sample])}


class ShapesData(GroupedDataModule):
    def dataset(self, split: str) -> Shapes:
        return Shapes([(3, 4)] * 4 + [(4, 3)] * 2, split, 0, flip=False)


def test_batches_of_one_size_stay_together() -> None:
    loader = Interleaved([NumbersData("a", 10, 2), ShapesData(2)]).train_dataloader()
    batches = [batch["size"] for batch in loader if "size" in batch]
    assert len(batches) == 5
    assert all(len(batch) == 2 and torch.equal(batch[0], batch[1]) for batch in batches)
    assert sorted(batch[0, 0].item() for batch in batches[:3]) == [3, 3, 4]


@pytest.mark.parametrize(("steps", "workers"), [(4, 0), (13, 0), (18, 0), (18, 1)])
def test_a_restart_goes_on_in_the_middle_of_an_epoch(tmp_path: Path, steps: int, workers: int) -> None:
    whole = Recorder()
    fit(whole, data(workers), tmp_path / "whole")
    assert len(whole.seen) == 3 * 13
    resumed = Recorder()
    checkpoint = next((tmp_path / "whole").glob(f"*step={steps}.ckpt"))
    fit(resumed, data(workers), tmp_path / "resumed", checkpoint)
    assert resumed.seen == whole.seen[steps:]


@pytest.mark.parametrize("every", [[1, 2], [2, 1, 1], [1, 0, 1]])
def test_wrong_numbers_are_told(every: list[int]) -> None:
    with pytest.raises(UserError, match="a whole number for each of the 3 parts"):
        Interleaved(data().parts, every)
    with pytest.raises(UserError, match="at least one part"):
        Interleaved([])
