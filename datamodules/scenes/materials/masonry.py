"""What is laid or quarried: bricks, tiles, slabs, cobbles, marble, stone."""

from __future__ import annotations

import torch
from torch import Tensor

from datamodules.scenes.materials.noise import cell_random, fade, noise, worley
from datamodules.scenes.materials.surface import Surface, mix, pulse

__all__ = ["bricks", "cobbles", "crazy_paving", "marble", "slabs", "stone", "tiles"]


def bricks(surface: Surface) -> Tensor:
    """Running bond of bricks ``scale`` long; colours: bricks from the first to the second, mortar third."""
    long, high, joint = surface.scale, surface.scale * 0.34, surface.scale * 0.048
    u, v = surface.uv.unbind(-1)
    row = (v / high).floor()
    along = u / long + 0.5 * torch.remainder(row, 2.0)
    name = torch.stack([along.floor(), row], -1)
    tone = cell_random(name, surface.seed + 1, 2)
    # edges of bricks are chipped
    ragged = surface.fbm(surface.uv, 0.02, 3, octaves=2) * 0.12 * joint
    mortar = torch.maximum(
        pulse((v + ragged) / high, 0.0, joint / high, surface.footprint / high),
        pulse(along + ragged / long, 0.0, joint / long, surface.footprint / long),
    )
    grain = surface.fbm(surface.uv, 0.03, 4, octaves=3)
    stain = surface.fbm(surface.uv, 0.7, 5, octaves=3)
    burnt = (tone[:, 1] > 0.9) * 0.35
    body = mix(surface.colour(0), surface.colour(1), tone[:, 0] * (0.3 + 0.7 * surface.amount))
    body = body * ((1 + 0.22 * grain) * (1 - burnt))[:, None]
    joints = surface.colour(2) * (1 + 0.18 * grain)[:, None]
    return mix(body, joints, mortar) * (1 + 0.2 * surface.amount * stain)[:, None]


def tiles(surface: Surface) -> Tensor:
    """Square tiles of side ``scale`` in a checker of the first two colours, grout third."""
    grid = surface.uv / surface.scale
    cell = grid.floor()
    width = surface.footprint / surface.scale
    grout = max(0.004 / surface.scale, 0.012)
    lines = torch.maximum(pulse(grid[:, 0], 0.0, grout, width), pulse(grid[:, 1], 0.0, grout, width))
    # a checker is where exactly one of two square waves is up; like this it is grey where pixels are coarse
    one = pulse(grid[:, 0] / 2, 0.0, 0.5, width / 2)
    two = pulse(grid[:, 1] / 2, 0.0, 0.5, width / 2)
    checker = one + two - 2 * one * two
    tone = cell_random(cell, surface.seed + 1)[:, 0] - 0.5
    cloud = surface.fbm(surface.uv, 0.3 * surface.scale, 2, octaves=3)
    body = mix(surface.colour(0), surface.colour(1), checker)
    body = body * (1 + surface.amount * (0.22 * tone * fade(width, 1.0) + 0.12 * cloud))[:, None]
    return mix(body, surface.colour(2), lines)


def slabs(surface: Surface) -> Tensor:
    """Sawn stone slabs ``scale`` wide in rows that are offset at random; joints third."""
    high = surface.scale * 0.66
    u, v = surface.uv.unbind(-1)
    row = (v / high).floor()
    along = u / surface.scale + cell_random(row[:, None], surface.seed + 1)[:, 0]
    name = torch.stack([along.floor(), row], -1)
    tone = cell_random(name, surface.seed + 2, 3)
    joint = 0.012
    lines = torch.maximum(
        pulse(v / high, 0.0, joint / high, surface.footprint / high),
        pulse(along, 0.0, joint / surface.scale, surface.footprint / surface.scale),
    )
    body = mix(surface.colour(0), surface.colour(1), tone[:, 0] * (0.25 + 0.75 * surface.amount))
    # the same cut goes on in no neighbour
    cut = surface.uv + 9 * tone[:, 1:]
    grain = surface.fbm(cut, 0.14, 3, octaves=5, gain=0.75)
    stain = surface.fbm(surface.uv, 0.9, 4, octaves=3)
    body = body * (1 + 0.13 * grain + 0.2 * surface.amount * stain)[:, None]
    return mix(body, surface.colour(2), 0.9 * lines)


def crazy_paving(surface: Surface) -> Tensor:
    """Broken slabs of about ``scale`` with wide joints of the third colour."""
    return _pieces(surface, joint=0.09, grain=0.15)


def cobbles(surface: Surface) -> Tensor:
    """Round stones of about ``scale`` set in sand."""
    return _pieces(surface, joint=0.20, grain=0.12)


def marble(surface: Surface) -> Tensor:
    """Marble: the second colour in veins through the first, thin ones beside broad ones."""
    points = surface.points / surface.scale
    footprint = surface.footprint / surface.scale
    warp = torch.stack([noise(points * 1.7 + k, surface.seed * 31 + k) for k in range(3)], -1)
    bent = points + 0.35 * warp
    broad = 1 - noise(bent * 1.3, surface.seed * 31 + 5).abs() / 0.30
    thin = 1 - noise(bent * 3.4, surface.seed * 31 + 6).abs() / 0.10
    thin = thin.clamp(0, 1) * fade(footprint, 0.08) + 0.06 * (1 - fade(footprint, 0.08))
    cloud = surface.fbm(surface.points, 0.8 * surface.scale, 7, octaves=4)
    veins = surface.amount * (0.8 * broad.clamp(0, 1).square() + 0.6 * thin) + 0.22 * cloud + 0.08
    return mix(surface.colour(0), surface.colour(1), veins)


def stone(surface: Surface) -> Tensor:
    """Natural stone: clouds, specks of the second colour, lichen of the third."""
    cloud = surface.fbm(surface.points, 0.35 * surface.scale, 1, octaves=5, gain=0.6)
    speck = surface.fbm(surface.points, 0.02, 2, octaves=2, gain=0.8)
    body = mix(surface.colour(0), surface.colour(1), 0.35 + 0.5 * cloud + 0.3 * speck)
    lichen = surface.fbm(surface.points, 0.22, 3, octaves=3) * 2.2 - 0.9
    return mix(body, surface.colour(2), 0.65 * surface.amount * lichen.clamp(0, 1))


def _pieces(surface: Surface, joint: float, grain: float) -> Tensor:
    warp = surface.fbm(surface.uv, 0.3 * surface.scale, 7, octaves=2)
    near, second, name = worley(surface.uv / surface.scale + 0.06 * warp[:, None], surface.seed + 1, 0.75)
    width = (surface.footprint / surface.scale).clamp_min(0.02)
    seam = ((joint - (second - near)) / width + 0.5).clamp(0, 1)
    # far away the joints are a share of every pixel
    far = 1 - fade(surface.footprint, 1.2 * surface.scale)
    seam = seam * (1 - far) + 1.6 * joint * far
    tone = (name - 0.5) * (1 - far) + 0.5
    texture = surface.fbm(surface.uv + 9 * name[:, None], 0.3 * surface.scale, 3, octaves=5, gain=0.75)
    body = mix(surface.colour(0), surface.colour(1), tone)
    return mix(body, surface.colour(2), seam) * (1 + grain * texture)[:, None]
