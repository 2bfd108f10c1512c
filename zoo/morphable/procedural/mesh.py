"""All parts of the mean head as one mesh, with the names of its vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.morphable.procedural import ear, eye, lash, mouth, parts
from zoo.morphable.procedural.blend import ramp
from zoo.morphable.procedural.template import Skin, build_skin

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LABELS = (
    "skin", "ear", "neck", "hair", "brows", "lips", "mouth", "eye_socket", "sclera", "iris", "pupil", "teeth", "gums",
    "tongue", "lashes",
)  # fmt: skip
PARTS = (
    "skin", "left eyeball", "right eyeball", "upper teeth", "lower teeth", "tongue",
    "left upper lashes", "left lower lashes", "right upper lashes", "right lower lashes",
)  # fmt: skip
_FIRST_LASHES = PARTS.index("left upper lashes")
_BROW_DEPTH = 0.5
"""How far the hairs of a brow stand out, millimetres."""


@dataclass(frozen=True)
class Head:
    """The mean head.

    Args:
        points: (V,3) millimetres.
        triangles: (T,3).
        uv: (V,2) in [0,1].
        labels: (V,) index into ``LABELS``.
        part: (V,) index into ``PARTS``; every part is a closed surface.
        mirror: (V,) the vertex on the other side.
        skin: The skin, whose vertices come first.
        zone: (V,) ``parts.Part.zone``, 0 on the skin.
        brow: (V,) 0 to 1, how much a vertex belongs to a brow.
        hair: (V,) 0 to 1, how much a vertex belongs to the hair.
        bare: (V,3) the points before hair was put on.
        nostril: (V,) 0 to 1, how deep a vertex lies in a nostril.
        lashes: Vertex ids of the left and the right eye's strips, ordered as ``lash.lashes``.
    """

    points: Array
    triangles: Index
    uv: Array
    labels: Index
    part: Index
    mirror: Index
    skin: Skin
    zone: Array
    brow: Array
    hair: Array
    bare: Array
    nostril: Array
    lashes: tuple[Index, Index]


def build_head() -> Head:
    """The mean head; the same arrays at every call."""
    skin = build_skin()
    line = skin.points[skin.mouth[mouth.LINE_RING * mouth.SECTORS :][: mouth.SECTORS]]
    depth, height = float(line[:, 2].max()), mouth.LINE_Y
    others = [
        parts.eyeball(1.0),
        parts.eyeball(-1.0),
        parts.teeth(True, depth, height),
        parts.teeth(False, depth, height),
        parts.tongue(depth, height),
        *_lash_strips(skin),
    ]
    points, triangles, mirror = [skin.points], [skin.triangles], [skin.mirror]
    part, zone, uv = [np.zeros(len(skin.points), np.int64)], [np.zeros(len(skin.points))], [_skin_uv(skin.chart)]
    start = len(skin.points)
    flip = np.array([-1.0, 1.0, 1.0])
    for k, piece in enumerate(others, start=1):
        size = len(piece.points)
        points.append(piece.points)
        triangles.append(piece.triangles + start)
        part.append(np.full(size, k))
        zone.append(piece.zone)
        uv.append(_part_uv(piece.points, k))
        if k in (1, 2):
            mirror.append(np.arange(size) + start + (size if k == 1 else -size))
        elif k >= _FIRST_LASHES:
            strips = lash.UPPER + lash.LOWER
            mirror.append(np.arange(size) + start + (strips if k < _FIRST_LASHES + 2 else -strips))
        else:
            distance = np.abs(piece.points[:, None] * flip - piece.points[None]).sum(-1)
            mirror.append(np.asarray(distance.argmin(1) + start, np.int64))
        start += size
    whole = np.concatenate(points)
    part_ids, zones = np.concatenate(part), np.concatenate(zone)
    brow = np.where(part_ids == 0, brow_weight(whole), 0.0)
    hair = np.where(part_ids == 0, hair_weight(whole), 0.0)
    for ids in skin.ears:
        hair[ids[ear.SECTORS :]] = 0.0
    labels = _labels(whole, part_ids, zones, brow, hair, skin)
    dressed = whole + _hair_relief(whole, np.where(hair > 0, hair_depth(whole), 0.0))
    dressed[:, 2] += _BROW_DEPTH * brow
    return Head(
        dressed,
        np.concatenate(triangles),
        np.concatenate(uv),
        labels,
        part_ids,
        np.concatenate(mirror),
        skin,
        zones,
        brow,
        hair,
        whole,
        np.concatenate([skin.nostril, np.zeros(len(whole) - len(skin.points))]),
        (np.flatnonzero(np.isin(part_ids, (6, 7))), np.flatnonzero(np.isin(part_ids, (8, 9)))),
    )


def _lash_strips(skin: Skin) -> list[parts.Part]:
    """Upper and lower strip of the left eye, then of the right one."""
    strips = []
    upper, lower = lash.triangles()
    for k, side in ((0, 1.0), (1, -1.0)):
        flip = np.array([side, 1.0, 1.0])
        points = lash.lashes(skin.points[skin.eyes[k]] * flip) * flip
        for rows, triangles in ((points[: lash.UPPER], upper), (points[lash.UPPER :], lower)):
            strips.append(parts.Part(rows, triangles if side > 0 else triangles[:, ::-1], np.zeros(len(rows))))
    return strips


def brow_weight(points: Array, lift: float = 0.0, thick: float = 1.0, arch: float = 1.0) -> Array:
    """How much of a brow lies at (N,3) places: (N,); lifted by millimetres, with factors on thickness and arch."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    along = np.clip((x - 11.0) / 44.0, 0.0, 1.0)
    middle = 20.4 + lift + arch * (4.4 * np.sin(np.pi * np.clip(along, 0, 1) ** 1.2) ** 1.2) - 2.2 * along**2
    half = thick * (3.7 - 2.0 * along**1.5)
    across = np.exp(-0.5 * np.abs((y - middle) / half) ** 3.0)
    return across * ramp(x, 9.0, 14.0) * ramp(x, 56.0, 47.0) * ramp(z, 55.0, 65.0)


