"""Depth of the front of the head over the picture plane, tabulated once and read anywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
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
        distance, nearest = cKDTree(points[:, :2]).query(np.stack([grid_x.ravel(), grid_y.ravel()], -1))
        table = points[nearest, 2].reshape(grid_x.shape)
        sure = distance.reshape(grid_x.shape) < 1.0  # a search outside the samples' hull would be slow
        table[sure] = LinearNDInterpolator(points[:, :2], points[:, 2], fill_value=points[:, 2].min())(
            grid_x[sure], grid_y[sure]
        )
        self._table = gaussian_filter(table, smooth, mode="nearest")

    def __call__(self, x: Array, y: Array) -> Array:
        """Depth at (N,) places, clamped at the border of the table: (N,)."""
        return np.asarray(
            map_coordinates(self._table, [y - _BOTTOM, x - _LEFT], order=1, mode="nearest"), dtype=np.float64
        )
