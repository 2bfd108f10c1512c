"""Small regions that lie on one thing each: jittered cells, cut at the borders of the instances."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from datamodules.sampling.draws import Draws

__all__ = ["split_into_superpixels"]

_ACROSS = 18
"""Cells along the picture's longer side."""

_SMALLEST = 6
"""Regions of fewer pixels are none: slivers along borders."""


def split_into_superpixels(instances: Tensor, mask: Tensor, draws: Draws) -> Tensor:
    """Cut pictures into regions of about one size, none across the border of two things.

    Args:
        instances: (B,H,W) ids of things.
        mask: (B,1,H,W); outside of it there are no regions.
        draws: The samples.

    Returns:
        (B,H,W) int64 ids, 1 and up without gaps, and 0 for none.
    """
    height, width = instances.shape[-2:]
    side = max(height, width) / _ACROSS
    # one more ring of squares around the picture
    rows, columns = math.ceil(height / side) + 2, math.ceil(width / side) + 2
    jitters = torch.from_numpy(draws.uniform("superpixels", rows, columns, 2)).float()
    valid = mask[:, 0].cpu().numpy() > 0.5
    result = np.zeros(instances.shape, np.int64)
    for ids, things, inside, jitter in zip(result, instances.cpu(), valid, jitters, strict=True):
        key = (things.int() * (rows * columns) + _voronoi(jitter, side, height, width)).numpy()[inside]
        large = np.bincount(key) >= _SMALLEST
        ids[inside] = np.where(large, np.cumsum(large), 0)[key]
    return torch.from_numpy(result)


def _voronoi(jitter: Tensor, side: float, height: int, width: int) -> Tensor:
    """The nearest of the seeds, one of which lies in each square of a grid: (H,W) int32.

    Args:
        jitter: (R,C,2) y and x of each seed in its square, of which the first row and column lie outside.
        side: Of a square, in pixels.
        height: Of the picture.
        width: Of the picture.
    """
    y, x = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    row, column = (y / side).int(), (x / side).int()
    best = torch.full((height, width), math.inf)
    cell = torch.zeros(height, width, dtype=torch.int32)
    for i in range(3):
        for j in range(3):
            seed = jitter.permute(2, 0, 1).index_select(1, row + i).index_select(2, column + j)
            dy, dx = seed.unbind(0)
            dy = dy.add_((row + i - 1)[:, None]).mul_(side).sub_(y[:, None])
            dx = dx.add_(column + j - 1).mul_(side).sub_(x)
            distance = dy.square_().add_(dx.square_())
            here = ((row + i) * jitter.shape[1])[:, None] + column + j
            cell = torch.where(distance < best, here, cell)
            best = torch.minimum(best, distance)
    return cell
