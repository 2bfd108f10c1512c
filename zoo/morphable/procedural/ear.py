"""Ears: rings of points from the head out along the back of the ear, over its rim and into its bowl."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.morphable.procedural.blend import bump, ramp

Array = NDArray[np.float64]

SECTORS = 32
PATCH_CENTRE = (-3.0, -20.0)
PATCH_SIZE = (11.0, 25.0)
"""Where the ear grows out of the head, as seen from the side (z, y)."""
_BACK = np.array([0.35, 0.7, 0.93])
_FACE = np.array([1.0, 0.97, 0.9, 0.82, 0.74, 0.65, 0.55, 0.44, 0.32, 0.17])
RINGS = 1 + len(_BACK) + len(_FACE)
_LENGTH, _WIDTH, _TILT = 62.0, 35.0, 0.17
_MIDDLE = np.array([-9.0, -19.0])


def border() -> Array:
    """The ring where the ear grows out of the head, as seen from the person's left side: (SECTORS,2) of (z, y).

    Counter-clockwise seen from outside on the person's left: from the front over the top to the back.
    """
    angle = _angles()
    return np.stack(
        [PATCH_CENTRE[0] + PATCH_SIZE[0] * np.cos(angle), PATCH_CENTRE[1] + PATCH_SIZE[1] * np.sin(angle)], -1
    )


def pinna(root: Array) -> Array:
    """All rings of the left ear, then the middle of its bowl: (RINGS * SECTORS + 1,3) millimetres.

    Args:
        root: (SECTORS,3) the ring where it grows out of the head.
    """
    outline = _outline()
    stand = _stand(outline)
    base = root[:, 0].mean()
    rim = np.stack([base + stand, outline[:, 1], outline[:, 0]], -1)
    rings = [root]
    for share in _BACK:
        # the back bows outwards before it reaches the rim
        path = root + (rim - root) * share
        path[:, 0] -= 3.0 * np.sin(np.pi * share) * ramp(stand, 6, 14)
        rings.append(path)
    for share in _FACE:
        place = _MIDDLE + np.array([4.0, -1.0]) * (1 - share) + (outline - _MIDDLE) * share
        out = base + _stand(place) + _form(place, share)
        rings.append(np.stack([out, place[:, 1], place[:, 0]], -1))
    middle = (_MIDDLE + np.array([4.0, -1.0]))[None]
    end = np.stack([base + _stand(middle) + _form(middle, 0.0), middle[:, 1], middle[:, 0]], -1)
    return np.concatenate([*rings, end])


def _outline() -> Array:
    """The ear's outline as seen from the side: broad above, a small lobe below, leaning back; (SECTORS,2) of (z, y)."""
    angle = _angles()
    along, across = np.sin(angle), np.cos(angle)
    width = 0.5 * _WIDTH * (0.93 + 0.22 * along - 0.10 * along**2)
    z = across * width
    y = along * 0.5 * _LENGTH
    z = np.where(across > 0, z * 0.86, z)
    cosine, sine = np.cos(_TILT), np.sin(_TILT)
    return np.stack([_MIDDLE[0] + cosine * z - sine * y, _MIDDLE[1] + sine * z + cosine * y], -1)


def _stand(place: Array) -> Array:
    """How far the ear's plane stands off the head: little in front, more at the back."""
    behind = _MIDDLE[0] + 12.0 - place[:, 0]
    return 1.5 + 14.5 * (1.0 - np.exp(-np.clip(behind, 0.0, None) / 18.0))


def _form(place: Array, share: float) -> Array:
    """Rim, inner ridge, bowl, flap and lobe over the plane of the ear."""
    z, y = place[:, 0], place[:, 1]
    upper = ramp(y, -44, -34)
    rim = 1.6 * np.exp(-0.5 * ((share - 0.95) / 0.05) ** 2) * upper
    furrow = -2.2 * np.exp(-0.5 * ((share - 0.80) / 0.07) ** 2) * upper * ramp(z, 2, -8)
    ridge = 1.8 * np.exp(-0.5 * ((share - 0.60) / 0.09) ** 2) * upper * ramp(z, 2, -8)
    bowl = -8.0 * bump(z, y, (-5.5, -24), (6.5, 8.5)) - 2.5 * bump(z, y, (-9, -8), (4.5, 4))
    flap = 3.6 * bump(z, y, (3.5, -25), (2.6, 4.5)) + 2.6 * bump(z, y, (-2.5, -36.5), (3.5, 2.6))
    lobe = 1.5 * bump(z, y, (-3.5, -44), (5, 5))
    return rim + furrow + ridge + bowl + flap + lobe


def _angles() -> Array:
    return np.linspace(0.0, 2.0 * np.pi, SECTORS, endpoint=False)
