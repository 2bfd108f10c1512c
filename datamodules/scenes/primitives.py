"""Solids as tensors: where rays meet them, and their normals.

Every solid is brought to a unit shape by a linear map of its own: a box to the cube of half extent 1; ellipsoids,
cylinders and frustums to the part of the quadric x² + z² + k y² + l y <= m between two heights y. So two kernels
serve all shapes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from datamodules.scenes.scene import Solid

__all__ = ["Group", "Solids", "meet"]

_TINY = 1e-20


@dataclass
class Group:
    """The solids that one kernel serves; P of them.

    Args:
        ids: (P,) which solids of the scene.
        to_unit: (P,3,3) from the world's axes to unit coordinates.
        offset: (P,3,1) added to it.
        quadric: (P,5) k, l, m, lowest and highest y; None for boxes.
        holes: (P,5) frequency per unit along the axes, threshold, seed; None where nothing has holes.
        arms: (P,3,3) from the centre to the middles of three faces of the bounding box, world; one a row.
        centre: (P,3) world.
        radius: (P,) of the ball around it.
    """

    ids: Tensor
    to_unit: Tensor
    offset: Tensor
    quadric: Tensor | None
    holes: Tensor | None
    arms: Tensor
    centre: Tensor
    radius: Tensor


class Solids:
    """All solids of a scene, packed.

    Args:
        solids: Of the scene.
        device: Where to.

    Attributes:
        groups: Boxes, round ones, and those with holes, as far as there are any.
        to_unit: (P,3,3) of all solids in the scene's order; offset, size, turn, origin likewise.
    """

    def __init__(self, solids: Sequence[Solid], device: torch.device | str = "cpu") -> None:
        turns = np.stack([np.eye(3) if s.turn is None else np.asarray(s.turn) for s in solids])
        centres = np.array([s.centre for s in solids], dtype=np.float64)
        sizes = np.array([s.size for s in solids], dtype=np.float64)
        origins = np.array([s.centre if s.pattern_origin is None else s.pattern_origin for s in solids])
        to_unit = np.swapaxes(turns, 1, 2) / sizes[:, :, None]
        offset = -np.einsum("pij,pj->pi", to_unit, centres)

        def tensor(values: object, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.as_tensor(np.asarray(values), dtype=dtype, device=device)

        self.device = torch.device(device)
        self.to_unit, self.offset, self.size = tensor(to_unit), tensor(offset), tensor(sizes)
        self.turn, self.origin, self.centre = tensor(turns), tensor(origins), tensor(centres)
        self.is_box = tensor([s.shape == "box" for s in solids], torch.bool)
        self.quadric = tensor([_quadric(s) for s in solids])
        self.holes = tensor([_holes(s, number) for number, s in enumerate(solids)])
        self.bumps = tensor([(s.bumps, s.bump_size) for s in solids])
        self.casts = tensor([s.casts for s in solids], torch.bool)
        self._facts = torch.cat(
            [self.to_unit.flatten(1), self.offset, self.turn.flatten(1), self.size, self.quadric], 1
        ).T.contiguous()
        widest = np.array([max(1.0, s.top) if s.shape == "frustum" else 1.0 for s in solids])
        extent = sizes * np.stack([widest, np.ones_like(widest), widest], 1)
        self.arms = tensor(np.swapaxes(turns * extent[:, None], 1, 2))
        self.radius = tensor(np.linalg.norm(extent, axis=1))
        box = np.array([s.shape == "box" for s in solids])
        open_ = np.array([s.holes > 0 for s in solids])
        kinds = [(box == cube) & (open_ == holed) for cube in (True, False) for holed in (False, True)]
        self.groups = [self._group(np.flatnonzero(kind)) for kind in kinds if kind.any()]

    def __len__(self) -> int:
        return len(self.size)

    def _group(self, which: NDArray[np.int64]) -> Group:
        ids = torch.as_tensor(which, device=self.device)
        return Group(
            ids,
            self.to_unit[ids],
            self.offset[ids][..., None],
            None if bool(self.is_box[ids[0]]) else self.quadric[ids],
            self.holes[ids] if bool(self.holes[ids[0], 4] >= 0) else None,
            self.arms[ids],
            self.centre[ids],
            self.radius[ids],
        )

    def only(self, keep: Tensor, holes: bool = True) -> list[Group]:
        """The groups without some of their solids.

        Args:
            keep: (P,) bool.
            holes: Whether holes stay open.
        """
        groups = []
        for group in self.groups:
            which = keep[group.ids]
            if bool(which.any()):
                curved, holed = group.quadric, group.holes if holes else None
                groups.append(
                    Group(
                        group.ids[which],
                        group.to_unit[which],
                        group.offset[which],
                        None if curved is None else curved[which],
                        None if holed is None else holed[which],
                        group.arms[which],
                        group.centre[which],
                        group.radius[which],
                    )
                )
        return groups

    def own(self, ids: Tensor, points: Tensor) -> Tensor:
        """Points (N,3) of the world in the axes of the patterns of solids (N,): (N,3)."""
        turn, origin = self.turn.flatten(1), self.origin
        facts = torch.cat([turn, origin], 1).T.contiguous().index_select(1, ids).unbind(0)
        away = [point - middle for point, middle in zip(points.unbind(1), facts[9:], strict=True)]
        return torch.stack([_row(facts[axis:9:3], away) for axis in range(3)], 1)

    def surface(self, ids: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the surface is like at points on it.

        Args:
            ids: (N,) solids.
            points: (N,3) on them, world.

        Returns:
            Which face (N,) 0 to 5: two for each own axis, or 6 for the mantle of what is round; the outward normal
            (N,3), world; the same in the solid's own axes (N,3).
        """
        # one number of all points after the other, (N,) each: many small matrices would cost more
        facts = self._facts.index_select(1, ids).unbind(0)
        to_unit, shift, turn, size = facts[:9], facts[9:12], facts[12:21], facts[21:24]
        k, slant, m, low, high = facts[24:]
        x, y, z = (part + moved for part, moved in zip(_turned(to_unit, points.unbind(-1)), shift, strict=True))
        # which of the bounding planes or the mantle a point lies on: where it is closest to the outside
        wide, tall, deep = x.abs(), y.abs(), z.abs()
        on_x = (wide >= tall) & (wide >= deep)
        on_y = ~on_x & (tall >= deep)
        on_z = ~(on_x | on_y)
        rounded = k * y
        level = x * x + z * z + (rounded + slant) * y - m
        cap_high, cap_low = (y - high).abs(), (y - low).abs()
        cap = torch.minimum(cap_high, cap_low) < (level.abs() * 0.5).clamp_max(1e-2)
        top = cap_high < cap_low
        box = self.is_box.index_select(0, ids)
        mantle = ~(box | cap)
        own_x = torch.where(box, x.sign() * on_x, x * mantle)
        own_z = torch.where(box, z.sign() * on_z, z * mantle)
        side = torch.where(box, y.sign() * on_y, top.to(y.dtype) * 2 - 1)
        own_y = torch.where(mantle, rounded + 0.5 * slant, side)
        own = [value / half for value, half in zip((own_x, own_y, own_z), size, strict=True)]
        length = _row(own, own).sqrt_().clamp_min_(1e-12)
        own = [value.div_(length) for value in own]
        high_side = (on_x & (x > 0)) | (on_y & (y > 0)) | (on_z & (z > 0))
        of_box = high_side.to(torch.uint8) + 2 * on_y + 4 * on_z
        face = torch.where(box, of_box, torch.where(cap, 2 + top.to(torch.uint8), 6)).long()
        return face, torch.stack(_turned(turn, own), 1), torch.stack(own, 1)


