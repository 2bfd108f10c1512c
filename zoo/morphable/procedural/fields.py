"""Displacement fields over the mean head: how they are carried to lids, eyeballs and the rest without tearing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.morphable.procedural import eye, lash
from zoo.morphable.procedural.mesh import Head

Array = NDArray[np.float64]


def rigid_eyes(head: Head, field: Array) -> Array:
    """Let each eyeball and the lids on it move as one, by what the field does around the eye.

    Args:
        head: The mean head.
        field: (V,3) displacement.

    Returns:
        (V,3): the same field away from the eyes; it fades into the eye's own shift from the border of the lids' patch.
    """
    moved = field.copy()
    ring = np.minimum(np.arange(eye.RINGS * eye.SECTORS + 1) // eye.SECTORS, eye.RINGS)
    share = np.clip(ring / eye.MARGIN_RING, 0.0, 1.0)
    follow = (share * share * (3 - 2 * share))[:, None]
    # the skin beside the nose counts most: there is the least room for it to give way
    near_nose = 1.0 - 0.7 * np.cos(np.arange(eye.SECTORS) * (2 * np.pi / eye.SECTORS))
    near_nose /= near_nose.sum()
    for ids, part in ((head.skin.eyes[0], 1), (head.skin.eyes[1], 2)):
        shift = near_nose @ field[ids[: eye.SECTORS]]
        moved[ids] += follow * (shift - field[ids])
        moved[head.part == part] = shift
    return moved


def with_lashes(head: Head, field: Array) -> Array:
    """Let the lashes go with the margins that they grow on: (V,3) displacement in, (V,3) out."""
    moved = field.copy()
    for side, lids, strips in ((1.0, head.skin.eyes[0], head.lashes[0]), (-1.0, head.skin.eyes[1], head.lashes[1])):
        flip = np.array([side, 1.0, 1.0])
        rest = head.points[lids] * flip
        moved[strips] = (lash.lashes(rest + field[lids] * flip) - lash.lashes(rest)) * flip
    return moved


def on_side(points: Array, side: float, soft: float = 6.0) -> Array:
    """1 on the person's left (+1) or right (-1) side, 0 on the other, smooth over the middle: (V,)."""
    u = np.clip(0.5 + 0.5 * side * points[:, 0] / soft, 0.0, 1.0)
    return u * u * (3.0 - 2.0 * u)
