"""Geometry of triangle meshes that needs no camera."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from zoo.errors import UserError

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
    a, b, c = (vertices.index_select(1, corner) for corner in triangles.unbind(1))
    (ux, uy, uz), (vx, vy, vz) = (b - a).unbind(-1), (c - a).unbind(-1)
    # Product by product, because fused arithmetic leaves a triangle with two equal corners a normal made of rounding.
    return torch.stack((uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx), -1)


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
    normals = face_normals(vertices, triangles)
    if weighting == "equal":
        normals = normalize(normals, dim=-1, eps=SHORTEST)
    total = torch.zeros_like(vertices)
    for corner in triangles.unbind(1):
        total = total.index_add(1, corner, normals)
    return normalize(total, dim=-1, eps=SHORTEST)
