"""How much light reaches a point when nothing is in the way, and where on a light a shadow ray ends.

Shading is irradiance / pi throughout, so that image = albedo x shading.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from datamodules.scenes.scene import RGB, AreaLight, BallLight, Lighting, Sun

__all__ = ["Area", "Ball", "Distant", "Source", "dome", "sources_of", "stratified"]

_AT_ONCE = 1 << 13
"""Points lit at once on a CPU, so that what is computed stays in the cache."""

_FAR = 80.0
"""Metres at which the sun is put for shadow rays."""


class Source(Protocol):
    """A light of which every point sees a share.

    Attributes:
        colour: What ``unblocked`` is to be multiplied with.
        key: Equal for lights of the same place and shape: their shadows are the same.
        samples: Edge n of the n x n pixels that share out the samples of this light among them.
    """

    @property
    def colour(self) -> RGB:
        """Of the light."""
        ...

    @property
    def key(self) -> tuple[object, ...]:
        """Of its shadows."""
        ...

    @property
    def samples(self) -> int:
        """Edge of the pixel pattern."""
        ...

    def unblocked(self, points: Tensor, normals: Tensor) -> Tensor:
        """Shading (N,) of points (N,3) with normals (N,3) when nothing is in the way and the colour is 1."""
        ...

    def ends(self, points: Tensor, normals: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Ends (N,3) of shadow rays for stratified u and v (N,) in [0, 1), and what each counts for (N,)."""
        ...

    def box(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Lowest and highest corner of what holds all ends of shadow rays from points (T,3,K): (T,3) or (3,)."""
        ...


@dataclass(frozen=True)
class Distant:
    """The sun."""

    light: Sun

    @property
    def colour(self) -> RGB:
        """Of the light."""
        return self.light.irradiance

    @property
    def key(self) -> tuple[object, ...]:
        """Of its shadows."""
        return ("sun", self.light.towards, self.light.radius)

    @property
    def samples(self) -> int:
        """A sharp shadow needs few."""
        return 3 if self.light.radius < 0.03 else 5

    def _towards(self, like: Tensor) -> Tensor:
        return normalize(like.new_tensor(self.light.towards), dim=0)

    def unblocked(self, points: Tensor, normals: Tensor) -> Tensor:
        """See ``Source``."""
        return _above_horizon(normals @ self._towards(points), math.sin(self.light.radius))

    def ends(self, points: Tensor, normals: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """See ``Source``."""
        axis = self._towards(points)[None]
        one, other = _basis(axis)
        x, y = _disc(u, v)
        towards = axis + self.light.radius * (x[:, None] * one + y[:, None] * other)
        return points + _FAR * towards, (normals @ axis[0] + self.light.radius).clamp_min(0)

    def box(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """See ``Source``."""
        middle = points.mean(2) + _FAR * self._towards(points)
        wide = _FAR * self.light.radius + (points.amax(2) - points.amin(2)) / 2
        return middle - wide, middle + wide


@dataclass(frozen=True)
class Area:
    """A window or a panel."""

    light: AreaLight

    @property
    def colour(self) -> RGB:
        """Of the light."""
        return self.light.radiance

    @property
    def key(self) -> tuple[object, ...]:
        """Of its shadows."""
        return ("area", self.light.centre, self.light.half_u, self.light.half_v)

    @property
    def samples(self) -> int:
        """Wide penumbrae need many."""
        return 5

    def unblocked(self, points: Tensor, normals: Tensor) -> Tensor:
        """See ``Source``; exact, also where the rectangle is partly below the horizon (Lambert 1760)."""
        p, n = points.T.contiguous().unbind(0), normals.T.contiguous().unbind(0)
        corners = self._corners(p)
        facing = np.cross(self.light.half_u, self.light.half_v)
        shines = sum(float(f) * (x - c) for f, x, c in zip(facing, p, self.light.centre, strict=True)) > 0
        above = [_dot(corner, n) > 0 for corner in corners]
        some, whole = above[0] | above[1] | above[2] | above[3], above[0] & above[1] & above[2] & above[3]
        light = torch.zeros_like(p[0])
        # few see a light only in part, which is more work, and many see nothing of it
        for wanted, form in ((shines & whole, _polygon), (shines & some & ~whole, _cut_polygon)):
            places = wanted.nonzero()[:, 0]
            for which in places.split(_AT_ONCE if points.device.type == "cpu" else max(len(places), 1)):
                corners = self._corners([v.index_select(0, which) for v in p])
                light[which] = form(corners, [v.index_select(0, which) for v in n]).abs_().mul_(1 / (2 * math.pi))
        return light

    def _corners(self, points: Sequence[Tensor]) -> list[list[Tensor]]:
        """The four corners, seen from points."""
        light = self.light
        return [
            [c + a * u + b * v - x for c, u, v, x in zip(light.centre, light.half_u, light.half_v, points, strict=True)]
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]

    def ends(self, points: Tensor, normals: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """See ``Source``."""
        centre, hu, hv = (points.new_tensor(x) for x in (self.light.centre, self.light.half_u, self.light.half_v))
        ends = centre + (2 * u - 1)[:, None] * hu + (2 * v - 1)[:, None] * hv
        towards = ends - points
        square = towards.square().sum(1).clamp_min(1e-4)
        facing = -(towards @ normalize(torch.linalg.cross(hu, hv), dim=0))
        return ends, (towards * normals).sum(1).clamp_min(0) * facing.clamp_min(0) / square.square()

    def box(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """See ``Source``."""
        centre, hu, hv = (points.new_tensor(x) for x in (self.light.centre, self.light.half_u, self.light.half_v))
        wide = hu.abs() + hv.abs()
        return centre - wide, centre + wide


@dataclass(frozen=True)
class Ball:
    """A lamp."""

    light: BallLight

    @property
    def colour(self) -> RGB:
        """Of the light."""
        return self.light.radiance

    @property
    def key(self) -> tuple[object, ...]:
        """Of its shadows."""
        return ("ball", self.light.centre, self.light.radius)

    @property
    def samples(self) -> int:
        """Of a middling penumbra."""
        return 5

    def unblocked(self, points: Tensor, normals: Tensor) -> Tensor:
        """See ``Source``."""
        towards = points.new_tensor(self.light.centre) - points
        distance = towards.norm(dim=1).clamp_min(1e-6)
        sine = (self.light.radius / distance).clamp_max(1)
        light = _above_horizon((towards * normals).sum(1) / distance, sine) * sine.square()
        if self.light.sideways == 1:
            return light
        steep = ((towards[:, 1].abs() / distance - 0.5) / 0.3).clamp(0, 1)
        steep = steep * steep * (3 - 2 * steep)
        return light * (self.light.sideways + (1 - self.light.sideways) * steep)

    def ends(self, points: Tensor, normals: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """See ``Source``."""
        centre = points.new_tensor(self.light.centre)
        one, other = _basis(normalize(centre - points, dim=1))
        x, y = _disc(u, v)
        ends = centre + self.light.radius * (x[:, None] * one + y[:, None] * other)
        return ends, ((ends - points) * normals).sum(1).clamp_min(0)

    def box(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """See ``Source``."""
        centre = points.new_tensor(self.light.centre)
        return centre - self.light.radius, centre + self.light.radius


def sources_of(lighting: Lighting) -> list[Source]:
    """All lights that throw shadows."""
    sun: list[Source] = [Distant(lighting.sun)] if lighting.sun is not None else []
    return [*sun, *(Area(a) for a in lighting.areas), *(Ball(b) for b in lighting.balls)]


def stratified(x: Tensor, y: Tensor, n: int, layers: int = 1, layer: int = 0) -> tuple[Tensor, Tensor]:
    """Sample positions that n x n neighbouring pixels share out among them, well spread over the unit square.

    Args:
        x: (N,) pixel columns.
        y: (N,) pixel rows.
        n: Edge of the pattern; odd.
        layers: How many rays every pixel casts.
        layer: Which of them.

    Returns:
        u and v (N,) in [0, 1).

    Source:
        The R2 sequence of M. Roberts (2018): multiples of the powers of the plastic number.
    """
    count = n * n
    stride = next(s for s in range(int(0.618 * count), count + 2) if math.gcd(s, count) == 1)
    index = ((y.remainder(n) * n + x.remainder(n)) * stride).remainder(count) * layers + layer
    number = index.to(torch.float32)
    return (0.5 + number * 0.7548776662) % 1.0, (0.5 + number * 0.5698402910) % 1.0


def dome(normals: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Directions (N,3) above surfaces, as dense as the cosine to the normal (N,3)."""
    one, other = _basis(normals)
    radius, angle = u.sqrt(), 2 * math.pi * v
    x, y = radius * angle.cos(), radius * angle.sin()
    return x[:, None] * one + y[:, None] * other + (1 - u).clamp_min(0).sqrt()[:, None] * normals


def _above_horizon(cosine: Tensor, sine: Tensor | float) -> Tensor:
    """Cosine of a disc of a given angular radius, which rises gradually where it crosses the horizon."""
    sine = torch.as_tensor(sine, dtype=cosine.dtype, device=cosine.device).clamp_min(1e-6)
    rising = (cosine + sine).clamp_min(0).square() / (4 * sine)
    return torch.where(cosine > sine, cosine, rising)


def _dot(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _polygon(corners: Sequence[Sequence[Tensor]], normals: Sequence[Tensor]) -> Tensor:
    """Irradiance, times 2 and signed by the order of the corners, of a rectangle above the horizon."""
    return sum((_edge(corners[k - 1], corners[k], normals) for k in range(4)), torch.zeros_like(normals[0]))


def _cut_polygon(corners: Sequence[Sequence[Tensor]], normals: Sequence[Tensor]) -> Tensor:
    """Likewise of a rectangle of which the horizon cuts off a part."""
    heights = [_dot(c, normals) for c in corners]
    total = torch.zeros_like(normals[0])
    leaving = [torch.zeros_like(total) for _ in range(3)]
    entering = [torch.zeros_like(total) for _ in range(3)]
    for k in range(4):
        a, b, ha, hb = corners[k], corners[(k + 1) % 4], heights[k], heights[(k + 1) % 4]
        above_a, above_b = ha > 0, hb > 0
        share = (ha / torch.where(ha == hb, 1.0, ha - hb)).clamp_(0, 1)
        cut = [torch.lerp(i, j, share) for i, j in zip(a, b, strict=True)]
        down, up = above_a & ~above_b, ~above_a & above_b
        leaving = [torch.where(down, i, j) for i, j in zip(cut, leaving, strict=True)]
        entering = [torch.where(up, i, j) for i, j in zip(cut, entering, strict=True)]
        first = [torch.where(up, i, j) for i, j in zip(cut, a, strict=True)]
        last = [torch.where(down, i, j) for i, j in zip(cut, b, strict=True)]
        total += _edge(first, last, normals) * (above_a | above_b)
    return total.add_(_edge(leaving, entering, normals))


def _edge(a: Sequence[Tensor], b: Sequence[Tensor], normals: Sequence[Tensor]) -> Tensor:
    """One edge's part of the irradiance of a polygon: the angle it spans times the height of its plane's normal."""
    across = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    length = _dot(across, across).sqrt_()
    return torch.atan2(length, _dot(a, b)) * _dot(across, normals) / length.clamp_min(1e-12)


def _basis(axis: Tensor) -> tuple[Tensor, Tensor]:
    """Two unit vectors (N,3) perpendicular to unit vectors (N,3) and to each other (Duff et al. 2017)."""
    x, y, z = axis.unbind(-1)
    sign = torch.where(z < 0, -1.0, 1.0)
    a = -1 / (sign + z)
    b = x * y * a
    return torch.stack([1 + sign * x * x * a, sign * b, -sign * x], -1), torch.stack([b, sign + y * y * a, -y], -1)


def _disc(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Points of the unit disc, evenly spread."""
    radius, angle = u.sqrt(), 2 * math.pi * v
    return radius * angle.cos(), radius * angle.sin()
