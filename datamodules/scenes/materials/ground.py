"""What lies on the ground: earth, gravel, wood chips, sand, water."""

from __future__ import annotations

import torch
from torch import Tensor

from datamodules.scenes.materials.noise import cell_random, fade, noise, worley
from datamodules.scenes.materials.surface import Surface, mix

__all__ = ["dirt", "gravel", "sand", "water", "woodchip"]


def dirt(surface: Surface) -> Tensor:
    """Bare earth: crumbs, damp dark patches, a few small stones of the third colour."""
    uv = surface.uv
    damp = surface.fbm(uv, 1.1, 1, octaves=3)
    crumbs = surface.fbm(uv, 0.07, 2, octaves=4, gain=0.75)
    near, _, name = worley(uv / 0.09, surface.seed + 5)
    pebble = ((0.06 + 0.2 * name - near) / 0.05).clamp(0, 1) * (name < 0.4 * surface.amount)
    body = mix(surface.colour(0), surface.colour(1), 0.5 + 0.8 * damp)
    body = body * (1 + 0.34 * crumbs).clamp_min(0.25)[:, None]
    return mix(body, surface.colour(2), pebble * fade(surface.footprint, 0.08))


def gravel(surface: Surface) -> Tensor:
    """Pebbles of about ``scale``, from the first colour to the second, and dark between them."""
    uv = surface.uv
    near, second, name = worley(uv / surface.scale, surface.seed + 1, 0.9)
    seen = fade(surface.footprint, 1.1 * surface.scale)
    # pebbles are round: dark is what is far from every middle, and a thin line where two touch
    gap = torch.maximum((near - 0.40) / 0.16, 1 - (second - near) / 0.16).clamp(0, 1) * seen + 0.38 * (1 - seen)
    grain = surface.fbm(uv, 0.3 * surface.scale, 2, octaves=2)
    patch = surface.fbm(uv, 0.8, 3, octaves=3)
    tone = 0.5 + 1.3 * (name - 0.5) * seen + 0.15 * patch
    body = mix(surface.colour(0), surface.colour(1), tone) * (1 + 0.14 * grain + 0.14 * patch)[:, None]
    return mix(body, surface.colour(2), 0.8 * gap)


def woodchip(surface: Surface) -> Tensor:
    """Chips of wood and bark, ``scale`` long, lying every way, and the dark below them."""
    uv = surface.uv
    top = uv.new_full((len(uv),), -9.0)
    total = torch.zeros_like(top)
    for layer in range(3):
        # chips of a layer lie alike; layers are turned, and the higher chip hides the lower
        turn = 0.6 + 1.05 * layer
        cos, sin = float(torch.tensor(turn).cos()), float(torch.tensor(turn).sin())
        bend = 0.25 * noise(uv / (5 * surface.scale), surface.seed * 31 + 50 + layer)
        along = (cos * uv[:, 0] + sin * uv[:, 1]) / surface.scale + bend
        across = (cos * uv[:, 1] - sin * uv[:, 0]) / (0.36 * surface.scale) + bend
        near, _, name = worley(torch.stack([along, across], -1), surface.seed + 3 + layer, 0.9)
        height = name - 1.6 * (near - 0.38).clamp_min(0) / 0.2
        total = torch.where(height > top, torch.frac(name * 7 + 0.3 * layer), total)
        top = torch.maximum(top, height)
    seen = fade(surface.footprint, 0.5 * surface.scale)
    tone = 0.5 + (total - 0.5) * seen
    dark = ((0.30 - top) / 0.4).clamp(0, 1) * seen + 0.18 * (1 - seen)
    patch = surface.fbm(uv, 0.6, 9, octaves=4)
    fibre = surface.fbm(uv, 0.012, 10, octaves=2)
    body = mix(surface.colour(0), surface.colour(1), tone) * (1 + 0.18 * patch + 0.12 * fibre)[:, None]
    return mix(body, surface.colour(2), 0.85 * dark)


def sand(surface: Surface) -> Tensor:
    """Sand or trodden earth: fine grain, soft clouds, hollows, pebbles."""
    uv = surface.uv
    cloud = surface.fbm(uv, 0.9, 1, octaves=5, gain=0.6)
    grain = surface.fbm(uv, 0.012, 2, octaves=2)
    tone = cell_random((uv / 0.006).floor(), surface.seed + 4)[:, 0] - 0.5
    tone = tone * fade(surface.footprint, 0.012)
    body = mix(surface.colour(0), surface.colour(1), 0.5 + (0.2 + 0.3 * surface.amount) * cloud)
    near, _, name = worley(uv / 0.16, surface.seed + 5)
    pebble = ((0.04 + 0.16 * name - near) / 0.04).clamp(0, 1) * (name < 0.6) * fade(surface.footprint, 0.08)
    hollow = (surface.fbm(uv, 0.12, 6, octaves=3) - 0.35).clamp(0, 0.6)
    body = mix(body, surface.colour(0) * (0.6 + name)[:, None], 0.8 * pebble)
    return body * (1 + 0.12 * grain + 0.2 * tone - 0.5 * surface.amount * hollow)[:, None]


def water(surface: Surface) -> Tensor:
    """A pond: ripples that show the ground here and the sky there, as a tint."""
    uv = surface.uv
    bend = surface.fbm(uv, 0.8, 1, octaves=2)
    ripple = surface.fbm(uv * uv.new_tensor([0.45, 1.0]) + 0.05 * bend[:, None], 0.16 * surface.scale, 2, octaves=3)
    deep = surface.fbm(uv, 1.4, 3, octaves=2)
    share = 0.4 + 0.25 * deep + 0.7 * surface.amount * ripple
    return mix(surface.colour(0), surface.colour(1), share)
