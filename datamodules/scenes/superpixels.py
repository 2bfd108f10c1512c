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
    cells = _voronoi(draws, *instances.shape[-2:])
    keys = (instances.cpu() * (int(cells.max()) + 1) + cells).numpy()
    valid = mask[:, 0].cpu().numpy() > 0.5
    result = np.zeros(keys.shape, np.int64)
    for ids, key, inside in zip(result, keys, valid, strict=True):
        _, region, sizes = np.unique(key[inside], return_inverse=True, return_counts=True)
        large = sizes >= _SMALLEST
        names = np.where(large, np.cumsum(large), 0)
        ids[inside] = names[region]
    return torch.from_numpy(result)


def _voronoi(draws: Draws, height: int, width: int) -> Tensor:
    """The nearest of the seeds, one of which lies in each square of a grid: (B,H,W)."""
    side = max(height, width) / _ACROSS
    rows, columns = math.ceil(height / side), math.ceil(width / side)
    jitter = torch.from_numpy(draws.uniform("superpixels", rows + 2, columns + 2, 2)).float()
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    row, column = (y / side).long(), (x / side).long()
    best, cell = None, torch.zeros(len(draws), height, width, dtype=torch.int64)
    for i in range(3):
        for j in range(3):
            # one more ring of squares around the picture, so indices are one too high
            seed = jitter[:, row + i, column + j]
            dy, dx = (row + i - 1 + seed[..., 0]) * side - y, (column + j - 1 + seed[..., 1]) * side - x
            distance = dy.square() + dx.square()
            here = ((row + i) * (columns + 2) + column + j).expand_as(cell)
            if best is None:
                best, cell = distance, here
            else:
                cell = torch.where(distance < best, here, cell)
                best = torch.minimum(best, distance)
    return cell