def _turned(matrix: Sequence[Tensor], vector: Sequence[Tensor]) -> list[Tensor]:
    """Products of 3 x 3 matrices and vectors, each of their numbers (N,)."""
    return [_row(matrix[i : i + 3], vector) for i in (0, 3, 6)]


def _row(row: Sequence[Tensor], vector: Sequence[Tensor]) -> Tensor:
    return (row[0] * vector[0]).addcmul_(row[1], vector[1]).addcmul_(row[2], vector[2])


def meet(group: Group, which: Tensor, rays: Tensor, nearest: float, inside: bool) -> tuple[Tensor, Tensor]:
    """Where rays enter solids, one solid for each tile of rays.

    Args:
        group: Of solids.
        which: (n,) its solids.
        rays: (n,3,2K) for each tile K origins, then K directions of any length.
        nearest: A hit counts from this distance on (in lengths of the direction).
        inside: Whether a ray that begins inside a solid has met it (at ``nearest``).

    Returns:
        (n,K) distance in lengths of the direction, and (n,K) bool whether there is a hit.
    """
    start, along = torch.bmm(group.to_unit.index_select(0, which), rays).chunk(2, 2)
    start += group.offset.index_select(0, which)
    if group.quadric is None:
        inverse = (along + _TINY).reciprocal_()
        middle = (start * inverse).neg_()
        half = inverse.abs_()
        low, high = middle - half, middle.add_(half)
        enter = torch.maximum(torch.maximum(low[:, 0], low[:, 1]), low[:, 2])
        leave = torch.minimum(torch.minimum(high[:, 0], high[:, 1]), high[:, 2])
    else:
        enter, leave = _through_quadric(group.quadric.index_select(0, which), start, along)
    if group.holes is not None:
        holes = group.holes.index_select(0, which)
        first = (enter > nearest) & _is_there(holes, start, along, enter)
        second = (leave > nearest) & _is_there(holes, start, along, leave)
        met = (enter < leave) & (first | second)
        return torch.where(first, enter, leave), met
    if inside:
        return enter.clamp_min(nearest), (enter < leave) & (leave > nearest)
    return enter, (enter < leave) & (enter > nearest)


