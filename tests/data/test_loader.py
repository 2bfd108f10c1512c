"""The order of samples: shared out by rank, and the same after a restart in the middle of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from recorded import Recorder, fit

from datamodules import BatchDataset, ZooDataModule
from datamodules.loader import EpochSampler

COUNT = 22


class Numbers(BatchDataset):
    def __len__(self) -> int:
        return COUNT

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        return {"index": torch.tensor(indices)}


class NumbersData(ZooDataModule):
    def dataset(self, split: str) -> Numbers:
        return Numbers()


@pytest.mark.parametrize(("steps", "workers"), [(3, 0), (5, 0), (7, 0), (7, 1)])
def test_a_restart_goes_on_in_the_middle_of_an_epoch(tmp_path: Path, steps: int, workers: int) -> None:
    whole = Recorder()
    fit(whole, NumbersData(batch_size=4, num_workers=workers), tmp_path / "whole")
    assert len(whole.seen) == 3 * (COUNT // 4)
    order = [indices for _, indices in whole.seen]
    assert order[0] != [i % COUNT for i in order[5]]
    checkpoint = next((tmp_path / "whole").glob(f"*step={steps}.ckpt"))
    resumed = Recorder()
    fit(resumed, NumbersData(batch_size=4, num_workers=workers), tmp_path / "resumed", checkpoint)
    assert resumed.seen == whole.seen[steps:]


def test_ranks_share_the_samples_of_one_process() -> None:
    alone = EpochSampler(Numbers(), seed=3)
    ranks = [EpochSampler(Numbers(), seed=3, rank=rank, world_size=2) for rank in range(2)]
    for epoch in range(2):
        for sampler in (alone, *ranks):
            sampler.set_epoch(epoch)
        order, halves = list(alone), [list(sampler) for sampler in ranks]
        # a batch of two ranks with two samples each is the batch of four of one process
        for start in range(0, COUNT, 4):
            together = sorted(half[i] for half in halves for i in range(start // 2, min(start // 2 + 2, COUNT // 2)))
            assert together == sorted(order[start : start + 4])
        assert sorted(order) == [epoch * COUNT + i for i in range(COUNT)]


def test_single_samples_can_be_had() -> None:
    assert Numbers()[5]["index"] == 5
    with pytest.raises(IndexError):
        Numbers()[-1]


def test_a_loader_of_less_than_a_batch_still_gives_it() -> None:
    loader = NumbersData(batch_size=100).train_dataloader()
    assert [len(batch["index"]) for batch in loader] == [COUNT]
