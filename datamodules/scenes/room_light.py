"""Light of rooms: what comes in at the windows and what lamps add."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datamodules.scenes.building import Dice, Frame
from datamodules.scenes.furniture import Lamp
from datamodules.scenes.scene import RGB, AreaLight, BallLight, Lighting, Sky, Sun

__all__ = ["Opening", "draw_room_lighting"]

_LAMP_WHITES: tuple[RGB, ...] = ((1.0, 0.72, 0.42), (1.0, 0.82, 0.58), (1.0, 0.92, 0.8))
_SKIES: tuple[RGB, ...] = ((0.72, 0.9, 1.2), (0.9, 0.98, 1.08), (1.0, 1.0, 0.98), (0.8, 0.95, 1.15))


@dataclass
class Opening:
    """A window.

    Args:
        frame: In the middle of the pane, looking into the room.
        half_wide: Of the pane.
        half_tall: Of the pane.
        name: Of its glow.
    """

    frame: Frame
    half_wide: float
    half_tall: float
    name: str


def draw_room_lighting(
    dice: Dice, openings: Sequence[Opening], lamps: Sequence[Lamp], half: tuple[float, float]
) -> Lighting:
    """A random light: sunny or grey day, or evening with lamps, or both.

    Args:
        dice: Chance.
        openings: The windows.
        lamps: What may be switched on.
        half: Of the room's width and depth, metres.
    """
    mood = dice.random()
    sunny, evening = mood < 0.6, mood > 0.84
    sky = dice.tint(dice.choose(_SKIES), 0.08)
    level = dice.between(0.04, 0.15) if evening else dice.between(1.0, 1.6) if sunny else dice.between(1.3, 2.2)
    lighting = Lighting()
    for opening in openings:
        radiance = tuple(level * c for c in sky)
        red, green, blue = radiance
        turn = opening.frame.turn
        half_u, half_v = turn @ (opening.half_wide, 0, 0), (0.0, opening.half_tall, 0.0)
        lighting.areas.append(AreaLight(opening.frame.place((0, 0, 0)), _vector(half_u), half_v, (red, green, blue)))
        lighting.glow[opening.name] = (1.15 * red, 1.15 * green, 1.15 * blue)
    if openings:
        lighting.sky = Sky((0.6 * level * sky[0], 0.6 * level * sky[1], 0.6 * level * sky[2]), (level, level, level))
    if sunny and openings:
        lighting.sun = _sun(dice, openings, level, half)
    on = 0.9 if evening else 0.25 if sunny else 0.5
    switched = [lamp for lamp in lamps if dice.chance(on)]
    if evening and lamps and not switched:
        switched = [dice.choose(lamps)]
    for lamp in switched:
        colour = dice.tint(dice.choose(_LAMP_WHITES), 0.05)
        # shading at a metre
        power = dice.between(0.5, 1.1)
        red, green, blue = (power * c / lamp.radius**2 for c in colour)
        lighting.balls.append(BallLight(lamp.centre, lamp.radius, (red, green, blue), lamp.sideways))
        lighting.glow[lamp.name] = (6 * power * colour[0], 6 * power * colour[1], 6 * power * colour[2])
    if not openings and not switched:
        lighting.ambient = (0.5, 0.5, 0.5)
    return lighting


def _sun(dice: Dice, openings: Sequence[Opening], level: float, half: tuple[float, float]) -> Sun:
    """A sun that shines in at a window, warmer when low; rather on what the camera sees, which is the far part."""
    for _ in range(8):
        opening = dice.choose(openings)
        height = math.radians(dice.between(14, 52))
        aside = math.radians(dice.between(-65, 65))
        own = (math.sin(aside) * math.cos(height), math.sin(height), -math.cos(aside) * math.cos(height))
        towards = _vector(opening.frame.turn @ own)
        way = opening.frame.y / towards[1]
        x, z = opening.frame.x - way * towards[0], opening.frame.z - way * towards[2]
        if abs(x) < 1.2 * half[0] and -1.3 * half[1] < z < 0.35 * half[1]:
            break
    low = 1 - min(math.degrees(height) / 40, 1)
    power = level * dice.between(1.3, 3.6)
    colour = (power, power * (0.93 - 0.17 * low), power * (0.82 - 0.4 * low))
    return Sun(towards, colour, dice.choose((0.006, 0.01, 0.02)))


def _vector(values: np.ndarray | Sequence[float]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z
