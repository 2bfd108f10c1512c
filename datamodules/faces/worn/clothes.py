"""Neck and shoulders: bare skin that goes on from the head's own neck, and what is worn over it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.faces.worn.site import NECK_DEPTH, NECK_HEIGHTS, SECTORS, Site
from datamodules.faces.worn.surfaces import azimuths, smoothstep, tube
from datamodules.sampling.draws import Draws, noise

__all__ = ["COUNT", "TRIANGLES", "clothes_points"]

Array = NDArray[Any]

_SECTORS = SECTORS // 2
# Height over the eyes, half width, depth of the front and of the back, of a body from the neck down.
_BODY = np.array(
    [
        (-120, 50, 38, -58), (-138, 50, 38, -58), (-150, 52, 38, -62), (-160, 55, 38, -66), (-169, 62, 38, -72),
        (-177, 76, 40, -78), (-185, 100, 44, -84), (-194, 132, 52, -90), (-206, 160, 62, -95), (-224, 182, 74, -98),
        (-255, 200, 90, -100), (-300, 212, 104, -100), (-370, 216, 112, -100), (-480, 216, 112, -100),
    ]
)  # fmt: skip
_BARE, _CLOTH = 5, 10
_RINGS = _BARE + _CLOTH
COUNT = _RINGS * _SECTORS
TRIANGLES = tube(_RINGS, _SECTORS)


def clothes_points(site: Site, person: Draws, draws: Draws, shown: Tensor) -> tuple[Tensor, Tensor]:
    """Shoulders of each person in the clothes of the day.

    Args:
        site: The heads.
        person: Whose body it is.
        draws: The samples, for what they wear.
        shown: (B,) bool; the others get none.

    Returns:
        Points (B, COUNT, 3) in the site's frame and linear albedo (B, COUNT, 3).
    """
    u, v = person.uniform("worn body", 6), draws.uniform("worn clothes", 16)

    def put(values: Array) -> Tensor:
        return torch.from_numpy(np.asarray(values, np.float32)).to(site.radius)[:, None, None]

    angle = torch.from_numpy(azimuths(_SECTORS)).to(site.radius)
    sine, cosine = angle.sin(), angle.cos()
    # a neckline: round, V, up to the neck, or wide
    kind, ahead = put(v[:, 0]), cosine.clamp_min(0)
    round_neck = -156 - put(26 * v[:, 1]) * ahead**1.5 - 6 * (1 - ahead)
    vee = -154 - put(34 + 60 * v[:, 1]) * smoothstep(cosine, 0.55, 1.0)
    high = -126 - put(14 * v[:, 1]) * ahead + 0 * sine
    wide = -176 - put(34 * v[:, 1]) * ahead**1.5 + 0 * sine
    line = torch.where(kind < 0.45, round_neck, torch.where(kind < 0.72, vee, torch.where(kind < 0.9, high, wide)))
    chin = site.landmarks[:, 8, 1][:, None, None]
    line = line + 0.5 * (chin + 115).clamp(-14, 14)
    # bare skin down to the line, the cloth's edge, and cloth from there
    share = torch.linspace(0, 1, _BARE, device=angle.device)[:, None]
    top = (line + 1).clamp_min(-138)
    bare = top + (line - top) * share
    share = torch.linspace(0, 1, _CLOTH - 2, device=angle.device)[:, None] ** 1.5
    cloth = torch.cat((line, line - 2, (line - 6) + (-470 - line + 6) * share), 1)
    y = torch.cat((bare, cloth), 1)
    inside = torch.cat((torch.zeros(_BARE), torch.ones(_CLOTH))).to(angle)[:, None] + 0 * y
    width, front, back = _body(y)
    size = put(np.exp(0.2 * (u[:, 0] - 0.5)))
    width = width * (1 + (size - 1) * smoothstep(y, -165.0, -200.0))
    flatter = 0.75 + 0.25 * smoothstep(sine.abs(), 1.0, 0.2)
    middle = (front + back) / 2
    x = width * torch.sign(sine) * sine.abs() ** 0.85
    z = middle + (front - back) / 2 * torch.sign(cosine) * cosine.abs() ** 0.8 * flatter**0.5
    # the head's own neck and shoulders lie within: bare skin goes on from under them, cloth lies over them
    own = _own_skin(site, y)
    z = z - NECK_DEPTH
    length = (x * x + z * z).sqrt().clamp_min(1)
    there = smoothstep(own, 20.0, 40.0)
    under = torch.lerp(length, own - 4.5, there * smoothstep(y, -200.0, -186.0))
    # on shoulders, which are nearly level, a little lower is much wider
    beside = torch.maximum(_own_skin(site, y - 4), _own_skin(site, y - 12) * (own > 20))
    widest = torch.maximum(beside, torch.maximum(beside.roll(1, -1), beside.roll(-1, -1)))
    own = own + (widest - own).clamp_min(0) * smoothstep(y, -150.0, -175.0)
    over = torch.lerp(length, own + 2.0, there * smoothstep(y, -196.0, -168.0))
    around = torch.where(inside > 0, torch.maximum(over, (own + 4.0) * there), under)
    band = torch.exp(-(((y - line + 9) / 8) ** 2))
    collar = (kind > 0.45) & (kind < 0.72)
    thickness = 1.0 + put(5 * v[:, 2]) * band + torch.where(collar, 5.0, 0.0) * band
    edge = torch.zeros(_RINGS, device=angle.device)
    edge[_BARE] = 1.0
    thickness = thickness * (1 - 0.8 * edge[:, None])
    scarf = put((v[:, 3] < 0.07).astype(float))
    push = thickness * inside + scarf * (24 * torch.exp(-(((y + 155) / 22) ** 2)))
    x, z = x / length * (around + push), NECK_DEPTH + z / length * (around + push)
    y = y + put(30 * (u[:, 1] - 0.5)) * smoothstep(y, -180.0, -260.0)
    points = torch.stack((x, y.expand_as(x), z), -1).flatten(1, 2)
    points = torch.where(shown[:, None, None], points, points.new_tensor([0.0, 20.0, 0.0]))

    # cloth: one colour, stripes, checks or blotches
    colours = 0.02 + 0.55 * v[:, 4:10].reshape(-1, 2, 3) ** 1.8
    plain = v[:, 10, None, None] < 0.5
    grey = colours.mean(-1, keepdims=True)
    colours = grey + np.where(v[:, 11, None, None] < 0.7, 0.3, 0.8) * (colours - grey)
    base, other = (torch.from_numpy(c).to(site.radius)[:, None, None] for c in colours.swapaxes(0, 1))
    rough = noise(draws.words("worn clothes pattern").to(site.radius.device), _RINGS, _SECTORS)
    rows = (torch.arange(_RINGS, device=angle.device)[:, None] % 2).float() + 0 * rough
    columns = (torch.arange(_SECTORS, device=angle.device) % 4 < 2).float() + 0 * rough
    pattern = put(v[:, 12])
    mix = torch.where(pattern < 0.4, rows, torch.where(pattern < 0.6, columns, (rough > 0.6).float()))
    mix = torch.where(torch.from_numpy(plain).to(angle.device), 0.06 * rough, mix)
    cloth = base + (other - base) * mix[..., None]
    cloth = torch.where((scarf[..., None] > 0) & (y[..., None] > -182), other, cloth)
    bare = site.skin[:, None, None] * (0.97 + 0.06 * rough[..., None])
    worn = torch.maximum(inside, scarf * (y > -182))[..., None]
    albedo = bare + (cloth - bare) * worn
    return points, albedo.clamp(0.01, 0.9).flatten(1, 2)


def _body(height: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Half width, front and back of the body at heights of any shape."""
    table = torch.from_numpy(_BODY).to(height).flip(0)
    above = torch.searchsorted(table[:, 0].contiguous(), height.contiguous()).clamp(1, len(table) - 1)
    low, high = table[above - 1], table[above]
    share = ((height - low[..., 0]) / (high[..., 0] - low[..., 0])).clamp(0, 1)[..., None]
    width, front, back = (low + (high - low) * share)[..., 1:].unbind(-1)
    return width, front, back


def _own_skin(site: Site, height: Tensor) -> Tensor:
    """How far the head's own neck and shoulders reach at heights (B,R,S), from their axis: (B,R,S)."""
    step = float(NECK_HEIGHTS[1] - NECK_HEIGHTS[0])
    level = ((height - float(NECK_HEIGHTS[0])) / step).clamp(0, len(NECK_HEIGHTS) - 1.001)
    below = level.floor().long()
    low = site.neck.gather(1, below)
    return low + (site.neck.gather(1, below + 1) - low) * (level - below)
