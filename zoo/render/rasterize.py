"""Which triangle each pixel sees, in eager PyTorch: no compilation, no loop over faces, pixels or batch.

Every face is expanded into the pixels of its bounding box, the (face, pixel) pairs are tested together, and the
nearest face of each pixel wins by an integer minimum over packed (depth, face id) keys. The result does not depend on
the order of work, the number of threads or the device: equal depths go to the lower face id.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.render.corners import NEAR, SMALLEST_AREA, check_mesh, columns, corner_ids, cross
from zoo.render.expand import expand_boxes, span

__all__ = ["rasterize"]

NOTHING = 2**63 - 1
"""The key of a pixel that no face has claimed."""

BUDGET_CPU = 2**17
BUDGET_CUDA = 2**24
"""How many (face, pixel) pairs are held at once: on a CPU what its cache likes, on a GPU what fills it."""


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
        budget: Largest number of (face, pixel) pairs held at once; by default what suits the device.

    Returns:
        ``(B, H, W)`` int64 ids into ``triangles``, -1 where there is nothing. No gradient.

    Raises:
        UserError: A shape or type is not as described.
    """
    check_mesh(screen, triangles)
    batch, vertices, _ = screen.shape
    faces, device = triangles.shape[0], screen.device
    nearest = torch.full((batch * height * width,), NOTHING, dtype=torch.int64, device=device)
    if faces and nearest.numel():
        x, y, z = columns(screen)
        boxes = _Boxes(x, y, z, corner_ids(triangles, batch, vertices), height, width, cull, near)
        budget = budget or (BUDGET_CPU if device.type == "cpu" else BUDGET_CUDA)
        for first, last, pairs in boxes.pieces(budget):
            _claim(nearest, boxes, first, last, pairs, (faces, height, width), cull, perspective, near)
    return torch.where(nearest == NOTHING, -1, nearest & 0xFFFFFFFF).view(batch, height, width)


class _Boxes:
    """The faces that may be seen, with the pixels their bounding boxes hold."""

    def __init__(
        self, x: Tensor, y: Tensor, z: Tensor, corners: Tensor, height: int, width: int, cull: bool, near: float
    ) -> None:
        xs = [x.index_select(0, corner) for corner in corners]
        ys = [y.index_select(0, corner) for corner in corners]
        area = cross(xs[1] - xs[0], ys[1] - ys[0], xs[2] - xs[0], ys[2] - ys[0])
        left, right = span(_least(xs), _most(xs), width)
        top, bottom = span(_least(ys), _most(ys), height)
        far = z > near
        # Every comparison with NaN is false, so a face that holds one is left out here.
        keep = ((area if cull else area.abs()) > SMALLEST_AREA) & (right >= left) & (bottom >= top)
        for corner in corners:
            keep &= far.index_select(0, corner)
        self.face = keep.nonzero().squeeze(1)
        self.z, self.corners = z, corners
        self.xs = [value.index_select(0, self.face) for value in xs]
        self.ys = [value.index_select(0, self.face) for value in ys]
        self.left, self.top = left.index_select(0, self.face), top.index_select(0, self.face)
        self.width = right.index_select(0, self.face) - self.left + 1
        pixels = (self.width * (bottom.index_select(0, self.face) - self.top + 1)).long()
        self.pixels, self.end = pixels, pixels.cumsum(0)

    def pieces(self, budget: int) -> list[tuple[int, int, int]]:
        """Runs of faces whose boxes hold about ``budget`` pixels: first face, last face + 1, pixels."""
        count = self.face.numel()
        if not count:
            return []
        total = int(self.end[-1])
        if total <= budget:
            return [(0, count, total)]
        marks = torch.arange(budget, total, budget, device=self.end.device)
        cuts = torch.searchsorted(self.end, marks, right=True).unique()
        cuts = cuts[cuts > 0]
        ends = [0, *cuts.tolist(), count]
        sums = [0, *self.end[cuts - 1].tolist(), total]
        return [(ends[i], ends[i + 1], sums[i + 1] - sums[i]) for i in range(len(ends) - 1) if sums[i + 1] > sums[i]]


def _least(values: Sequence[Tensor]) -> Tensor:
    return torch.minimum(torch.minimum(values[0], values[1]), values[2])


def _most(values: Sequence[Tensor]) -> Tensor:
    return torch.maximum(torch.maximum(values[0], values[1]), values[2])


def _claim(
    nearest: Tensor,
    boxes: _Boxes,
    first: int,
    last: int,
    pairs: int,
    sizes: tuple[int, int, int],
    cull: bool,
    perspective: bool,
    near: float,
) -> None:
    """Test all pixels in the boxes of some faces, and let each hit bid for its pixel."""
    faces, height, width = sizes
    row, px, py = expand_boxes(
        boxes.left[first:last],
        boxes.top[first:last],
        boxes.width[first:last],
        boxes.pixels[first:last],
        pairs,
        height * width,
    )
    # The pixel is subtracted first: only then do the two faces of an edge see exactly opposite values.
    ax, bx, cx = (value[first:last].index_select(0, row).sub_(px) for value in boxes.xs)
    ay, by, cy = (value[first:last].index_select(0, row).sub_(py) for value in boxes.ys)
    edges = (cross(bx, by, cx, cy), cross(cx, cy, ax, ay), cross(ax, ay, bx, by))
    inside = _least(edges) >= 0
    if not cull:
        inside |= _most(edges) <= 0
    hit = inside.nonzero().squeeze(1)

    face = boxes.face[first:last].index_select(0, row.index_select(0, hit))
    e0, e1, e2 = (value.index_select(0, hit) for value in edges)
    z0, z1, z2 = (boxes.z.index_select(0, corner.index_select(0, face)) for corner in boxes.corners)
    if perspective:
        depth = (e0 + e1 + e2) / (e0 / z0 + e1 / z1 + e2 / z2)
    else:
        depth = (e0 * z0 + e1 * z1 + e2 * z2) / (e0 + e1 + e2)
    item = face.div(faces, rounding_mode="floor")
    pixel = (item * height + py.index_select(0, hit).long()) * width + px.index_select(0, hit).long()
    depth = depth.float()
    # The bits of positive floats are ordered as integers; anything else (and NaN) must not bid.
    bid = (depth.view(torch.int32).long() << 32) | (face - item * faces)
    bid.masked_fill_(~(depth > near), NOTHING)
    nearest.scatter_reduce_(0, pixel, bid, "amin")
