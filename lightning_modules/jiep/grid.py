"""Weighted graphs on the pixels of a picture, and a multigrid cycle that roughly inverts them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["COARSEST", "Grid", "grids", "v_cycle"]

COARSEST = 16
"""Pixels along the side of one cell of the coarsest grid; both sides of a picture are to be multiples of it."""

_SWEEPS = 4


@dataclass(frozen=True)
class Grid:
    """The matrix ``diag(mass) + L``, L the Laplacian of a graph that joins each pixel with its four neighbours.

    All tensors are (B,H,W). A weight that leads out of the picture is zero.

    Args:
        mass: Positive.
        left: Weight of the edge to the left neighbour, not negative; and so on.
        right: See ``left``.
        up: See ``left``.
        down: See ``left``.
        red: 1 on the red fields of a chess board, 0 on the black ones; (H,W).
        red_inverse: One over the diagonal on red fields, 0 on black ones.
        black_inverse: One over the diagonal on black fields, 0 on red ones.
        diagonal: Mass plus all four weights.
    """

    mass: Tensor
    left: Tensor
    right: Tensor
    up: Tensor
    down: Tensor
    red: Tensor
    red_inverse: Tensor
    black_inverse: Tensor
    diagonal: Tensor

    @classmethod
    def of(cls, mass: Tensor, right: Tensor, down: Tensor) -> Grid:
        """A grid from its mass and the weights of the edges to the right and down; those to the others follow."""
        left, up = pad(right[..., :-1], (1, 0)), pad(down[..., :-1, :], (0, 0, 1, 0))
        diagonal = mass + left + right + up + down
        rows, columns = (torch.arange(size, device=mass.device) for size in mass.shape[-2:])
        red = ((rows[:, None] + columns) % 2 == 0).to(mass.dtype)
        return cls(mass, left, right, up, down, red, red / diagonal, (1 - red) / diagonal, diagonal)

    def neighbours(self, x: Tensor) -> Tensor:
        """The weighted sum over the four neighbours, (B,H,W)."""
        wide = pad(x, (1, 1, 1, 1))
        total = self.left * wide[..., 1:-1, :-2]
        total = torch.addcmul(total, self.right, wide[..., 1:-1, 2:])
        total = torch.addcmul(total, self.up, wide[..., :-2, 1:-1])
        return torch.addcmul(total, self.down, wide[..., 2:, 1:-1])

    def __call__(self, x: Tensor) -> Tensor:
        """The matrix times (B,H,W)."""
        return self.diagonal * x - self.neighbours(x)

    def coarser(self) -> Grid:
        """The Galerkin matrix for functions that are constant on cells of 2 x 2 pixels: again a grid like this one."""
        right, down = self.right[..., 1::2], self.down[..., 1::2, :]
        return Grid.of(restrict(self.mass), right[..., ::2, :] + right[..., 1::2, :], down[..., ::2] + down[..., 1::2])


def restrict(x: Tensor) -> Tensor:
    """Sums over cells of 2 x 2 pixels, (B,H/2,W/2)."""
    rows = x[..., ::2, :] + x[..., 1::2, :]
    return rows[..., ::2] + rows[..., 1::2]


def prolong(x: Tensor) -> Tensor:
    """Each value on all four pixels of its cell, (B,2H,2W)."""
    return x.repeat_interleave(2, -1).repeat_interleave(2, -2)


def grids(finest: Grid) -> list[Grid]:
    """The finest grid and all coarser ones, down to cells of ``COARSEST`` pixels."""
    levels = [finest]
    for _ in range(COARSEST.bit_length() - 1):
        levels.append(levels[-1].coarser())
    return levels


def v_cycle(levels: list[Grid], b: Tensor) -> Tensor:
    """About the solution of ``levels[0] x = b``, by a symmetric positive definite rule, as conjugate gradients want.

    Gauss-Seidel sweeps over the red and then the black fields go before the correction from the coarser grid, the same
    in reverse order follow it; on the coarsest grid there are sweeps alone.

    Args:
        levels: From ``grids``.
        b: (B,H,W).
    """
    grid, coarser = levels[0], levels[1:]
    x = b * grid.red_inverse
    x = torch.addcmul(x, b + grid.neighbours(x), grid.black_inverse)
    if coarser:
        # After the black sweep only red fields have a residual.
        residual = grid.red * (b + grid.neighbours(x) - grid.diagonal * x)
        x = x + prolong(v_cycle(coarser, restrict(residual)))
    for _ in range(1 if coarser else _SWEEPS):
        x = torch.addcmul(grid.red * x, b + grid.neighbours(x), grid.black_inverse)
        x = torch.addcmul(x - grid.red * x, b + grid.neighbours(x), grid.red_inverse)
    return x
