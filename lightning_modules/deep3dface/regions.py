"""Which part of a face model is the face that a picture shows, and which part of that is plain skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zoo.errors import UserError
from zoo.morphable.canonical import canonical_coordinates, landmark_positions, template
from zoo.morphable.data import MorphableData
from zoo.render import vertex_normals

__all__ = ["Regions", "face_regions"]

Bools = NDArray[np.bool_]

SEEN = ("skin", "brows", "lips", "sclera", "iris", "pupil", "tears")
"""Labels that a face in a picture shows on its outside."""
EYES = ("sclera", "iris", "pupil", "tears")
AWAY = 0.2
"""The half of an eyeball that nobody sees, wherever it looks, has normals with less of z than this."""
SURROUNDINGS = ("ear", "neck", "hair")
"""Labels of the procedural head that other models may not have: they call all of it skin."""

HIGHEST = 62.0
"""Millimetres above the eyes on the procedural head: about the middle of the forehead. Above it hangs hair."""
HINDMOST = 28.0
"""Millimetres before the procedural head's middle: the cheek a finger's breadth before the ear."""
ROUNDS = 8
"""How often each vertex takes the mean of itself and its neighbours, which gives the face a smooth border."""
UNDER_JAW = 4.0
"""Millimetres under the line of the jaw that still count as chin and cheek."""
NEAR_PART = 3.0
"""Millimetres around lips, eyes, brows and nostrils that are no plain skin: colours run into each other there."""


@dataclass(frozen=True)
class Regions:
    """Parts of a face model.

    Args:
        skin: (V,) where the albedo should be smooth: no lips, brows, eyes, nostrils.
        front_triangles: (T',3) vertex ids, the face from forehead to chin and from cheek to cheek, with lips and eyes,
            without ears, neck, scalp and the inside of the mouth.
        front: (T,) which of the model's triangles these are.
    """

    skin: Bools
    front_triangles: NDArray[np.int64]
    front: Bools


def face_regions(data: MorphableData) -> Regions:
    """The regions that the model's file has (the BFM cut), else those of the procedural head laid over the model.

    Raises:
        UserError: The model has neither regions nor landmarks to lay a head over it by.
    """
    triangles = data.triangles
    own_front, own_skin = data.extras.get("front_triangles"), data.extras.get("skinmask")
    if own_front is not None and own_skin is not None:
        return Regions(own_skin, own_front, _rows_of(triangles, own_front))
    if landmark_positions(data) is None:
        raise UserError(f"The face model '{data.name}' has no landmarks, by which a face is found and fitted.")
    seen, skin = _laid_over(data)
    front = np.asarray(seen[triangles].all(1))
    if own_front is not None:
        front = _rows_of(triangles, own_front)
    return Regions(skin if own_skin is None else own_skin, triangles[front], front)


def _laid_over(data: MorphableData) -> tuple[Bools, Bools]:
    """Vertices of the face in a picture, and of its plain skin, by the place of each on the procedural head."""
    head = template()
    millimetres = 1000.0 * head.metres_per_unit
    points, goal = canonical_coordinates(data).astype(np.float64), millimetres * head.mean.astype(np.float64)
    jaw = landmark_positions(head)[:17] * millimetres  # type: ignore[index]

    outside = head.vertices_of(*SURROUNDINGS, "skin", "brows", "lips")
    ids = np.flatnonzero(outside)
    nearest = ids[cKDTree(goal[ids]).query(points)[1]]
    surroundings = head.vertices_of(*SURROUNDINGS)[nearest]
    lowest = np.interp(points[:, 0], jaw[:, 0], jaw[:, 1]) - UNDER_JAW
    face = ~surroundings & (points[:, 1] < HIGHEST) & (points[:, 1] > lowest) & (points[:, 2] > HINDMOST)
    face = _smooth(face, data.triangles)
    if data.labels is not None:
        has = [name for name in SEEN if name in data.label_names]
        seen = face & data.vertices_of(*has) & ~(data.vertices_of(*(set(has) & set(EYES))) & _turned_away(data))
        plain = data.vertices_of("skin")
    else:
        seen, plain = face, ~head.vertices_of("brows", "lips")[nearest]

    nostril = np.asarray(head.extras["nostril"]) > 0.5
    parts = head.vertices_of("lips", "brows", "sclera", "iris", "pupil") | nostril
    far = cKDTree(goal[parts]).query(points)[0] > NEAR_PART
    return seen, seen & plain & far


def _turned_away(data: MorphableData) -> Bools:
    """Vertices of the mean whose normals point aside or to the back."""
    normals = vertex_normals(torch.from_numpy(data.mean)[None], torch.from_numpy(data.triangles))
    return np.asarray(normals[0, :, 2].numpy() < AWAY)


def _smooth(part: Bools, triangles: NDArray[np.int64]) -> Bools:
    """A part of a mesh without small holes, specks and jags."""
    share = part.astype(np.float64)
    starts, ends = triangles.reshape(-1), np.roll(triangles, -1, axis=1).reshape(-1)
    count = 1 + np.bincount(starts, minlength=len(part))
    for _ in range(ROUNDS):
        share = (share + np.bincount(starts, share[ends], len(part))) / count
    return np.asarray(share > 0.5)


def _rows_of(triangles: NDArray[np.int64], some: NDArray[np.int64]) -> Bools:
    """Which triangles are among some others, whichever corner comes first."""
    count = int(triangles.max()) + 1

    def keys(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        a, b, c = np.sort(rows, axis=1).astype(np.int64).T
        return (a * count + b) * count + c

    return np.asarray(np.isin(keys(triangles), keys(some)))
