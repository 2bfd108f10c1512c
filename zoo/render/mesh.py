"""Geometry of triangle meshes that needs no camera."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from zoo.errors import UserError
from zoo.render.expand import default_budget

__all__ = ["face_normals", "vertex_normals"]

SHORTEST = 1e-18
"""The shortest vector whose length single precision can tell; it is that of the normal of a face 1e-9 units wide."""


def face_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """The normal of each triangle, as long as twice its area.

    Args:
        vertices: ``(B, V, 3)`` points.
        triangles: ``(T, 3)`` vertex ids, counter-clockwise seen from outside.

    Returns:
        ``(B, T, 3)`` vectors out of the surface.
    """
    x, y, z = _face_normals(vertices, [_corner(vertices, ids) for ids in triangles.unbind(1)])
    return torch.stack((x, y, z), -1).view(vertices.shape[0], -1, 3)


def _corner(vertices: Tensor, ids: Tensor) -> Tensor:
    """Positions of one corner of all faces among the B V vertices of the batch."""
    return (ids + torch.arange(vertices.shape[0], device=ids.device)[:, None] * vertices.shape[1]).view(-1)


def _face_normals(vertices: Tensor, corners: list[Tensor]) -> list[Tensor]:
    # Coordinate by coordinate: several times faster than gathering rows of three. And product by product, because
    # fused arithmetic leaves a triangle with two equal corners a normal made of rounding.
    sides = []
    for column in vertices.reshape(-1, 3).unbind(1):
        a, b, c = (column.index_select(0, corner) for corner in corners)
        sides.append((b - a, c - a))
    (ux, vx), (uy, vy), (uz, vz) = sides
    return [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx]


def vertex_normals(vertices: Tensor, triangles: Tensor, weighting: Literal["area", "equal"] = "area") -> Tensor:
    """Unit normals at the vertices: the mean of the adjoining triangles' normals.

    Args:
        vertices: ``(B, V, 3)`` points.
        triangles: ``(T, 3)`` vertex ids, counter-clockwise seen from outside.
        weighting: ``"area"`` lets a triangle count by its area; ``"equal"`` counts all alike, as Deep3DFaceRecon does.

    Returns:
        ``(B, V, 3)`` unit vectors; zero where no triangle with an area adjoins.

    Raises:
        UserError: The weighting has another name.
    """
    if weighting not in ("area", "equal"):
        raise UserError(f"no weighting named '{weighting}'; there are 'area' and 'equal'.")
    # Half precision has not the range for squares of small areas.
    exact = vertices if vertices.dtype == torch.float64 else vertices.float()
    if torch.compiler.is_compiling():  # an exported program has any batch, so it cannot be cut into pieces
        return _vertex_normals(exact, triangles, weighting).to(vertices.dtype)
    # As many items at once as the cache likes: three times faster for 16 faces of 70 thousand triangles.
    group = max(default_budget(vertices.device) // max(len(triangles), 1), 1)
    return torch.cat([_vertex_normals(part, triangles, weighting) for part in exact.split(group)]).to(vertices.dtype)


def _vertex_normals(vertices: Tensor, triangles: Tensor, weighting: str) -> Tensor:
    corners = [_corner(vertices, ids) for ids in triangles.unbind(1)]
    normals = _face_normals(vertices, corners)
    if weighting == "equal":
        normals = _unit(normals)
    total = []
    for normal in normals:
        column = vertices.new_zeros(vertices.shape[0] * vertices.shape[1])
        for corner in corners:
            column = column.index_add(0, corner, normal)
        total.append(column)
    return torch.stack(_unit(total), -1).view(vertices.shape)


def _unit(vector: list[Tensor]) -> list[Tensor]:
    x, y, z = vector
    squared = x * x + y * y + z * z
    # Clamped before the root, whose slope at 0 is infinite.
    length = squared.clamp(min=SHORTEST**2).sqrt()
    return [x / length, y / length, z / length]
