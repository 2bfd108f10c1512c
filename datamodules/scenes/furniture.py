"""Furniture and small things, made of solids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from datamodules.scenes.building import Dice, Frame, Thing
from datamodules.scenes.materials import Material
from datamodules.scenes.scene import Solid, Vector, rotation

__all__ = ["FREE", "ON_FLOOR", "ON_TOP", "WALL", "Lamp", "Maker", "Piece", "hanging_lamp", "picture", "rug"]


@dataclass
class Lamp:
    """A lamp that a lighting may switch on.

    Args:
        name: Of its glow.
        centre: World.
        radius: Of the ball that shines.
        sideways: The share of its light that goes through its shade.
    """

    name: str
    centre: Vector
    radius: float
    sideways: float = 1.0


@dataclass
class Maker:
    """Where things are put.

    Args:
        dice: Chance.
        solids: All solids so far.
        lamps: All lamps so far.
    """

    dice: Dice
    solids: list[Solid]
    lamps: list[Lamp] = field(default_factory=list)
    _things: int = 0

    def thing(self, frame: Frame, label: str) -> Thing:
        """A new instance."""
        self._things += 1
        return Thing(self.solids, frame, label, self._things)


@dataclass(frozen=True)
class Piece:
    """A kind of furniture.

    Args:
        size: Draws how wide, deep and tall it is, metres.
        build: Makes it in a frame in the middle of its foot.
    """

    size: Callable[[Dice], tuple[float, float, float]]
    build: Callable[[Maker, Frame, float, float, float], None]

    def room(self, dice: Dice) -> tuple[float, float, float]:
        """How wide, deep and tall."""
        return self.size(dice)


def _legs(thing: Thing, wide: float, deep: float, tall: float, thick: float, material: Material, round_: bool) -> None:
    for x in (-1, 1):
        for z in (-1, 1):
            centre = (x * (wide / 2 - 1.6 * thick), tall / 2, z * (deep / 2 - 1.6 * thick))
            thing.add("cylinder" if round_ else "box", centre, (thick, tall / 2, thick), material)


def _table(maker: Maker, frame: Frame, wide: float, deep: float, tall: float) -> None:
    dice = maker.dice
    wood = dice.material("wood") if dice.chance(0.7) else dice.material("furniture")
    table = maker.thing(frame, "table")
    thick = dice.between(0.012, 0.025)
    if abs(wide - deep) < 0.05:
        table.add("cylinder", (0, tall - thick, 0), (wide / 2, thick, deep / 2), wood)
        table.add("cylinder", (0, tall / 2 - thick, 0), (0.045, tall / 2 - thick, 0.045), wood)
        table.add("frustum", (0, 0.02, 0), (wide * 0.28, 0.02, wide * 0.28), wood, top=0.4)
    else:
        table.add("box", (0, tall - thick, 0), (wide / 2, thick, deep / 2), wood)
        table.add("box", (0, tall - 2 * thick - 0.035, 0), (wide / 2 - 0.06, 0.035, deep / 2 - 0.06), wood)
        _legs(table, wide - 0.04, deep - 0.04, tall - 2 * thick, dice.between(0.018, 0.035), wood, dice.chance(0.5))
    _laid(maker, frame, wide * 0.7, deep * 0.7, tall, dice.count(1, 4))


def _laid(maker: Maker, frame: Frame, wide: float, deep: float, height: float, count: int) -> None:
    """Small things on a top, apart from each other."""
    dice = maker.dice
    slots = dice.shuffled(range(max(int(wide / 0.22), 1)))
    for slot in slots[:count]:
        size = min(dice.between(0.06, 0.14), deep / 2, wide / (2 * len(slots)) * 1.05)
        x = -wide / 2 + wide * (slot + 0.5) / len(slots)
        z = dice.between(-1, 1) * max(deep / 2 - size, 0)
        dice.choose(ON_TOP)(maker, frame.at(x, height, z, dice.between(-40, 40)), size)


def _dining(maker: Maker, frame: Frame, wide: float, deep: float, tall: float) -> None:
    """A table with chairs."""
    dice = maker.dice
    table_w, table_d = wide - 1.0, deep - 1.0
    _table(maker, frame, table_w, table_d, tall)
    kind = _chair_kind(dice)
    for x, z, degrees in (
        (0.0, table_d / 2 + 0.2, 180.0),
        (0.0, -table_d / 2 - 0.2, 0.0),
        (table_w / 2 + 0.2, 0.0, -90.0),
        (-table_w / 2 - 0.2, 0.0, 90.0),
    ):
        if dice.chance(0.75):
            _chair(maker, frame.at(x, 0, z, degrees + dice.between(-14, 14)), kind)


@dataclass
class _ChairKind:
    wood: Material
    seat: Material
    round_legs: bool
    back: float
    slats: int


def _chair_kind(dice: Dice) -> _ChairKind:
    wood = dice.material("wood") if dice.chance(0.6) else dice.material("furniture")
    seat = dice.material("fabric") if dice.chance(0.5) else wood
    return _ChairKind(wood, seat, dice.chance(0.5), dice.between(0.82, 1.0), dice.count(1, 4))


def _chair(maker: Maker, frame: Frame, kind: _ChairKind) -> None:
    chair = maker.thing(frame, "chair")
    half, seat, leg = 0.21, 0.45, 0.017
    _legs(chair, 2 * half, 2 * half, seat - 0.02, leg, kind.wood, kind.round_legs)
    chair.add("box", (0, seat - 0.018, 0), (half, 0.02, half), kind.seat)
    for x in (-1, 1):
        middle = (seat + kind.back) / 2
        chair.add("box", (x * (half - leg), middle, -half + leg), (leg, (kind.back - seat) / 2, leg), kind.wood)
    for k in range(kind.slats):
        tall = 0.3 * (kind.back - seat) / kind.slats
        y = kind.back - tall - 0.01 - k * (kind.back - seat - 0.1) / kind.slats
        chair.add("box", (0, y, -half + leg), (half - 2 * leg, tall, 0.01), kind.wood)


def _armchair(maker: Maker, frame: Frame, wide: float, deep: float, tall: float) -> None:
    _sofa(maker, frame, wide, deep, tall)


def _sofa(maker: Maker, frame: Frame, wide: float, deep: float, tall: float) -> None:
    dice = maker.dice
    cloth = dice.material("sofa")
    sofa = maker.thing(frame, "sofa")
    arm, seat, foot = dice.between(0.08, 0.13), dice.between(0.38, 0.44), 0.07
    soft: dict[str, Any] = {"bumps": 0.1, "bump_size": 0.35}
    _legs(sofa, wide, deep, foot, 0.025, dice.material("wood"), False)
    sofa.add(
        "box", (0, (seat + foot) / 2 - 0.05, 0), (wide / 2 - 0.01, (seat - foot) / 2 - 0.05, deep / 2 - 0.01), cloth
    )
    sofa.add("box", (0, (tall + foot) / 2, -deep / 2 + 0.1), (wide / 2 - 0.02, (tall - foot) / 2, 0.1), cloth, **soft)
    height = seat + dice.between(0.12, 0.2)
    rolled = dice.chance(0.5)
    for side in (-1, 1):
        place = side * (wide / 2 - arm)
        sofa.add("box", (place, (height + foot) / 2, 0.02), (arm, (height - foot) / 2, deep / 2 - 0.02), cloth)
        if rolled:
            lying = rotation(90, 0, 0)
            sofa.add("cylinder", (place, height, 0.02), (arm * 1.08, deep / 2 - 0.015, arm * 1.08), cloth, lying)
    seats = max(1, round((wide - 4 * arm) / 0.6))
    span = (wide - 4 * arm) / seats
    for k in range(seats):
        x = -wide / 2 + 2 * arm + span * (k + 0.5)
        sofa.add("box", (x, seat - 0.03, 0.1), (span / 2 - 0.006, 0.065, deep / 2 - 0.11), cloth, **soft)
        lean = rotation(-12, 0, 0)
        sofa.add("box", (x, seat + 0.22, -deep / 2 + 0.27), (span / 2 - 0.01, 0.19, 0.06), cloth, lean, **soft)
    for _ in range(dice.count(0, 3)):
        _cushion(maker, frame, dice.between(-1, 1) * max(wide / 2 - 2 * arm - 0.2, 0), seat + 0.03, -deep / 2 + 0.45)


def _cushion(maker: Maker, frame: Frame, x: float, y: float, z: float) -> None:
    """It leans back, its foot at a point."""
    dice = maker.dice
    half = dice.between(0.17, 0.23)
    cushion = maker.thing(frame, "cushion")
    lean = rotation(-dice.between(18, 30), 0, 0) @ rotation(0, 0, dice.between(-12, 12))
    cloth = dice.material("fabric")
    cushion.add(
        "ellipsoid", (x, y + half * 0.8, z), (half * 1.05, half, 0.085), cloth, lean, bumps=0.15, bump_size=0.15
    )


def _bed(maker: Maker, frame: Frame, wide: float, deep: float, tall: float) -> None:
    dice = maker.dice
    wood, sheet, cover = dice.material("wood"), dice.material("fabric"), dice.material("fabric")
    bed = maker.thing(frame, "bed")
    _legs(bed, wide, deep, 0.2, 0.03, wood, False)
    bed.add("box", (0, 0.24, 0), (wide / 2, 0.06, deep / 2), wood)
    bed.add("box", (0, tall / 2, -deep / 2 + 0.03), (wide / 2, tall / 2, 0.03), wood)
    bed.add("box", (0, 0.38, 0.03), (wide / 2 - 0.02, 0.09, deep / 2 - 0.05), sheet)
    share = dice.between(0.55, 0.75)
    blanket = deep * share / 2
    bed.add(
        "box", (0, 0.41, deep / 2 - blanket + 0.005), (wide / 2 + 0.012, 0.1, blanket), cover, bumps=0.2, bump_size=0.4
    )
    bed.add("box", (0, 0.5, deep / 2 - 2 * blanket + 0.12), (wide / 2 + 0.008, 0.02, 0.12), sheet)
    count = 2 if wide > 1.2 else 1
    pillow = dice.material("fabric")
    for k in range(count):
        x = (k - (count - 1) / 2) * wide / count
        thing = maker.thing(frame, "cushion")
        half = min(0.33, wide / count / 2 - 0.03)
        lean = rotation(-dice.between(8, 22), 0, 0)
        centre = (x, 0.56, -deep / 2 + 0.33)
        thing.add("ellipsoid", centre, (half, 0.09, 0.22), pillow, lean, bumps=0.2, bump_size=0.2)


def _bookshelf(maker: Maker, frame: Frame, wide: float, deep: float, tall: float) -> None:
    dice = maker.dice
    wood = dice.material("wood") if dice.chance(0.6) else dice.material("furniture")
    shelf = maker.thing(frame, "shelf")
    board = 0.012
    for x in (-1, 1):
        shelf.add("box", (x * (wide / 2 - board), tall / 2, 0), (board, tall / 2, deep / 2), wood)
    shelf.add("box", (0, tall / 2, -deep / 2 + 0.006), (wide / 2 - 2 * board, tall / 2 - 0.01, 0.005), wood)
    covers = [dice.material("book") for _ in range(7)]
    rows = max(2, round(tall / 0.36))
    step = (tall - 0.06 - 2 * board) / rows
    for k in range(rows + 1):
        y = 0.05 + board + k * step
        shelf.add("box", (0, y, 0.004), (wide / 2 - 2 * board, board, deep / 2 - 0.006), wood)
        if k < rows:
            _row_of_books(maker, frame.at(0, y + board, 0), wide / 2 - 2 * board - 0.01, deep, step - 2 * board, covers)


def _row_of_books(maker: Maker, frame: Frame, half: float, deep: float, tall: float, covers: list[Material]) -> None:
    dice = maker.dice
    x, end = -half, half
    if dice.chance(0.2):
        size = min(0.1, tall * 0.4)
        dice.choose(ON_FLOOR)(maker, frame.at(dice.between(-0.5, 0.5) * half, 0, 0, dice.between(-30, 30)), size)
        return
    if dice.chance(0.5):
        end = dice.between(0.0, 1.0) * half
    while x < end - 0.03:
        thick = dice.between(0.012, 0.03)
        height = dice.between(0.6, 0.93) * tall / 2
        out = dice.between(0.55, 0.8) * deep / 2
        book = maker.thing(frame, "book")
        material = replace(dice.choose(covers), size=(0.04, 0.5))
        book.add("box", (x + thick, height, -deep / 2 + 0.012 + out), (thick - 0.001, height, out), material)
        x += 2 * thick
        if dice.chance(0.05):
            x += dice.between(0.03, 0.12)


def _cupboard(maker: Maker, frame: Frame, wide: float, deep: float, tall: float) -> None:
    dice = maker.dice
    wood = dice.material("wood") if dice.chance(0.5) else dice.material("furniture")
    front = wood if dice.chance(0.6) else dice.material("furniture")
    metal = dice.material("metal")
    box = maker.thing(frame, "shelf")
    foot = 0.06
    box.add("box", (0, foot / 2, -0.02), (wide / 2 - 0.02, foot / 2, deep / 2 - 0.03), wood)
    box.add("box", (0, (tall + foot) / 2, -0.01), (wide / 2, (tall - foot) / 2, deep / 2 - 0.01), wood)
    columns = max(1, round(wide / 0.5))
    rows = dice.choose((1, 1, 2, 3)) if tall < 1.2 else dice.choose((1, 2))
    for i in range(columns):
        for j in range(rows):
            half_w, half_h = wide / columns / 2, (tall - foot) / rows / 2
            x, y = -wide / 2 + half_w * (2 * i + 1), foot + half_h * (2 * j + 1)
            box.add("box", (x, y, deep / 2 - 0.012), (half_w - 0.008, half_h - 0.008, 0.012), front)
            knob = (x + (0.75 * half_w if rows == 1 else 0) * (1 if i % 2 == 0 else -1), y, deep / 2 + 0.012)
            box.add("ellipsoid", knob, (0.016, 0.016, 0.016), metal)
    if tall < 1.5:
        _laid(maker, frame, wide * 0.85, deep * 0.6, tall, dice.count(1, 4))


def _desk(maker: Maker, frame: Frame, wide: float, deep: float, tall: float) -> None:
    dice = maker.dice
    back = frame.at(0, 0, -0.25)
    _table(maker, back, wide, deep - 0.5, tall)
    _chair(maker, frame.at(dice.between(-0.2, 0.2), 0, deep / 2 - 0.3, 180 + dice.between(-25, 25)), _chair_kind(dice))


def _floor_lamp(maker: Maker, frame: Frame, wide: float, deep: float, tall: float) -> None:
    dice = maker.dice
    metal = dice.material("metal")
    lamp = maker.thing(frame, "lamp")
    lamp.add("cylinder", (0, 0.012, 0), (0.14, 0.012, 0.14), metal)
    lamp.add("cylinder", (0, (tall - 0.2) / 2, 0), (0.011, (tall - 0.2) / 2, 0.011), metal, casts=True)
    _shade(maker, lamp, frame, tall - 0.15, min(wide / 2, 0.2))


def _shade(maker: Maker, lamp: Thing, frame: Frame, y: float, radius: float) -> None:
    """A shade that glows, and the light in it."""
    dice = maker.dice
    name = f"lamp {len(maker.lamps)}"
    cloth = Material("paint", (dice.tint((0.86, 0.82, 0.74), 0.06),))
    lamp.add("frustum", (0, y, 0), (radius, 0.13, radius), cloth, top=dice.between(0.6, 1.0), glow=name, casts=False)
    maker.lamps.append(Lamp(name, frame.place((0, y, 0)), radius * 0.7, dice.between(0.12, 0.3)))


def hanging_lamp(maker: Maker, frame: Frame, height: float) -> None:
    """A lamp under the ceiling; the frame is on the ceiling."""
    dice = maker.dice
    lamp = maker.thing(frame, "lamp")
    name = f"lamp {len(maker.lamps)}"
    glass = Material("paint", ((0.88, 0.86, 0.8),))
    if dice.chance(0.45):
        radius = dice.between(0.14, 0.22)
        lamp.add("ellipsoid", (0, -0.002, 0), (radius, 0.09, radius), glass, upper=0.0, glow=name, casts=False)
        maker.lamps.append(Lamp(name, frame.place((0, -0.08, 0)), 0.1))
        return
    drop, radius = dice.between(0.4, max(height - 1.85, 0.45)), dice.between(0.1, 0.19)
    metal = dice.material("metal")
    lamp.add("cylinder", (0, -drop / 2, 0), (0.005, drop / 2, 0.005), metal, casts=False)
    if dice.chance(0.5):
        lamp.add("ellipsoid", (0, -drop - radius, 0), (radius, radius, radius), glass, glow=name, casts=False)
        maker.lamps.append(Lamp(name, frame.place((0, -drop - radius, 0)), radius))
    else:
        lamp.add("frustum", (0, -drop, 0), (radius * 1.5, 0.09, radius * 1.5), metal, top=0.35)
        lamp.add("ellipsoid", (0, -drop - 0.1, 0), (0.06, 0.06, 0.06), glass, glow=name, casts=False)
        maker.lamps.append(Lamp(name, frame.place((0, -drop - 0.17, 0)), 0.07))


def _potted_plant(maker: Maker, frame: Frame, wide: float, deep: float, tall: float) -> None:
    _plant(maker, frame, wide / 2, tall)


def _plant(maker: Maker, frame: Frame, radius: float, tall: float) -> None:
    dice = maker.dice
    pot_height = min(tall * 0.35, radius * 1.3)
    pot = maker.thing(frame, "flowerpot")
    narrow = dice.between(0.5, 0.65) * radius
    pot.add("frustum", (0, pot_height / 2, 0), (narrow, pot_height / 2, narrow), dice.material("flowerpot"), top=1.3)
    earth = dice.material("dirt")
    pot.add("cylinder", (0, pot_height - 0.001, 0), (narrow * 1.18, 0.004, narrow * 1.18), earth)
    plant = maker.thing(frame, "plant")
    leaf = dice.material("foliage")
    count = dice.count(5, 9)
    for k in range(count):
        up = (k + 0.5) / count
        size = radius * dice.between(0.38, 0.55)
        reach = (radius - size) * dice.between(0.3, 1.0)
        x, _, z = rotation(0, 137.5 * k, 0) @ (reach, 0.0, 0.0)
        y = pot_height + 0.3 * size + up * (tall - pot_height - 1.3 * size)
        options: dict[str, Any] = {
            "holes": dice.between(0.45, 0.6),
            "hole_size": dice.between(0.1, 0.16),
            "bumps": 0.8,
            "bump_size": 0.06,
        }
        plant.add("ellipsoid", (float(x), y, float(z)), (size, size * 0.8, size), leaf, **options)
    stem = dice.material("bark")
    middle = (pot_height + tall * 0.8) / 2
    plant.add("cylinder", (0, middle, 0), (0.04 * radius + 0.004, middle - pot_height, 0.04 * radius + 0.004), stem)


def rug(maker: Maker, frame: Frame, wide: float, deep: float) -> None:
    """Flat on the floor."""
    material = replace(maker.dice.material("rug"), size=(wide, deep))
    maker.thing(frame, "rug").add("box", (0, 0.004, 0), (wide / 2, 0.005, deep / 2), material)


def picture(maker: Maker, frame: Frame, half_wide: float, half_tall: float) -> None:
    """On a wall; the frame is in its middle."""
    dice = maker.dice
    thing = maker.thing(frame, "picture")
    border = dice.between(0.012, 0.03)
    wood = dice.material("wood") if dice.chance(0.6) else dice.material("metal")
    for side in (-1, 1):
        thing.add("box", (side * (half_wide - border), 0, 0.012), (border, half_tall, 0.012), wood)
        thing.add("box", (0, side * (half_tall - border), 0.012), (half_wide, border, 0.012), wood)
    inner = (half_wide - border, half_tall - border)
    material = replace(dice.material("picture"), size=(2 * inner[0], 2 * inner[1]))
    thing.add("box", (0, 0, 0.006), (*inner, 0.006), material)


def _vase(maker: Maker, frame: Frame, size: float) -> None:
    dice = maker.dice
    glaze = dice.material("vase")
    vase = maker.thing(frame, "vase")
    if dice.chance(0.5):
        vase.add(
            "ellipsoid", (0, size * 0.8, 0), (size * 0.75, size * 0.85, size * 0.75), glaze, lower=-0.93, upper=0.85
        )
        vase.add("frustum", (0, size * 1.7, 0), (size * 0.36, size * 0.22, size * 0.36), glaze, top=1.3)
    else:
        vase.add("frustum", (0, size * 0.9, 0), (size * 0.4, size * 0.9, size * 0.4), glaze, top=dice.between(0.6, 1.6))
    if dice.chance(0.4):
        plant = maker.thing(frame, "plant")
        leaf = dice.material("rose") if dice.chance(0.5) else dice.material("foliage")
        options: dict[str, Any] = {"holes": 0.5, "hole_size": 0.07, "bumps": 0.8, "bump_size": 0.04}
        plant.add("ellipsoid", (0, size * 2.5, 0), (size * 0.9, size * 0.8, size * 0.9), leaf, **options)


def _ball(maker: Maker, frame: Frame, size: float) -> None:
    dice = maker.dice
    material = dice.material(dice.choose(("vase", "fabric", "paint", "marble")))
    turn = rotation(dice.between(0, 360), dice.between(0, 360), 0)
    maker.thing(frame, "ball").add("ellipsoid", (0, size * 0.997, 0), (size, size, size), material, turn)


def _parcel(maker: Maker, frame: Frame, size: float) -> None:
    dice = maker.dice
    material = dice.material(dice.choose(("furniture", "wood", "paint", "fabric", "marble", "brick")))
    x, y, z = (size * dice.between(0.4, 0.95) for _ in range(3))
    thing = maker.thing(frame, "thing")
    thing.add("box", (0, y, 0), (x, y, z), material)
    if dice.chance(0.3):
        thing.add("box", (0, 2 * y, 0), (x + 0.008, 0.012, z + 0.008), dice.material("paint"))


def _pile_of_books(maker: Maker, frame: Frame, size: float) -> None:
    dice = maker.dice
    y = 0.0
    for _ in range(dice.count(1, 4)):
        thick = dice.between(0.01, 0.022)
        half = min(size * dice.between(0.75, 1.0), 0.15)
        turned = frame.at(0, y, 0, dice.between(-20, 20))
        material = replace(dice.material("book"), size=(2 * half, 1.5 * half))
        maker.thing(turned, "book").add("box", (0, thick, 0), (half, thick, half * 0.75), material)
        y += 2 * thick


def _small_plant(maker: Maker, frame: Frame, size: float) -> None:
    _plant(maker, frame, size, size * 3)


def _bowl(maker: Maker, frame: Frame, size: float) -> None:
    dice = maker.dice
    bowl = maker.thing(frame, "thing")
    bowl.add("frustum", (0, size * 0.25, 0), (size * 0.45, size * 0.25, size * 0.45), dice.material("vase"), top=2.0)
    fruit = dice.material("paint")
    for k in range(dice.count(3, 5)):
        x, _, z = rotation(0, 90 * k + 20, 0) @ (size * 0.42 if k else 0.0, 0.0, 0.0)
        apple = maker.thing(frame, "ball")
        r = size * 0.27
        apple.add("ellipsoid", (float(x), size * 0.5 + r * (0.75 if k else 1.3), float(z)), (r, r, r), fruit)


def _cylinders(maker: Maker, frame: Frame, size: float) -> None:
    """A tin or a candle."""
    dice = maker.dice
    tall = size * dice.between(0.6, 1.3)
    wide = size * dice.between(0.35, 0.7)
    material = dice.material(dice.choose(("paint", "metal", "fabric", "marble", "vase")))
    maker.thing(frame, "thing").add("cylinder", (0, tall, 0), (wide, tall, wide), material)


def _table_lamp(maker: Maker, frame: Frame, size: float) -> None:
    dice = maker.dice
    lamp = maker.thing(frame, "lamp")
    foot = dice.material("vase")
    lamp.add("ellipsoid", (0, size * 0.6, 0), (size * 0.45, size * 0.62, size * 0.45), foot, lower=-0.95)
    lamp.add("cylinder", (0, size * 1.3, 0), (0.008, size * 0.3, 0.008), dice.material("metal"))
    _shade(maker, lamp, frame, size * 1.4 + 0.13, min(size * 0.95, 0.16))


ON_TOP: tuple[Callable[[Maker, Frame, float], None], ...] = (
    _vase, _ball, _parcel, _pile_of_books, _small_plant, _bowl, _cylinders, _table_lamp,
)  # fmt: skip
"""Small things that stand on anything; the size is about half of how wide they are."""

ON_FLOOR = ON_TOP[:-1]
"""Those that stand on floors and in shelves."""

WALL: tuple[Piece, ...] = (
    Piece(lambda d: (d.between(1.4, 2.1), d.between(0.8, 0.95), d.between(0.75, 0.9)), _sofa),
    Piece(lambda d: (d.between(0.75, 0.95), d.between(0.75, 0.9), d.between(0.75, 0.95)), _armchair),
    Piece(lambda d: (d.between(0.9, 1.6), d.between(1.85, 2.05), d.between(0.7, 1.1)), _bed),
    Piece(lambda d: (d.between(0.6, 1.2), d.between(0.24, 0.32), d.between(0.8, 2.1)), _bookshelf),
    Piece(lambda d: (d.between(0.5, 1.4), d.between(0.35, 0.5), d.between(0.6, 1.1)), _cupboard),
    Piece(lambda d: (d.between(0.8, 1.4), d.between(0.5, 0.6), d.between(1.7, 2.1)), _cupboard),
    Piece(lambda d: (d.between(1.0, 1.5), d.between(1.05, 1.2), d.between(0.71, 0.76)), _desk),
    Piece(lambda d: (0.42, 0.42, d.between(1.35, 1.7)), _floor_lamp),
    Piece(lambda d: (d.between(0.45, 0.8), 0.6, d.between(0.8, 1.6)), _potted_plant),
    Piece(lambda d: (d.between(0.45, 0.6), d.between(0.38, 0.45), d.between(0.45, 0.6)), _table),
)
"""Pieces that stand with their back to a wall."""

FREE: tuple[Piece, ...] = (
    Piece(lambda d: (d.between(0.8, 1.2), d.between(0.5, 0.6), d.between(0.4, 0.48)), _table),
    Piece(lambda d: (1.8, 1.8, 0.74), _dining),
    Piece(lambda d: (d.between(1.9, 2.3), d.between(1.7, 1.85), 0.74), _dining),
    Piece(lambda d: (d.between(0.75, 0.9), d.between(0.75, 0.85), d.between(0.75, 0.95)), _armchair),
    Piece(lambda d: (d.between(0.4, 0.6), 0.45, d.between(0.6, 1.1)), _potted_plant),
)
"""Pieces that stand free."""
