"""The nose: a bridge, a tip and two wings joined smoothly, with nostrils pushed in from below.

It is an implicit solid in front of the broad relief. Points of the bare head around it are carried outwards from one
point behind the nose until they leave the solid, which reaches the underside and the nostrils, where moving points
straight forward could not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from zoo.morphable.procedural.blend import ramp, smooth_max
from zoo.morphable.procedural.heightmap import HeightMap

Array = NDArray[np.float64]

SOURCE = np.array([0.0, -31.0, 72.0])
"""The point behind the nose that its lower half is seen from; the upper half is seen from the line above it."""

NOSTRIL = np.array([7.3, -46.5, 110.8])
"""The middle of the left nostril's opening."""

_RIDGE = PchipInterpolator([-60, -35, -28, -18, -5, 5, 14, 24], [116.0, 122.8, 120.6, 114.8, 107.4, 102.6, 101.0, 96.0])
_HALF_WIDTH = PchipInterpolator([-60, -38, -28, -12, 2, 12, 24], [7.2, 7.0, 6.4, 5.3, 5.2, 8.3, 14.0])


def raise_nose(points: Array, surface: HeightMap) -> Array:
    """Carry the points around the nose onto it: (N,3) of the broad relief in, (N,3) out; far points stay.

    Args:
        points: (N,3) millimetres.
        surface: The broad relief as depth over the picture plane.
    """
    x, y = points[:, 0], points[:, 1]
    side = np.interp(y, [-58, -40, -22, 0, 30], [26.0, 30.0, 27.0, 14.0, 16.0])
    near = (np.abs(x) < side) & (y > -58) & (y < 30) & (points[:, 2] > 75)
    start = points[near]
    ray = start - SOURCE
    ray[:, 1] = np.minimum(ray[:, 1], 0.0)
    length = np.linalg.norm(ray, axis=1, keepdims=True)
    ray = ray / length
    # walk outwards and stop at the first step outside, then halve that step
    reach = np.linspace(-8.0, 34.0, 64)
    inside = np.stack([solid(start + ray * step, surface) > 0 for step in reach])
    leave = np.argmin(inside, axis=0)
    grazing = ~inside[0]
    low, high = reach[np.maximum(leave - 1, 0)][:, None], reach[leave][:, None]
    for _ in range(14):
        middle = 0.5 * (low + high)
        within = (solid(start + ray * middle, surface) > 0)[:, None]
        low, high = np.where(within, middle, low), np.where(within, high, middle)
    result = points.copy()
    edge = ramp(side[near] - np.abs(start[:, 0]), 0.0, 4.0) * ramp(start[:, 1], -58, -53) * ramp(start[:, 1], 30, 25)
    step = np.where(grazing[:, None], 0.0, 0.5 * (low + high))
    result[near] = start + ray * step * edge[:, None]
    return _pierce(result)


def _pierce(points: Array) -> Array:
    """Push the nostrils in from below: slanted eggs that narrow forwards, cut up and back into the nose."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    ahead = z - NOSTRIL[2]
    across = x - NOSTRIL[0] + 0.34 * ahead
    far = np.hypot(across / (3.5 - 0.14 * ahead), ahead / 6.6)
    hole = ramp(far, 1.08, 0.62) * ramp(y, -39.5, -42.5) * ramp(y, -53.0, -49.5)
    pushed = points.copy()
    pushed[:, 1] += 6.0 * hole
    pushed[:, 2] -= 3.0 * hole
    return pushed


def nostril_weight(points: Array, surface: HeightMap) -> Array:
    """How deep points lie in a nostril, 0 outside to 1 at its end: (N,) for (N,3) points of the pierced nose."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    near = (x > 2.0) & (x < 14.0) & (y > -50.0) & (y < -36.0) & (z > 98.0) & (z < 120.0)
    weight = np.zeros(len(points))
    weight[near] = ramp(solid(points[near], surface), 0.2, 1.4)
    return weight


def solid(points: Array, surface: HeightMap) -> Array:
    """Roughly how deep (N,3) points lie under the skin, in millimetres; negative outside: (N,)."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    face = 0.85 * (surface(points[:, 0], y) - z)
    half = _HALF_WIDTH(np.clip(y, -60, 24))
    # the bridge: a rounded ridge that flares into the cheeks and ends in the tip
    slope = np.sqrt(1.0 + (x / half) ** 2)
    steep = np.interp(y, [-34.0, -16.0, 0.0], [1.45, 1.85, 2.0])
    bridge = (_RIDGE(np.clip(y, -60, 24)) - half * (slope - 1.0) * steep - z) / (0.6 + 0.6 * slope)
    bridge -= 9.0 * ramp(y, -34, -47) + 6.0 * ramp(y, 16, 30)
    bridge -= 16.0 * ramp(x - np.interp(y, [-34.0, 0.0], [3.0, 0.0]), 6, 26)
    tip = _ellipsoid(x, y, z, (1.6, -35.3, 115.4), (8.4, 9.0, 13.2))
    wing = _ellipsoid(x, y, z, (10.8, -40.0, 106.4), (6.2, 6.6, 11.0))
    column = _ellipsoid(x, y, z, (0.0, -40.9, 110.0), (3.2, 5.6, 13.0))
    nose = smooth_max(bridge, tip, 5.0)
    nose = smooth_max(nose, wing, 4.6)
    nose = smooth_max(nose, column, 2.5)
    whole = smooth_max(face, nose, 3.2 + 5.5 * ramp(y, -34, -12))
    return whole


def _ellipsoid(
    x: Array, y: Array, z: Array, centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> Array:
    """Approximate depth inside an ellipsoid, millimetres."""
    offset = np.stack([x - centre[0], y - centre[1], z - centre[2]])
    scale = np.array(radii).reshape(3, *([1] * x.ndim))
    k0 = np.sqrt(((offset / scale) ** 2).sum(0)) + 1e-9
    k1 = np.sqrt(((offset / scale**2) ** 2).sum(0)) + 1e-9
    return -k0 * (k0 - 1.0) / k1
