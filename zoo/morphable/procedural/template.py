"""The skin's one mesh: points spread over the head, denser where the face is fine, with rings at eyes, mouth and ears.

The skin is one closed surface: the pockets behind lids and lips are part of it. Left and right mirror each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import ConvexHull, cKDTree

from zoo.morphable.procedural import ear, eye, mouth
from zoo.morphable.procedural.blend import bump, ramp, window
from zoo.morphable.procedural.heightmap import HeightMap
from zoo.morphable.procedural.nose import nostril_weight, raise_nose
from zoo.morphable.procedural.relief import relief
from zoo.morphable.procedural.skull import LAST, sphere_chart

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_RIM = 400
_BEVEL = 0.03
"""A second row of points lies this far inside the rim of the neck's cut, so that its edge is shaded as an edge."""


@dataclass(frozen=True)
class Skin:
    """The mean skin.

    Args:
        points: (V,3) millimetres.
        triangles: (T,3) counter-clockwise from outside.
        chart: (V,3) places on a unit sphere, for texture coordinates.
        mirror: (V,) the vertex on the other side of the face.
        eyes: Vertex ids of the left and the right eye's patch, (RINGS * SECTORS + 1,) each, ordered as ``eye.eyelids``.
        mouth: The same for ``mouth.lips``.
        ears: The same for ``ear.pinna``, left and right.
        surface: Depth of the face without lids.
        nostril: (V,) 0 to 1, how deep a vertex lies in a nostril.
    """

    points: Array
    triangles: Index
    chart: Array
    mirror: Index
    eyes: tuple[Index, Index]
    mouth: Index
    ears: tuple[Index, Index]
    surface: HeightMap
    nostril: Array


