"""Glasses: two rims, a bridge and two temples as tubes, and lenses where they are dark."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.faces.worn.site import SECTORS, Site
from datamodules.faces.worn.surfaces import stacked, tube, tubes
from datamodules.sampling.draws import Draws

__all__ = ["COUNT", "LENSES", "TRIANGLES", "glasses_points"]

Array = NDArray[Any]

_RIM, _AROUND, _BRIDGE, _TEMPLE = 25, 6, 6, 7
_LENS = 1 + _RIM - 1
_TUBES = (_RIM, _RIM, _BRIDGE, _TEMPLE, _TEMPLE)
LENSES = sum(_TUBES) * _AROUND
"""The first vertex of the lenses."""
COUNT = LENSES + 2 * _LENS


def _fan() -> NDArray[np.int64]:
    edge = 1 + np.arange(_RIM - 1)
    return np.stack([np.zeros(_RIM - 1, np.int64), edge, 1 + edge % (_RIM - 1)], 1)


TRIANGLES = stacked([(n * _AROUND, tube(n, _AROUND)) for n in _TUBES] + [(_LENS, _fan()), (_LENS, _fan())])


def glasses_points(site: Site, person: Draws, shown: Tensor) -> tuple[Tensor, Tensor]:
    """The glasses of each person, where their eyes, nose and ears are.

    Args:
        site: The heads.
        person: Whose glasses they are.
        shown: (B,) bool; the others get none.

    Returns:
        Points (B, COUNT, 3) in the site's frame and linear albedo (B, COUNT, 3).
    """
    u = person.uniform("worn glasses", 16)
    put = lambda values: torch.from_numpy(np.asarray(values, np.float32)).to(site.radius)[:, None]  # noqa: E731
    marks = site.landmarks
    right, left = marks[:, [36, 39]].mean(1), marks[:, [42, 45]].mean(1)
    middle = (right + left)[:, None] / 2
    apart = (left - right)[:, :1] / 2
    large = put(u[:, 0])
    round_ = put(u[:, 1])
    width = apart * (0.70 + 0.17 * large)
    height = width * torch.where(round_ > 0.7, 0.92, 0.58 + 0.28 * put(u[:, 2]))
    power = torch.where(round_ > 0.7, 1.0, 0.5 + 0.35 * put(u[:, 3]))
    thick = put(np.where(u[:, 4] < 0.4, 0.55 + 0.5 * u[:, 5], 1.2 + 1.9 * u[:, 5]))
    # the pads lie on the root of the nose, the lenses clear of the lashes
    depth = torch.maximum(marks[:, 27, 2:] - 1.5, middle[:, :, 2] + 13.5)
    angle = torch.linspace(0, 2 * np.pi, _RIM, device=marks.device)
    c, s = angle.cos(), angle.sin()
    dx = width * c.sign() * c.abs() ** power
    dy = height * s.sign() * s.abs() ** power
    # the outline is broader above, most so for pilots' glasses
    dx = dx * (1 + 0.12 * put(u[:, 6]) * dy / height)
    shift = -2.0 - 3 * put(u[:, 7])

    def plane(x: Tensor, y: Tensor) -> Tensor:
        """Points of a lens's surface: it wraps around the face and leans in to the cheeks."""
        z = depth - 0.0032 * (x * x - apart * apart) + 0.07 * y
        return torch.stack((x, y, z), -1)

    rims, lenses = [], []
    # each rim counter-clockwise as seen from the front; centres move apart with the width
    inner = torch.maximum(apart, width + 8.0)
    for side in (-1.0, 1.0):
        path = plane(side * inner + dx, dy + shift)
        rims.append(tubes(path, torch.stack((thick, 1.3 * thick), -1).expand(-1, _RIM, -1), _AROUND, _forward(path)))
        centre = plane(side * inner, shift)
        lenses.append(torch.cat((centre, path[:, :-1]), 1))
    t = torch.linspace(-1, 1, _BRIDGE, device=marks.device)
    gap = inner - width + 0.5
    arch = plane(gap * t, shift + 0.42 * height + 2.5 * (1 - t * t) + 0 * gap)
    arch[..., 2] = torch.maximum(arch[..., 2], marks[:, 27, 2:] + 2.0) + 1.5 * (1 - t * t)
    tube_radius = torch.stack((1.1 * thick, 1.2 * thick), -1)
    bridge = tubes(arch, tube_radius.expand(-1, _BRIDGE, -1), _AROUND, _forward(arch))
    temples = []
    for side in (-1.0, 1.0):
        hinge = plane(side * (inner + width * (1 + 0.06 * put(u[:, 6]))), shift + 0.45 * height)[:, 0]
        ear = _over_the_ear(site, side, middle[:, 0, 1])
        t = torch.tensor([0.0, 0.06, 0.3, 0.6, 0.85, 1.0, 1.16], device=marks.device)[:, None]
        path = hinge[:, None] + (ear - hinge)[:, None] * t
        path[:, -1, 1] -= 9.0
        # temples run outside of the head
        path[..., 0] += side * (6.0 * torch.sin(np.pi * t.clamp(0, 1)))[:, 0]
        radius = torch.stack((0.9 * thick.clamp(max=1.6), 1.1 + 0.9 * thick), -1).expand(-1, _TEMPLE, -1)
        temples.append(tubes(path, radius, _AROUND, path.new_tensor([0.0, 1.0, 0.0])))
    dark = (put(u[:, 8]) < 0.25)[..., None] & shown[:, None, None]
    glass = torch.cat(lenses, 1)
    glass = torch.where(dark, glass + middle * glass.new_tensor([1.0, 1.0, 0.0]), glass.new_tensor([0.0, 20.0, 0.0]))
    frame = torch.cat((*rims, bridge, *temples), 1)
    frame[:, : (2 * _RIM + _BRIDGE) * _AROUND] += middle * frame.new_tensor([1.0, 1.0, 0.0])
    frame = torch.where(shown[:, None, None], frame, frame.new_tensor([0.0, 20.0, 0.0]))
    return torch.cat((frame, glass), 1), _colours(u, site)


def _forward(path: Tensor) -> Tensor:
    return path.new_tensor([0.0, 0.0, 1.0])


def _over_the_ear(site: Site, side: float, eyes: Tensor) -> Tensor:
    """Where the ear meets the head, at its top: (B,3)."""
    sector = round(SECTORS * 0.25)
    polar = site.polar_of((eyes + 9)[:, None].expand(-1, SECTORS))
    place = site.points(site.at(polar[:, None]) + 4, polar[:, None])[:, 0]
    return place[:, sector if side > 0 else SECTORS - sector]


def _colours(u: Array, site: Site) -> Tensor:
    metal = np.array([0.45, 0.42, 0.38]) * (0.4 + u[:, 9, None])
    gold = np.array([0.42, 0.28, 0.11])
    horn = 0.012 + 0.25 * u[:, 10:13] ** 3
    black = np.full(3, 0.012) + 0 * horn
    kind = u[:, 13, None]
    colour = np.where(kind < 0.4, black, np.where(kind < 0.65, horn, np.where(kind < 0.85, metal, gold)))
    glass = 0.012 + 0.07 * u[:, 14, None] * np.array([1.0, 0.75, 0.55])
    table = np.concatenate([np.repeat(colour[:, None], LENSES, 1), np.repeat(glass[:, None], COUNT - LENSES, 1)], 1)
    return torch.from_numpy(table).to(site.radius)
