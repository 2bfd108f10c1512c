"""Smooth bumps, steps and unions: the chisels that the face is cut with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def bump(x: Array, y: Array, centre: tuple[float, float], size: tuple[float, float], turn: float = 0.0) -> Array:
    """A Gaussian hill of height 1 at ``centre`` with standard deviations ``size``, turned by ``turn`` radians."""
    dx, dy = x - centre[0], y - centre[1]
    cosine, sine = np.cos(turn), np.sin(turn)
    u, v = (cosine * dx + sine * dy) / size[0], (-sine * dx + cosine * dy) / size[1]
    return np.exp(-0.5 * (u * u + v * v))


def ramp(x: Array, start: float | Array, end: float | Array) -> Array:
    """0 before ``start``, 1 after ``end`` (which may lie before ``start``), smooth between."""
    u = np.clip((x - start) / (end - start), 0.0, 1.0)
    return u * u * (3.0 - 2.0 * u)


def window(x: Array, low: float, high: float, soft: float) -> Array:
    """1 between ``low`` and ``high``, falling to 0 over ``soft`` on both sides."""
    return ramp(x, low - soft, low) * ramp(x, high + soft, high)


def smooth_max(a: Array, b: Array, radius: float | Array) -> Array:
    """The larger of two, rounded where they are within ``radius`` of each other."""
    h = np.clip(0.5 + 0.5 * (a - b) / radius, 0.0, 1.0)
    return b + (a - b) * h + radius * h * (1.0 - h)


def smooth_min(a: Array, b: Array, radius: float | Array) -> Array:
    """The smaller of two, rounded where they are within ``radius`` of each other."""
    return -smooth_max(-a, -b, radius)
