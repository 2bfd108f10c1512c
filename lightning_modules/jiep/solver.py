"""The linear systems of JieP: five-point matrices whose weights differ by four orders of magnitude."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from lightning_modules.jiep.grid import COARSEST, Grid, grids, v_cycle
from lightning_modules.jiep.loops import repeat_while

__all__ = ["solve"]


def solve(
    mass: Tensor,
    right: Tensor,
    down: Tensor,
    b: Tensor,
    start: Tensor,
    tolerance: float = 1e-5,
    max_steps: int = 500,
) -> Tensor:
    """Solve ``(diag(mass) + L) x = b`` by conjugate gradients with a multigrid cycle as preconditioner.

    The residual r is measured in the norm ``|r|² = sum r² / mass``, relative to b in the same norm. That bounds the
    error e of each picture: ``sqrt(sum mass e²)`` is at most the tolerance times ``|b|``, whatever the weights, where
    the plain norm would leave dark pixels, whose mass is small, to themselves.

    Args:
        mass: (B,H,W), positive.
        right: (B,H,W), weights of the edges to the right, 0 in the last column.
        down: (B,H,W), weights of the edges downwards, 0 in the last row.
        b: (B,H,W).
        start: (B,H,W), a first guess.
        tolerance: Relative residual at which a picture is done.
        max_steps: At most this many steps; a picture that is done stays as it is while others go on.

    Returns:
        (B,H,W).
    """
    height, width = b.shape[-2:]
    # Cells outside the picture have no edges, so that they solve nothing and disturb nothing.
    margin = (0, -width % COARSEST, 0, -height % COARSEST)
    levels = grids(Grid.of(pad(mass, margin, value=1.0), pad(right, margin), pad(down, margin)))
    grid, b, x = levels[0], pad(b, margin), pad(start, margin)
    weight = grid.mass.reciprocal()
    limit = tolerance**2 * _dot(weight * b, b)

    def going(residual: Tensor) -> Tensor:
        return _dot(weight * residual, residual) > limit

    def unfinished(step: Tensor, x: Tensor, residual: Tensor, direction: Tensor, decrease: Tensor) -> Tensor:
        return (step < max_steps) & going(residual).any()

    def one_step(step: Tensor, x: Tensor, residual: Tensor, direction: Tensor, decrease: Tensor) -> tuple[Tensor, ...]:
        image = grid(direction)
        length = torch.where(going(residual), decrease / _positive(_dot(direction, image)), 0.0)
        x, residual = x + length * direction, residual - length * image
        correction = v_cycle(levels, residual)
        change = _dot(residual, correction)
        return step + 1, x, residual, correction + change / _positive(decrease) * direction, change

    residual = b - grid(x)
    direction = v_cycle(levels, residual)
    count = torch.zeros((), dtype=torch.int64, device=b.device)
    x = repeat_while(unfinished, one_step, (count, x, residual, direction, _dot(residual, direction)))[1]
    return x[..., :height, :width]


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((-2, -1), keepdim=True)


def _positive(x: Tensor) -> Tensor:
    """Away from zero, to which the products of a picture that is done may fall."""
    return x.clamp_min(torch.finfo(x.dtype).tiny)
