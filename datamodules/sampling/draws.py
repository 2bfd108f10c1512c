"""Random numbers that depend on seed, split, sample and purpose alone: the same on every machine."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from torch import Tensor

__all__ = ["SPLITS", "Draws", "noise", "per_picture"]

SPLITS = ("train", "val", "test", "predict")

Array = NDArray[np.float64]


class Draws:
    """The random numbers of a batch of samples.

    Every purpose has its own stream of a counter-based generator (Philox): its key comes from seed and split, its
    counter from the sample and the purpose's name. So sample i does not depend on the batch it is made in, two splits
    share nothing, and a new purpose changes no old one.

    Args:
        seed: Of the data set.
        split: One of ``SPLITS``.
        indices: Which samples.
    """

    def __init__(self, seed: int, split: str, indices: Sequence[int]) -> None:
        self._key = np.random.SeedSequence((seed, SPLITS.index(split))).generate_state(2, np.uint64)
        self.indices = [int(i) for i in indices]

    def __len__(self) -> int:
        return len(self.indices)

    def of(self, indices: Sequence[int]) -> Draws:
        """The draws of other samples in the same split: of the people in the pictures, for example."""
        other = object.__new__(Draws)
        other._key, other.indices = self._key, [int(i) for i in indices]
        return other

    def uniform(self, purpose: str, *shape: int) -> Array:
        """Numbers from [0, 1): ``(B, *shape)``."""
        stream = zlib.crc32(purpose.encode())
        count = int(np.prod(shape))
        rows = np.empty((len(self), count))
        for row, index in zip(rows, self.indices, strict=True):
            generator = np.random.Generator(np.random.Philox(key=self._key, counter=[0, index, stream, 0]))
            row[:] = generator.random(count)
        return rows.reshape(len(self), *shape)

    def between(self, purpose: str, low: float, high: float, *shape: int) -> Array:
        """Numbers from [low, high)."""
        return low + (high - low) * self.uniform(purpose, *shape)

    def normal(self, purpose: str, *shape: int, limit: float = 3.0) -> Array:
        """Standard normal numbers, cut off at ``limit`` standard deviations (redistributed, not clamped)."""
        tail = ndtr(-limit)
        return ndtri(tail + self.uniform(purpose, *shape) * (1 - 2 * tail))

    def chance(self, purpose: str, probability: float, *shape: int) -> NDArray[np.bool_]:
        """True with the given probability."""
        return self.uniform(purpose, *shape) < probability

    def words(self, purpose: str) -> Tensor:
        """One 32-bit number a sample, ``(B,)`` int64, from which ``noise`` makes any amount of noise on any device."""
        return torch.from_numpy((self.uniform(purpose) * 2**32).astype(np.int64))


def per_picture(values: NDArray[Any], like: Tensor) -> Tensor:
    """One number a sample, as (B,1,1,1) of the type and on the device of ``like``."""
    return torch.from_numpy(np.asarray(values)).to(like)[:, None, None, None]


def noise(words: Tensor, *shape: int) -> Tensor:
    """White uniform noise from a hash of sample and position, the same on CPU and GPU: ``(B, *shape)`` in [0, 1).

    Args:
        words: (B,) int64 from ``Draws.words``.
        shape: What follows the batch dimension.

    Source:
        The mixing function is the two-round multiply-xorshift of C. Wellons' hash prospector ("lowbias32").
    """
    count = int(np.prod(shape))
    position = torch.arange(count, device=words.device, dtype=torch.int32)
    seeds = _mix(_signed(words))
    mixed = _mix(seeds[:, None] ^ position[None])
    return mixed.bitwise_right_shift_(8).bitwise_and_(0xFFFFFF).to(torch.float32).mul_(2.0**-24).reshape(-1, *shape)


def _mix(x: Tensor) -> Tensor:
    """32 bits in, 32 bits out, in place; torch has no unsigned shift, so what a signed one fills in is masked away."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B - 2**32)):
        x.bitwise_xor_((x >> shift).bitwise_and_((1 << (32 - shift)) - 1)).mul_(factor)
    return x.bitwise_xor_((x >> 16).bitwise_and_(0xFFFF))


def _signed(words: Tensor) -> Tensor:
    return torch.where(words >= 2**31, words - 2**32, words).to(torch.int32)
