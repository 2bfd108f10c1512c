"""Averages over neighbouring pixels of one and the same surface."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["RunMeans"]


class RunMeans:
    """Sums over n x n pixels around each, along rows and then along columns, that stop at other surfaces.

    Args:
        surface: (H,W) ids; a sum takes in what has the id of the pixel in its middle.
    """

    def __init__(self, surface: Tensor) -> None:
        self._surface = surface
        self._same: dict[tuple[int, int], Tensor] = {}

    def sums(self, values: Tensor, n: int) -> Tensor:
        """Of (C,H,W) over n x n pixels, n odd: (C,H,W)."""
        return self._along(self._along(values, n, -1), n, -2)

    def _along(self, values: Tensor, n: int, dim: int) -> Tensor:
        total = values.clone()
        size = values.shape[dim]
        for step in range(1, min(n // 2, size - 1) + 1):
            same = self._matches(step, dim)
            low, high = values.narrow(dim, 0, size - step), values.narrow(dim, step, size - step)
            total.narrow(dim, 0, size - step).addcmul_(high, same)
            total.narrow(dim, step, size - step).addcmul_(low, same)
        return total

    def _matches(self, step: int, dim: int) -> Tensor:
        """1 where a pixel has the surface of the one ``step`` further on, else 0."""
        if (step, dim) not in self._same:
            size = self._surface.shape[dim]
            pair = self._surface.narrow(dim, 0, size - step), self._surface.narrow(dim, step, size - step)
            self._same[step, dim] = (pair[0] == pair[1]).to(torch.float32)
        return self._same[step, dim]
