"""Vertex attributes at the pixels of a rasterised mesh, with gradients in closed form.

The weights are computed anew from the face ids, so that any rasteriser can supply those; see `zoo.render.rasterize`
for the discrete half.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from zoo.errors import UserError
from zoo.render.corners import check_mesh, columns, cross
from zoo.render.expand import positions

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
    image, depth, weights = _Interpolate.apply(screen, attributes, triangles, face_ids, perspective)
    return image, depth, weights


class _Interpolate(torch.autograd.Function):
    """Pictures (B, C, H, W) of the attributes, (B, 1, H, W) of depth and (B, 3, H, W) of the weights.

    With e the signed areas opposite each corner and z the depths there, q = e / z, w = q / sum q and
    depth = sum e / sum q; without perspective w = e / sum e and depth = sum w z. All of it is done for the P covered
    pixels in vectors of P or 3 P, one channel after the other: rows of a few numbers each take several times longer.
    """

    @staticmethod
    def forward(
        ctx: Any, screen: Tensor, attributes: Tensor, triangles: Tensor, face_ids: Tensor, perspective: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        pixels = _Pixels(face_ids)
        face = face_ids.reshape(-1).index_select(0, pixels.position)
        corner = torch.stack([ids.index_select(0, face) for ids in triangles.unbind(1)])
        corner = corner.add_(pixels.item * screen.shape[1]).view(-1)
        x, y, z = (column.index_select(0, corner).view(3, -1) for column in columns(screen))
        px, py = pixels.columns_and_rows()
        (xn, xp), (yn, yp) = _neighbours(x.sub_(px)), _neighbours(y.sub_(py))
        e = cross(xn, yn, xp, yp)
        q = e / z if perspective else e
        total = q.sum(0)
        # Only ids that another rasteriser supplied can lie on a triangle without area.
        total.masked_fill_(total == 0, torch.finfo(total.dtype).tiny)
        weights = q / total
        depth = e.sum(0).div_(total) if perspective else (weights * z).sum(0)
        values = (
            (value.index_select(0, corner).view(3, -1) * weights).sum(0)
            for value in attributes.reshape(-1, attributes.shape[2]).unbind(1)
        )
        ctx.save_for_backward(attributes, corner, x, y, z, weights, total, depth)
        ctx.perspective, ctx.screen, ctx.pixels = perspective, (screen.shape, screen.dtype), pixels
        ctx.set_materialize_grads(False)
        dtype = torch.promote_types(attributes.dtype, weights.dtype)
        return (
            pixels.paint(values, attributes.shape[2], dtype),
            pixels.paint((depth,), 1, depth.dtype),
            pixels.paint(weights, 3, depth.dtype),
        )

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, g_image: Tensor | None, g_depth: Tensor | None, g_weights: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        attributes, corner, x, y, z, weights, total, depth = ctx.saved_tensors
        rows = attributes.reshape(-1, attributes.shape[2])
        to_screen, to_attributes = ctx.needs_input_grad[:2]
        g_attributes = weights.new_zeros(rows.shape) if to_attributes else None
        g = torch.zeros_like(weights)
        if g_image is not None:
            for k, g_value in enumerate(ctx.pixels.pick(g_image)):
                if g_attributes is not None:
                    g_attributes[:, k].index_add_(0, corner, (weights * g_value).to(weights.dtype).view(-1))
                if to_screen:
                    value = rows[:, k].index_select(0, corner).view(3, -1)
                    g.addcmul_(value.to(g.dtype), g_value.to(g.dtype))
        if g_attributes is not None:
            g_attributes = g_attributes.view(attributes.shape).to(attributes.dtype)
        if not to_screen:
            return None, g_attributes, None, None, None
        if g_weights is not None:
            g.add_(torch.stack(list(ctx.pixels.pick(g_weights))))
        g_at_depth = torch.zeros_like(depth) if g_depth is None else next(ctx.pixels.pick(g_depth))
        if ctx.perspective:
            g_q = g.sub_((g * weights).sum(0).addcmul_(g_at_depth, depth)).div_(total)
            g_e = (g_q / z).add_(g_at_depth / total)
            g_z = g_q.mul_(weights).mul_(total).div_(z).neg_()
        else:
            g.addcmul_(z, g_at_depth)
            g_e = g.sub_((g * weights).sum(0)).div_(total)
            g_z = weights * g_at_depth
        (xn, xp), (yn, yp), (gn, gp) = _neighbours(x), _neighbours(y), _neighbours(g_e)
        shape, dtype = ctx.screen
        g_screen = torch.zeros(shape[0] * shape[1], 3, dtype=x.dtype, device=x.device)
        for column, part in zip(g_screen.unbind(1), (cross(gp, gn, yp, yn), cross(gn, gp, xn, xp), g_z), strict=True):
            column.index_add_(0, corner, part.view(-1))
        return g_screen.view(shape).to(dtype), g_attributes, None, None, None


class _Pixels:
    """The covered pixels of a batch of pictures, and the way into and out of pictures with channels."""

    def __init__(self, face_ids: Tensor) -> None:
        self.shape, self.device = face_ids.shape, face_ids.device
        self.position = positions(face_ids.reshape(-1) >= 0)
        area = self.shape[1] * self.shape[2]
        self.item: Tensor | int = self.position.div(area, rounding_mode="floor") if self.shape[0] > 1 else 0

    def columns_and_rows(self) -> tuple[Tensor, Tensor]:
        _, height, width = self.shape
        inner = self.position - self.item * (height * width)
        row = inner.div(width, rounding_mode="floor")
        return inner - row * width, row

    def paint(self, values: Iterable[Tensor], channels: int, dtype: torch.dtype) -> Tensor:
        """A picture with ``values``, one vector a channel, at the covered pixels and 0 elsewhere."""
        batch, height, width = self.shape
        picture = torch.zeros(batch, channels, height, width, dtype=dtype, device=self.device)
        start = self._start(channels)
        for k, value in enumerate(values):
            picture.view(-1)[k * height * width :].index_copy_(0, start, value.to(dtype))
        return picture

    def pick(self, picture: Tensor) -> Iterator[Tensor]:
        """The inverse of `paint`."""
        channels, height, width = picture.shape[1:]
        flat, start = picture.reshape(-1), self._start(channels)
        for k in range(channels):
            yield flat[k * height * width :].index_select(0, start)

    def _start(self, channels: int) -> Tensor:
        """Where the first channel of each pixel lies in the flattened picture."""
        return self.position + self.item * ((channels - 1) * self.shape[1] * self.shape[2])


def _neighbours(corners: Tensor) -> tuple[Tensor, Tensor]:
    """For each of three corners that of the next, and that of the previous corner."""
    twice = torch.cat((corners, corners[:2]))
    return twice[1:4], twice[2:5]
