"""What grows: foliage, clipped hedges, roses, grass."""

from __future__ import annotations

from torch import Tensor

from datamodules.scenes.materials.noise import fade, worley
from datamodules.scenes.materials.surface import Surface, mix

__all__ = ["foliage", "grass", "meadow", "rose"]


def foliage(surface: Surface) -> Tensor:
    """Leaves of ``scale`` metres in clumps: light and dark ones of the first two colours, and gaps of the third."""
    return _leaves(surface, surface.scale)


def rose(surface: Surface) -> Tensor:
    """A rose bush: foliage, and blossoms of the fourth colour that are darker in the middle."""
    leaves = _leaves(surface, surface.scale)
    size = 0.13
    near, _, name = worley(surface.points / size, surface.seed + 9)
    blossom = ((0.40 - near) / 0.10).clamp(0, 1) * (name < 0.25 + 0.4 * surface.amount)
    petals = 1 + 0.25 * surface.fbm(surface.points, 0.02, 8, octaves=2)
    shade = (0.55 + 1.3 * near.clamp_max(0.4)) * petals
    seen = fade(surface.footprint, 2.0 * size)
    blossom = blossom * seen + 0.22 * (1 - seen) * (0.25 + 0.4 * surface.amount)
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
    warp = points + 0.35 * size * surface.fbm(points, 2.5 * size, 1, octaves=1)[:, None]
    near, second, name = worley(warp / size, surface.seed + 2)
    seen = fade(footprint, 1.2 * size)
    # what is far from the middle of its leaf lies between leaves: one looks into the dark
    gap = ((near - 0.42) / 0.22).clamp(0, 1) * seen + 0.16 * (1 - seen)
    rib = (1 - (second - near) / 0.12).clamp(0, 1) * seen
    clump = surface.fbm(points, 5 * size, 3, octaves=3, gain=0.7)
    hole = (-clump * 1.4 - 0.45).clamp(0, 1)
    tone = 0.5 + (name - 0.5) * seen + 0.25 * clump
    body = mix(surface.colour(0), surface.colour(1), tone)
    dark = 1 - (1 - (0.75 * gap + 0.2 * rib).clamp(0, 1)) * (1 - 0.8 * hole)
    return mix(body, surface.colour(2), (0.45 + 0.55 * surface.amount) * dark)
