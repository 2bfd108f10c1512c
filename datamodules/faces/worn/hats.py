"""Hats and headscarves: one shell over hair and skull, with a brim, a peak, a cuff, or cloth that falls."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.faces.worn.site import SECTORS, Site
from datamodules.faces.worn.surfaces import azimuths, smoothstep, tube
from datamodules.sampling.draws import Draws, noise

__all__ = ["COUNT", "TRIANGLES", "Hats"]

Array = NDArray[Any]

_CROWN, _LOW = 10, 8
_RINGS = _CROWN + _LOW
COUNT = _RINGS * SECTORS
TRIANGLES = tube(_RINGS, SECTORS)
BEANIE, CAP, BRIMMED, SCARF = range(4)
_SHARES = np.cumsum([0.3, 0.3, 0.22, 0.18])
_FREE = 1e3
# Height of the lower edge over the eyes by the angle from the front, of each kind.
_EDGES = np.array(
    [
        [(0, 50), (50, 44), (80, 16), (110, 8), (150, -14), (180, -18)],
        [(0, 52), (50, 42), (80, 28), (110, 18), (150, 0), (180, -6)],
        [(0, 50), (50, 43), (80, 32), (110, 24), (150, 12), (180, 8)],
        [(0, 62), (35, 58), (52, 38), (58, 16), (70, 4), (180, 0)],
    ]
)


class _Each(Protocol):
    def __call__(self, *values: Array | float) -> Tensor: ...


class Hats:
    """What each sample wears on the head.

    Args:
        draws: The samples.
        share: How many of them wear a hat.
        site: The heads.
    """

    def __init__(self, draws: Draws, share: float, site: Site) -> None:
        self.site, self.draws = site, draws
        u = draws.uniform("worn hat", 24)
        self._u = u
        self.worn = u[:, 0] < share
        self.kind = np.searchsorted(_SHARES, u[:, 1], side="right").clip(0, 3)
        self._angle = np.degrees(azimuths(SECTORS))
        self._away = np.abs((self._angle + 180) % 360 - 180)
        edges = np.stack([np.interp(self._away, *edge.T) for edge in _EDGES])[self.kind]
        tilt = 10 * (u[:, 2, None] - 0.5) * np.sin(np.radians(self._angle))
        lift = np.where(self.kind == SCARF, 6, 22)[:, None] * (u[:, 3, None] - 0.35)
        self.edge = edges + tilt * (self.kind != SCARF)[:, None] + lift * np.clip((150 - self._away) / 60, 0, 1)

    def hides_hair(self) -> NDArray[np.bool_]:
        """Whose hair is wholly under a headscarf: (B,)."""
        return self.worn & (self.kind == SCARF)

    def pressed(self) -> Tensor:
        """The height above which hair is pressed flat, all round: (B,SECTORS)."""
        return self._put(np.where(self.worn[:, None], self.edge, _FREE))

    def points(self) -> tuple[Tensor, Tensor]:
        """Points (B, COUNT, 3) in the site's frame and linear albedo (B, COUNT, 3)."""
        site, u, kind = self.site, self._u, self.kind
        batch = len(u)
        rim = site.polar_of(self._put(self.edge))
        share = torch.linspace(0, 1, _CROWN, device=rim.device)[:, None]
        polar = rim[:, None] * share
        skin = site.at(polar)
        height = 20 + skin * polar.cos()
        rough = noise(self.draws.words("worn hat noise").to(rim.device), _RINGS, SECTORS)

        def each(*values: Array | float) -> Tensor:
            """The value of each sample's kind, (B,1,1)."""
            table = np.stack([np.broadcast_to(value, batch) for value in values])
            return self._put(table[kind, np.arange(batch)])[:, None, None]

        thick = each(7 + 3 * u[:, 4], 7, 7, 6 + 2 * u[:, 4]) + 0 * skin
        top = smoothstep(height, 45.0, 110.0)
        thick = thick + each(4 + 22 * u[:, 5] ** 2, 6 + 10 * u[:, 5], 0.0, 2.0) * top
        cuff = smoothstep(share, 0.68, 0.74) * each(3.5 * (u[:, 6] > 0.3), 0.0, 0.0, 0.0)
        thick = thick + each(0, 0, 0, 1) * 1.2 * site.ears_at(polar)
        folds = (rough[:, :_CROWN] - 0.5) * each(2.0, 0.6, 0.8, 1.5)
        # a scarf's edge lies on the forehead, so that nobody looks under it
        on_skin = smoothstep(self._put(self._away), 60.0, 50.0) * smoothstep(share, 0.85, 1.0) * each(0, 0, 0, 1)
        thick = thick * (1 - on_skin) - on_skin
        radius = skin + thick + cuff + folds * (share > 0.05)
        crown = site.points(radius, polar)
        # a hat's crown stands up: nearly a cylinder with a flat or dented top
        tall = each(0, 0, 70 + 55 * u[:, 5], 0)
        stand = smoothstep(share, 0.0, 0.5)
        dent = 14 * self._put(u[:, 6])[:, None, None] * smoothstep(share, 0.35, 0.0)
        upright = crown[:, -1:] * (1 - 0.14 * (1 - share))[..., None] * torch.tensor([1.0, 0.0, 1.0]).to(crown)
        flat = torch.stack((upright[..., 0] * stand, 0 * skin, (upright[..., 2] + 5) * stand - 5), -1)
        rise = tall * (1 - ((share - 0.5).clamp_min(0) / 0.5)) - dent
        flat[..., 1] = crown[:, -1:, :, 1] + rise
        crown = torch.where(each(0, 0, 1, 0)[..., None] > 0, flat, crown)

        angle = torch.from_numpy(np.radians(self._angle)).to(skin)
        outward = torch.stack((angle.sin(), torch.zeros_like(angle), angle.cos()), -1)
        low = torch.where(
            each(0, 0, 0, 1)[..., None] > 0, self._cloth(crown, rim), self._brim(crown, outward, rim, each)
        )
        points = torch.cat((crown, low), 1)
        worn = torch.from_numpy(self.worn).to(rim.device)[:, None, None, None]
        points = torch.where(worn, points, points.new_tensor([0.0, 20.0, 0.0]))
        return points.view(batch, COUNT, 3), self._colours(rough, each).reshape(batch, COUNT, 3)

    def _brim(self, crown: Tensor, outward: Tensor, rim: Tensor, each: _Each) -> Tensor:
        """Four rings out, three back underneath, one under the hair: a peak, a brim, or an edge turned in."""
        u, last = self._u, crown[:, -1:]
        away = self._put(np.radians(self._away))
        front = smoothstep(away, 1.0, 0.55) * away.cos().clamp_min(0) ** 0.35
        length = each(0, 62 + 22 * u[:, 7], 42 + 48 * u[:, 7], 0)
        length = torch.where(each(0, 1, 0, 0) > 0, length * front, length + 0 * front)
        out = torch.tensor([0.25, 0.5, 0.75, 1.0, 0.97, 0.5, 0.04]).to(rim)[:, None]
        under = torch.tensor([0.0, 0, 0, 0, 3, 3, 3]).to(rim)[:, None]
        reach = length * out
        droop = each(0, 0.15 + 0.4 * u[:, 8], -0.1 + 0.45 * u[:, 8], 0)
        # a peak is bent down at its sides, a brim a little in front and behind
        bend = each(0, 22 * u[:, 9], 14 * (u[:, 9] - 0.4), 0) * (1 - (2 * away).cos()) * out**1.5 * (length > 1)
        forward = torch.tensor([0.0, 0.0, 1.0]).to(rim)
        way = torch.where(each(0, 1, 0, 0)[..., None] > 0, 0.45 * outward + 0.55 * forward, outward)
        points = last + way * reach[..., None]
        points[..., 1] -= droop * reach + bend + under
        root = Site.points(self.site.at(rim[:, None]) - 3, rim[:, None])
        turned = points.clone()
        turned[:, :4] = last
        turned[:, 4:] = root
        points = torch.where(each(1, 0, 0, 0)[..., None] > 0, turned, points)
        return torch.cat((points, root), 1)

    def _cloth(self, crown: Tensor, rim: Tensor) -> Tensor:
        """A headscarf's cloth: it frames the face, closes under the chin, and lies on the shoulders."""
        site, last = self.site, crown[:, -1:]
        away = self._put(self._away)
        falls = (away > 47).to(rim)  # a step: between two sectors the cloth is cut straight
        chin = site.landmarks[:, 8, 1][:, None]
        bottom = chin - 95 - 40 * self._put(self._u[:, 10])[:, None]
        start = last[:, 0, :, 1]
        wide = (last[:, 0, :, 0] ** 2 + last[:, 0, :, 2] ** 2).sqrt()
        rings = []
        side = self._put(np.sign((self._angle + 180) % 360 - 180))
        for step in range(1, _LOW + 1):
            height = start + (bottom - start) * (step / _LOW) ** 0.9
            polar = site.polar_of(height)
            polar = polar[:, None]
            skin = ((site.at(polar) + 1.2 * site.ears_at(polar)) * polar.sin())[:, 0]
            closed = smoothstep(height - chin, 38.0, -12.0)
            turned = np.pi - (np.pi - torch.deg2rad(away)) * (1 + closed * 68.0 / 112.0)
            turned = turned.clamp_min(0) * side
            tucked = smoothstep(away, 51.0, 72.0)
            # from the width of the head to a wrap around the neck, and out over the shoulders
            wrap = 66 + smoothstep(height - chin, -20.0, -95.0) * (32 + 26 * turned.sin().abs() ** 2)
            loose = wide + (wrap - wide) * smoothstep(height - chin, 70.0, -35.0)
            loose = torch.maximum(loose, skin.clamp(max=104.0) + 4)
            flat = torch.lerp(skin - 1, loose, torch.maximum(tucked, closed))
            point = torch.stack((flat * turned.sin(), height, flat * turned.cos()), -1)
            rings.append(torch.lerp(last[:, 0], point, falls[..., None]))
        return torch.stack(rings, 1)

    def _colours(self, rough: Tensor, each: _Each) -> Tensor:
        u = self._u
        colours = 0.012 + 0.5 * u[:, 12:18].reshape(-1, 2, 3) ** 2
        grey = colours.mean(-1, keepdims=True)
        colours = grey + (0.15 + 0.7 * u[:, 18, None, None] ** 2) * (colours - grey)
        base, other = (self._put(c)[:, None, None] for c in colours.swapaxes(0, 1))
        ring = torch.arange(_RINGS, device=rough.device)[:, None] + 0 * rough
        stripes = ((ring % 3 == 1) & (each(*(4 * [u[:, 19]])) < 0.25)).float()
        band = ((ring >= _CROWN - 3) & (ring < _CROWN)).float() * each(u[:, 20] > 0.5, 0.0, 1.0, 0.0)
        peak = (ring >= _CROWN).float() * each(0.0, u[:, 20] > 0.5, 0.0, 0.0)
        second = torch.maximum(torch.maximum(stripes * each(1.0, 0.0, 0.0, 1.0), band), peak)[..., None]
        weave = (1 + each(0.4, 0.12, 0.15, 0.12) * (rough - 0.5))[..., None]
        return ((base + (other - base) * second) * weave).clamp(0.006, 0.85)

    def _put(self, values: Array) -> Tensor:
        return torch.from_numpy(np.asarray(values, np.float32)).to(self.site.radius)
