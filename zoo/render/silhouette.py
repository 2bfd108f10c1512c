"""A mask with soft, differentiable edges, from the explicit outline of the mesh.

Antialiasing pixel pairs across the edges of the visible triangle loses nearly all gradients on face meshes, whose
triangles are smaller than pixels. Here the outline's edges themselves are found (a face that is drawn on one side and
none on the other), and each pixel beside the mask's border takes its distance to the nearest of them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from zoo.render.corners import NEAR, check_mesh, columns, cross, facing
from zoo.render.expand import NOTHING, default_budget, expand_boxes, pieces, positions, span

__all__ = ["soft_mask"]

_opposite_cache: WeakIdKeyDictionary = WeakIdKeyDictionary()


def soft_mask(screen: Tensor, triangles: Tensor, face_ids: Tensor, *, cull: bool = True, near: float = NEAR) -> Tensor:
    """Coverage of each pixel: 0.5 plus (inside) or minus (outside) its distance to the outline, clamped to [0, 1].

    Only the mask against the background is soft, not the edges of near parts against far ones. Edges beyond the
    picture's border are not looked for.

    Args:
        screen: ``(B, V, 3)`` x right, y down in pixels, the centre of the top-left pixel at (0, 0), and depth.
        triangles: ``(T, 3)`` vertex ids. The list of edges is kept with this tensor for the next call.
        face_ids: ``(B, H, W)`` as `zoo.render.rasterize` gives them for the same arguments.
        cull: Whether triangles that show their back were left out.
        near: The nearest depth that was drawn.

    Returns:
        ``(B, 1, H, W)`` in [0, 1], differentiable in screen x and y.

    Raises:
        UserError: A shape or type is not as described.
    """
    check_mesh(screen, triangles)
    batch, height, width = face_ids.shape
    covered = face_ids >= 0
    x, y, _ = columns(screen)
    hard = covered.to(x.dtype)
    with torch.no_grad():
        start, end, item = _outline(screen, triangles, cull, near)
        pixel, edge = _nearest_edge(x, y, start, end, item, _border(covered), (height, width))
    px, py = (pixel % width).to(x.dtype), (pixel // width % height).to(x.dtype)
    side = hard.view(-1).index_select(0, pixel) * 2 - 1
    first, last = start.index_select(0, edge), end.index_select(0, edge)
    distance = _signed_distance(
        x.index_select(0, first) - px,
        y.index_select(0, first) - py,
        x.index_select(0, last) - px,
        y.index_select(0, last) - py,
        side,
    )
    soft = (0.5 + distance).clamp(0, 1)
    return hard.view(-1).index_copy(0, pixel, soft).view(batch, 1, height, width)


def _opposite_faces(triangles: Tensor) -> Tensor:
    """For the edges (0, 1), (1, 2), (2, 0) of each face, the face on the other side: ``(3, T)``, T where none is.

    An edge of three or more faces counts as open on all of them.
    """
    version = 0 if triangles.is_inference() else triangles._version
    known = _opposite_cache.get(triangles)
    if known is not None and known[0] == version:
        return known[1]
    faces = triangles.shape[0]
    a, b = triangles.t().reshape(-1), triangles.t().roll(-1, 0).reshape(-1)
    key = torch.minimum(a, b).long() * (int(triangles.max()) + 1) + torch.maximum(a, b)
    _, group, count = torch.unique(key, return_inverse=True, return_counts=True)
    order = group.argsort(stable=True)
    one, other = order[(count == 2).index_select(0, group.index_select(0, order))].view(-1, 2).unbind(1)
    opposite = torch.full((3 * faces,), faces, dtype=torch.int64, device=triangles.device)
    opposite[one], opposite[other] = other % faces, one % faces
    opposite = opposite.view(3, faces)
    _opposite_cache[triangles] = (version, opposite)
    return opposite


def _outline(screen: Tensor, triangles: Tensor, cull: bool, near: float) -> tuple[Tensor, Tensor, Tensor]:
    """The edges that may bound the mask: start and end as positions in `columns`, and batch item.

    Seen from start to end, the face lies to the left.
    """
    batch, vertices, _ = screen.shape
    opposite = _opposite_faces(triangles)
    side = facing(screen, triangles, near)
    front, back = side > 0, side < 0
    beyond = torch.cat((front, front.new_zeros(batch, 1)), 1).index_select(1, opposite.view(-1))
    found = front[:, None] & ~beyond.view(batch, 3, -1)
    if not cull:
        found |= back[:, None] & (opposite == triangles.shape[0])
    place = positions(found.view(-1))
    item, edge, face = (place // found[0].numel(), place // found.shape[2] % 3, place % found.shape[2])
    start, end = triangles[face, edge].long(), triangles[face, (edge + 1) % 3].long()
    turned = back[item, face]
    start, end = torch.where(turned, end, start), torch.where(turned, start, end)
    return start + item * vertices, end + item * vertices, item


def _border(covered: Tensor) -> Tensor:
    """Pixels with a neighbour, diagonal ones included, on the other side of the mask's border: ``(B H W,)`` bools."""
    some = every = covered
    for dim in (1, 2):
        before, after = (slice(None),) * dim + (slice(None, -1),), (slice(None),) * dim + (slice(1, None),)
        some_before, every_before = some, every
        some, every = some.clone(), every.clone()
        some[after] |= some_before[before]
        some[before] |= some_before[after]
        every[after] &= every_before[before]
        every[before] &= every_before[after]
    return (some & ~every).view(-1)


