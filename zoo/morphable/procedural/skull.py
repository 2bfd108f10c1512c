"""The bare head: horizontal slices from crown to neck, lofted into one smooth surface.

Millimetres; x to the person's left, y up, z out of the face; the origin lies between the pupils (y = 0) and near the
ear canals (z = 0). A point of the surface is ``(t, theta)``: the slice, and the angle around it from the front.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

Array = NDArray[np.float64]

# One row a slice: height in front, at the side and at the back; depth of the front, of the back and of the widest
# place; half the width; how square the front is (2 is an ellipse).
_SLICES = np.array(
    [
        # y front, y side, y back, z front, z back, z wide, half width, squareness
        (114.0, 114.0, 114.0, -10.0, -10.0, -10.0, 0.0, 2.1),
        (111.0, 110.0, 109.0, 18.0, -38.0, -10.0, 26.0, 2.0),
        (103.0, 101.0, 99.0, 44.0, -64.0, -9.0, 45.0, 2.0),
        (90.0, 87.0, 83.0, 67.0, -81.0, -8.0, 59.5, 2.0),
        (75.0, 70.0, 62.0, 84.0, -90.5, -8.0, 68.5, 2.1),
        (58.0, 53.0, 40.0, 95.0, -93.5, -6.0, 73.0, 2.2),
        (41.0, 36.0, 19.0, 100.5, -93.5, -2.0, 74.5, 2.3),
        (24.0, 19.0, 2.0, 102.5, -90.0, 6.0, 73.5, 2.35),
        (8.0, 3.0, -13.0, 101.0, -84.0, 14.0, 71.5, 2.35),
        (-9.0, -13.0, -26.0, 98.5, -77.0, 20.0, 70.0, 2.3),
        (-27.0, -29.0, -38.0, 99.5, -70.0, 23.0, 68.8, 2.22),
        (-46.0, -44.0, -49.0, 103.5, -65.0, 23.0, 66.8, 2.15),
        (-61.0, -56.0, -58.0, 106.0, -62.0, 23.0, 65.4, 2.15),
        (-75.0, -66.0, -66.0, 105.5, -60.0, 22.0, 62.6, 2.15),
        (-88.0, -74.0, -72.0, 102.0, -59.5, 18.0, 59.5, 2.1),
        (-100.0, -80.0, -77.5, 100.0, -59.5, 12.0, 56.0, 2.03),
        (-110.0, -86.0, -83.0, 95.0, -60.0, 4.0, 52.4, 1.9),
        (-115.0, -91.5, -89.0, 83.0, -61.0, 0.0, 50.6, 1.9),
        (-118.0, -98.0, -96.5, 65.0, -62.0, -4.0, 50.4, 1.95),
        (-123.0, -108.0, -107.0, 47.0, -64.0, -9.0, 51.2, 2.0),
        (-140.0, -129.0, -126.0, 40.0, -67.0, -14.0, 54.0, 2.0),
        (-162.0, -153.0, -148.0, 37.0, -73.0, -18.0, 62.0, 2.0),
        (-184.0, -180.0, -176.0, 36.0, -82.0, -22.0, 78.0, 2.0),
    ]
)
LAST = len(_SLICES) - 1
"""The slice that cuts the neck; ``t`` runs one further, to the middle of that cut."""

_SPLINE: Any = CubicSpline(np.arange(len(_SLICES)), _SLICES, axis=0)


def skull(t: Array, theta: Array) -> Array:
    """Points of the bare head.

    Args:
        t: (N,) slices from 0 (crown) to ``LAST`` (cut of the neck) and on to ``LAST + 1`` (the middle of the cut).
        theta: (N,) radians, 0 in front, positive to the person's left.

    Returns:
        (N,3) millimetres.
    """
    y_front, y_side, y_back, z_front, z_back, z_wide, width, square = _SPLINE(np.clip(t, 0, LAST)).T
    cosine, sine = np.cos(theta), np.sin(theta)
    front = cosine >= 0
    power = 2.0 / np.where(front, square, 2.0)
    x = width * np.sign(sine) * np.abs(sine) ** power
    depth = np.where(front, z_front - z_wide, z_wide - z_back)
    z = z_wide + depth * np.sign(cosine) * np.abs(cosine) ** power
    y = y_side + 0.5 * (y_front - y_back) * cosine + (0.5 * (y_front + y_back) - y_side) * cosine**2
    shrink = np.clip(LAST + 1 - t, 0, 1)
    centre_z = 0.5 * (z_front + z_back)
    return np.stack([x * shrink, y, centre_z + (z - centre_z) * shrink], -1)


def sphere_chart(t: Array, theta: Array) -> Array:
    """The same points on a unit sphere, evenly enough that neighbours there are neighbours on the head: (N,3)."""
    key = np.linspace(0, LAST, 12 * LAST + 1)
    sides = [skull(key, np.full_like(key, angle)) for angle in (0.0, 0.9, np.pi / 2, np.pi)]
    step = np.mean([np.linalg.norm(np.diff(side, axis=0), axis=1) for side in sides], axis=0)
    length = np.concatenate([[0.0], np.cumsum(step)])
    polar = np.interp(t, key, length / (length[-1] + 60.0) * np.pi)
    polar = np.where(t > LAST, polar + (np.pi - polar) * (t - LAST), polar)
    return np.stack([np.sin(polar) * np.sin(theta), np.cos(polar), np.sin(polar) * np.cos(theta)], -1)
