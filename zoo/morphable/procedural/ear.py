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
    """The outline as seen from the side: broad above, a rounded lobe below, leaning back; (SECTORS,2) of (z, y)."""
    angle = _angles()
    along, across = np.sin(angle), np.cos(angle)
    width = 0.5 * _WIDTH * (0.90 + 0.20 * along - 0.06 * along**2)
    z = across * width
    y = along * 0.5 * _LENGTH
    z = np.where(across > 0, z * 0.80, z)
    cosine, sine = np.cos(_TILT), np.sin(_TILT)
    return np.stack([_MIDDLE[0] + cosine * z - sine * y, _MIDDLE[1] + sine * z + cosine * y], -1)


def _stand(place: Array) -> Array:
    """How far the ear's plane stands off the head: little in front and at the lobe, more at the back."""
    behind = _MIDDLE[0] + 12.0 - place[:, 0]
    lobe = 1.0 - 0.55 * ramp(place[:, 1], -30, -50)
    return 1.0 + 18.0 * lobe * (1.0 - np.exp(-np.clip(behind, 0.0, None) / 17.0))


def _form(place: Array, share: float) -> Array:
    """Rim, inner ridge, bowl, flap and lobe over the plane of the ear."""
    z, y = place[:, 0], place[:, 1]
    upper = ramp(y, -42, -30)
    back = ramp(z, 3, -6)
    # the rim runs from the bowl over the top to the lobe; in front of the bowl there is the flap instead
    rim = 2.2 * np.exp(-0.5 * ((share - 0.93) / 0.055) ** 2) * upper * (1.0 - ramp(z, -2, 4) * ramp(y, -8, -16))
    furrow = -2.6 * np.exp(-0.5 * ((share - 0.78) / 0.065) ** 2) * upper * back
    ridge = 2.8 * np.exp(-0.5 * ((share - 0.60) / 0.085) ** 2) * upper * back
    # the bowl has a steep wall at the back and a flat floor; a bar that comes in from the front divides it
    deep = np.hypot((z + 4.5) / 8.0, (y + 25.0) / 10.5)
    bowl = -9.0 * ramp(deep, 1.05, 0.45) - 4.5 * ramp(np.hypot((z + 8.5) / 6.5, (y + 10.0) / 4.5), 1.1, 0.4)
    bar = 3.0 * bump(z, y, (0.0, -15.5), (6.0, 2.0), 0.2)
    flap = 6.0 * bump(z, y, (3.6, -25), (2.6, 5.0)) + 4.0 * bump(z, y, (-4.5, -37.0), (3.2, 2.4))
    lobe = 1.2 * bump(z, y, (-4.0, -44), (5, 5))
    return rim + furrow + ridge + bowl + bar + flap + lobe


def _angles() -> Array:
    return np.linspace(0.0, 2.0 * np.pi, SECTORS, endpoint=False)
