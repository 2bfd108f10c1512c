"""Surfaces with a fixed order of triangles: sheets rolled into tubes, and the steps that bend them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Index", "azimuths", "smoothstep", "stacked", "tube", "tubes"]

Index = NDArray[np.int64]


def azimuths(sectors: int) -> NDArray[Any]:
    """Angles around the head, radians: 0 in front, growing to the person's left: (sectors,)."""
    return np.arange(sectors) * (2 * np.pi / sectors)


def tube(rings: int, sectors: int, first: int = 0) -> Index:
    """Triangles of a sheet of rings, closed around; vertex r * sectors + s.

    They face outside where sectors turn to the right as seen from there while the rings go down.
    """
    ring, sector = (grid.ravel() for grid in np.meshgrid(np.arange(rings - 1), np.arange(sectors), indexing="ij"))
    a, b = ring * sectors + sector, ring * sectors + (sector + 1) % sectors
    c, d = a + sectors, b + sectors
    return first + np.concatenate([np.stack([a, c, d], 1), np.stack([a, d, b], 1)])


def stacked(parts: list[tuple[int, Index]]) -> Index:
    """One list of triangles for parts, each with its number of vertices, that follow each other."""
    first, triangles = 0, []
    for count, part in parts:
        triangles.append(part + first)
        first += count
    return np.concatenate(triangles)


def smoothstep(value: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """0 up to ``low``, 1 from ``high``, smooth between; also downhill where ``high`` is less than ``low``."""
    t = ((value - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def tubes(path: Tensor, radius: Tensor, sectors: int, up: Tensor) -> Tensor:
    """Rings of points around paths.

    Args:
        path: (..., N, 3) points along each path.
        radius: (..., N, 2) half thickness across ``up`` and along it.
        sectors: Points in a ring.
        up: (..., N, 3) or broadcastable, a direction that the path does not take.

    Returns:
        (..., N * sectors, 3), ordered as ``tube`` has them, its outside outwards.
    """
    ahead = torch.cat((path[..., 1:, :] - path[..., :-1, :], path[..., -1:, :] - path[..., -2:-1, :]), -2)
    ahead = torch.cat((ahead[..., :1, :], (ahead[..., 1:, :] + ahead[..., :-1, :]) / 2), -2)
    ahead = torch.nn.functional.normalize(ahead, dim=-1)
    side = torch.nn.functional.normalize(torch.linalg.cross(up.expand_as(ahead), ahead), dim=-1)
    over = torch.linalg.cross(ahead, side)
    angle = torch.from_numpy(azimuths(sectors)).to(path)
    c, s = angle.cos()[:, None], angle.sin()[:, None]
    around = side[..., None, :] * (c * radius[..., None, :1]) - over[..., None, :] * (s * radius[..., None, 1:])
    return (path[..., None, :] + around).flatten(-3, -2)
