"""Cloth and paper: weaves, stripes, checks, rugs with borders, wallpaper, pictures."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from datamodules.scenes.materials.noise import cell_random, fade, worley
from datamodules.scenes.materials.surface import Surface, mix, pulse

__all__ = ["abstract", "carpet", "checks", "cloth", "damask", "dots", "landscape", "rug", "stripes"]


def cloth(surface: Surface) -> Tensor:
    """Plain weave of one colour with thick and thin threads."""
    return surface.colour(0) * _weave(surface)[:, None]


def stripes(surface: Surface) -> Tensor:
    """Stripes across u, ``scale`` a repeat, of two widths in the second and third colour."""
    u = surface.uv[:, 0] / surface.scale
    width = surface.footprint / surface.scale
    body = mix(surface.colour(0), surface.colour(1), pulse(u, 0.0, 0.2 + 0.5 * surface.amount, width))
    body = mix(body, surface.colour(2), pulse(u, 0.8, 0.86, width))
    return body * _weave(surface)[:, None]


def checks(surface: Surface) -> Tensor:
    """A tartan: broad bands of the second colour both ways, fine ones of the third."""
    grid = surface.uv / surface.scale
    width = surface.footprint / surface.scale
    one, two = (pulse(grid[:, k], 0.0, 0.5, width) for k in range(2))
    body = mix(surface.colour(0), surface.colour(1), 0.5 * (one + two))
    fine = torch.maximum(pulse(grid[:, 0], 0.72, 0.78, width), pulse(grid[:, 1], 0.72, 0.78, width))
    return mix(body, surface.colour(2), surface.amount * fine) * _weave(surface)[:, None]


def dots(surface: Surface) -> Tensor:
    """Dots of the second colour in a square lattice of period ``scale``, every other row shifted by half."""
    grid = surface.uv / surface.scale
    row = grid[:, 1].floor()
    across = grid[:, 0] + 0.5 * torch.remainder(row, 2.0)
    place = torch.stack([across - across.floor(), grid[:, 1] - row], -1) - 0.5
    reach = 0.14 + 0.18 * surface.amount
    body = _inside(reach - place.norm(dim=-1), surface, math.pi * reach**2)
    return mix(surface.colour(0), surface.colour(1), body) * _weave(surface)[:, None]


def damask(surface: Surface) -> Tensor:
    """Wallpaper motifs of leaves and a stem in the second colour, in a half-drop repeat ``scale`` wide."""
    grid = surface.uv / surface.scale * surface.uv.new_tensor([1.0, 0.72])
    column = grid[:, 0].floor()
    v = grid[:, 1] + 0.5 * torch.remainder(column, 2.0)
    x, y = grid[:, 0] - column - 0.5, v - v.floor() - 0.5
    petals = 3 + surface.seed % 4
    angle, radius = torch.atan2(x.abs(), y), (x * x + y * y).sqrt()
    flower = 0.25 + 0.10 * torch.cos(petals * angle) + 0.05 * torch.cos(2 * petals * angle + 0.6) - radius
    heart = 0.075 - radius
    # leaves that bow outwards above and below the flower
    leaf = (
        0.055
        - ((x.abs() - 0.30 + 0.9 * (y.abs() - 0.34).square()).square() * 1.5 + (y.abs() - 0.34).square() * 0.35).sqrt()
    )
    stem = 0.012 - (x - 0.06 * torch.sin(y * 2 * math.pi)).abs()
    shape = torch.maximum(torch.maximum(flower, leaf), stem)
    shape = torch.minimum(shape, -heart)
    share = _inside(shape, surface, 0.3)
    paper = 1 + 0.04 * surface.fbm(surface.uv, 0.3, 1, octaves=3)
    return mix(surface.colour(0), surface.colour(1), (0.3 + 0.7 * surface.amount) * share) * paper[:, None]


def carpet(surface: Surface) -> Tensor:
    """Fitted carpet: pile that was trodden one way and another."""
    pile = surface.fbm(surface.uv, 0.012, 1, octaves=2, gain=0.8)
    trodden = surface.fbm(surface.uv, 0.35, 2, octaves=3)
    flecks = (surface.fbm(surface.uv, 0.02, 3, octaves=1) - 0.35).clamp(0, 1)
    body = mix(surface.colour(0), surface.colour(1), 1.5 * surface.amount * flecks)
    return body * (1 + 0.2 * pile + 0.12 * surface.amount * trodden)[:, None]


def rug(surface: Surface) -> Tensor:
    """A rug of ``size`` metres: field of lozenges, a border of its own pattern between two lines, fringes' edge."""
    wide, deep = surface.material.size
    u, v = surface.uv.unbind(-1)
    edge = torch.minimum(0.5 * wide - u.abs(), 0.5 * deep - v.abs())
    border = 0.13 * min(wide, deep)
    unit = border * 0.9
    blur = surface.footprint.clamp_min(0.004)

    def within(low: float, high: float) -> Tensor:
        return (((edge - low) / blur + 0.5).clamp(0, 1) - ((edge - high) / blur + 0.5).clamp(0, 1)).clamp(0, 1)

    # lozenges in lozenges, stepped as knots step
    knot = 0.12 * unit
    p, q = ((u / knot).round() * knot / unit, (v / knot).round() * knot / unit)
    cell = torch.stack([(p / 2).floor(), (q / 2).floor()], -1)
    ring = (torch.remainder(p, 2.0) - 1).abs() + (torch.remainder(q, 2.0) - 1).abs()
    seen = fade(surface.footprint, 0.9 * unit)
    lozenge = _step(0.78 - ring) - _step(0.52 - ring) + _step(0.3 - ring)
    lozenge = lozenge * seen + 0.3 * (1 - seen)
    tone = cell_random(cell, surface.seed + 3)[:, 0]
    ink = torch.where((tone > 0.5)[:, None], surface.colour(1), surface.colour(2))
    field = mix(surface.colour(0), ink, 0.85 * lozenge)

    along = torch.where(0.5 * wide - u.abs() < 0.5 * deep - v.abs(), v, u) / (0.7 * border)
    teeth = _step((torch.remainder(along, 1.0) - 0.5).abs() * 2 - ((edge / border - 0.5) * 1.7).abs())
    teeth = teeth * seen + 0.5 * (1 - seen)
    frame = mix(surface.colour(1), surface.colour(2), teeth)
    whole = mix(field, frame, within(-1.0, border))
    whole = mix(whole, surface.colour(3), within(0.94 * border, 1.08 * border))
    whole = mix(whole, surface.colour(3), within(-1.0, 0.16 * border))
    pile = surface.fbm(surface.uv, 0.01, 5, octaves=2) * 0.14 + surface.fbm(surface.uv, 0.3, 6, octaves=2) * 0.1
    return whole * (1 + pile)[:, None]


