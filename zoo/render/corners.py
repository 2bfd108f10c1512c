"""What the rasteriser, the interpolation and the soft mask share: corner coordinates, facing, and box expansion.

Arrays are kept as columns (one contiguous vector per coordinate): gathering three vectors is several times faster
than gathering rows of three and slicing them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.errors import UserError

NEAR = 1e-6
"""Faces with a corner at this depth or nearer are not drawn: behind the camera they would come out inverted."""

SMALLEST_AREA = 1e-7
"""Twice the area in square pixels under which a triangle counts as degenerate."""


def check_mesh(screen: Tensor, triangles: Tensor) -> None:
    """Refuse shapes and types that would fail later in a less clear way."""
    if screen.ndim != 3 or screen.shape[-1] != 3 or not screen.is_floating_point():
        raise UserError(f"screen must be a float tensor (B, V, 3) of x, y, depth, not {_describe(screen)}.")
    if triangles.ndim != 2 or triangles.shape[-1] != 3 or triangles.dtype not in (torch.int64, torch.int32):
        raise UserError(f"triangles must be an integer tensor (T, 3) of vertex ids, not {_describe(triangles)}.")


def _describe(value: Tensor) -> str:
    return f"{value.dtype} {tuple(value.shape)}"


def columns(screen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Screen x, y and depth of all items as three vectors of B V numbers, in single precision or better."""
    exact = screen if screen.dtype in (torch.float32, torch.float64) else screen.float()
    x, y, z = exact.reshape(-1, 3).unbind(1)
    return x, y, z


def corner_ids(triangles: Tensor, batch: int, vertices: int) -> list[Tensor]:
    """Positions in `columns` of each face's first, second and third corner: three vectors of B T ids."""
    corners = [corner.contiguous() for corner in triangles.unbind(1)]
    if batch > 1:
        offsets = torch.arange(batch, device=triangles.device, dtype=triangles.dtype)[:, None] * vertices
        corners = [(corner + offsets).view(-1) for corner in corners]
    return corners


def without_near(x: Tensor, z: Tensor, near: float) -> Tensor:
    """Screen x with NaN for vertices that are too near: the area of their faces becomes NaN, and no test passes."""
    return x.masked_fill(~(z > near), torch.nan)


def cross(ax: Tensor, ay: Tensor, bx: Tensor, by: Tensor) -> Tensor:
    """Cross product on the screen, positive where a, b turn counter-clockwise for the viewer (y points down).

    Swapping a and b gives the exact negative, which keeps two faces from both missing a pixel on their common edge.
    """
    return (ay * bx).sub_(ax * by)


def facing(screen: Tensor, triangles: Tensor, near: float = NEAR) -> Tensor:
    """Which way each triangle faces: ``(B, T)`` of 1 (front), -1 (back) and 0 (degenerate, not finite, or too near)."""
    x, y, z = columns(screen)
    x = without_near(x, z, near)
    a, b, c = corner_ids(triangles, screen.shape[0], screen.shape[1])
    ax, ay = x.index_select(0, a), y.index_select(0, a)
    area = cross(
        x.index_select(0, b) - ax, y.index_select(0, b) - ay, x.index_select(0, c) - ax, y.index_select(0, c) - ay
    )
    drawn = (area.abs() > SMALLEST_AREA) & area.isfinite()
    return torch.where(drawn, area.sign(), 0).to(torch.int8).view(screen.shape[0], -1)
