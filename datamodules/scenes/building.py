"""Tools of a layout: chance, frames to build things in, and a floor plan that keeps things apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.materials import Material, draw_material
from datamodules.scenes.materials.draw import Generator
from datamodules.scenes.scene import RGB, Shape, Solid, Vector, yaw

__all__ = ["Dice", "Frame", "Plan", "Thing"]

T = TypeVar("T")


class Dice:
    """Chance in a layout's words, from ``random()`` alone.

    Args:
        generator: The source.
    """

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    def random(self) -> float:
        """Uniform in [0, 1)."""
        return float(self.generator.random())

    def between(self, low: float, high: float) -> float:
        """Uniform."""
        return low + (high - low) * self.random()

    def chance(self, probability: float) -> bool:
        """True this often."""
        return self.random() < probability

    def choose(self, things: Sequence[T]) -> T:
        """One of them."""
        return things[min(int(self.random() * len(things)), len(things) - 1)]

    def count(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return min(low + int(self.random() * (high - low + 1)), high)

    def shuffled(self, things: Sequence[T]) -> list[T]:
        """In another order."""
        keyed = sorted((self.random(), k) for k in range(len(things)))
        return [things[k] for _, k in keyed]

    def tint(self, colour: RGB, spread: float) -> RGB:
        """A colour whose channels differ by up to ``spread``."""
        red, green, blue = (c * (1 + self.between(-spread, spread)) for c in colour)
        return red, green, blue

    def material(self, use: str) -> Material:
        """A random one for a use."""
        return draw_material(use, self.generator)


@dataclass
class Frame:
    """Where a thing stands: its own x is to its right, z to its front, y up from its foot.

    Args:
        x: World position.
        y: Height of what it stands on.
        z: World position.
        degrees: Yaw; at 0 its front looks along world +z.
    """

    x: float
    y: float
    z: float
    degrees: float = 0.0

    @property
    def turn(self) -> NDArray[np.float64]:
        """Rotation to the world."""
        return yaw(self.degrees)

    def place(self, point: Vector) -> Vector:
        """A point of the frame in the world."""
        x, y, z = self.turn @ np.array(point) + (self.x, self.y, self.z)
        return float(x), float(y), float(z)

    def at(self, x: float, y: float, z: float, degrees: float = 0.0) -> Frame:
        """A frame on top of this one."""
        return Frame(*self.place((x, y, z)), self.degrees + degrees)


class Thing:
    """Solids of one instance.

    Args:
        solids: List that its solids are put on.
        frame: Where it stands.
        label: Its class.
        instance: Its number.
    """

    def __init__(self, solids: list[Solid], frame: Frame, label: str, instance: int) -> None:
        self._solids, self.frame, self._label, self._instance = solids, frame, label, instance

    def add(
        self,
        shape: Shape,
        centre: Vector,
        size: Vector,
        material: Material,
        turn: NDArray[np.float64] | None = None,
        **options: Any,
    ) -> Solid:
        """Put a solid on; centre and turn are in the thing's frame, the rest as ``Solid`` has it."""
        world = self.frame.turn if turn is None else self.frame.turn @ turn
        place = self.frame.place(centre)
        solid = Solid(shape, place, size, material, self._label, self._instance, turn=world, **options)
        self._solids.append(solid)
        return solid


class Plan:
    """Which parts of the floor are taken: rectangles along the axes.

    Args:
        half_x: Half of the room's width; its middle is at 0.
        half_z: Half of its depth.
    """

    def __init__(self, half_x: float, half_z: float) -> None:
        self.half_x, self.half_z = half_x, half_z
        self._taken: list[tuple[float, float, float, float]] = []

    def take(self, x: float, z: float, wide: float, deep: float) -> None:
        """Mark a rectangle by its middle and its edges."""
        self._taken.append((x - wide / 2, x + wide / 2, z - deep / 2, z + deep / 2))

    def is_free(self, x: float, z: float, wide: float, deep: float) -> bool:
        """Whether a rectangle lies inside and touches nothing."""
        a, b, c, d = x - wide / 2, x + wide / 2, z - deep / 2, z + deep / 2
        if a < -self.half_x or b > self.half_x or c < -self.half_z or d > self.half_z:
            return False
        return all(b <= p or q <= a or d <= r or s <= c for p, q, r, s in self._taken)

    def by_wall(self, dice: Dice, wall: int, wide: float, deep: float, tries: int = 6) -> Frame | None:
        """A free place with the back to a wall: 0 far (-z), 1 right (+x), 2 near (+z), 3 left (-x).

        Returns:
            A frame in the middle of the thing, taken; or None.
        """
        gap = 0.03
        length = (self.half_x if wall in (0, 2) else self.half_z) - wide / 2 - gap
        if length < 0:
            return None
        for _ in range(tries):
            along = dice.between(-length, length)
            if dice.chance(0.25):
                along = math.copysign(length, along)
            back = (self.half_z if wall in (0, 2) else self.half_x) - deep / 2 - gap
            x, z = ((along, -back), (back, along), (along, back), (-back, along))[wall]
            across, down = (wide, deep) if wall in (0, 2) else (deep, wide)
            if self.is_free(x, z, across, down):
                self.take(x, z, across, down)
                return Frame(x, 0.0, z, (0.0, -90.0, 180.0, 90.0)[wall])
        return None

    def anywhere(self, dice: Dice, wide: float, deep: float, tries: int = 10) -> tuple[float, float] | None:
        """The middle of a free rectangle, taken; or None."""
        for _ in range(tries):
            x = dice.between(-1, 1) * (self.half_x - wide / 2)
            z = dice.between(-1, 1) * (self.half_z - deep / 2)
            if self.is_free(x, z, wide, deep):
                self.take(x, z, wide, deep)
                return x, z
        return None