def landscape(surface: Surface) -> Tensor:
    """A painted landscape of ``size``: sky, sun, three ranges of hills, a field; brush strokes all over."""
    wide, high = surface.material.size
    x = surface.uv[:, 0] / wide
    y = surface.uv[:, 1] / high + 0.5
    strokes = surface.fbm(surface.uv * surface.uv.new_tensor([1.0, 3.0]) / wide, 0.08, 9, octaves=3)
    place = cell_random(surface.points.new_tensor([[surface.seed % 4096, 3]]).round(), surface.seed, 4)[0]
    sky = mix(surface.colour(1), surface.colour(0), y + 0.15 * strokes)
    sun = (x - (place[0] - 0.5)).square() + ((y - 0.62 - 0.2 * place[1]) * high / wide).square()
    image = mix(sky, surface.colour(4), ((0.07 - sun.sqrt()) / 0.015).clamp(0, 1))
    for k in range(3):
        base = 0.62 - 0.2 * k - 0.08 * place[2]
        line = base + 0.14 * surface.fbm(torch.stack([x, torch.full_like(x, 7.3 * k)], -1), 0.45, 20 + k, octaves=4)
        near = 0.3 + 0.35 * k
        hill = mix(surface.colour(1), surface.colour(2 if k < 2 else 3), near + 0.25 * strokes)
        image = mix(image, hill, ((line - y) / 0.012 + 0.5).clamp(0, 1))
    return image * (1 + 0.12 * strokes)[:, None]


def abstract(surface: Surface) -> Tensor:
    """A painting of flat fields with dark outlines, of ``size``."""
    wide, high = surface.material.size
    unit = max(wide, high)
    place = surface.uv / unit
    warp = surface.fbm(place, 0.5, 1, octaves=2)
    near, second, name = worley(place * 3.2 + 0.35 * warp[:, None], surface.seed + 2, 0.95)
    palette = torch.cat([surface.colour(k) for k in range(5)])
    fields = palette[(name * 5).long().clamp(0, 4)]
    line = (1 - (second - near) / 0.06).clamp(0, 1)
    strokes = surface.fbm(place, 0.05, 3, octaves=3)
    return fields * ((1 + 0.14 * strokes) * (1 - 0.8 * surface.amount * line))[:, None]


def _weave(surface: Surface) -> Tensor:
    """Threads of two and a half millimetres over and under each other, slubs and soft clouds: factors around 1."""
    period = 0.005
    u, v = (surface.uv * (math.pi / period)).unbind(-1)
    threads = torch.sin(u) * torch.sin(v) * fade(surface.footprint, period)
    slub = surface.fbm(surface.uv * surface.uv.new_tensor([0.15, 1.0]), 0.012, 31, octaves=2)
    cloud = surface.fbm(surface.points, 0.25, 32, octaves=2)
    return 1 + 0.12 * threads + 0.07 * slub + 0.05 * cloud


def _inside(shape: Tensor, surface: Surface, share: float) -> Tensor:
    """Coverage of a motif whose signed distance is ``shape`` in units of ``scale``; its share where too coarse."""
    width = (surface.footprint / surface.scale).clamp_min(0.01)
    seen = fade(width, 0.9)
    return (shape / width + 0.5).clamp(0, 1) * seen + share * (1 - seen)


def _step(value: Tensor) -> Tensor:
    return (value > 0).to(value.dtype)
