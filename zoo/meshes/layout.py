"""Where the texture of a morphable model lies: its own coordinates, mended so that one picture holds them all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.meshes.mesh import TextureMap
from zoo.morphable import MorphableData

__all__ = ["texture_map"]

_FARTHEST = 0.25
"""A triangle with a longer edge than this share of the picture runs across it from one border to the other."""

_LARGE, _SMALL = 0.75, 0.25
"""Sides of the first tile of a model that has several, and of the others, which lie right of it and below it."""

_COLUMNS, _STRIP = 80, 0.04
"""Cells in a row of the strip of single triangles, and the strip's share of the picture's height."""


def texture_map(data: MorphableData) -> TextureMap | None:
    """The texture coordinates of a model, corner by corner, in one picture.

    - Models that spread their parts over several pictures (ICT-FaceKit: face, back of the head, gums, teeth, eyes) get
      one tile a part: the first is large, up to seven others are small.
    - Triangles that would run across the whole picture, because their corners lie on opposite borders (the back of
      the procedural head), lie apart, each in a cell of its own in a strip along the upper border.

    Args:
        data: The model's arrays; ``extras`` may hold ``uv_corners`` (U,2), ``uv_triangles`` (T,3) and
            ``triangle_material`` (T,), as the reader of ICT-FaceKit leaves them.

    Returns:
        The map, or None where the model has no texture coordinates.
    """
    extras = data.extras
    if "uv_triangles" in extras:
        corner_uv = _tiled(extras["uv_corners"][extras["uv_triangles"]], extras["triangle_material"])
    elif data.uv is not None:
        corner_uv = data.uv[data.triangles].astype(np.float64)
    else:
        return None
    longest = np.linalg.norm(corner_uv - np.roll(corner_uv, 1, 1), axis=-1).max(1)
    across = np.flatnonzero(longest > _FARTHEST)
    if len(across):
        _set_apart(corner_uv, across)
    corners = np.concatenate((data.triangles.reshape(-1, 1), np.round(corner_uv.reshape(-1, 2) * 2**20)), 1)
    _, first, inverse = np.unique(corners, axis=0, return_index=True, return_inverse=True)
    return TextureMap(
        corner_vertex=data.triangles.reshape(-1)[first].astype(np.int64),
        uv=corner_uv.reshape(-1, 2)[first].astype(np.float32),
        triangles=inverse.reshape(-1, 3).astype(np.int64),
    )


def _tiled(corner_uv: NDArray[np.floating], part: NDArray[np.integer]) -> NDArray[np.float64]:
    """Parts that lie each in a unit square of their own (T,3,2), in tiles of one square."""
    placed = np.asarray(corner_uv, np.float64).copy()
    steps = round(_LARGE / _SMALL)
    places = [(_LARGE, row * _SMALL) for row in range(steps + 1)] + [(row * _SMALL, 0.0) for row in range(steps)]
    for number, name in enumerate(np.unique(part)):
        chosen = part == name
        own = placed[chosen] - np.floor(placed[chosen].mean((0, 1)))
        side, corner = (_LARGE, (0.0, _SMALL)) if number == 0 else (_SMALL, places[number - 1])
        placed[chosen] = own * side + corner
    return placed


def _set_apart(corner_uv: NDArray[np.float64], chosen: NDArray[np.int64]) -> None:
    """Move the chosen triangles of ``corner_uv`` (T,3,2) into cells of a strip, and all others below it, in place."""
    cell = 1 / _COLUMNS
    corner_uv[..., 1] *= 1 - _STRIP
    rows = int(_STRIP / cell)
    place = np.arange(len(chosen)) % (_COLUMNS * rows)  # so many triangles share cells only in a broken model
    corner = np.stack((place % _COLUMNS * cell, 1 - (place // _COLUMNS + 1) * cell), 1)
    inside = np.array([[0.2, 0.2], [0.8, 0.2], [0.2, 0.8]]) * cell
    corner_uv[chosen] = corner[:, None] + inside