def build_skin() -> Skin:
    """Spread, triangulate and stitch; the same arrays at every call."""
    surface, bare, front = _surfaces()
    lid = eye.eyelids(surface)
    lip = mouth.lips(surface)
    ear_chart = _find(ear.border(), *_side())
    pinna = ear.pinna(relief(*ear_chart))
    eye_chart, mouth_chart = _find(eye.border(), *front), _find(mouth.border(), *front)

    half_mouth = np.flatnonzero(mouth.border()[:, 0] > 1e-6)
    mid_mouth = np.flatnonzero(np.abs(mouth.border()[:, 0]) <= 1e-6)
    fixed = np.concatenate([lid[: eye.SECTORS], pinna[: ear.SECTORS], lip[: mouth.SECTORS]])
    middle_t, middle_theta = _midline(bare)
    middle = _head(middle_t, middle_theta, bare)
    rings = [sphere_chart(*ring) for ring in (eye_chart, mouth_chart, ear_chart)]
    free_t, free_theta = _spread(np.concatenate([fixed, middle]), rings, bare)
    free = _head(free_t, free_theta, bare)

    # one side's charts and places: free points, eye border, ear border, half the mouth's border
    side_t = np.concatenate([free_t, eye_chart[0], ear_chart[0], mouth_chart[0][half_mouth]])
    side_theta = np.concatenate([free_theta, eye_chart[1], ear_chart[1], mouth_chart[1][half_mouth]])
    side = np.concatenate([free, lid[: eye.SECTORS], pinna[: ear.SECTORS], lip[half_mouth]])
    axis_t = np.concatenate([middle_t, mouth_chart[0][mid_mouth]])
    axis_theta = np.concatenate([middle_theta, np.zeros(len(mid_mouth))])
    axis = np.concatenate([middle, lip[mid_mouth]])

    flip = np.array([-1.0, 1.0, 1.0])
    axis[:, 0] = 0.0
    points = np.concatenate([axis, side, side * flip])
    chart = np.concatenate(
        [sphere_chart(axis_t, axis_theta), sphere_chart(side_t, side_theta), sphere_chart(side_t, -side_theta)]
    )
    na, ns = len(axis), len(side)
    mirror = np.concatenate([np.arange(na), na + ns + np.arange(ns), na + np.arange(ns)])
    eye_border = na + len(free) + np.arange(eye.SECTORS)
    ear_border = eye_border[-1] + 1 + np.arange(ear.SECTORS)
    mouth_border = np.empty(mouth.SECTORS, np.int64)
    mouth_border[half_mouth] = ear_border[-1] + 1 + np.arange(len(half_mouth))
    mouth_border[mid_mouth] = len(middle_t) + np.arange(len(mid_mouth))
    opposite = (mouth.SECTORS // 2 - np.arange(mouth.SECTORS)) % mouth.SECTORS
    other = np.setdiff1d(np.arange(mouth.SECTORS), np.concatenate([half_mouth, mid_mouth]))
    mouth_border[other] = mirror[mouth_border[opposite[other]]]
    borders = [eye_border, mirror[eye_border], mouth_border, ear_border, mirror[ear_border]]

    triangles = _hull(chart, borders)
    triangles = _flip_edges(points, triangles)

    stitched = [triangles]
    patches: list[Index] = []
    inner = [lid, lid * flip, lip, pinna, pinna * flip]
    for k, (ring, shape) in enumerate(zip(borders, inner, strict=True)):
        sectors = len(ring)
        new = len(points) + np.arange(len(shape) - sectors)
        ids = np.concatenate([ring, new])
        patches.append(ids)
        points = np.concatenate([points, shape[sectors:]])
        count = (len(shape) - 1) // sectors
        share = np.repeat(1.0 - np.arange(1, count) / count, sectors)
        centre = chart[ring].mean(0)
        inside = centre + (np.tile(chart[ring], (count - 1, 1)) - centre) * share[:, None]
        inside = np.concatenate([inside, centre[None]])
        chart = np.concatenate([chart, inside / np.linalg.norm(inside, axis=1, keepdims=True)])
        clockwise = k in (1, 3)
        stitched.append(ids[_strips(sectors, count, clockwise)])
        if k == 2:
            rows = np.arange(1, count)[:, None] * sectors + opposite
            mirror = np.concatenate([mirror, ids[rows.ravel()], ids[-1:]])
        elif k in (0, 3):
            mirror = np.concatenate([mirror, new + len(new)])
        else:
            mirror = np.concatenate([mirror, patches[k - 1][sectors:]])
    return Skin(
        points,
        np.concatenate(stitched),
        chart,
        mirror,
        (patches[0], patches[1]),
        patches[2],
        (patches[3], patches[4]),
        surface,
        nostril_weight(points, bare),
    )


def spacing(points: Array) -> Array:
    """How far apart points are wanted: (N,) millimetres for (N,3) places."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    apart = 9.5 - 4.7 * ramp(z, -10, 55) * window(y, -120, 78, 25)
    apart -= 1.5 * ramp(y, -190, -120) * ramp(z, -60, 20)
    nose = window(y, -53, 2, 8) * ramp(x, 25, 14) * ramp(z, 88, 97)
    nostril = bump(x, y, (8.5, -46), (4.5, 4.0)) * ramp(z, 98, 104)
    brow = window(x, 8, 56, 7) * window(y, 11, 30, 6) * ramp(z, 60, 72)
    ears = bump(z, y, (-4, -20), (18, 26)) * ramp(x, 40, 55)
    inner = bump(x, y, (28, -10), (34, 40)) * ramp(z, 55, 75)
    hairline = window(y, 50, 85, 10) * ramp(z, 30, 50)
    apart -= 1.7 * inner + 0.8 * hairline
    apart = apart + (1.9 - 0.8 * nostril - apart) * nose
    apart = apart + (2.2 - apart) * brow
    apart = np.minimum(apart, 9.5 - 5.5 * ears)
    return np.maximum(apart, 1.7 - 0.55 * nostril)


def _surfaces() -> tuple[HeightMap, HeightMap, tuple[Array, Array, Array]]:
    """Depth of the face with and without the nose, and the samples with it: ``(x, y)``, ``t``, ``theta``."""
    t, theta = (g.ravel() for g in np.meshgrid(np.linspace(3.0, 18.0, 150), np.linspace(-1.45, 1.45, 151)))
    broad = relief(t, theta)
    bare = HeightMap(broad)
    raised = raise_nose(broad, bare)
    return HeightMap(raised), bare, (raised[:, :2], t, theta)


def _side() -> tuple[Array, Array, Array]:
    """Samples of the left side of the head, as seen from there: ``(z, y)``, ``t``, ``theta``."""
    t, theta = (g.ravel() for g in np.meshgrid(np.linspace(5.0, 16.0, 80), np.linspace(0.8, 2.4, 80)))
    return relief(t, theta)[:, [2, 1]], t, theta


def _find(places: Array, seen: Array, t: Array, theta: Array) -> tuple[Array, Array]:
    """The ``(t, theta)`` that are seen at (N,2) places, between those of the samples around."""
    low, high = places.min(0) - 4.0, places.max(0) + 4.0
    near = ((seen > low) & (seen < high)).all(1)
    found = LinearNDInterpolator(seen[near], np.stack([t[near], theta[near]], -1))(places)
    return found[:, 0], found[:, 1]


def _head(t: Array, theta: Array, bare: HeightMap) -> Array:
    return raise_nose(relief(t, theta), bare)


def _midline(bare: HeightMap) -> tuple[Array, Array]:
    """Points around the head in its plane of symmetry, leaving out the mouth's patch."""
    fine = np.linspace(0.0, LAST + 1.0, 6000)
    chosen_t, chosen_theta = [0.0, LAST + 1.0], [0.0, 0.0]
    low, high = mouth.PATCH_CENTRE[1] - mouth.PATCH_SIZE[1], mouth.PATCH_CENTRE[1] + mouth.PATCH_SIZE[1]
    for angle in (0.0, np.pi):
        path = _head(fine, np.full_like(fine, angle), bare)
        wanted = spacing(path)
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1) / wanted[1:])])
        marks = np.searchsorted(length, np.arange(0.9, length[-1] - 0.6, 0.97))
        gap = 0.6 * wanted[marks]
        y = path[marks, 1]
        keep = ((y < low - gap) | (y > high + gap) | (angle > 0)) & (np.abs(fine[marks] - LAST) > 0.12)
        chosen_t += [*fine[marks][keep].tolist(), LAST, LAST + _BEVEL]
        chosen_theta += [angle] * (int(keep.sum()) + 2)
    return np.array(chosen_t), np.array(chosen_theta)


