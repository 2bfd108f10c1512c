"""Light as it occurs: a few lamps or the sun, mostly from above and in front, over a sky and a ground."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.sampling.draws import Draws
from zoo.render.sh import ambient_light, directional_light, shade

__all__ = ["Light", "draw_light", "expose", "hemisphere_light"]

_LUMINANCE = (0.2126, 0.7152, 0.0722)


@dataclass(frozen=True)
class Light:
    """Three lamps over a sky and a ground: nine numbers a colour for shading, and what highlights and shadows need.

    Args:
        lamps: (B,3,3,9) light of each lamp; the first is the main one, and a lamp that is not there is 0.
        ambient: (B,3,9) light of sky and ground.
        directions: (B,3,3) unit vectors towards the lamps, camera frame.
        colours: (B,3,3) linear RGB of each lamp: the shading of a surface that faces it.
        softness: (B,3) variance of the lamps' angle in radians squared: 0 for a point, 0.3 for a window close by.
    """

    lamps: Tensor
    ambient: Tensor
    directions: Tensor
    colours: Tensor
    softness: Tensor

    @property
    def sh(self) -> Tensor:
        """(B,3,9) the whole light, as ``zoo.render.sh`` has it."""
        return self.lamps.sum(1) + self.ambient

    def to(self, device: torch.device | str) -> Light:
        """The same light on a device."""
        return Light(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def __mul__(self, factor: Tensor) -> Light:
        """As bright by a factor (B,)."""
        brighter = {
            name: getattr(self, name) * factor.view(-1, *(1,) * (getattr(self, name).ndim - 1))
            for name in ("lamps", "ambient", "colours")
        }
        return replace(self, **brighter)


def hemisphere_light(sky: Tensor, ground: Tensor) -> Tensor:
    """Light whose shading runs linearly from ``ground`` (normals down) to ``sky`` (normals up).

    Args:
        sky: (B,3) linear RGB.
        ground: (B,3) linear RGB.

    Returns:
        (B,3,9) light.
    """
    light = ambient_light((sky + ground) / 2)
    light[:, :, 1] = (sky - ground) / 2 / (2 / 3 * np.sqrt(0.75 / np.pi))  # shading of Y1-1 is 2/3 sqrt(3/4pi) y
    return light


def draw_light(draws: Draws) -> Light:
    """One to three lamps of varied width and a sky over a ground, coloured; of no particular brightness.

    Returns:
        The light of each sample; ``expose`` scales it.
    """
    count = 1 + (draws.uniform("lamps")[:, None] > np.array([0.5, 0.85])).sum(-1)
    # the first lamp is the main one: to the left or right, above; the others fill in from anywhere, some from behind
    key, fill = 60 * draws.normal("key azimuth", limit=2), draws.between("azimuth", -150, 150, 2)
    azimuth = np.concatenate([key[:, None], fill], -1)
    key, fill = 28 + 24 * draws.normal("key height", limit=2.2), 10 + 30 * draws.normal("height", 2, limit=2)
    height = np.concatenate([key[:, None], fill], -1)
    strength = np.concatenate([np.ones((len(draws), 1)), draws.between("fill", 0.1, 0.6, 2)], -1)
    strength = strength * (np.arange(3) < count[:, None])
    colours = _colours(draws, "lamp", 3)
    softness = draws.between("softness", 0.0, 0.35, 3)

    directions = torch.stack([_direction(azimuth[:, lamp], height[:, lamp]) for lamp in range(3)], 1)
    lit = _tensor(colours * strength[..., None])
    lobes = directional_light(directions.flatten(0, 1), lit.flatten(0, 1)) * _blur(_tensor(softness.ravel()))

    sky, ground = _colours(draws, "sky", 2).transpose(1, 0, 2)
    # a share of 0.06 is a spotlight in a dark room, 1.6 an overcast day
    share = np.exp(draws.between("ambient", np.log(0.06), np.log(1.6)))[:, None]
    bounce = draws.between("bounce", 0.2, 0.9)[:, None]
    ambient = hemisphere_light(_tensor(sky * share), _tensor(ground * share * bounce))
    return Light(lobes.view(-1, 3, 3, 9), ambient, directions, lit, _tensor(softness))


def expose(light: Light, normals: Tensor, albedo: Tensor, brightness: Tensor) -> Light:
    """Scale light as a photographer would: the face bright, and little of it burnt.

    The mean shading that a face gets depends on its albedo only in part (to the power -0.45), so that dark skin stays
    darker than fair skin. Then the light is lowered until at most one vertex in twenty has a shading above 3.8 and at
    most one in twenty burns out: eyes and teeth may, as in photographs, whose skin would be too dark otherwise.

    Args:
        light: From ``draw_light``.
        normals: (B,V,3) unit normals of the vertices, camera frame; those that face the viewer count.
        albedo: (B,V,3) linear.
        brightness: (B,) a factor on the result, around 1.

    Returns:
        The light, scaled.
    """
    shading = shade(normals.mT[..., None], light.sh)[..., 0].mT.clamp_min(0)
    seen = normals[..., 2].clamp_min(0)
    weight = seen / seen.sum(1, keepdim=True).clamp_min(1e-6)
    luminance = normals.new_tensor(_LUMINANCE)
    mean_shading = ((shading @ luminance) * weight).sum(1).clamp_min(1e-4)
    mean_albedo = ((albedo @ luminance) * weight).sum(1).clamp_min(1e-3)
    wanted = brightness * 2.6 * (0.25 / mean_albedo) ** 0.45
    visible = (seen > 0)[..., None]
    bright = torch.where(visible, shading, 0).amax(-1).quantile(0.95, dim=1)
    radiance = torch.where(visible, albedo * shading, 0).amax(-1).quantile(0.95, dim=1)
    scale = torch.minimum(wanted / mean_shading, torch.minimum(3.8 / bright, 0.97 / radiance.clamp_min(1e-4)))
    return light * scale


def _direction(azimuth: NDArray[np.float64], height: NDArray[np.float64]) -> Tensor:
    """Unit vectors from degrees: azimuth 0 is the camera and 90 the right of the picture, height 90 is above."""
    a, h = np.radians(azimuth), np.radians(height)
    return _tensor(np.stack([np.sin(a) * np.cos(h), np.sin(h), np.cos(a) * np.cos(h)], -1))


def _blur(softness: Tensor) -> Tensor:
    """Factors of the nine coefficients for a lamp that is a patch and not a point: exp(-l (l+1) s / 2) for degree l."""
    degree = softness.new_tensor([0.0] + [1.0] * 3 + [2.0] * 5)
    return torch.exp(-degree * (degree + 1) / 2 * softness[:, None])[:, None, :]


def _colours(draws: Draws, what: str, count: int) -> NDArray[np.float64]:
    """Colours of luminance 1, ``(B, count, 3)``: mostly between candle and blue sky, now and then a stage light."""
    # photographs of people are a little warmer than daylight on skin would be
    warmth = 0.07 + 0.15 * draws.normal(f"{what} warmth", count, limit=2.5)
    tint = 0.05 * draws.normal(f"{what} tint", count, limit=2.5)
    colour = np.exp(np.stack([warmth, tint, -1.3 * warmth], -1))
    stage = np.exp(0.8 * draws.normal(f"{what} stage", count, 3, limit=1.5))
    colour = np.where(draws.chance(f"{what} is stage", 0.03, count)[..., None], stage, colour)
    return colour / (colour @ np.array(_LUMINANCE))[..., None]


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).float()
