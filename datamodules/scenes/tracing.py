"""Rays against all solids of a scene: tiles of rays, each tested against the solids that it can meet only.

Rays come in tiles of neighbours, (T,3,K). A solid that no ray of a tile can meet is found by bounds; the others are
tested in rounds: the first candidate of every tile, then the second, and so on. So there is a loop over candidates,
and none over rays or tiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from datamodules.scenes.primitives import Group, meet

__all__ = ["Reach", "blocked", "first_hit", "in_view", "into_half_space", "towards"]

Reach = Callable[[Group], Tensor]
"""From a group of P solids to (T,P) bool: whether any ray of a tile may meet a solid."""

_ROWS = 256
"""Tiles tested at once on a CPU, so that what is computed stays in the cache."""


def first_hit(
    groups: Sequence[Group], reach: Reach, origins: Tensor, directions: Tensor, nearest: float = 1e-4
) -> tuple[Tensor, Tensor]:
    """The first solid along each ray.

    Args:
        groups: Of the scene's solids.
        reach: Says which solids a tile can meet.
        origins: (T,3,K).
        directions: (T,3,K).
        nearest: Hits before are left out, in lengths of the direction.

    Returns:
        (T,K) distance in lengths of the direction, infinite without a hit, and (T,K) the solid's id, -1 without one.
    """
    tiles, _, k = directions.shape
    distance = directions.new_full((tiles, k), math.inf)
    solid = torch.full((tiles, k), -1, dtype=torch.int32, device=directions.device)
    for group in groups:
        ids = group.ids.to(torch.int32)
        for rows, which in _rounds(reach(group)):
            t, met = meet(group, which, origins[rows], directions[rows], nearest, inside=False)
            best = distance[rows]
            met &= t < best
            distance[rows] = torch.where(met, t, best)
            solid[rows] = torch.where(met, ids[which][:, None], solid[rows])
    return distance, solid.long()


def blocked(groups: Sequence[Group], reach: Reach, origins: Tensor, directions: Tensor) -> Tensor:
    """Whether something stands between the ends of each ray, which is one direction long: (T,K) bool."""
    tiles, _, k = directions.shape
    result = torch.zeros(tiles, k, dtype=torch.bool, device=directions.device)
    for group in groups:
        for rows, which in _rounds(reach(group)):
            t, met = meet(group, which, origins[rows], directions[rows], 1e-5, inside=True)
            result[rows] |= met & (t < 0.9999)
    return result


def _rounds(reached: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of tiles and candidates, each tile at most once in one: (n,) tiles and (n,) places in the group."""
    rows, columns = reached.nonzero(as_tuple=True)
    counts = reached.sum(1)
    starts = counts.cumsum(0) - counts
    rank = torch.arange(len(rows), device=rows.device) - starts[rows]
    order = rank.argsort(stable=True)
    rows, columns = rows[order], columns[order]
    sizes = torch.bincount(rank).tolist() if len(rows) else []
    step = _ROWS if rows.device.type == "cpu" else 1 << 20
    start = 0
    for size in sizes:
        for begin in range(start, start + size, step):
            end = min(begin + step, start + size)
            yield rows[begin:end], columns[begin:end]
        start += size


def in_view(position: Tensor, axes: Tensor, across: Tensor, up: Tensor) -> Reach:
    """For rays from a camera.

    Args:
        position: (3,) of the camera.
        axes: (3,3) its right, up and back.
        across: (T,K) slopes of the rays to the right.
        up: (T,K) likewise upwards.
    """
    left, right = across.amin(1)[:, None, None], across.amax(1)[:, None, None]
    bottom, top = up.amin(1)[:, None, None], up.amax(1)[:, None, None]

    def reach(group: Group) -> Tensor:
        x, y, back = ((group.corners - position) @ axes.T).unbind(-1)
        depth = -back
        # a solid lies wholly beside one of the four planes through the camera and the tile's sides, or behind it
        return (
            ((x - left * depth).amax(-1) >= 0)
            & ((x - right * depth).amin(-1) <= 0)
            & ((y - bottom * depth).amax(-1) >= 0)
            & ((y - top * depth).amin(-1) <= 0)
            & (depth.amax(-1) > 0)
        )

    return reach


