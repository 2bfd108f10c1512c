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
        self._of_even: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def sums(self, values: Tensor, n: int) -> Tensor:
        """Of (C,H,W) over n x n pixels, n odd: (C,H,W)."""
        return self._along(self._along(values, n, -1), n, -2)

    def spread(self, values: Tensor, n: int) -> Tensor:
        """Sums over n x n pixels, n odd, of which only those of even rows and columns have a value.

        Args:
            values: (C,H/2,W/2) of those pixels.
            n: Edge of what is summed up.

        Returns:
            (C,H,W) for all pixels, as ``sums`` gives it with zeros in between, at a third of the work.
        """
        return self._spread_along(self._spread_along(values, n, -1), n, -2)

    def _spread_along(self, values: Tensor, n: int, dim: int) -> Tensor:
        size = values.shape[dim]
        sums = values.clone(), torch.zeros_like(values)
        for step in range(1, min(n // 2, 2 * size - 1) + 1):
            after, before = self._matches_of_even(step, dim)
            # from an even place an even step leads to even places, an odd step to odd ones
            total, ahead, back = sums[step % 2], size - step // 2, size - (step + 1) // 2
            total.narrow(dim, size - ahead, ahead).addcmul_(values.narrow(dim, 0, ahead), after)
            total.narrow(dim, 0, back).addcmul_(values.narrow(dim, size - back, back), before)
        place = values.ndim + dim
        return torch.stack(sums, place + 1).flatten(place, place + 1)

    def _matches_of_even(self, step: int, dim: int) -> tuple[Tensor, Tensor]:
        """1 where an even place has the surface of the one ``step`` further on, and of the one ``step`` before."""
        if (step, dim) not in self._of_even:
            surface = self._surface[::2] if dim == -1 else self._surface
            size = surface.shape[dim]
            same = (surface.narrow(dim, 0, size - step) == surface.narrow(dim, step, size - step)).to(torch.float32)
            after, before = ((same if dim == -2 else same.T)[first::2] for first in (0, step % 2))
            self._of_even[step, dim] = (after, before) if dim == -2 else (after.T.contiguous(), before.T.contiguous())
        return self._of_even[step, dim]

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
