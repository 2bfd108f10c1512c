"""Neck and shoulders: bare skin that goes on from the head's own neck, and what is worn over it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.faces.worn.site import Site
from datamodules.faces.worn.surfaces import azimuths, smoothstep, tube
from datamodules.sampling.draws import Draws, noise

__all__ = ["COUNT", "TRIANGLES", "clothes_points"]

Array = NDArray[Any]

_SECTORS = 36
# Height over the eyes, half width, depth of the front and of the back, of a body from the neck down.
_BODY = np.array(
    [
        (-138, 50, 38, -58), (-150, 52, 38, -62), (-160, 55, 38, -66), (-169, 62, 38, -72), (-177, 76, 40, -78),
        (-185, 100, 44, -84), (-194, 132, 52, -90), (-206, 160, 62, -95), (-224, 182, 74, -98), (-255, 200, 90, -100),
        (-300, 212, 104, -100), (-370, 216, 112, -100), (-470, 216, 112, -100),
    ]
)  # fmt: skip
_RINGS = len(_BODY)
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

    body = torch.from_numpy(_BODY).to(site.radius)
    angle = torch.from_numpy(azimuths(_SECTORS)).to(site.radius)
    sine, cosine = angle.sin(), angle.cos()
    # the neck is as thick as the head's own, a little within it
    height, width, front, back = (column[:, None] for column in body.unbind(1))
    neck = site.radius[:, -3].mean(-1)[:, None, None] / 140
    neck = 1 + (neck.clamp(0.85, 1.15) - 1) * smoothstep(height, -190.0, -160.0)
    size = put(np.exp(0.2 * (u[:, 0] - 0.5)))
    broad = 1 + (size - 1) * smoothstep(height, -165.0, -200.0) + 0 * neck
    slope = put(30 * (u[:, 1] - 0.5)) * smoothstep(height, -170.0, -260.0)
    chin = site.landmarks[:, 8, 1][:, None, None]
    shift = ((chin + 115).clamp(-14, 14)) * 0.5
    flatter = 0.75 + 0.25 * smoothstep(sine.abs(), 1.0, 0.2)
    x = width * broad * neck * torch.sign(sine) * sine.abs() ** 0.85
    middle = (front + back) / 2
    z = middle + (front - back) / 2 * neck * torch.sign(cosine) * cosine.abs() ** 0.8 * flatter**0.5
    y = height + slope + shift + 0 * x
    # a neckline: round, V, up to the neck, or none; cloth lies over the skin and stands up as a collar
    kind = put(v[:, 0])
    ahead = cosine.clamp_min(0)
    round_neck = -158 - put(26 * v[:, 1]) * ahead**1.5 - 6 * (1 - ahead)
    vee = -156 - put(34 + 60 * v[:, 1]) * smoothstep(cosine, 0.55, 1.0)
    high = -128 - put(14 * v[:, 1]) * ahead + 0 * sine
    wide = -178 - put(34 * v[:, 1]) * ahead**1.5 + 0 * sine
    line = torch.where(kind < 0.45, round_neck, torch.where(kind < 0.72, vee, torch.where(kind < 0.9, high, wide)))
    inside = smoothstep(y - line, 3.0, -3.0)
    collar = (kind > 0.45) & (kind < 0.72)
    band = torch.exp(-(((y - line + 7) / 8) ** 2))
    thickness = 2.5 + put(6 * v[:, 2]) * band + torch.where(collar, 7.0, 0.0) * band
    scarf = put((v[:, 3] < 0.07).astype(float))
    bulge = scarf * (22 * torch.exp(-(((y + 160) / 22) ** 2)))
    push = thickness * inside + bulge
    push = push - 2.5 * (1 - inside) * (1 - scarf) * smoothstep(y, -175.0, -150.0)
    length = (x * x + (z - middle) ** 2).sqrt().clamp_min(1)
    x, z = x * (1 + push / length), middle + (z - middle) * (1 + push / length)
    points = torch.stack((x, y.expand_as(x), z), -1).flatten(1, 2)
    points = torch.where(shown[:, None, None], points, points.new_tensor([0.0, 20.0, 0.0]))

    # cloth: one colour, stripes, checks or blotches
    colours = 0.02 + 0.7 * v[:, 4:10].reshape(-1, 2, 3) ** 1.6
    plain = v[:, 10, None, None] < 0.5
    grey = colours.mean(-1, keepdims=True)
    colours = np.where(v[:, 11, None, None] < 0.5, grey + 0.25 * (colours - grey), colours)
    base, other = (torch.from_numpy(c).to(site.radius)[:, None, None] for c in colours.swapaxes(0, 1))
    rough = noise(draws.words("worn clothes pattern").to(site.radius.device), _RINGS, _SECTORS)
    rows = (torch.arange(_RINGS, device=angle.device)[:, None] % 2).float() + 0 * rough
    columns = (torch.arange(_SECTORS, device=angle.device) % 4 < 2).float() + 0 * rough
    pattern = put(v[:, 12])
    mix = torch.where(pattern < 0.4, rows, torch.where(pattern < 0.6, columns, (rough > 0.6).float()))
    mix = torch.where(torch.from_numpy(plain).to(angle.device), 0.06 * rough, mix)
    cloth = base + (other - base) * mix[..., None]
    cloth = torch.where((scarf[..., None] > 0) & (y[..., None] > -186), other, cloth)
    bare = site.skin[:, None, None] * (0.97 + 0.06 * rough[..., None])
    worn = torch.maximum(inside, scarf * (y > -190))[..., None]
    albedo = bare + (cloth - bare) * worn
    return points, albedo.clamp(0.01, 0.9).flatten(1, 2)
