"""How long it takes to cut aligned faces for a training batch: python tests/benchmarks/alignment.py

Random pictures of 152 pixels with the landmarks of a mean face; the time does not depend on what they show.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch

from datamodules import AlignedFaces, BatchDataset, ZooDataModule
from zoo.faces.alignment import REFERENCE_POINTS

BATCH, WIDE, SIZE, ROUNDS = 32, 152, 112, 30


class _Pictures(BatchDataset):
    def __init__(self) -> None:
        points = torch.tensor(REFERENCE_POINTS)[:, :2] * torch.tensor([50.0, -50.0]) + WIDE / 2
        landmarks = points.mean(0).repeat(68, 1)
        landmarks[36:42], landmarks[42:48] = points[0], points[1]
        landmarks[30], landmarks[48], landmarks[54] = points[2], points[3], points[4]
        self.pictures = {"image": torch.rand(BATCH, 3, WIDE, WIDE), "landmarks": landmarks.repeat(BATCH, 1, 1)}

    def __len__(self) -> int:
        return BATCH * ROUNDS

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        return dict(self.pictures)


class _Data(ZooDataModule):
    def dataset(self, split: str) -> _Pictures:
        return _Pictures()


def main() -> None:
    """Print the median over batches, in processor time, which other work on the machine disturbs least."""
    torch.set_num_threads(1)
    faces = AlignedFaces(_Data(), size=SIZE).dataset("train")
    times = []
    for number in range(ROUNDS):
        start = time.process_time()
        faces.batch(range(number * BATCH, (number + 1) * BATCH))
        times.append((time.process_time() - start) / BATCH * 1e3)
    print(f"{statistics.median(times):.2f} ms per picture ({WIDE} -> {SIZE} pixels, batches of {BATCH}, one core)")


if __name__ == "__main__":
    main()
