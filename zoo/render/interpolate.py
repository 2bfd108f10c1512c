"""Vertex attributes at the pixels of a rasterised mesh, with gradients in closed form.

The weights are computed anew from the face ids, so that any rasteriser can supply those; see `zoo.render.rasterize`
for the discrete half.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from zoo.errors import UserError
from zoo.render.corners import check_mesh, columns, cross

__all__ = ["interpolate"]


def interpolate(
    screen: Tensor, triangles: Tensor, face_ids: Tensor, attributes: Tensor, *, perspective: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Attributes, depth and barycentric weights at each pixel; differentiable in ``screen`` and ``attributes``.

    Args:
        screen: ``(B, V, 3)`` x right, y down in pixels, the centre of the top-left pixel at (0, 0), and depth.
        triangles: ``(T, 3)`` vertex ids.
        face_ids: ``(B, H, W)`` ids into ``triangles``, negative where there is nothing.
        attributes: ``(B, V, C)`` values at the vertices.
        perspective: Weights as a pinhole camera needs them; False for parallel rays.

    Returns:
        ``(B, C, H, W)`` attributes, ``(B, 1, H, W)`` depth and ``(B, 3, H, W)`` weights of the triangle's corners,
        which sum to 1; all are 0 where there is nothing.

    Raises:
        UserError: A shape or type is not as described.
    """
    check_mesh(screen, triangles)
    if attributes.ndim != 3 or attributes.shape[:2] != screen.shape[:2]:
        raise UserError(
            f"attributes must be (B, V, C) with B, V = {tuple(screen.shape[:2])}, not {tuple(attributes.shape)}."
        )
    batch, height, width = face_ids.shape
    flat = face_ids.reshape(-1)
    pixel = (flat >= 0).nonzero().squeeze(1)
    item = pixel.div(height * width, rounding_mode="floor")
    inner = pixel - item * (height * width)
    py = inner.div(width, rounding_mode="floor")
    px = inner - py * width
    face = flat.index_select(0, pixel)
    corner = torch.stack([column.index_select(0, face) for column in triangles.t().contiguous()])
    corner = corner + item * screen.shape[1]
    values, depth, weights = _Interpolate.apply(screen, attributes, corner, px, py, perspective)

    def picture(at_pixels: Tensor) -> Tensor:
        canvas = at_pixels.new_zeros(batch * height * width, at_pixels.shape[1])
        return canvas.index_copy(0, pixel, at_pixels).view(batch, height, width, -1).permute(0, 3, 1, 2).contiguous()

    return picture(values), picture(depth[:, None]), picture(weights.t())


class _Interpolate(torch.autograd.Function):
    """At P pixels: values (P, C), depth (P,) and weights (3, P) from the ids (3, P) of their corners.

    With e the signed areas opposite each corner and z the depths there, q = e / z, w = q / sum q and
    depth = sum e / sum q; without perspective w = e / sum e and depth = sum w z.
    """

    @staticmethod
    def forward(
        ctx: Any, screen: Tensor, attributes: Tensor, corner: Tensor, px: Tensor, py: Tensor, perspective: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        flat = corner.reshape(-1)
        x, y, z = (column.index_select(0, flat).view(3, -1) for column in columns(screen))
        x, y = x.sub_(px), y.sub_(py)
        (_, xn, xp), (_, yn, yp) = _cyclic(x), _cyclic(y)
        e = cross(xn, yn, xp, yp)
        q = e / z if perspective else e
        total = q.sum(0)
        # Only ids that another rasteriser supplied can lie on a triangle without area.
        total = torch.where(total == 0, torch.finfo(total.dtype).tiny, total)
        weights = q / total
        depth = e.sum(0) / total if perspective else (weights * z).sum(0)
        rows = attributes.reshape(-1, attributes.shape[-1])
        values = sum_of_three(weights, [rows.index_select(0, ids) for ids in corner])
        ctx.save_for_backward(attributes, corner, x, y, z, weights, total, depth)
        ctx.perspective, ctx.screen = perspective, (screen.shape, screen.dtype)
        return values, depth, weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_values: Tensor, g_depth: Tensor, g_weights: Tensor) -> tuple[Tensor | None, ...]:
        attributes, corner, x, y, z, weights, total, depth = ctx.saved_tensors
        g_screen = g_attributes = None
        rows = attributes.reshape(-1, attributes.shape[-1])
        if ctx.needs_input_grad[1]:
            shares = (weights[:, :, None] * g_values).to(rows.dtype).view(-1, rows.shape[1])
            g_attributes = torch.zeros_like(rows).index_add_(0, corner.view(-1), shares).view(attributes.shape)
        if ctx.needs_input_grad[0]:
            g = torch.stack([(rows.index_select(0, ids) * g_values).sum(1) for ids in corner]).add_(g_weights)
            if ctx.perspective:
                g_q = (g - (g * weights).sum(0) - g_depth * depth) / total
                g_e = g_q / z + g_depth / total
                g_z = -g_q * weights * total / z
            else:
                g = g + g_depth * z
                g_e = (g - (g * weights).sum(0)) / total
                g_z = g_depth * weights
            (_, xn, xp), (_, yn, yp), (_, gn, gp) = _cyclic(x), _cyclic(y), _cyclic(g_e)
            shape, dtype = ctx.screen
            columns = torch.zeros(3, shape[0] * shape[1], dtype=x.dtype, device=x.device)
            for column, part in zip(columns, (gn * yp - gp * yn, gp * xn - gn * xp, g_z), strict=True):
                column.index_add_(0, corner.view(-1), part.reshape(-1))
            g_screen = columns.view(3, *shape[:2]).permute(1, 2, 0).to(dtype)
        return g_screen, g_attributes, None, None, None, None


def sum_of_three(weights: Tensor, rows: list[Tensor]) -> Tensor:
    """The weighted sum of three (P, C) arrays."""
    total = weights[0][:, None] * rows[0]
    for weight, row in zip(weights[1:], rows[1:], strict=True):
        total.addcmul_(weight[:, None], row)
    return total


def _cyclic(corners: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each of three corners its own row, that of the next, and that of the previous corner."""
    twice = torch.cat((corners, corners[:2]))
    return corners, twice[1:4], twice[2:5]
