"""What grows: foliage, clipped hedges, roses, grass."""

from __future__ import annotations

import torch
from torch import Tensor

from datamodules.scenes.materials.noise import fade, worley
from datamodules.scenes.materials.surface import Surface, mix

__all__ = ["foliage", "grass", "meadow", "rose"]

# each maps metres to a layer's cells: a rotation, then a squeeze of one axis
_ACROSS = [[1.02, -0.50, 0.40], [0.62, 0.98, 0.16], [-0.40, 0.10, 0.90]]
_ALONG = [[0.40, 0.90, -0.20], [-0.95, 0.50, 0.30], [0.55, 0.35, 0.95]]


def foliage(surface: Surface) -> Tensor:
    """Leaves of ``scale`` metres in clumps: light and dark ones of the first two colours, and gaps of the third."""
    return _leaves(surface, surface.scale)


def rose(surface: Surface) -> Tensor:
    """A rose bush: foliage, and blossoms of the fourth colour that are darker in the middle."""
    leaves = _leaves(surface, surface.scale)
    size = 0.13
    near, _, name = worley(surface.points / size, surface.seed + 9)
    # blossoms of all sizes, many on one shoot and none on the next
    share = 0.2 + 0.3 * surface.amount + 0.45 * surface.fbm(surface.points, 0.45, 7, octaves=2)
    reach = 0.22 + 0.22 * torch.frac(name * 13)
    blossom = ((reach - near) / 0.10).clamp(0, 1) * (name < share)
    petals = 1 + 0.25 * surface.fbm(surface.points, 0.02, 8, octaves=2)
    shade = (0.5 + 1.2 * near.clamp_max(0.4)) * petals
    seen = fade(surface.footprint, 2.0 * size)
    blossom = blossom * seen + 0.12 * (1 - seen) * share.clamp(0, 1)
    return mix(leaves, surface.colour(3) * shade[:, None], blossom)


def grass(surface: Surface) -> Tensor:
    """A mown lawn: blades, tufts, patches of the drier second colour; stripes of the mower where ``amount`` is high."""
    uv = surface.uv
    patch = surface.fbm(uv, 1.6, 1, octaves=3)
    tuft = surface.fbm(uv, 0.16, 2, octaves=3, gain=0.7)
    blade = surface.fbm(uv * uv.new_tensor([1.0, 0.45]), 0.018, 3, octaves=2, gain=0.8)
    dry = 0.30 + 0.55 * patch * surface.amount + 0.25 * tuft
    body = mix(surface.colour(0), surface.colour(1), dry)
    return body * (1 + 0.30 * tuft + 0.38 * blade).clamp_min(0.2)[:, None]


def meadow(surface: Surface) -> Tensor:
    """Longer grass with clover and small flowers of the third colour."""
    uv = surface.uv
    near, _, name = worley(uv / 0.11, surface.seed + 7)
    flower = ((0.16 - near) / 0.06).clamp(0, 1) * (name < 0.3 * surface.amount) * fade(surface.footprint, 0.06)
    clump = surface.fbm(uv, 0.3, 5, octaves=4, gain=0.7)
    return mix(grass(surface) * (1 + 0.25 * clump)[:, None], surface.colour(2), flower)


def _leaves(surface: Surface, size: float) -> Tensor:
    points, footprint = surface.points, surface.footprint
    clump = surface.fbm(points, 5 * size, 4, octaves=2, gain=0.7)
    hole = (-clump * 1.2 - 0.35).clamp(0, 1)
    seen = fade(footprint, size)
    if not bool((seen > 0).any()):
        return _foliage(surface, 0.5 + 0.2 * clump, torch.full_like(clump, 0.18), hole)
    # two layers of long leaves that lie across each other; the higher leaf hides the lower
    near, second, name = worley(points @ points.new_tensor(_ACROSS) / size, surface.seed + 2)
    other, behind, again = worley(points @ points.new_tensor(_ALONG) / size + 0.5, surface.seed + 3)
    height, lower = name - 1.4 * near, again - 1.4 * other
    front = height > lower
    name = torch.where(front, name, torch.frac(again * 5.3))
    rib = (1 - torch.where(front, second - near, behind - other) / 0.10).clamp(0, 1)
    # where neither layer has a leaf one looks into the dark
    gap = ((-0.22 - torch.maximum(height, lower)) / 0.25).clamp(0, 1)
    between = (0.8 * gap + 0.25 * rib).clamp(0, 1)
    return _foliage(surface, 0.5 + (name - 0.5) * seen + 0.2 * clump, between * seen + 0.18 * (1 - seen), hole)


def _foliage(surface: Surface, tone: Tensor, between: Tensor, hole: Tensor) -> Tensor:
    """Leaves of a tone, dark where one looks between them or into a hole; all (N,)."""
    body = mix(surface.colour(0), surface.colour(1), tone)
    dark = 1 - (1 - between) * (1 - 0.8 * hole)
    return mix(body, surface.colour(2), (0.5 + 0.5 * surface.amount) * dark)