def _spread(fixed: Array, rings: list[Array], bare: HeightMap) -> tuple[Array, Array]:
    """Points of the left half, none closer to another or to ``fixed`` than the spacing wanted there.

    They keep out of the rings (in the chart), with room to spare: the rings' edges must be edges of the triangulation.
    """
    rng = np.random.default_rng(20)
    t = np.concatenate([np.full(_RIM, float(LAST)), rng.uniform(0.0, LAST + 1.0, 22000), rng.uniform(5.5, 17.0, 42000)])
    theta = np.concatenate(
        [np.linspace(0.06, np.pi - 0.06, _RIM), rng.uniform(0.0, np.pi, 22000), rng.uniform(0.0, 1.3, 42000)]
    )
    place = _head(t, theta, bare)
    chart = sphere_chart(t, theta)
    inside = np.any([_enclosed(chart, ring, 1.07) for ring in rings], axis=0)
    wanted = spacing(place)
    # the rim of the neck's cut is a row of points of its own
    rim = np.arange(len(t)) < _RIM
    alive = (rim | (t < LAST - 0.3) | ((t > LAST + 0.12) & (t < LAST + 0.9))) & ~inside & (place[:, 0] > 0.45 * wanted)
    near_fixed, _ = cKDTree(fixed).query(place)
    alive &= near_fixed > 0.78 * wanted
    tree = cKDTree(place)
    chosen = []
    for i in range(len(place)):
        if alive[i]:
            chosen.append(i)
            alive[tree.query_ball_point(place[i], 0.84 * wanted[i])] = False
    on_rim = theta[[i for i in chosen if rim[i]]]
    return np.append(t[chosen], np.full(len(on_rim), LAST + _BEVEL)), np.append(theta[chosen], on_rim)


