"""Light over gardens: the five conditions of the natural-environments data set, under any sun."""

from __future__ import annotations

import math

from datamodules.scenes.materials.draw import Chance
from datamodules.scenes.scene import RGB, Lighting, Sky, Sun

__all__ = ["CONDITIONS", "draw_daylight"]

CONDITIONS = {"clear": 0.46, "cloudy": 0.19, "overcast": 0.09, "sunset": 0.18, "twilight": 0.08}
"""How often each occurs."""


def draw_daylight(chance: Chance, condition: str | None = None) -> Lighting:
    """Sun and sky of one condition.

    The ratio of sun to sky decides how deep shadows are: about 6 on a clear day, 2 through thin cloud, none at all
    under a cover or after sunset.

    Args:
        chance: The source.
        condition: One of ``CONDITIONS``; by default drawn.
    """
    drawn = chance.pick(**CONDITIONS)
    condition = condition or drawn
    azimuth, height = chance.between(0, 360), chance.between(0, 1)
    warmth, strength = chance.between(0, 1), chance.between(0.8, 1.2)
    clouds, seed = chance.between(0, 1), chance.seed()
    if condition == "clear":
        sun = _sun(
            azimuth, 22 + 45 * height, _scaled((1.0, 0.93 - 0.06 * warmth, 0.80 - 0.14 * warmth), strength), 0.008
        )
        sky = Sky((0.09, 0.15, 0.30), (0.21, 0.27, 0.37), 0.35 * clouds, seed)
    elif condition == "cloudy":
        sun = _sun(azimuth, 25 + 40 * height, _scaled((0.62, 0.59, 0.54), strength), 0.03)
        sky = Sky((0.26, 0.31, 0.40), (0.40, 0.42, 0.45), 0.45 + 0.35 * clouds, seed)
    elif condition == "overcast":
        sun = None
        sky = Sky((0.62, 0.64, 0.66), (0.36, 0.37, 0.39), 0.85 + 0.15 * clouds, seed)
    elif condition == "sunset":
        tint = (0.95, 0.64 - 0.12 * warmth, 0.38 - 0.16 * warmth)
        sun = _sun(azimuth, 6 + 13 * height, _scaled(tint, strength), 0.015)
        sky = Sky((0.10, 0.13, 0.22), (0.46, 0.32 - 0.05 * warmth, 0.22), 0.5 * clouds, seed)
    else:
        sun = None
        sky = Sky((0.07, 0.08, 0.12), (0.11, 0.085 + 0.015 * warmth, 0.09), 0.5 * clouds, seed)
    # what lawn and walls throw on: a little of all the light there is, greenish
    around = tuple(0.05 * (z + h) for z, h in zip(sky.zenith, sky.horizon, strict=True))
    direct = (0.0, 0.0, 0.0) if sun is None else sun.irradiance
    ambient = (around[0] + 0.02 * direct[0], around[1] + 0.025 * direct[1], around[2] + 0.015 * direct[2])
    return Lighting(sun=sun, sky=sky, ambient=ambient)


def _sun(azimuth: float, elevation: float, irradiance: RGB, radius: float) -> Sun:
    flat, up = math.cos(math.radians(elevation)), math.sin(math.radians(elevation))
    turn = math.radians(azimuth)
    return Sun((flat * math.sin(turn), up, flat * math.cos(turn)), irradiance, radius)


def _scaled(colour: RGB, strength: float) -> RGB:
    return strength * colour[0], strength * colour[1], strength * colour[2]
