"""Lashes: a strip of dark mesh along each lid's margin, jagged at its free edge, that goes where the lid goes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.morphable.procedural import eye
from zoo.morphable.procedural.blend import ramp

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_UPPER = np.arange(1.0, 17.2, 0.5)
_LOWER = np.arange(eye.SECTORS - 2.0, eye.SECTORS - 15.5, -1.0)
"""Columns of the lids' patch (and places between two) that bear lashes, from the outer corner inwards."""
_ROOT = 0.28
"""Thickness of a strip where it grows out of the lid, millimetres."""
UPPER, LOWER = 3 * len(_UPPER), 3 * len(_LOWER)
"""Vertices of the upper and of the lower strip."""


def lashes(patch: Array) -> Array:
    """Both strips of the left eye: the upper one's vertices, then the lower one's.

    A function of the lids alone, so that the lashes of moved lids are those of the moved patch.

    Args:
        patch: (RINGS * SECTORS + 1,3) millimetres, ordered as ``eye.eyelids``.

    Returns:
        (UPPER + LOWER,3): at each column the lower and the upper edge of the root, then the tip.
    """
    rows = patch[:-1].reshape(eye.RINGS, eye.SECTORS, 3)
    # the lower ones lie folded away under the upper lid where the eye is closed
    margin = rows[eye.MARGIN_RING, :, 1]
    opening = _between(margin[:, None], eye.SECTORS - _LOWER)[:, 0] - _between(margin[:, None], _LOWER)[:, 0]
    lower = _strip(rows, _LOWER, 1.2 * (0.1 + 0.9 * ramp(opening, 0.0, 2.5)), 0.25)
    return np.concatenate([_strip(rows, _UPPER, 4.2, 0.18), lower])


def triangles() -> tuple[Index, Index]:
    """Counter-clockwise triangles of the left eye's upper and lower strip, each closed, in ids of its own vertices."""
    upper = _prism(len(_UPPER))
    return upper, _prism(len(_LOWER))[:, ::-1]


def _strip(rows: Array, columns: Array, length: float | Array, lift: float) -> Array:
    """One strip: a thin prism whose free edge is jagged like bundles of hairs.

    Args:
        rows: (RINGS,SECTORS,3) the lids.
        columns: (N,) where the lashes stand.
        length: Of the longest, millimetres; may be given for each column.
        lift: How far they bend away from the opening, radians.
    """
    margin = _between(rows[eye.MARGIN_RING], columns)
    plate = _unit(margin - _between(rows[eye.MARGIN_RING - 3], columns))
    along = _unit(np.gradient(margin, axis=0))
    out = _unit(np.cross(plate, along))
    out *= np.where(out[:, 2:] < 0, -1.0, 1.0)
    inwards = np.linspace(0.0, 1.0, len(columns))
    # long towards the outer corner, short at both ends; gaps between the bundles
    size = length * (0.45 + 0.55 * ramp(inwards, 0.0, 0.22)) * (1.0 - 0.55 * ramp(inwards, 0.3, 1.0))
    size *= np.where(np.arange(len(columns)) % 2, 1.0, 0.45)
    fan = 0.55 * (0.62 - inwards)[:, None]
    ray = _unit(np.cos(lift) * out - np.sin(lift) * plate - fan * along)
    # rooted a little behind the edge, in the plate of the lid
    near = margin + 0.10 * out - 0.05 * plate
    far = near - _ROOT * plate + 0.12 * out
    return np.stack([near, far, margin + size[:, None] * ray], 1).reshape(-1, 3)


def _between(ring: Array, columns: Array) -> Array:
    """Points of a ring at its columns or part of the way to the next: (N,3)."""
    first = np.floor(columns).astype(np.int64)
    share = (columns - first)[:, None]
    return (1.0 - share) * ring[first] + share * ring[(first + 1) % len(ring)]


def _prism(columns: int) -> Index:
    start = 3 * np.arange(columns - 1)
    sides = [
        np.stack([start + a, start + b, start + b + 3, start + a, start + b + 3, start + a + 3], 1).reshape(-1, 3)
        for a, b in ((0, 1), (1, 2), (2, 0))
    ]
    end = 3 * (columns - 1)
    caps = np.array([[0, 2, 1], [end, end + 1, end + 2]])
    return np.concatenate([*sides, caps])[:, ::-1]


def _unit(vector: Array) -> Array:
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-12)