def _hull(chart: Array, borders: list[Index]) -> Index:
    """Delaunay triangles on the sphere, outward, without those inside a patch."""
    triangles = ConvexHull(chart).simplices.astype(np.int64)
    a, b, c = (chart[triangles[:, k]] for k in range(3))
    inward = (np.cross(b - a, c - a) * (a + b + c)).sum(1) < 0
    triangles[inward] = triangles[inward][:, ::-1]
    for border in borders:
        centres = chart[triangles].mean(1)
        hole = np.isin(triangles, border).all(1) & _enclosed(centres, chart[border], 1.0)
        triangles = triangles[~hole]
    return triangles


def _enclosed(chart: Array, ring: Array, grown: float) -> NDArray[np.bool_]:
    """Which places of the unit sphere lie inside a ring on it, the ring scaled by ``grown`` about its middle: (N,)."""
    middle = ring.mean(0) / np.linalg.norm(ring.mean(0))
    right = np.cross([0.0, 1.0, 0.0], middle)
    axes = np.stack([right, np.cross(middle, right)], 1)
    height = chart @ middle
    flat = chart @ axes / np.maximum(height, 1e-6)[:, None]
    corner = grown * (ring @ axes) / (ring @ middle)[:, None]
    following = np.roll(corner, -1, axis=0)
    inside = np.zeros(len(chart), bool)
    for (x0, y0), (x1, y1) in zip(corner, following, strict=True):
        crosses = (flat[:, 1] < y0) != (flat[:, 1] < y1)
        edge = (flat[:, 1] - y0) / (y1 - y0 if y1 != y0 else 1.0) * (x1 - x0) + x0
        inside ^= crosses & (flat[:, 0] < edge)
    return inside & (height > 0.1)


def _flip_edges(points: Array, triangles: Index, rounds: int = 12) -> Index:
    """Swap the diagonals of pairs of triangles where that makes them better shaped in space."""
    triangles = triangles.copy()
    for _ in range(rounds):
        edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
        tri = np.tile(np.arange(len(triangles)), 3)
        apex = np.concatenate([triangles[:, 2], triangles[:, 0], triangles[:, 1]])
        key = np.sort(edges, 1)
        order = np.lexsort((key[:, 1], key[:, 0]))
        same = (key[order][1:] == key[order][:-1]).all(1)
        one, two = order[:-1][same], order[1:][same]
        a, b = edges[one].T
        c, d = apex[one], apex[two]
        bad = _angle(points, c, a, b) + _angle(points, d, a, b) - np.pi
        ring = np.sort(np.stack([c, d], 1), 1)
        known = set(map(tuple, key.tolist()))
        flips = 0
        used = np.zeros(len(triangles), bool)
        for e in np.argsort(-bad, kind="stable"):
            if bad[e] < 0.05:
                break
            i, j = tri[one[e]], tri[two[e]]
            if used[i] or used[j] or tuple(ring[e].tolist()) in known:
                continue
            before = _normals(points, triangles[[i, j]])
            pair = np.array([[c[e], a[e], d[e]], [d[e], b[e], c[e]]])
            after = _normals(points, pair)
            if (after @ before.sum(0) <= 0).any() or after[0] @ after[1] < -0.2:
                continue
            used[[i, j]] = True
            triangles[[i, j]] = pair
            known.add(tuple(ring[e].tolist()))
            flips += 1
        if not flips:
            break
    return triangles


def _normals(points: Array, triangles: Index) -> Array:
    a, b, c = (points[triangles[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def _angle(points: Array, at: Index, one: Index, two: Index) -> Array:
    u, v = points[one] - points[at], points[two] - points[at]
    cosine = (u * v).sum(1) / np.maximum(np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1), 1e-12)
    return np.arccos(np.clip(cosine, -1.0, 1.0))


def _strips(sectors: int, rings: int, clockwise: bool) -> Index:
    """Triangles between successive rings, and a fan around the last point; counter-clockwise for such rings."""
    column = np.arange(sectors)
    beside = (column + 1) % sectors
    quads = []
    for ring in range(rings - 1):
        a, b = ring * sectors + column, ring * sectors + beside
        c, d = a + sectors, b + sectors
        quads += [np.stack([a, b, d], 1), np.stack([a, d, c], 1)]
    last = (rings - 1) * sectors
    quads.append(np.stack([last + column, last + beside, np.full(sectors, rings * sectors)], 1))
    triangles = np.concatenate(quads)
    return triangles[:, ::-1] if clockwise else triangles
