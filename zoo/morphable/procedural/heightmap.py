"""Depth of the front of the head over the picture plane, tabulated once and read anywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

Array = NDArray[np.float64]

_LEFT, _BOTTOM, _RIGHT, _TOP = -62.0, -112.0, 62.0, 70.0


class HeightMap:
    """z of a surface as a function of x and y.

    Args:
        points: (N,3) samples of the surface, about a millimetre apart.
        smooth: Standard deviation in millimetres of the blur that takes the sampling's grain away.
    """

    def __init__(self, points: Array, smooth: float = 1.0) -> None:
        x = np.arange(_LEFT, _RIGHT + 0.5)
        y = np.arange(_BOTTOM, _TOP + 0.5)
        grid_x, grid_y = np.meshgrid(x, y)
        table = _plane_fit(points, np.stack([grid_x.ravel(), grid_y.ravel()], -1)).reshape(grid_x.shape)
        self._table = gaussian_filter(table, smooth, mode="nearest")

    def __call__(self, x: Array, y: Array) -> Array:
        """Depth at (N,) places, clamped at the border of the table: (N,)."""
        return np.asarray(
            map_coordinates(self._table, [y - _BOTTOM, x - _LEFT], order=1, mode="nearest"), dtype=np.float64
        )


def _plane_fit(points: Array, places: Array, neighbours: int = 10) -> Array:
    """Depth at (M,2) places from planes through the nearest samples, the nearer the weightier: (M,)."""
    distance, index = cKDTree(points[:, :2]).query(places, k=neighbours)
    weight = 1.0 / (distance**2 + 0.25)
    offset = points[index, :2] - places[:, None]
    rows = np.concatenate([np.ones_like(offset[..., :1]), offset], -1)
    weighted = rows * weight[..., None]
    normal = np.einsum("mki,mkj->mij", weighted, rows) + np.diag([0.0, 0.02, 0.02])
    right = np.einsum("mki,mk->mi", weighted, points[index, 2])
    depth = np.linalg.solve(normal, right[..., None])[:, 0, 0]
    # beyond the samples a plane would run away: keep to what lies nearest
    return np.where(distance[:, 0] < 2.5, depth, points[index[:, 0], 2])
