"""Rooms: walls with windows and doors, furniture along them and in the middle, daylight and lamps."""

from __future__ import annotations

from dataclasses import dataclass

from datamodules.scenes.building import Dice, Frame, Plan
from datamodules.scenes.furniture import FREE, ON_FLOOR, WALL, Maker, hanging_lamp, picture, rug
from datamodules.scenes.materials import Material
from datamodules.scenes.materials.draw import Generator
from datamodules.scenes.room_light import Opening, draw_room_lighting
from datamodules.scenes.scene import Camera, Scene, Solid, rotation

__all__ = ["draw_room"]

_THICK = 0.16
"""Of the walls, metres."""


@dataclass
class _Hole:
    """A part of a wall that is taken: from ``left`` to ``right`` along it and from ``bottom`` to ``top``."""

    left: float
    right: float
    bottom: float
    top: float

    def meets(self, other: _Hole, gap: float = 0.1) -> bool:
        """Whether two are closer than ``gap``."""
        beside = self.right + gap <= other.left or other.right + gap <= self.left
        return not (beside or self.top + gap <= other.bottom or other.top + gap <= self.bottom)


def draw_room(generator: Generator, lights: int = 1) -> Scene:
    """A random room.

    Args:
        generator: Only its ``random()`` is called.
        lights: How many lightings.

    Returns:
        The scene; its first lighting is the same for any number of them.
    """
    return _Room(Dice(generator)).scene(lights)