def towards(origins: Tensor, valid: Tensor, low: Tensor, high: Tensor) -> Reach:
    """For rays from the points of a tile to the box of a light.

    Args:
        origins: (T,3,K).
        valid: (T,K) which of the rays count.
        low: (3,) or (T,3), lowest corner of the box that holds all ends.
        high: Likewise its highest.
    """
    centre_a, half_a, some = _bounds(origins, valid)
    low, high = low.expand_as(centre_a), high.expand_as(centre_a)
    centre_b, half_b = (low + high) / 2, (high - low) / 2
    radius_a, radius_b = half_a.norm(dim=1), half_b.norm(dim=1)
    axis = centre_b - centre_a
    length = axis.square().sum(1).clamp_min(1e-12)

    def reach(group: Group) -> Tensor:
        offset = group.centre[None] - centre_a[:, None]
        share = ((offset * axis[:, None]).sum(-1) / length[:, None]).clamp(0, 1)
        distance = (offset - share[..., None] * axis[:, None]).square().sum(-1)
        thick = radius_a[:, None] + share * (radius_b - radius_a)[:, None]
        result = some[:, None] & (distance < (group.radius[None] + 1.1 * thick + 1e-3).square())
        # a plane along a side of the solid parts it from both ends
        maps = group.to_unit.reshape(-1, 3)
        ends = []
        for centre, half in ((centre_a, half_a), (centre_b, half_b)):
            middle = (centre @ maps.T).reshape(len(centre), -1, 3) + group.offset[None, :, :, 0]
            ends.append((middle, (half @ maps.abs().T).reshape(len(centre), -1, 3)))
        lowest = torch.minimum(*(middle - extent for middle, extent in ends))
        highest = torch.maximum(*(middle + extent for middle, extent in ends))
        wide = 1.0 if group.quadric is None else _widest(group)
        return result & ((lowest < wide) & (highest > -wide)).all(-1)

    return reach


def into_half_space(origins: Tensor, normals: Tensor, valid: Tensor, smallest: float) -> Reach:
    """For rays from the points of a tile to all sides of their surface.

    Args:
        origins: (T,3,K).
        normals: (T,3,K).
        valid: (T,K) which of the rays count.
        smallest: What looks smaller than this (radius by distance) is left out.
    """
    centre, half, some = _bounds(origins, valid)
    weight = valid[:, None].to(origins.dtype)
    mean = torch.nn.functional.normalize((normals * weight).sum(2), dim=1)
    aligned = torch.where(valid, (normals * mean[..., None]).sum(1), torch.ones_like(valid, dtype=origins.dtype))
    flat = aligned.amin(1) > 0.9995
    floor = torch.where(valid, (origins * mean[..., None]).sum(1), torch.full_like(aligned, math.inf)).amin(1)
    spread = half.norm(dim=1)

    def reach(group: Group) -> Tensor:
        above = (group.corners.reshape(-1, 3) @ mean.T).reshape(-1, 8, len(mean)).amax(1).T > floor[:, None] + 1e-3
        distance = (torch.cdist(centre, group.centre) - spread[:, None]).clamp_min(1e-3)
        return some[:, None] & (above | ~flat[:, None]) & (group.radius[None] > smallest * distance)

    return reach


def _widest(group: Group) -> Tensor:
    """(P,3) how far the unit shapes of a group reach from the axis: frustums with a wide top reach beyond 1."""
    assert group.quadric is not None
    k, l, m, _, top = group.quadric.unbind(-1)
    wide = (m - (k * top + l) * top).clamp_min(1.0).sqrt()
    return torch.stack([wide, torch.ones_like(wide), wide], -1)


def _bounds(origins: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Centre and half extents (T,3) of the valid points of each tile, and whether there are any."""
    keep = valid[:, None]
    low = torch.where(keep, origins, torch.full_like(origins, math.inf)).amin(2)
    high = torch.where(keep, origins, torch.full_like(origins, -math.inf)).amax(2)
    some = valid.any(1)
    low, high = (torch.where(some[:, None], v, torch.zeros_like(v)) for v in (low, high))
    return (low + high) / 2, (high - low) / 2, some
