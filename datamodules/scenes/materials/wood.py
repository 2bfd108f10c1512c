"""Wood: solid timber, planks, herringbone parquet, weathered slats and rails, bark."""

from __future__ import annotations

import torch
from torch import Tensor

from datamodules.scenes.materials.noise import cell_random, fade, noise
from datamodules.scenes.materials.surface import Surface, mix, pulse

__all__ = ["bark", "parquet", "planks", "post", "rails", "slats", "wood"]


def wood(surface: Surface) -> Tensor:
    """Timber as joiners use it: the grain is upright on what stands, and runs along x on what lies."""
    x, y, z = surface.points.unbind(-1)
    stands = surface.normals[:, 1].abs() < 0.7
    return _timber(surface, torch.where(stands, y, x), torch.where(stands, x, y), z, surface.scale)


def post(surface: Surface) -> Tensor:
    """Timber with its grain upright everywhere."""
    x, y, z = surface.points.unbind(-1)
    return _timber(surface, y, x, z, surface.scale)


def planks(surface: Surface) -> Tensor:
    """Boards of width ``scale`` along u, each from another tree, with dark gaps; the joints of rows are offset."""
    across = surface.uv[:, 1] / surface.scale
    row = across.floor()
    row_random = cell_random(row[:, None], surface.seed + 1, 2)
    long = 9.0 * surface.scale
    along = surface.uv[:, 0] / long + row_random[:, 0]
    board = torch.stack([along.floor(), row], -1)
    gap = 0.0025 / surface.scale
    seam = pulse(across, 0.0, gap, surface.footprint / surface.scale)
    seam = torch.maximum(seam, pulse(along, 0.0, 0.0025 / long, surface.footprint / long))
    return _boards(surface, board, surface.uv[:, 0], across - row, seam)


def parquet(surface: Surface) -> Tensor:
    """Herringbone of blocks of width ``scale`` and five times that length."""
    ratio = 5
    u, v = (surface.uv / surface.scale).unbind(-1)
    i, j = u.floor(), v.floor()
    # in row j a lying block begins every 2 * ratio cells, one cell further than in the row below; between them
    # stand the upright ones
    turn = torch.remainder(i - j, 2 * ratio)
    cycle = torch.div(i - j - turn, 2 * ratio)
    lies = turn < ratio
    block = torch.stack([torch.where(lies, cycle, i), torch.where(lies, j, cycle), lies.to(u.dtype)], -1)
    along = torch.where(lies, turn + (u - i), (2 * ratio - 1 - turn) + (v - j))
    across = torch.where(lies, v - j, u - i)
    width = surface.footprint / surface.scale
    gap = 0.0015 / surface.scale
    seam = torch.maximum(pulse(across, 0.0, gap, width), pulse(along / ratio, 0.0, gap / ratio, width / ratio))
    return _boards(surface, block, along * surface.scale, across, seam)


def slats(surface: Surface) -> Tensor:
    """Weathered upright timber, greyed unevenly by rain."""
    x, y, z = surface.points.unbind(-1)
    return _weathered(surface, y, x, z)


def rails(surface: Surface) -> Tensor:
    """Weathered timber that lies along x."""
    return _weathered(surface, *surface.points.unbind(-1))


def bark(surface: Surface) -> Tensor:
    """Bark around an upright trunk: broken ridges, dark furrows, moss on one side."""
    stretch = surface.points * surface.points.new_tensor([1.0, 0.22, 1.0])
    size = 0.07 * surface.scale
    warp = surface.points + 0.3 * size * surface.fbm(surface.points, size, 5, octaves=1)[:, None]
    ridge = noise(warp * warp.new_tensor([1.0, 0.22, 1.0]) / size, surface.seed + 1).abs()
    seen = fade(surface.footprint, size)
    furrow = (1 - ridge / 0.35).clamp(0, 1) * seen + 0.28 * (1 - seen)
    grain = surface.fbm(stretch, 0.02, 2, octaves=2)
    cloud = surface.fbm(surface.points, 0.4, 3, octaves=2)
    body = surface.colour(0) * ((1 + 0.25 * grain + 0.2 * cloud) * (1 - 0.62 * furrow))[:, None]
    moss = (surface.normals[:, 0] * 0.7 + cloud - 0.25).clamp(0, 1) * surface.amount
    return mix(body, surface.colour(1), 0.6 * moss)


def _weathered(surface: Surface, along: Tensor, across: Tensor, z: Tensor) -> Tensor:
    grey = 0.55 + 0.45 * surface.fbm(torch.stack([0.2 * along, across, z], -1), 0.15, 9, octaves=3)
    return mix(_timber(surface, along, across, z, surface.scale), surface.colour(2), surface.amount * grey)


def _boards(surface: Surface, name: Tensor, along: Tensor, across: Tensor, seam: Tensor) -> Tensor:
    """Boards told apart by ``name`` (N,2|3), at ``along`` metres and ``across`` 0 to 1, with gaps where ``seam``."""
    tone = cell_random(name, surface.seed + 2, 3)
    # every board is cut elsewhere, so its rings have another place
    y = (across - 0.5) * surface.scale + (tone[:, 0] - 0.5) * 1.5
    z = 0.03 + 0.2 * tone[:, 1]
    timber = _timber(surface, along + 40 * tone[:, 2], y, z, 1.0)
    shade = 1 + 0.6 * surface.amount * (tone[:, 2] - 0.5)
    return timber * (shade * (1 - 0.75 * seam))[:, None]


def _timber(surface: Surface, along: Tensor, y: Tensor, z: Tensor, scale: float) -> Tensor:
    """Solid wood: rings about an axis beside the board, pulled apart lengthwise, and fibres."""
    footprint = surface.footprint
    ring = 0.012 * scale
    place = torch.stack([along * 0.35, y, z], -1)
    bend = noise(place / (0.25 * scale), surface.seed * 31 + 11)
    bow = noise(place / (0.07 * scale), surface.seed * 31 + 12)
    radius = ((y + 0.11 * scale).square() + (z + 0.05 * scale).square()).sqrt()
    turn = radius / ring + 1.3 * bend + 0.3 * bow
    phase = turn - turn.floor()
    # early wood darkens slowly to late wood, which ends at once
    late = phase.pow(2.5) * ((1 - phase) / 0.12).clamp(0, 1)
    fine = fade(footprint, 1.6 * ring)
    late = late * fine + 0.24 * (1 - fine)
    fibre = surface.fbm(torch.stack([along * 0.03, y, z], -1), 0.004, 13, octaves=2)
    broad = 0.5 * bend
    share = surface.amount * (1.3 * late + 0.35 * broad + 0.16) + 0.10 * fibre
    return mix(surface.colour(0), surface.colour(1), share) * (1 + 0.10 * fibre)[:, None]