class _Room:
    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.half_x, self.half_z = dice.between(1.4, 2.6), dice.between(1.8, 3.1)
        self.height = dice.between(2.35, 3.1)
        self.solids: list[Solid] = []
        self.maker = Maker(dice, self.solids)
        self.plan = Plan(self.half_x - 0.02, self.half_z - 0.02)
        self.used: list[list[_Hole]] = [[], [], [], []]
        self.openings: list[Opening] = []
        self.camera = self._camera()
        self._shell()
        self._furnish()

    def scene(self, lights: int) -> Scene:
        """With its lightings, drawn after everything else."""
        exposure = self.dice.between(-0.5, 0.25)
        lamps = self.maker.lamps
        lightings = [
            draw_room_lighting(self.dice, self.openings, lamps, (self.half_x, self.half_z)) for _ in range(lights)
        ]
        return Scene(self.solids, self.camera, lightings, exposure)

    def _camera(self) -> Camera:
        dice = self.dice
        x = dice.between(-0.8, 0.8) * (self.half_x - 0.45)
        z = self.half_z - dice.between(0.25, 0.5)
        height = dice.between(1.0, 1.75)
        target = (
            dice.between(-0.6, 0.6) * self.half_x - 0.3 * x,
            dice.between(0.45, 1.15),
            -self.half_z * dice.between(0.3, 1.0),
        )
        self.plan.take(x, z, 1.3, 1.3)
        # what stands right in front of the camera hides the room
        self.plan.take(x + 0.25 * (target[0] - x), z - 0.9, 0.9, 1.3)
        return Camera((x, height, z), target, dice.between(52, 72), dice.between(-1.5, 1.5))

    # Walls run along x (0 far, 2 near) or z (1 right, 3 left); a place on one is its coordinate there.

    def _wall_frame(self, wall: int) -> Frame:
        """In the middle of a wall's foot, looking into the room; x of the frame runs along the wall."""
        x, z = ((0.0, -self.half_z), (self.half_x, 0.0), (0.0, self.half_z), (-self.half_x, 0.0))[wall]
        return Frame(x, 0.0, z, (0.0, -90.0, 180.0, 90.0)[wall])

    def _length(self, wall: int) -> float:
        return self.half_x if wall in (0, 2) else self.half_z

    def _shell(self) -> None:
        dice, maker = self.dice, self.maker
        x, z, h, t = self.half_x + _THICK, self.half_z + _THICK, self.height, _THICK
        base = Frame(0, 0, 0)
        maker.thing(base, "floor").add("box", (0, -t / 2, 0), (x, t / 2, z), dice.material("floor"))
        maker.thing(base, "ceiling").add("box", (0, h + t / 2, 0), (x, t / 2, z), dice.material("ceiling"))
        paper = dice.material("wall")
        accent = dice.material("wall") if dice.chance(0.3) else paper
        trim = dice.material("ceiling") if dice.chance(0.6) else dice.material("wood")
        windows = [3, 1, 0] if dice.chance(0.5) else [1, 3, 0]
        doors = dice.shuffled((0, 1, 3))
        for wall in windows[: dice.count(1, 2)] + ([2] if dice.chance(0.2) else []):
            self._plan_windows(wall)
        if dice.chance(0.6):
            self._door(doors[0], trim)
        for wall in range(4):
            self._wall(wall, accent if wall == 0 else paper, trim)

    def _plan_windows(self, wall: int) -> None:
        dice, length = self.dice, self._length(wall)
        count = 2 if length > 2.2 and dice.chance(0.4) else 1
        low = 0.08 if dice.chance(0.15) else dice.between(0.65, 1.0)
        high = min(self.height - 0.15, dice.between(1.95, 2.4))
        for k in range(count):
            room = 2 * length / count
            wide = min(dice.between(0.8, 1.9), room - 0.5)
            middle = -length + room * (k + 0.5) + dice.between(-0.5, 0.5) * (room - wide - 0.3)
            hole = _Hole(middle - wide / 2, middle + wide / 2, low, high)
            self.used[wall].append(hole)
            self.openings.append(self._window(wall, hole))

    def _wall(self, wall: int, paper: Material, trim: Material) -> None:
        frame, length, t = self._wall_frame(wall), self._length(wall), _THICK
        thing = self.maker.thing(frame, "wall")
        origin = frame.place((0, 0, 0))
        holes = sorted((h for h in self.used[wall] if h.bottom > 0.02), key=lambda h: h.left)
        place = -length - t

        def block(left: float, right: float, bottom: float, top: float) -> None:
            centre = ((left + right) / 2, (bottom + top) / 2, -t / 2)
            size = ((right - left) / 2, (top - bottom) / 2, t / 2)
            thing.add("box", centre, size, paper, pattern_origin=origin)

        for hole in holes:
            block(place, hole.left, 0, self.height)
            block(hole.left, hole.right, 0, hole.bottom)
            block(hole.left, hole.right, hole.top, self.height)
            place = hole.right
        block(place, length + t, 0, self.height)
        skirting = self.maker.thing(frame, "wall")
        gaps = sorted((h.left, h.right) for h in self.used[wall] if h.bottom < 0.1)
        start = -length
        for left, right in [*gaps, (length, length)]:
            if left - start > 0.05:
                skirting.add("box", ((start + left) / 2, 0.04, 0.007), ((left - start) / 2, 0.04, 0.007), trim)
            start = right

    def _window(self, wall: int, hole: _Hole) -> Opening:
        """Pane, frame, sill and perhaps curtains."""
        dice, maker, frame = self.dice, self.maker, self._wall_frame(wall)
        wide, tall = (hole.right - hole.left) / 2, (hole.top - hole.bottom) / 2
        x, y, z = (hole.left + hole.right) / 2, (hole.top + hole.bottom) / 2, -_THICK * 0.7
        white = Material("paint", ((0.95, 0.95, 0.95),))
        number = len(self.openings)
        window = maker.thing(frame, "window")
        window.add("box", (x, y, z - 0.01), (wide, tall, 0.004), white, glow=f"window {number}", casts=False)
        paint = dice.material("ceiling") if dice.chance(0.7) else dice.material("wood")
        bar = 0.03
        for side in (-1, 1):
            window.add("box", (x + side * (wide - bar), y, z + 0.02), (bar, tall, bar), paint)
            window.add("box", (x, y + side * (tall - bar), z + 0.02), (wide, bar, bar), paint)
        for k in range(1, dice.count(1, 3)):
            share = 2 * k / 3 - 1 if wide > 0.6 else 0
            window.add("box", (x + share * wide, y, z + 0.02), (0.02, tall, 0.025), paint)
        if dice.chance(0.5):
            window.add("box", (x, y + dice.between(-0.1, 0.4) * tall, z + 0.02), (wide, 0.018, 0.022), paint)
        if hole.bottom > 0.3:
            sill = 0.06
            window.add(
                "box", (x, hole.bottom - 0.012, sill / 2 - _THICK / 2), (wide + 0.05, 0.015, _THICK / 2 + sill), paint
            )
        if dice.chance(0.5):
            self._curtains(wall, hole)
        return Opening(frame.at(x, y, z + 0.005), wide - 2 * bar, tall - 2 * bar, f"window {number}")

    def _curtains(self, wall: int, hole: _Hole) -> None:
        dice, frame = self.dice, self._wall_frame(wall)
        cloth = dice.material("fabric")
        bottom = 0.03 if dice.chance(0.7) else max(hole.bottom - 0.15, 0.03)
        top = min(hole.top + 0.12, self.height - 0.03)
        length = self._length(wall)
        width = dice.between(0.2, 0.45)
        curtain = self.maker.thing(frame, "curtain")
        rod = (hole.right - hole.left) / 2 + width
        centre = (hole.left + hole.right) / 2
        low, high = max(centre - rod, -length + 0.02), min(centre + rod, length - 0.02)
        for side, edge in ((-1, hole.left), (1, hole.right)):
            start, end = (low, edge + 0.05) if side < 0 else (edge - 0.05, high)
            folds = max(int((end - start) / 0.075), 2)
            step = (end - start) / folds
            for k in range(folds):
                deep = dice.between(0.025, 0.05)
                middle = (start + (k + 0.5) * step, (bottom + top) / 2, 0.06 + dice.between(0, 0.02))
                curtain.add("cylinder", middle, (step * 0.62, (top - bottom) / 2, deep), cloth)
        metal = dice.material("furniture")
        # a rod lies along the wall: its own y axis is turned to x
        curtain.add(
            "cylinder",
            ((low + high) / 2, top + 0.01, 0.07),
            (0.014, (high - low) / 2, 0.014),
            metal,
            rotation(0, 0, 90),
        )
        self.used[wall].append(_Hole(low, high, bottom, top + 0.05))
        if bottom < 0.2:
            for x in (low + width / 2, high - width / 2):
                spot = frame.place((x, 0, 0.08))
                wide, deep = (width, 0.22) if wall in (0, 2) else (0.22, width)
                self.plan.take(spot[0], spot[2], wide, deep)

    def _door(self, wall: int, trim: Material) -> None:
        dice, frame = self.dice, self._wall_frame(wall)
        length, wide, tall = self._length(wall), dice.between(0.4, 0.46), dice.between(1.98, 2.1)
        for _ in range(8):
            middle = dice.between(-1, 1) * (length - wide - 0.12)
            hole = _Hole(middle - wide - 0.08, middle + wide + 0.08, 0.0, tall + 0.08)
            if any(hole.meets(h) for h in self.used[wall]):
                continue
            self.used[wall].append(hole)
            paint = dice.material("furniture") if dice.chance(0.5) else dice.material("wood")
            door = self.maker.thing(frame, "door")
            door.add("box", (middle, tall / 2, 0.012), (wide, tall / 2, 0.012), paint)
            for row in (0.27, 0.72) if dice.chance(0.6) else ():
                door.add("box", (middle, tall * row, 0.02), (wide * 0.7, tall * 0.19, 0.012), paint)
            for side in (-1, 1):
                door.add(
                    "box",
                    (middle + side * (wide + 0.035), tall / 2 + 0.035, 0.02),
                    (0.035, tall / 2 + 0.035, 0.02),
                    trim,
                )
            door.add("box", (middle, tall + 0.035, 0.02), (wide, 0.035, 0.02), trim)
            knob = dice.material("metal")
            door.add("ellipsoid", (middle + wide * 0.85, 1.0, 0.06), (0.03, 0.03, 0.03), knob)
            spot = frame.place((middle, 0, 0.35))
            across, down = (2 * wide, 0.7) if wall in (0, 2) else (0.7, 2 * wide)
            self.plan.take(spot[0], spot[2], across, down)
            return

    def _furnish(self) -> None:
        dice, maker, plan = self.dice, self.maker, self.plan
        if dice.chance(0.55):
            wide, deep = dice.between(1.2, 2.4), dice.between(0.9, 1.7)
            spot = dice.between(-0.4, 0.4) * self.half_x, dice.between(-0.5, 0.3) * self.half_z
            rug(maker, Frame(spot[0], 0.0, spot[1], dice.between(-6, 6) + dice.choose((0.0, 90.0))), wide, deep)
        walls = [0, 0, 1, 3, 0, 1, 3]
        wanted = dice.shuffled(list(WALL))[: dice.count(4, 7)]
        for make in wanted:
            wide, deep, tall = make.room(dice)
            for wall in dice.shuffled(walls):
                frame = self._by_wall(wall, wide, deep, tall)
                if frame is not None:
                    self.used[wall].append(self._shadow_on_wall(wall, frame, wide, tall))
                    make.build(maker, frame, wide, deep, tall)
                    break
        for make in dice.shuffled(list(FREE))[: dice.count(1, 2)]:
            wide, deep, tall = make.room(dice)
            place = plan.anywhere(dice, wide + 0.1, deep + 0.1)
            if place is not None:
                turned = (
                    dice.choose((0.0, 90.0, 180.0, 270.0)) if abs(wide - deep) < 0.05 else dice.choose((0.0, 180.0))
                )
                make.build(maker, Frame(place[0], 0.0, place[1], turned), wide, deep, tall)
        for _ in range(dice.count(1, 4)):
            size = dice.between(0.1, 0.24)
            place = plan.anywhere(dice, 2 * size, 2 * size)
            if place is not None:
                dice.choose(ON_FLOOR)(maker, Frame(place[0], 0.0, place[1], dice.between(0, 360)), size)
        for _ in range(dice.count(1, 5)):
            self._picture()
        if dice.chance(0.7):
            above = Frame(dice.between(-0.4, 0.4) * self.half_x, self.height, dice.between(-0.6, 0.3) * self.half_z)
            hanging_lamp(maker, above, self.height)

    def _along(self, wall: int, frame: Frame) -> float:
        """Where along a wall a frame stands, in the wall's own direction."""
        return (frame.x, frame.z, -frame.x, -frame.z)[wall]

    def _by_wall(self, wall: int, wide: float, deep: float, tall: float) -> Frame | None:
        """A place by a wall whose windows, doors and curtains stay free."""
        plan = self.plan
        taken = list(plan._taken)
        frame = plan.by_wall(self.dice, wall, wide, deep)
        if frame is None:
            return None
        hole = self._shadow_on_wall(wall, frame, wide, tall)
        if any(hole.meets(h, 0.02) for h in self.used[wall]):
            plan._taken[:] = taken
            return None
        return frame

    def _shadow_on_wall(self, wall: int, frame: Frame, wide: float, tall: float) -> _Hole:
        along = self._along(wall, frame)
        return _Hole(along - wide / 2, along + wide / 2, 0.0, tall)

    def _picture(self) -> None:
        dice = self.dice
        wall = dice.choose((0, 0, 1, 3))
        wide, tall = dice.between(0.15, 0.55), dice.between(0.15, 0.45)
        for _ in range(5):
            along = dice.between(-1, 1) * (self._length(wall) - wide - 0.1)
            height = dice.between(1.3, 1.75)
            hole = _Hole(along - wide, along + wide, height - tall, height + tall)
            if hole.top < self.height - 0.1 and not any(hole.meets(h) for h in self.used[wall]):
                self.used[wall].append(hole)
                picture(self.maker, self._wall_frame(wall).at(along, height, 0), wide, tall)
                return
