"""Rays against all solids of a scene: tiles of rays, each tested against the solids that it can meet only.

Rays come in tiles of neighbours, (T,3,K). A solid that no ray of a tile can meet is found by bounds; the pairs of
tiles and solids that are left are tested in chunks. So there is a loop over chunks of pairs, and none over rays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from datamodules.scenes.primitives import Group, meet

__all__ = ["Pairs", "Reach", "blocked", "first_hit", "in_sectors", "in_view", "into_half_space", "towards"]

Pairs = tuple[Tensor, Tensor]
"""(n,) tiles and (n,) places of solids in their group."""

Reach = Callable[[Group], Pairs]
"""From a group to all pairs of a tile and a solid that a ray of the tile may meet."""

_AT_ONCE = 1 << 15
"""Rays tested at once on a CPU, so that what is computed stays in the cache."""

_LARGE = 0.7
"""Metres of radius from which on a solid is asked first whether it throws its shadow on a whole tile."""

_IDS = (1 << 24) - 1
"""The lowest bits of a float64, which are 0 when it comes from a float32: there the id of a solid has room."""


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
    # distance and solid in one number: positive floats have the order of their bits, so the least is the first hit
    rays = torch.cat([origins, directions], 2)
    first = rays.new_full((tiles, k), math.inf, dtype=torch.float64).view(torch.int64)
    for group in groups:
        for rows, which in _chunks(reach(group), k):
            t, met = meet(group, which, rays.index_select(0, rows), nearest, inside=False)
            number = torch.where(met, t, math.inf).double().view(torch.int64)
            number.bitwise_or_(group.ids.index_select(0, which)[:, None])
            first.scatter_reduce_(0, rows[:, None].expand_as(number), number, "amin")
    distance = (first & ~_IDS).view(torch.float64).float()
    return distance, torch.where(distance == math.inf, -1, first & _IDS)


def blocked(groups: Sequence[Group], reach: Reach, origins: Tensor, directions: Tensor) -> Tensor:
    """Whether something stands between the ends of each ray, which is one direction long: (T,K) bool."""
    tiles, _, k = directions.shape
    pairs = [reach(group) for group in groups]
    rays = torch.cat([origins, directions], 2)
    count = torch.zeros(tiles, k, device=directions.device)
    # large solids first: where they block all rays of a tile, nothing else is asked
    for large in (True, False):
        open_ = torch.ones(tiles, dtype=torch.bool, device=count.device) if large else (count == 0).any(1)
        for group, (rows, which) in zip(groups, pairs, strict=True):
            wanted = ((group.radius > _LARGE) == large)[which] & open_[rows]
            for some, solids in _chunks((rows[wanted], which[wanted]), k):
                t, met = meet(group, solids, rays.index_select(0, some), 1e-5, inside=True)
                count.index_add_(0, some, (met & (t < 0.9999)).to(count.dtype))
    return count > 0


def _chunks(pairs: Pairs, k: int) -> Iterator[Pairs]:
    """Pairs of tiles of k rays, not too many at once."""
    rows, columns = pairs
    step = max(_AT_ONCE // k, 1) if rows.device.type == "cpu" else 1 << 16
    for start in range(0, len(rows), step):
        yield rows[start : start + step], columns[start : start + step]


def in_view(position: Tensor, axes: Tensor, across: Tensor, up: Tensor) -> Reach:
    """For rays from a camera.

    Args:
        position: (3,) of the camera.
        axes: (3,3) its right, up and back.
        across: (T,K) slopes of the rays to the right.
        up: (T,K) likewise upwards.
    """
    right_axis, up_axis, back = axes
    # inward normals of the four planes through the camera and the sides of a tile, (4,T,3)
    planes = torch.stack(
        [
            right_axis + across.amin(1, keepdim=True) * back,
            -right_axis - across.amax(1, keepdim=True) * back,
            up_axis + up.amin(1, keepdim=True) * back,
            -up_axis - up.amax(1, keepdim=True) * back,
        ]
    )

    def reach(group: Group) -> Pairs:
        offset = group.centre - position
        inside = (_support(planes.reshape(-1, 3), offset, group.arms) >= 0).reshape(4, len(across), -1).all(0)
        before = _support(-back[None], offset, group.arms) > 0
        rows, columns = (inside & before).nonzero(as_tuple=True)
        return rows, columns

    return reach


def _support(directions: Tensor, centres: Tensor, arms: Tensor) -> Tensor:
    """How far boxes (P) reach along directions (T,3): (T,P)."""
    reach = directions @ centres.T
    for k in range(3):
        reach += (directions @ arms[:, k].T).abs_()
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
    # many tiles look away from a light
    tiles = some.nonzero()[:, 0]
    low, high = (corner.expand_as(centre_a)[tiles] for corner in (low, high))
    centre_a, half_a = centre_a[tiles], half_a[tiles]
    centre_b, half_b = (low + high) / 2, (high - low) / 2
    radius_a, radius_b = half_a.norm(dim=1), half_b.norm(dim=1)
    axis = centre_b - centre_a
    square = axis.square().sum(1).clamp_min(1e-12)
    lows = torch.cat([centre_a, -half_a], 1), torch.cat([centre_b, -half_b], 1)
    highs = torch.cat([centre_a, half_a], 1), torch.cat([centre_b, half_b], 1)
    along_a, square_a = (centre_a * axis).sum(1), centre_a.square().sum(1)

    def reach(group: Group) -> Pairs:
        # the ball around the solid and the cone between the balls around both ends
        along = axis @ group.centre.T - along_a[:, None]
        share = (along / square[:, None]).clamp(0, 1)
        to_centre = square_a[:, None] + group.centre.square().sum(1) - 2 * centre_a @ group.centre.T
        distance = to_centre - share * (2 * along - share * square[:, None])
        thick = radius_a[:, None] + share * (radius_b - radius_a)[:, None]
        near = distance < (group.radius[None] + 1.1 * thick + 2e-3).square()
        # a plane along a side of the solid parts it from both ends; along the three unit axes of all solids, (T,3P)
        to_unit, shift = group.to_unit.transpose(0, 1).reshape(-1, 3).T, group.offset[..., 0].T.reshape(-1)
        to_units = torch.cat([to_unit, to_unit.abs()])
        lowest = torch.minimum(*(torch.addmm(shift, ends, to_units) for ends in lows))
        highest = torch.maximum(*(torch.addmm(shift, ends, to_units) for ends in highs))
        wide = 1.0 if group.quadric is None else _widest(group.quadric).T.reshape(-1)
        meets = ((lowest < wide) & (highest > -wide)).view(len(lowest), 3, -1)
        rows, columns = (near & meets[:, 0] & meets[:, 1] & meets[:, 2]).nonzero(as_tuple=True)
        return tiles[rows], columns

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

    def reach(group: Group) -> Pairs:
        above = _support(mean, group.centre, group.arms) > floor[:, None] + 1e-3
        distance = (torch.cdist(centre, group.centre) - spread[:, None]).clamp_min(1e-3)
        large = group.radius[None] > smallest * distance
        rows, columns = (some[:, None] & (above | ~flat[:, None]) & large).nonzero(as_tuple=True)
        return rows, columns

    return reach


def in_sectors(reach: Reach, axis: Tensor, origins: Tensor, directions: Tensor, valid: Tensor) -> Reach:
    """For the rays of tiles that are split up into sectors around an axis.

    Args:
        reach: Of the whole tiles, T of them.
        axis: (T,3) unit vectors.
        origins: (T,S,3,K) of the rays of each sector.
        directions: (T,S,3,K).
        valid: (T,S,K) which of the rays count.

    Returns:
        Pairs of sectors, T*S of them, and solids.
    """
    sectors, along = valid.shape[1], axis[:, None].expand(-1, valid.shape[1], -1)
    # two directions across the axis: into the middle of a sector, and aside
    aside = torch.nn.functional.normalize(torch.linalg.cross(along, (directions * valid[:, :, None]).sum(3)), dim=2)
    across = torch.stack([torch.linalg.cross(aside, along), aside], 2)
    angle = torch.atan2(*(across @ directions).flip(2).unbind(2))
    last = torch.where(valid, angle, -math.inf).amax(2) + 1e-3
    first = torch.where(valid, angle, math.inf).amin(2) - 1e-3
    # the planes through the axis and either end of a sector, facing into it
    turn = torch.stack([torch.stack([last.sin(), -last.cos()], 2), torch.stack([-first.sin(), first.cos()], 2)], 2)
    planes = turn @ across
    floor = torch.where(valid[:, :, None], planes @ origins, math.inf).amin(3) - 1e-3
    # what is wider than a half circle has no such planes
    floor = torch.where((last - first < math.pi)[..., None], floor, -math.inf)

    def split(group: Group) -> Pairs:
        rows, columns = reach(group)
        beyond = _support(planes.reshape(-1, 3), group.centre, group.arms).view(*floor.shape, -1) > floor[..., None]
        meets = beyond[:, :, 0] & beyond[:, :, 1] & valid.any(2)[..., None]
        pair, sector = meets[rows, :, columns].nonzero(as_tuple=True)
        return rows[pair] * sectors + sector, columns[pair]

    return split


def _widest(quadric: Tensor) -> Tensor:
    """(P,3) how far unit shapes reach from the axis: frustums with a wide top reach beyond 1."""
    k, slant, m, _, top = quadric.unbind(-1)
    wide = (m - (k * top + slant) * top).clamp_min(1.0).sqrt()
    return torch.stack([wide, torch.ones_like(wide), wide], -1)


def _bounds(origins: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Centre and half extents (T,3) of the valid points of each tile, and whether there are any."""
    keep = valid[:, None]
    low = torch.where(keep, origins, torch.full_like(origins, math.inf)).amin(2)
    high = torch.where(keep, origins, torch.full_like(origins, -math.inf)).amax(2)
    some = valid.any(1)
    low, high = (torch.where(some[:, None], v, torch.zeros_like(v)) for v in (low, high))
    return (low + high) / 2, (high - low) / 2, some
