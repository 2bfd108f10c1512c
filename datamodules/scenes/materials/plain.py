"""Materials of one colour, which is never quite one: paint, plaster, ceramics, terracotta, leather, metal, concrete."""

from __future__ import annotations

import torch
from torch import Tensor

from datamodules.scenes.materials.noise import cell_random, fade, noise, worley
from datamodules.scenes.materials.surface import Surface, mix, pulse

__all__ = ["book", "concrete", "glaze", "leather", "metal", "paint", "plaster", "terracotta"]


def paint(surface: Surface) -> Tensor:
    """Smooth paint, a few per cent darker here and there."""
    cloud = surface.fbm(surface.points, 0.7, octaves=2)
    return surface.colour(0) * (1 + 0.08 * surface.amount * cloud)[:, None]


def plaster(surface: Surface) -> Tensor:
    """Trowelled plaster: clouds, strokes and grain."""
    points = surface.points
    cloud = surface.fbm(points, 0.45 * surface.scale, octaves=3)
    strokes = surface.fbm(points * points.new_tensor([1.0, 1.8, 1.0]), 0.14 * surface.scale, 1, octaves=2)
    grain = surface.fbm(points, 0.012, 2, octaves=2)
    height = 0.10 * cloud + 0.05 * strokes + 0.08 * grain
    return surface.colour(0) * (1 + surface.amount * height)[:, None]


def concrete(surface: Surface) -> Tensor:
    """Cast concrete: blotches, pores, and streaks down what stands."""
    points = surface.points
    blotch = surface.fbm(points, 0.5 * surface.scale, octaves=4)
    streak = surface.fbm(points * points.new_tensor([1.0, 0.12, 1.0]), 0.09, 1, octaves=2)
    streak = streak * (1 - surface.normals[:, 1].abs())
    near, _, name = worley(points / 0.03, surface.seed + 5)
    pores = ((0.25 - near) / 0.08).clamp(0, 1) * (name > 0.6) * fade(surface.footprint, 0.02)
    factor = 1 + surface.amount * (0.17 * blotch + 0.07 * streak) - 0.45 * surface.amount * pores
    return surface.colour(0) * factor[:, None]


def glaze(surface: Surface) -> Tensor:
    """Glazed ceramics: bands of the second colour around what stands upright, one of them scalloped."""
    x, y, z = surface.points.unbind(-1)
    width = surface.footprint / surface.scale
    turn = torch.atan2(z, x)
    wave = 0.12 * torch.sin(turn * (5 + surface.seed % 5)) * surface.amount
    height = y / surface.scale
    bands = pulse(height, 0.1, 0.22, width) + pulse(height + wave, 0.42, 0.62, width)
    bands = bands + pulse(height, 0.82, 0.9, width)
    cloud = surface.fbm(surface.points, 0.2, octaves=2)
    inside = mix(surface.colour(0), surface.colour(1), bands * (surface.amount > 0.25))
    return inside * (1 + 0.05 * cloud)[:, None]


def terracotta(surface: Surface) -> Tensor:
    """Fired clay: turning marks, darker damp and pale bloom of lime."""
    points = surface.points
    cloud = surface.fbm(points, 0.12, octaves=3)
    marks = noise(points * points.new_tensor([2.0, 110.0, 2.0]), surface.seed + 1) * fade(surface.footprint, 0.01)
    bloom = (surface.fbm(points, 0.16, 2, octaves=3) * 1.3 - 0.35).clamp(0, 1) * surface.amount
    fired = surface.colour(0) * (1 + 0.16 * cloud + 0.06 * marks)[:, None]
    return mix(fired, surface.colour(1), 0.5 * bloom)


def leather(surface: Surface) -> Tensor:
    """Leather: grain of small cells with dark creases, worn paler in places."""
    size = 0.012 * surface.scale
    warp = surface.points / size
    near, second, name = worley(warp, surface.seed + 1)
    crease = (1 - (second - near) / 0.22).clamp(0, 1) * fade(surface.footprint, size)
    tone = (name - 0.5) * fade(surface.footprint, size)
    wear = surface.fbm(surface.points, 0.35, 3, octaves=3)
    factor = (1 + 0.12 * tone + 0.22 * surface.amount * wear) * (1 - 0.4 * crease)
    return surface.colour(0) * factor[:, None]


def metal(surface: Surface) -> Tensor:
    """Dull grey metal, brushed, and spotted where it is old."""
    points = surface.points
    brushed = surface.fbm(points * points.new_tensor([0.06, 1.0, 0.06]), 0.006, octaves=2)
    cloud = surface.fbm(points, 0.3, 1, octaves=3)
    return surface.colour(0) * (1 + 0.10 * brushed + 0.18 * surface.amount * cloud)[:, None]


def book(surface: Surface) -> Tensor:
    """A bound book: cloth, two bands and a label of the second colour across the back."""
    height = surface.points[:, 1]
    tall = surface.material.size[1]
    width = surface.footprint / tall
    place = height / tall + 0.5
    first = cell_random(surface.points.new_tensor([[surface.seed % 1000, 7]]).round(), surface.seed, 3)[0]
    low, high = 0.08 + 0.08 * first[0], 0.84 + 0.08 * first[1]
    bands = pulse(place - low, 0.0, 0.035, width) + pulse(place - high, 0.0, 0.035, width)
    bands = bands + pulse(place - 0.56, 0.0, 0.14 + 0.1 * float(first[2]), width) * (first[2] > 0.4)
    standing = surface.normals[:, 1].abs() < 0.5
    cloth = surface.colour(0) * (1 + 0.1 * surface.fbm(surface.points, 0.05, octaves=3))[:, None]
    bound = mix(cloth, surface.colour(1), bands * standing)
    # pages show above and below
    pages = surface.colour(2) * (1 + 0.15 * surface.fbm(surface.uv, 0.006, 3, octaves=2))[:, None]
    return torch.where(standing[:, None], bound, pages)