def hair_weight(points: Array, recede: float = 0.0) -> Array:
    """How much of the scalp's hair lies at (N,3) places: (N,); ``recede`` moves the hairline up, in millimetres."""
    y, z = points[:, 1], points[:, 2]
    return ramp(y - _hairline(points) - recede * ramp(z, 20, 50), -5.5, 7.0)


def hair_depth(points: Array) -> Array:
    """How thick the mean hair is, as a share of its full depth, growing from the hairline inwards: (N,)."""
    return ramp(points[:, 1] - _hairline(points), -3.0, 22.0)


def _hairline(points: Array) -> Array:
    """Height of the hairline at the depths of (N,3) places, over the forehead, round the ear, along the nape: (N,)."""
    x, z = np.abs(points[:, 0]), points[:, 2]
    line = np.interp(z, [-95, -60, -38, -22, -8, 6, 18, 30, 46, 62, 80, 100],
                     [-82, -80, -62, -24, 8, -12, -10, 14, 34, 58, 64, 66])  # fmt: skip
    return line + 2.5 * np.sin(0.11 * x + 0.6) * ramp(z, 40, 70)


def _hair_relief(points: Array, hair: Array) -> Array:
    """Displacement that gives the mean head its short hair: (V,3)."""
    centre = np.array([0.0, 20.0, -5.0])
    direction = points - centre
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    x, y, z = points.T
    wave = 0.35 * np.sin(0.55 * np.abs(x) + 0.3 * z) * np.sin(0.4 * y - 0.25 * z)
    thick = 3.2 + 3.3 * ramp(y, 40, 100) + wave
    return direction * (hair * thick)[:, None]


def _labels(points: Array, part: Index, zone: Array, brow: Array, hair: Array, skin: Skin) -> Index:
    index = {name: k for k, name in enumerate(LABELS)}
    labels = np.zeros(len(points), np.int64)
    y, z = points[:, 1], points[:, 2]
    neck = (part == 0) & (y < np.interp(z, [-60, 0, 40, 80], [-75, -90, -112, -122]))
    labels[neck] = index["neck"]
    labels[brow > 0.5] = index["brows"]
    labels[hair > 0.5] = index["hair"]
    for ids in skin.ears:
        labels[ids[ear.SECTORS :]] = index["ear"]
    for ids in skin.eyes:
        labels[ids[(eye.MARGIN_RING + 1) * eye.SECTORS :]] = index["eye_socket"]
    ring = np.arange(len(skin.mouth)) // mouth.SECTORS
    labels[skin.mouth[(ring >= mouth.RED_RING) & (ring <= mouth.LINE_RING)]] = index["lips"]
    labels[skin.mouth[ring > mouth.LINE_RING]] = index["mouth"]
    ball = (part == 1) | (part == 2)
    labels[ball] = index["sclera"]
    labels[ball & (zone <= parts.IRIS_RINGS)] = index["iris"]
    labels[ball & (zone <= parts.PUPIL_RINGS)] = index["pupil"]
    rows = (part == 3) | (part == 4)
    labels[rows] = index["teeth"]
    labels[rows & (zone == 1.0)] = index["gums"]
    labels[part == 5] = index["tongue"]
    labels[part >= _FIRST_LASHES] = index["lashes"]
    return labels


def _skin_uv(chart: Array) -> Array:
    """The sphere unrolled around the face: equal steps from the middle are equal angles; the back is the rim."""
    angle = np.arccos(np.clip(chart[:, 2], -1.0, 1.0))
    flat = chart[:, :2] / np.maximum(np.linalg.norm(chart[:, :2], axis=1, keepdims=True), 1e-9)
    return 0.5 + 0.5 * flat * (angle / np.pi)[:, None]


def _part_uv(points: Array, part: int) -> Array:
    """A small island in a corner of the texture for each part that is not skin."""
    corner = {1: (0.93, 0.93), 2: (0.07, 0.93), 3: (0.07, 0.07), 4: (0.93, 0.07), 5: (0.93, 0.18)}.get(part)
    if corner is None:
        corner = (0.02, 0.16 + 0.02 * part)
    if part in (1, 2):
        ray = points - eye.CENTRE * np.array([1.0 if part == 1 else -1.0, 1.0, 1.0])
        ray /= np.linalg.norm(ray, axis=1, keepdims=True)
        angle = np.arccos(np.clip(ray[:, 2], -1.0, 1.0))
        flat = ray[:, :2] / np.maximum(np.linalg.norm(ray[:, :2], axis=1, keepdims=True), 1e-9)
        return np.array(corner) + 0.06 * flat * (angle / np.pi)[:, None]
    flat = points[:, [0, 1]] - points[:, [0, 1]].mean(0)
    return np.array(corner) + flat * (0.055 if part < _FIRST_LASHES else 0.015) / np.abs(flat).max()
