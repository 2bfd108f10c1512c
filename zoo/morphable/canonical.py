"""Where every vertex of a head lies on the procedural one: coordinates in which any face can be painted."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from zoo.errors import UserError
from zoo.morphable.data import MorphableData

Array = NDArray[np.float64]

__all__ = ["canonical_coordinates", "landmark_positions", "template"]

_REACH = 20.0
"""Millimetres over which the pull of a landmark rounds off: about the distance between neighbours on the jaw."""
_SMOOTHING = 0.02
"""Lets nearly coinciding landmarks (the lips' inner ones) disagree by a fraction of a millimetre without a fold."""
_ABOVE_EARS, _BACK = 45.0, -40.0
"""Millimetres on the template: the height over which no ear reaches, and a depth that only a whole skull reaches."""
_DIRECTIONS = np.array(
    [
        [0, 1, 0],
        [0, 1, 1],
        [0, 1, -1],
        [0, 0, -1],
        [1, 0, 0],
        [-1, 0, 0],
        [1, 1, 0],
        [-1, 1, 0],
        [1, 0, -1],
        [-1, 0, -1],
    ],
    np.float64,
)
"""From the middle of the head outwards, where the skull's outline is held against the template's."""


@lru_cache(maxsize=1)
def template() -> MorphableData:
    """The procedural face, read once in a process."""
    from zoo.morphable.procedural import build_face  # made or read from disk only where a head is to be painted

    return build_face()


def landmark_positions(data: MorphableData) -> Array | None:
    """The 68 iBUG points of the neutral mean in the model's unit, (68,3), or None where the model has none."""
    if data.landmark_vertices is not None and data.landmark_weights is not None:
        return np.asarray((data.mean[data.landmark_vertices] * data.landmark_weights[..., None]).sum(1), np.float64)
    return None if data.landmark_indices is None else data.mean[data.landmark_indices].astype(np.float64)


def canonical_coordinates(data: MorphableData) -> NDArray[np.float32]:
    """The place on the procedural template of each vertex of any head with 68 landmarks.

    A similarity brings the landmarks of the neutral mean nearest to the template's; what is left between them is
    spread smoothly by multiquadrics (R. L. Hardy 1971). Where the model is a whole head, the outline of its skull and
    the tips of its ears are then brought to the template's. For the procedural face it is its own mean.

    Returns:
        (V,3) float32 in millimetres, in the template's frame: x to the person's left, y up, z out of the face.

    Raises:
        UserError: The model has no landmarks.
    """
    own, face = landmark_positions(data), template()
    if own is None:
        raise UserError(f"The face model '{data.name}' has no landmarks, which its place on the template comes from.")
    millimetres = 1000.0 * face.metres_per_unit
    if data.mean.shape == face.mean.shape and np.array_equal(data.mean, face.mean):
        return (millimetres * face.mean).astype(np.float32)
    goal = landmark_positions(face)
    assert goal is not None
    goal = goal * millimetres
    scale, rotation, shift = _similarity(own, goal)
    points, near = scale * data.mean @ rotation.T + shift, scale * own @ rotation.T + shift
    # first by the landmarks alone; then what the whole heads' outlines still lack, far from any landmark
    points = points + _spread(near, goal - near, points)
    places, lack = _outline(points, millimetres * face.mean.astype(np.float64))
    if len(places):
        points = points + _spread(np.concatenate([goal, places]), np.concatenate([np.zeros_like(goal), lack]), points)
    return points.astype(np.float32)


def _spread(places: Array, shifts: Array, points: Array) -> Array:
    """Shifts (N,3) at some places, smoothly continued to other points: (V,3)."""
    # one of two landmarks on the same spot is enough
    distinct = np.unique(places.round(2), axis=0, return_index=True)[1]
    warp = RBFInterpolator(
        places[distinct],
        shifts[distinct],
        kernel="multiquadric",
        epsilon=1.0 / _REACH,
        degree=0,
        smoothing=_SMOOTHING,
    )
    return np.asarray(warp(points))


def _outline(head: Array, goal: Array) -> tuple[Array, Array]:
    """How far the outline of a head's skull and ears is from the template's, at a few outermost places.

    Args:
        head: (V,3) millimetres, landmarks already in place.
        goal: (W,3) the template.

    Returns:
        (N,3) places and (N,3) shifts; none for a model that ends before the ears.
    """
    places, shifts = [], []
    if head[:, 2].min() > _BACK:
        return np.zeros((0, 3)), np.zeros((0, 3))
    skull, goal_skull = head[head[:, 1] > _ABOVE_EARS], goal[goal[:, 1] > _ABOVE_EARS]
    for direction in _DIRECTIONS / np.linalg.norm(_DIRECTIONS, axis=1, keepdims=True):
        outermost = skull[(skull @ direction).argmax()]
        places.append(outermost)
        # along the direction alone: where on a flat outline the outermost vertex lies means nothing
        shifts.append(((goal_skull @ direction).max() - outermost @ direction) * direction)
    for side in (-1.0, 1.0):
        tip, goal_tip = (
            part[(np.abs(part[:, 1]) < _ABOVE_EARS) & (np.abs(part[:, 2]) < _ABOVE_EARS)] for part in (head, goal)
        )
        tip, goal_tip = tip[(side * tip[:, 0]).argmax()], goal_tip[(side * goal_tip[:, 0]).argmax()]
        places.append(tip)
        shifts.append(goal_tip - tip)
    return np.array(places), np.array(shifts)


def _similarity(source: Array, target: Array) -> tuple[float, Array, Array]:
    """Scale, rotation and shift that bring (N,3) points nearest to others (S. Umeyama 1991)."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((s * sign).sum() / max((a**2).sum(), 1e-12))
    return scale, rotation, target.mean(0) - scale * rotation @ source.mean(0)
