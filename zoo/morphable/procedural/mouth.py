"""Lips: rings of points from the skin around the mouth over the red of the lips to the line between, then inwards.

Behind the line the rings open into a pocket that holds the teeth and the tongue.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.morphable.procedural.blend import bump, ramp
from zoo.morphable.procedural.heightmap import HeightMap

Array = NDArray[np.float64]

SECTORS = 56
LINE_Y = -70.0
HALF_WIDTH = 25.5
PATCH_CENTRE = (0.0, -72.0)
PATCH_SIZE = (35.0, 19.0)
_SKIN = np.array([0.0, 0.22, 0.42, 0.6, 0.76, 0.9, 1.0])
"""Rings between the border of the patch (0) and the border of the red (1)."""
_RED = np.array([0.13, 0.3, 0.48, 0.66, 0.82, 0.93, 1.0])
"""Rings between the border of the red (0) and the line between the lips (1)."""
_POCKET = ((0.985, 0.4, -3.0), (0.96, 2.0, -5.5), (0.98, 8.5, -7.0), (1.0, 11.0, -12.0), (0.97, 12.0, -26.0))
_POCKET_END = ((0.55, 6.0, -42.0), (0.0, 0.0, -48.0))
"""Rings of the pocket: share of the width, half the height and depth behind the line, millimetres."""
RINGS = len(_SKIN) + len(_RED) + len(_POCKET) + 1
RED_RING = len(_SKIN) - 1
LINE_RING = len(_SKIN) + len(_RED) - 1


def angles() -> Array:
    """Where around the mouth each column of points lies, from the left corner over the upper lip: (SECTORS,)."""
    return np.linspace(0.0, 2.0 * np.pi, SECTORS, endpoint=False)


def border() -> Array:
    """The patch's outermost ring as seen from the front: (SECTORS,2)."""
    angle = angles()
    return np.stack(
        [PATCH_CENTRE[0] + PATCH_SIZE[0] * np.cos(angle), PATCH_CENTRE[1] + PATCH_SIZE[1] * np.sin(angle)], -1
    )


def lips(surface: HeightMap) -> Array:
    """All rings of the mouth's patch, closed, then the innermost point: (RINGS * SECTORS + 1,3) millimetres."""
    angle = angles()
    upper = np.sin(angle) >= -1e-9
    x = HALF_WIDTH * np.cos(angle)
    line = np.stack([x, _line(x)], -1)
    red = np.stack([x * (1.0 + 0.03), np.where(upper, _upper_border(x), _lower_border(x))], -1)
    outer = border()
    body = np.sqrt(np.clip(1.0 - (x / HALF_WIDTH) ** 2, 0.0, 1.0))
    ridge = np.where(upper, 1.3, 0.2) * body
    rings = []
    for share in _SKIN:
        place = outer + (red - outer) * share
        z = surface(place[:, 0], place[:, 1]) + ridge * ramp(np.array(share), 0.45, 1.0)
        # philtrum: a groove between two ridges under the nose
        px, py = place.T
        philtrum = ramp(py, -66, -60) * ramp(py, -46, -52)
        z += philtrum * (0.9 * (bump(px, py, (5.4, -57), (2.0, 9)) + bump(px, py, (-5.4, -57), (2.0, 9))))
        z -= philtrum * 1.0 * bump(px, py, (0, -57), (2.7, 9))
        # corners sink in a little
        z -= 1.6 * ramp(np.abs(px), 19, 27) * ramp(np.array(share), 0.4, 1.0) * np.exp(-(((py + 70.5) / 5) ** 2))
        rings.append(np.stack([px, py, z], -1))
    edge = rings[-1]
    line_depth = surface(line[:, 0], line[:, 1]) - 0.7 + 0.4 * body
    fullness = np.where(upper, 2.3, 3.2) * body
    for share in _RED:
        place = edge[:, :2] + (line - edge[:, :2]) * share
        swell = np.where(upper, np.sin(np.pi * share**1.05), np.sin(np.pi * share**0.95) ** 0.8)
        z = edge[:, 2] + (line_depth - edge[:, 2]) * np.where(upper, share**2.6, share**1.5) + fullness * swell
        # the upper lip's middle hangs forward a little, the lower one's gives way
        z += np.where(upper, 0.7, -0.5) * bump(place[:, 0], place[:, 1], (0, -68), (4, 4)) * swell
        rings.append(np.stack([place[:, 0], place[:, 1], z], -1))
    closed = rings[-1]
    for share, half, depth in (*_POCKET, _POCKET_END[0]):
        sign = np.sin(angle)
        height = np.where(upper, 1.0, -1.0) * half * np.abs(sign) ** (0.5 if half > 3 else 1.0)
        flatten = ramp(np.array(-depth), 4.0, 20.0)
        px = closed[:, 0] * share
        py = closed[:, 1] + height
        pz = closed[:, 2] + depth + flatten * 0.25 * (closed[:, 2].max() - closed[:, 2])
        rings.append(np.stack([px, py, pz], -1))
    end = np.array([[0.0, LINE_Y, closed[:, 2].max() + _POCKET_END[1][2]]])
    return np.concatenate([*rings, end])


def _line(x: Array) -> Array:
    """Height of the line between the lips."""
    u = np.abs(x) / HALF_WIDTH
    return LINE_Y - 0.4 * np.exp(-((x / 8.0) ** 2)) + 0.6 * np.exp(-(((np.abs(x) - 11.0) / 6.0) ** 2)) + 2.0 * u**4


def _upper_border(x: Array) -> Array:
    """Height of the border of the upper lip's red: Cupid's bow."""
    u = np.abs(x) / HALF_WIDTH
    taper = np.clip(1.0 - u**1.8, 0.0, None) ** 1.05
    return _line(x) + 8.6 * taper - 1.5 * np.exp(-((x / 3.4) ** 2)) + 0.3 * np.exp(-(((np.abs(x) - 6) / 3) ** 2))


def _lower_border(x: Array) -> Array:
    """Height of the border of the lower lip's red."""
    u = np.abs(x) / HALF_WIDTH
    return _line(x) - 9.2 * np.clip(1.0 - u**2.3, 0.0, None) ** 0.92
