"""Normals of many faces of one mesh at once, for training, where every step needs them and their gradient.

The batch is the last dimension here, so that a vertex or a triangle is one run of B numbers: runs are gathered and
added up, where faces one after the other are gathered number by number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["batch_normals"]

SHORTEST = 1e-18
"""The shortest vector whose length single precision can tell, as in ``zoo.render``."""


def batch_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Unit normals at the vertices: the mean of the unit normals of the adjoining triangles.

    The same as ``zoo.render.vertex_normals(..., weighting="equal")``.

    Args:
        vertices: (B,V,3) points, float32 or float64.
        triangles: (T,3) vertex ids, counter-clockwise seen from outside.

    Returns:
        (B,V,3) unit vectors; zero where no triangle with an area adjoins.
    """
    normals: Tensor = _BatchNormals.apply(vertices, triangles)
    return normals


class _BatchNormals(torch.autograd.Function):
    """With u the unit normals of the triangles and s their sum at a vertex, n = s / |s|; the way back in closed form.

    A vector field is three planes, x, y and z, of (V,B) or (T,B) numbers.
    """

    @staticmethod
    def forward(ctx: Any, vertices: Tensor, triangles: Tensor) -> Tensor:
        corners = triangles.t().contiguous().unbind(0)
        first, second = [], []
        for plane in _planes(vertices):
            a, b, c = (plane.index_select(0, ids) for ids in corners)
            first.append(b.sub_(a))
            second.append(c.sub_(a))
        unit, area = _unit(_cross(first, second))
        summed = []
        for plane in unit:
            total = plane.new_zeros(vertices.shape[1], vertices.shape[0])
            for ids in corners:
                total.index_add_(0, ids, plane)
            summed.append(total)
        normals, length = _unit(summed)
        ctx.save_for_backward(*corners, *first, *second, *unit, area, *normals, length)
        return _points(normals)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        saved = ctx.saved_tensors
        corners, first, second = saved[0:3], saved[3:6], saved[6:9]
        unit, area, normals, length = saved[9:12], saved[12], saved[13:16], saved[16]
        to_unit = []
        for plane in _through_unit(_planes(gradient), normals, length):
            a, b, c = (plane.index_select(0, ids) for ids in corners)
            to_unit.append(a.add_(b).add_(c))
        to_cross = _through_unit(to_unit, unit, area)
        to_vertices = []
        for one, other in zip(_cross(second, to_cross), _cross(to_cross, first), strict=True):
            total = one.new_zeros(gradient.shape[1], gradient.shape[0])
            total.index_add_(0, corners[1], one).index_add_(0, corners[2], other)
            to_vertices.append(total.index_add_(0, corners[0], one.add_(other), alpha=-1))
        return _points(to_vertices), None


def _planes(points: Tensor) -> Sequence[Tensor]:
    """(B,V,3) points as planes x, y and z of (V,B)."""
    return points.permute(2, 1, 0).contiguous().unbind(0)


def _points(planes: Sequence[Tensor]) -> Tensor:
    return torch.stack(tuple(planes)).permute(2, 1, 0).contiguous()


def _cross(a: Sequence[Tensor], b: Sequence[Tensor]) -> list[Tensor]:
    # Product by product: fused arithmetic leaves a triangle with two equal corners a normal made of rounding.
    return [
        (a[1] * b[2]).sub_(a[2] * b[1]),
        (a[2] * b[0]).sub_(a[0] * b[2]),
        (a[0] * b[1]).sub_(a[1] * b[0]),
    ]


def _dot(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    return (a[0] * b[0]).addcmul_(a[1], b[1]).addcmul_(a[2], b[2])


def _unit(vector: list[Tensor]) -> tuple[list[Tensor], Tensor]:
    """The vectors at length 1, in place, and the inverse of the length that they had."""
    inverse = _dot(vector, vector).clamp_(min=SHORTEST**2).rsqrt_()
    return [plane.mul_(inverse) for plane in vector], inverse


def _through_unit(gradient: Sequence[Tensor], unit: Sequence[Tensor], inverse: Tensor) -> list[Tensor]:
    """From the gradient at unit vectors to that at the vectors which they were."""
    along = _dot(gradient, unit)
    return [torch.addcmul(g, along, u, value=-1).mul_(inverse) for g, u in zip(gradient, unit, strict=True)]
