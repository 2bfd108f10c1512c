"""Which triangle each pixel sees, in eager PyTorch: no compilation, no loop over faces or pixels.

Every face is expanded into the pixels of its bounding box, the (face, pixel) pairs are tested together, and the
nearest face of each pixel wins by an integer minimum over packed (depth, face id) keys. Work is cut only into pieces
that fit a budget of memory; on a GPU that is one piece for a whole batch. The result does not depend on the order of
work, the number of threads or the device: equal depths go to the lower face id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.render.corners import NEAR, SMALLEST_AREA, check_mesh, columns, corner_ids, cross, without_near
from zoo.render.expand import NOTHING, default_budget, expand_boxes, pieces, positions, span

__all__ = ["rasterize"]


@torch.no_grad()
def rasterize(
    screen: Tensor,
    triangles: Tensor,
    height: int,
    width: int,
    *,
    cull: bool = True,
    perspective: bool = True,
    near: float = NEAR,
    budget: int | None = None,
) -> Tensor:
    """The face that each pixel's centre sees.

    A centre exactly on an edge belongs to the faces on both sides (the nearer wins, then the lower id), so closed
    surfaces have no holes. Degenerate triangles and those with a coordinate that is not finite are left out.

    Args:
        screen: ``(B, V, 3)`` x right, y down in pixels, the centre of the top-left pixel at (0, 0), and depth.
        triangles: ``(T, 3)`` vertex ids; the front is where they appear counter-clockwise to the viewer.
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
        cull: Leave out triangles that show their back.
        perspective: Depth is interpolated as a pinhole camera needs it; False for parallel rays.
        near: Triangles with a corner at this depth or nearer are left out.
        budget: Largest number of faces, and of (face, pixel) pairs, held at once; by default what suits the device.

    Returns:
        ``(B, H, W)`` int64 ids into ``triangles``, -1 where there is nothing. No gradient.

    Raises:
        UserError: A shape or type is not as described.
    """
    check_mesh(screen, triangles)
    batch = screen.shape[0]
    budget = budget or default_budget(screen.device)
    nearest = torch.full((batch, height, width), NOTHING, dtype=torch.int64, device=screen.device)
    if triangles.numel() and nearest.numel():
        group = max(budget // len(triangles), 1)
        for first in range(0, batch, group):
            items = slice(first, first + group)
            _draw(nearest[items], screen[items], triangles, (height, width), cull, perspective, near, budget)
    return nearest.to(torch.int32).long()  # the lower half of each key


def _draw(
    nearest: Tensor,
    screen: Tensor,
    triangles: Tensor,
    size: tuple[int, int],
    cull: bool,
    perspective: bool,
    near: float,
    budget: int,
) -> None:
    """Let every face bid for its pixels of ``nearest``."""
    batch, vertices, _ = screen.shape
    x, y, z = columns(screen)
    x = without_near(x, z, near)
    front = _front(x, y, z, corner_ids(triangles, batch, vertices), cull, size)
    for first, last, pairs in pieces(front.pixels, budget):
        pixel, face, depth = _hits(front.part(first, last), pairs, size, cull, perspective)
        item = face.div(len(triangles), rounding_mode="floor") if batch > 1 else 0
        # The bits of positive floats are ordered as integers; anything else (and NaN) must not bid.
        bid = (depth.view(torch.int32).long() << 32).add_(face).sub_(item * len(triangles))
        bid.masked_fill_(~(depth > near), NOTHING)
        nearest.view(-1).scatter_reduce_(0, pixel.add_(item * (size[0] * size[1])), bid, "amin")


@dataclass
class _Faces:
    """The faces that may be seen: corners on the screen, depths there, and the box of pixels that may be inside."""

    face: Tensor
    corners: list[Tensor]
    xs: list[Tensor]
    ys: list[Tensor]
    z: Tensor
    left: Tensor
    top: Tensor
    width: Tensor
    pixels: Tensor

    def part(self, first: int, last: int) -> _Faces:
        cut = slice(first, last)
        return _Faces(
            self.face[cut],
            self.corners,
            [x[cut] for x in self.xs],
            [y[cut] for y in self.ys],
            self.z,
            self.left[cut],
            self.top[cut],
            self.width[cut],
            self.pixels[cut],
        )


def _front(x: Tensor, y: Tensor, z: Tensor, corners: list[Tensor], cull: bool, size: tuple[int, int]) -> _Faces:
    xs, ys = [x.index_select(0, ids) for ids in corners], [y.index_select(0, ids) for ids in corners]
    area = cross(xs[1] - xs[0], ys[1] - ys[0], xs[2] - xs[0], ys[2] - ys[0])
    # Every comparison with NaN is false, so a face that holds one is left out here.
    face = positions((area if cull else area.abs_()) > SMALLEST_AREA)
    xs, ys = [value.index_select(0, face) for value in xs], [value.index_select(0, face) for value in ys]
    left, width = span(_least(xs), _most(xs), size[1])
    top, height = span(_least(ys), _most(ys), size[0])
    return _Faces(face, corners, xs, ys, z, left, top, width, width.long() * height.long())


def _hits(
    faces: _Faces, pairs: int, size: tuple[int, int], cull: bool, perspective: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """All pixels that lie in one of the faces: position in the picture, face, float32 depth."""
    row, px, py = expand_boxes(faces.left, faces.top, faces.width, faces.pixels, pairs, size[0] * size[1])
    # The pixel is subtracted first: only then do the two faces of an edge see exactly opposite values.
    ax, bx, cx = (value.index_select(0, row).sub_(px) for value in faces.xs)
    ay, by, cy = (value.index_select(0, row).sub_(py) for value in faces.ys)
    edges = (cross(bx, by, cx, cy), cross(cx, cy, ax, ay), cross(ax, ay, bx, by))
    inside = _least(edges) >= 0
    if not cull:
        inside |= _most(edges) <= 0
    hit = positions(inside)
    face = faces.face.index_select(0, row.index_select(0, hit))
    e0, e1, e2 = (value.index_select(0, hit) for value in edges)
    z0, z1, z2 = (faces.z.index_select(0, ids.index_select(0, face)) for ids in faces.corners)
    if perspective:
        depth = (e0 + e1).add_(e2).div_((e0 / z0).add_(e1 / z1).add_(e2 / z2))
    else:
        depth = (e0 * z0).add_(e1 * z1).add_(e2 * z2).div_(e0 + e1 + e2)
    pixel = py.index_select(0, hit).long().mul_(size[1]).add_(px.index_select(0, hit).long())
    return pixel, face, depth.float()


def _least(values: Sequence[Tensor]) -> Tensor:
    least = torch.minimum(values[0], values[1])
    return torch.minimum(least, values[2], out=least)


def _most(values: Sequence[Tensor]) -> Tensor:
    most = torch.maximum(values[0], values[1])
    return torch.maximum(most, values[2], out=most)
