"""The broad relief of a face on the bare head: brow ridge, sockets, cheekbones, muzzle, chin, jaw, temples.

Every feature is a smooth function of where a point of the bare head lies; the nose, the lids, the lips and the ears are
finer and have files of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.morphable.procedural.blend import bump, ramp, window
from zoo.morphable.procedural.skull import skull

Array = NDArray[np.float64]


def relief(t: Array, theta: Array) -> Array:
    """Points of the head with its broad relief: (N,3) millimetres, for (N,) slices and angles."""
    base = skull(t, theta)
    return base + outward(t, theta) * _height(base)[:, None]


def outward(t: Array, theta: Array) -> Array:
    """Unit normals of the bare head: (N,3)."""
    step = 1e-3
    safe = np.clip(t, 0.05, None)
    along = skull(safe + step, theta) - skull(safe - step, theta)
    around = skull(safe, theta + step) - skull(safe, theta - step)
    normal = np.cross(along, around)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def _height(base: Array) -> Array:
    """How far each feature lifts the surface, added up: (N,) millimetres."""
    x, y, z = np.abs(base[:, 0]), base[:, 1], base[:, 2]
    face = ramp(z, 20.0, 50.0)
    height = np.zeros(len(base))
    # forehead: two faint eminences; temples hollow
    height += 1.2 * face * bump(x, y, (26, 62), (20, 18))
    height -= 1.0 * bump(z, y, (50, 24), (18, 26)) * ramp(x, 45, 62)
    # brow ridge, stronger in the middle (glabella), and its outer end
    height += 1.0 * face * bump(x, y, (0, 23), (14, 9))
    height += 1.6 * face * bump(x, y, (30, 18), (16, 7), -0.05)
    height += 1.6 * face * bump(x, y, (50, 13), (8, 8), -0.5)
    # eye sockets, deepest beside the nose; their floor runs out in the tear trough
    height -= 10.0 * face * bump(x, y, (22, -1.0), (12.5, 10), 0.05)
    height -= 3.5 * face * bump(x, y, (41, 0.0), (10, 9.0))
    height -= 1.2 * face * bump(x, y, (20, -13), (9, 6), -0.7)
    # cheekbones and the soft cheek below
    height += 2.2 * face * bump(x, y, (46, -20), (14, 11), 0.35)
    height += 1.0 * bump(z, y, (45, -16), (20, 10)) * ramp(x, 40, 60)
    height += 0.8 * face * bump(x, y, (38, -36), (13, 13), -0.3)
    height -= 1.6 * face * bump(x, y, (22, -26), (9, 16), -0.25)
    height -= 0.4 * bump(x, y, (50, -52), (11, 18), 0.3) * ramp(z, 15, 40)
    # nasolabial fold: a shallow valley from the wing of the nose to beside the mouth
    fold = x - (21.0 + 0.42 * (-44.0 - y))
    height -= 1.3 * face * np.exp(-0.5 * (fold / 3.5) ** 2) * window(y, -62, -44, 10)
    # muzzle: the teeth carry the lips forward
    height += 3.0 * face * bump(x, y, (0, -68), (23, 13))
    # hollow under the lower lip, chin with its two soft halves
    height -= 1.6 * face * bump(x, y, (0, -87.5), (16, 5))
    height += 4.0 * face * bump(x, y, (0, -103.5), (15, 9))
    height += 0.5 * face * bump(x, y, (11, -103), (8, 7))
    # the line of the jaw and its angle
    height += 1.5 * bump(z, y, (14, -80), (18, 13)) * ramp(x, 30, 45)
    height += 1.0 * bump(z, y, (50, -94), (20, 8)) * ramp(x, 20, 34)
    # throat: the two neck muscles and the larynx
    height += 1.6 * bump(x, y, (0, -150), (10, 14)) * ramp(z, 10, 35)
    return height