def _through_quadric(quadric: Tensor, start: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
    """Entry and exit of rays through unit quadrics; the exit comes first where there is no hit."""
    k, slant, m, bottom, top = (q[:, None] for q in quadric.unbind(-1))
    ox, oy, oz = start.unbind(1)
    dx, dy, dz = along.unbind(1)
    rise = torch.addcmul(0.5 * slant, k, oy)
    a = (dx * dx).addcmul_(dz, dz).addcmul_(k * dy, dy)
    b = (ox * dx).addcmul_(oz, dz).addcmul_(rise, dy)
    c = (ox * ox).addcmul_(oz, oz).addcmul_(rise.add_(0.5 * slant), oy).sub_(m)
    a = a.masked_fill_(a.abs() < 1e-9, 1e-9)
    square = (b * b).addcmul_(a, c, value=-1)
    # the root without cancellation, then the other from their product; never 0, so that no ray divides by it
    far = square.clamp_min(0).sqrt_().add_(_TINY).copysign_(b).add_(b).neg_()
    one, other = far / a, c / far
    low, high = torch.minimum(one, other), torch.maximum(one, other)
    # a ray steeper than the side of a cone runs outside of it between the roots: the half line of the cone that is
    # meant, towards its wide end, is the one inside
    steep = a < 0
    widens = slant * dy < 0
    inf = torch.full_like(a, math.inf)
    enter = torch.where(steep, torch.where(widens, high, -inf), low)
    leave = torch.where(steep, torch.where(widens, inf, low), high)
    enter = torch.where(square < 0, inf, enter)
    inverse_y = (dy + _TINY).reciprocal_()
    near, far_ = (bottom - oy) * inverse_y, (top - oy) * inverse_y
    return (
        torch.maximum(enter, torch.minimum(near, far_)),
        torch.minimum(leave, torch.maximum(near, far_)),
    )


def _is_there(holes: Tensor, start: Tensor, along: Tensor, distance: Tensor) -> Tensor:
    """Whether a surface with holes is there at points of it: waves that bend each other, above a threshold."""
    fx, fy, fz, threshold, seed = (h[:, None] for h in holes.unbind(-1))
    distance = distance.clamp(-1e3, 1e3)
    x = (start[:, 0] + distance * along[:, 0]) * fx + seed
    y = (start[:, 1] + distance * along[:, 1]) * fy + seed
    z = (start[:, 2] + distance * along[:, 2]) * fz + seed
    wave = torch.sin(x + 1.9 * torch.sin(y * 1.3)) + torch.sin(y + 1.9 * torch.sin(z * 1.3))
    return wave + torch.sin(z + 1.9 * torch.sin(x * 1.3)) > threshold


def _quadric(solid: Solid) -> tuple[float, float, float, float, float]:
    """k, l, m, lowest and highest y of the unit shape."""
    if solid.shape == "ellipsoid":
        return 1.0, 0.0, 1.0, solid.lower, solid.upper
    top = 1.0 if solid.shape in ("cylinder", "box") else solid.top
    # the radius is a + b y
    a, b = 0.5 * (1 + top), 0.5 * (top - 1)
    return -b * b, -2 * a * b, a * a, -1.0, 1.0


def _holes(solid: Solid, number: int) -> tuple[float, float, float, float, float]:
    """Frequencies, threshold and seed of the holes; the seed is -1 where there are none."""
    x, y, z = (2 * math.pi * size / solid.hole_size for size in solid.size)
    # three waves of variance 1/2 each add up to nearly a normal distribution
    threshold = math.sqrt(1.5) * float(ndtri(min(max(solid.holes, 1e-3), 0.95)))
    seed = (number * 2.399 + solid.material.seed * 0.37) % 100
    return x, y, z, threshold, seed if solid.holes > 0 else -1.0