def _nearest_edge(
    x: Tensor, y: Tensor, start: Tensor, end: Tensor, item: Tensor, border: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Those border pixels that have an edge within one pixel in x and y, and the nearest edge of each."""
    height, width = size
    ax, ay, bx, by = (v.index_select(0, i) for i in (start, end) for v in (x, y))
    left, across = span(torch.minimum(ax, bx) - 1, torch.maximum(ax, bx) + 1, width)
    top, down = span(torch.minimum(ay, by) - 1, torch.maximum(ay, by) + 1, height)
    pixels = across.long() * down.long()
    nearest = torch.full_like(border, NOTHING, dtype=torch.int64)
    for one, other, pairs in pieces(pixels, default_budget(x.device)):
        cut = slice(one, other)
        edge, px, py = expand_boxes(left[cut], top[cut], across[cut], pixels[cut], pairs, height * width)
        edge = edge.add_(one).long()
        pixel = (item.index_select(0, edge) * height + py.long()) * width + px.long()
        beside = positions(border.index_select(0, pixel))
        edge, pixel, px, py = (v.index_select(0, beside) for v in (edge, pixel, px, py))
        x0, y0, x1, y1 = (v.index_select(0, edge) for v in (ax, ay, bx, by))
        distance = _squared_distance(x0 - px, y0 - py, x1 - px, y1 - py)
        bid = (distance.float().view(torch.int32).long() << 32) | edge
        nearest.scatter_reduce_(0, pixel, bid, "amin")
    found = positions(nearest != NOTHING)
    return found, nearest.index_select(0, found) & 0xFFFFFFFF


def _along(ax: Tensor, ay: Tensor, bx: Tensor, by: Tensor) -> Tensor:
    """Where the foot of the perpendicular from the origin lies on the line a b: 0 at a, 1 at b."""
    dx, dy = bx - ax, by - ay
    return -(ax * dx + ay * dy) / (dx * dx + dy * dy).clamp(min=1e-12)


def _squared_distance(ax: Tensor, ay: Tensor, bx: Tensor, by: Tensor) -> Tensor:
    """From the origin to the segment a b."""
    t = _along(ax, ay, bx, by).clamp(0, 1)
    return (ax + t * (bx - ax)).square() + (ay + t * (by - ay)).square()


def _signed_distance(ax: Tensor, ay: Tensor, bx: Tensor, by: Tensor, side: Tensor) -> Tensor:
    """From the origin to the segment a b, times ``side``; its gradient does not vanish on the segment itself."""
    t = _along(ax, ay, bx, by).detach()
    length = ((bx - ax).square() + (by - ay).square()).clamp(min=1e-12).sqrt()
    left = cross(ax, ay, bx, by) / length
    # Left of the edge is the mesh. Where another edge's far side is nearest, the mask knows better.
    foot_inside = left * torch.where(left * side < 0, -1.0, 1.0)
    squared = torch.where(t < 0.5, ax.square() + ay.square(), bx.square() + by.square())
    between = (t >= 0) & (t <= 1)
    to_end = side * torch.where(between, 1.0, squared).sqrt()
    return torch.where(between, foot_inside, to_end)
