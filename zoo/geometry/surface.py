"""The nearest points of a triangle mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from zoo.errors import UserError

__all__ = ["Nearest", "Surface"]

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_AT_ONCE = 8192


@dataclass(frozen=True)
class Nearest:
    """Where points fall on a surface.

    Args:
        points: (N,3), on the surface, float64.
        normals: (N,3), unit normals of their triangles, to the side from which these run counter-clockwise.
        distances: (N,), not negative.
    """

    points: Tensor
    normals: Tensor
    distances: Tensor

    def plane_distances(self, points: Tensor) -> Tensor:
        """Of each asking point (N,3) from the plane of the triangle that is nearest to it, (N,), not negative."""
        return ((points.double() - self.points) * self.normals).sum(1).abs()


class Surface:
    """A triangle mesh that is asked for its nearest points; on the CPU, in float64, exact up to rounding.

    Triangles are found by their centroids. A triangle of radius r (from the centroid to its farthest corner) may hold
    the nearest point only if its centroid lies within the best distance so far plus r. So that one large triangle does
    not widen the search among all the small ones, there is a tree for each octave of radii.

    Args:
        vertices: (V,3), finite.
        triangles: (T,3), vertex ids. Those without an area are left out.

    Raises:
        UserError: The mesh has no triangle with an area, misses a vertex, or is not finite.

    Example:
        >>> corners = torch.tensor([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
        >>> surface = Surface(corners, torch.tensor([[0, 1, 2]]))
        >>> surface.nearest(torch.tensor([[1.0, 1.0, -2.0], [-3.0, 1.0, 4.0]])).distances.tolist()
        [2.0, 5.0]
    """

    def __init__(self, vertices: Tensor, triangles: Tensor) -> None:
        corners = _corners(vertices, triangles)
        self._origin, self._one, self._two = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        normals = np.cross(self._one, self._two)
        self._normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
        self._centroids = corners.mean(1)
        self._radii = np.linalg.norm(corners - self._centroids[:, None], axis=-1).max(1)
        octaves = np.floor(np.log2(self._radii))
        groups = [np.flatnonzero(octaves == each) for each in np.unique(octaves)]
        groups.sort(key=len, reverse=True)
        self._groups = [(cKDTree(self._centroids[ids]), ids, float(self._radii[ids].max())) for ids in groups]

    def nearest(self, points: Tensor) -> Nearest:
        """The nearest point of the surface to each of some points (N,3), finite."""
        asked = points.detach().cpu().double().numpy()
        parts = [self._nearest(asked[i : i + _AT_ONCE]) for i in range(0, len(asked), _AT_ONCE)]
        found = np.concatenate([part[0] for part in parts] or [np.zeros((0, 3))])
        ids = np.concatenate([part[1] for part in parts] or [np.zeros(0, np.int64)])
        distances = np.linalg.norm(asked - found, axis=1)
        return Nearest(torch.from_numpy(found), torch.from_numpy(self._normals[ids]), torch.from_numpy(distances))

    def _nearest(self, points: Array) -> tuple[Array, Indices]:
        best, found, ids = np.full(len(points), np.inf), np.zeros_like(points), np.zeros(len(points), np.int64)

        def take(row: Indices, triangle: Indices) -> None:
            place = self._on_triangles(points[row], triangle)
            distance = np.linalg.norm(points[row] - place, axis=1)
            order = np.argsort(-distance, kind="stable")  # of a point's triangles the nearest is written last
            order = order[distance[order] < best[row[order]]]
            best[row[order]], found[row[order]], ids[row[order]] = distance[order], place[order], triangle[order]

        for tree, members, radius in self._groups:
            pending, count = np.arange(len(points)), min(8, len(members))
            while len(pending):
                far, near = (each.reshape(len(pending), -1) for each in tree.query(points[pending], count))
                close = far[:, 0] < best[pending] + radius
                take(pending[close], members[near[close, 0]])
                row, column = np.nonzero(far < best[pending, None] + radius)
                row, triangle, far_each = pending[row], members[near[row, column]], far[row, column]
                hopeful = self._bound(points[row], triangle, far_each) < best[row]
                take(row[hopeful], triangle[hopeful])
                if count == len(members):
                    break
                pending = pending[far[:, -1] < best[pending] + radius]
                count = min(4 * count, len(members))
        return found, ids

    def _bound(self, points: Array, triangle: Indices, far: Array) -> Array:
        """A distance that a triangle is not nearer than: that of the disc around its centroid in its plane."""
        upright = ((points - self._centroids[triangle]) * self._normals[triangle]).sum(1)
        aside = np.sqrt(np.maximum(far**2 - upright**2, 0)) - self._radii[triangle]
        return np.hypot(upright, np.maximum(aside, 0)) * (1 - 1e-12)

    def _on_triangles(self, points: Array, triangle: Indices) -> Array:
        """The nearest point of one triangle to each point."""
        origin, one, two = self._origin[triangle], self._one[triangle], self._two[triangle]
        offset = points - origin
        normal = self._normals[triangle]
        place = points - (offset * normal).sum(1, keepdims=True) * normal
        # Barycentric coordinates of the foot of the perpendicular; outside the triangle, an edge is nearest.
        a, b, c = (one * one).sum(1), (one * two).sum(1), (two * two).sum(1)
        p, q = (offset * one).sum(1), (offset * two).sum(1)
        area = a * c - b * b
        u, v = (c * p - b * q) / area, (a * q - b * p) / area
        outside = np.flatnonzero((u < 0) | (v < 0) | (u + v > 1))
        if len(outside):
            origin, one, two = origin[outside], one[outside], two[outside]
            edges = ((origin, one), (origin, two), (origin + one, two - one))
            ends = np.stack([_on_segment(points[outside], start, along) for start, along in edges])
            choice = ((points[outside] - ends) ** 2).sum(-1).argmin(0)
            place[outside] = ends[choice, np.arange(len(outside))]
        return place


def _corners(vertices: Tensor, triangles: Tensor) -> Array:
    """(T,3,3) of the triangles that have an area."""
    if vertices.ndim != 2 or vertices.shape[-1] != 3 or triangles.ndim != 2 or triangles.shape[-1] != 3:
        raise UserError(
            f"a mesh is vertices (V, 3) and triangles (T, 3), not {tuple(vertices.shape)} and {tuple(triangles.shape)}."
        )
    if triangles.numel() and not 0 <= int(triangles.min()) <= int(triangles.max()) < len(vertices):
        raise UserError(f"the triangles of a mesh of {len(vertices)} vertices name a vertex that is not there.")
    corners = vertices.detach().cpu().double().numpy()[triangles.cpu().numpy()]
    if not np.isfinite(corners).all():
        raise UserError("the vertices of a mesh are not all finite (NaN or infinity).")
    edges = corners[:, 1:] - corners[:, :1]
    doubled = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    longest = (edges**2).sum(-1).max(-1, initial=0)
    corners = corners[doubled > 1e-12 * longest]
    if not len(corners):
        raise UserError("a mesh without a triangle that has an area is no surface to measure distances from.")
    return np.asarray(corners, dtype=np.float64)


def _on_segment(points: Array, start: Array, along: Array) -> Array:
    share = ((points - start) * along).sum(1) / (along * along).sum(1)
    return np.asarray(start + np.clip(share, 0, 1)[:, None] * along, dtype=np.float64)
