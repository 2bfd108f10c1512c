"""What is not skin: eyeballs, teeth and tongue, each a simple closed part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.morphable.procedural import eye

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_EYE_SECTORS = 28
# Angles from the gaze of the eyeball's rings, degrees: pupil, its edge, iris, its edge, white.
_EYE_RINGS = np.array([4.5, 8.2, 9.6, 15.0, 21.0, 27.8, 30.5, 34.5, 42.0, 55.0, 75.0, 100.0, 140.0])
PUPIL_RINGS, IRIS_RINGS = 2, 6
_COLUMNS = 4
_WIDTHS = np.array([8.5, 6.6, 7.7, 7.1, 6.9, 10.0, 9.5])
"""Of the teeth of one half of the upper row, from the middle outwards, millimetres."""
_LIFTS = np.array([0.0, 0.7, 0.1, 0.8, 0.9, 1.2, 1.4])
"""How much shorter than the first one they are."""
_ARCH_HALF = 23.0


@dataclass(frozen=True)
class Part:
    """A closed mesh: points (V,3), triangles (T,3), and (V,) a number that says where on the part a vertex lies.

    For an eyeball the number is the ring (0 at the middle of the pupil), for teeth 0 on the crown to 1 on the gum and
    2 in the gap between two teeth, for the tongue 0.
    """

    points: Array
    triangles: Index
    zone: Array


def eyeball(side: float) -> Part:
    """The left (+1) or right (-1) eyeball, looking straight ahead, its cornea a little proud of the sphere."""
    angle = np.arange(_EYE_SECTORS) * (2.0 * np.pi / _EYE_SECTORS)
    polar = np.radians(_EYE_RINGS)
    rings = [
        np.stack([np.sin(p) * np.cos(angle), np.sin(p) * np.sin(angle), np.full_like(angle, np.cos(p))], -1)
        for p in polar
    ]
    sphere = np.concatenate([np.array([[0.0, 0.0, 1.0]]), *rings, np.array([[0.0, 0.0, -1.0]])])
    cornea = 0.35 * np.clip(1.0 - (np.arccos(np.clip(sphere[:, 2], -1, 1)) / np.radians(31)) ** 2, 0.0, None)
    points = sphere * (eye.RADIUS + cornea)[:, None]
    zone = np.concatenate([[0.0], np.repeat(1.0 + np.arange(len(polar)), _EYE_SECTORS), [99.0]])
    centre = eye.CENTRE * np.array([side, 1.0, 1.0])
    points = points * np.array([side, 1.0, 1.0]) + centre
    triangles = _closed_rings(len(polar), _EYE_SECTORS)
    return Part(points, triangles[:, ::-1] if side < 0 else triangles, zone)


def teeth(upper: bool, line_depth: float, line_height: float) -> Part:
    """One row of teeth in its gum: a horseshoe with a groove between neighbours.

    Args:
        upper: The upper row; otherwise the lower one.
        line_depth: z of the line between the lips, in the middle.
        line_height: y of that line.
    """
    columns = 2 * len(_WIDTHS) * _COLUMNS + 1
    # in the lower row the four in the middle are about as wide as each other
    widths = _WIDTHS if upper else np.concatenate([[5.6, 6.1, 7.0], _WIDTHS[3:]])
    ends = np.concatenate([[0.0], np.cumsum(widths)]) / widths.sum()
    half_share = np.interp(np.arange(columns // 2 + 1) / _COLUMNS, np.arange(len(ends)), ends)
    share = np.concatenate([-half_share[:0:-1], half_share])
    gap = (np.arange(columns) % _COLUMNS) == 0
    tooth = np.minimum(np.abs(np.arange(columns) - columns // 2) // _COLUMNS, len(_WIDTHS) - 1).astype(np.int64)
    shorter = _LIFTS[tooth] * (1.0 if upper else 0.4)
    pointed = (tooth == 2) & (np.arange(columns) % _COLUMNS == 2)
    half = _ARCH_HALF if upper else _ARCH_HALF - 1.5
    along = np.sin(share * 1.25) / np.sin(1.25)
    x = half * along
    z = line_depth - (8.6 if upper else 10.2) - 24.0 * (np.abs(along) ** 2.3)
    outward = np.stack([np.gradient(-z), np.gradient(x)], -1)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    edge = line_height + (-2.2 if upper else -2.6)
    sign = 1.0 if upper else -1.0
    # the loop of one section: height from the biting edge, thickness from the front face, zone
    section = [(0.0, 1.1, 0.0), (0.7, 0.15, 0.0), (3.5, 0.0, 0.0), (7.4, 0.5, 0.2), (8.2, -0.2, 1.0), (11.5, 0.8, 1.0),
               (11.5, 6.5, 1.0), (7.0, 6.5, 1.0), (2.0, 4.2, 0.0), (0.0, 2.6, 0.0)]  # fmt: skip
    rings, zones = [], []
    for height, depth, zone in section:
        crown = zone < 1.0
        notch = np.where(gap & crown, 0.5 if depth < 2 else 0.2, 0.0)
        lift = np.where(gap, 0.7, 0.0) + shorter - 0.6 * pointed if height < 1.0 else np.zeros(columns)
        scallop = np.where(gap, -1.0, 0.4) * (1.0 if 7.0 < height < 9.0 else 0.0)
        away = -(depth + notch)
        rings.append(
            np.stack([x + outward[:, 0] * away, edge + sign * (height + lift + scallop), z + outward[:, 1] * away], -1)
        )
        zones.append(np.where(gap & crown, 2.0, zone))
    points = np.stack(rings, 1).reshape(-1, 3)
    sections = len(section)
    ends = np.stack([points[:sections].mean(0), points[-sections:].mean(0)])
    points = np.concatenate([ends[:1], points, ends[1:]])
    where = np.concatenate([[1.0], np.stack(zones, 1).ravel(), [1.0]])
    triangles = _closed_rings(columns, sections)
    return Part(points, triangles if upper else triangles[:, ::-1], where)


def tongue(line_depth: float, line_height: float) -> Part:
    """The tongue at rest behind the lower teeth: a flattened egg with a furrow."""
    sectors, count = 18, 9
    polar = np.linspace(0.0, np.pi, count + 2)[1:-1]
    angle = np.arange(sectors) * (2.0 * np.pi / sectors)
    rings = [
        np.stack([np.sin(p) * np.cos(angle), np.sin(p) * np.sin(angle), np.full_like(angle, np.cos(p))], -1)
        for p in polar
    ]
    ball = np.concatenate([np.array([[0.0, 0.0, 1.0]]), *rings, np.array([[0.0, 0.0, -1.0]])])
    points = ball * np.array([15.0, 4.6, 13.5]) + np.array([0.0, line_height - 6.4, line_depth - 29.5])
    furrow = np.exp(-((points[:, 0] / 3.0) ** 2)) * np.clip(ball[:, 1], 0, None)
    points[:, 1] -= 1.2 * furrow
    return Part(points, _closed_rings(count, sectors), np.zeros(len(points)))


def _closed_rings(rings: int, sectors: int) -> Index:
    """Triangles of rings between two poles; vertex 0 is the first pole, the rings turn left around it."""
    column = np.arange(sectors)
    beside = (column + 1) % sectors
    last = 1 + rings * sectors
    parts = [np.stack([np.zeros(sectors, np.int64), 1 + column, 1 + beside], 1)]
    for ring in range(rings - 1):
        a, b = 1 + ring * sectors + column, 1 + ring * sectors + beside
        c, d = a + sectors, b + sectors
        parts += [np.stack([a, c, d], 1), np.stack([a, d, b], 1)]
    base = last - sectors
    parts.append(np.stack([base + beside, base + column, np.full(sectors, last)], 1))
    return np.concatenate(parts).astype(np.int64)
