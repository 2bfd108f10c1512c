"""What stands in gardens: hedges, topiary, roses, trees, fences, walls, steps, pots, stones; each knows its class."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from datamodules.scenes.materials import Material, draw_material
from datamodules.scenes.materials.draw import Chance, Generator
from datamodules.scenes.scene import Solid, rotation, yaw

__all__ = [
    "Plot",
    "add_fence",
    "add_flowerpot",
    "add_hedge",
    "add_rose",
    "add_stone",
    "add_terrace",
    "add_topiary",
    "add_tree",
    "add_wall",
]

_LEAFY, _LEAF = 0.5, 0.09
"""How rough clipped leaves are, and metres from tuft to tuft."""


@dataclass
class Plot:
    """A garden that is being laid out.

    Args:
        generator: The only source of chance.
        solids: What stands in it so far.
        taken: Circles (x, z, radius) on the ground where something stands.
    """

    generator: Generator
    solids: list[Solid] = field(default_factory=list)
    taken: list[tuple[float, float, float]] = field(default_factory=list)
    instances: int = 0

    @property
    def chance(self) -> Chance:
        """Draws from the generator."""
        return Chance(self.generator)

    def thing(self) -> int:
        """The instance of the next thing."""
        self.instances += 1
        return self.instances

    def material(self, use: str) -> Material:
        """A random material for a use."""
        return draw_material(use, self.generator)

    def free(self, x: float, z: float, radius: float) -> bool:
        """Whether a circle overlaps nothing that stands already."""
        return all(math.hypot(x - a, z - b) > radius + r for a, b, r in self.taken)

    def take(self, x: float, z: float, radius: float) -> None:
        """Note that something stands there."""
        self.taken.append((x, z, radius))


def add_topiary(plot: Plot, x: float, z: float, size: float, form: str = "", material: Material | None = None) -> None:
    """A clipped shrub ``size`` wide: ball, dome, cone, tiers or a ball on a stem; what is a box is a hedge."""
    chance, instance = plot.chance, plot.thing()
    drawn = chance.pick(ball=2, dome=1, cone=2, tiers=1.2, standard=1.2)
    form = form or drawn
    leaves = material or plot.material("topiary")
    tall = chance.between(1.1, 2.2)
    half = 0.5 * size

    def leafy(shape: str, y: float, extents: tuple[float, float, float], **rest: float) -> None:
        plot.solids.append(
            Solid(shape, (x, y, z), extents, leaves, "topiary", instance, bumps=_LEAFY, bump_size=_LEAF, **rest)  # type: ignore[arg-type]
        )

    if form == "ball":
        leafy("ellipsoid", 0.92 * half, (half, half, half))
    elif form == "dome":
        leafy("ellipsoid", 0.0, (half, half * tall * 0.7, half), lower=0.0)
    elif form == "cone":
        leafy("frustum", 0.5 * size * tall, (half, 0.5 * size * tall, half), top=chance.between(0.0, 0.2))
    elif form == "tiers":
        y, width = 0.0, half
        for _ in range(3):
            leafy("ellipsoid", y + 0.55 * width, (width, 0.62 * width, width))
            y, width = y + 1.0 * width, 0.74 * width
    else:
        high = chance.between(0.5, 1.0)
        plot.solids.append(_stem(plot, x, z, 0.03, high + 0.2 * half, "topiary", instance))
        leafy("ellipsoid", high + 0.9 * half, (half, half, half))


def add_hedge(plot: Plot, x: float, z: float, long: float, degrees: float, high: float, deep: float = 0.5) -> None:
    """A clipped hedge of box about (x, z), along x before it is turned; some have a rounded top."""
    chance, instance = plot.chance, plot.thing()
    leaves, turn = plot.material("topiary"), yaw(degrees)
    round_top = chance.between(0, 1) < 0.3
    body = Solid(
        "box",
        (x, 0.5 * high, z),
        (0.5 * long, 0.5 * high, 0.5 * deep),
        leaves,
        "box",
        instance,
        turn,
        bumps=_LEAFY,
        bump_size=_LEAF,
    )
    plot.solids.append(body)
    if round_top:
        roll = turn @ rotation(0, 0, 90)
        plot.solids.append(
            Solid(
                "cylinder",
                (x, high, z),
                (0.5 * deep, 0.5 * long, 0.5 * deep),
                leaves,
                "box",
                instance,
                roll,
                bumps=_LEAFY,
                bump_size=_LEAF,
            )
        )


def add_rose(plot: Plot, x: float, z: float, size: float, material: Material | None = None) -> None:
    """A rose bush ``size`` wide: a few overlapping mounds with blossoms, or a ball of them on a stem."""
    chance, instance = plot.chance, plot.thing()
    leaves = material or plot.material("rose")
    half = 0.5 * size
    if chance.between(0, 1) < 0.2:
        high = chance.between(0.6, 1.0)
        plot.solids.append(_stem(plot, x, z, 0.02, high + 0.1, "rose", instance))
        centres = [(x, high + 0.8 * half, z, 0.9 * half, 0.8 * half)]
    else:
        centres = []
        for _ in range(3):
            angle, away, reach = chance.between(0, 2 * math.pi), chance.between(0.2, 0.5), chance.between(0.6, 0.85)
            tall = half * chance.between(0.7, 1.25)
            centres.append(
                (x + away * half * math.cos(angle), 0.75 * tall, z + away * half * math.sin(angle), reach * half, tall)
            )
    for a, y, c, wide, tall in centres:
        plot.solids.append(
            Solid(
                "ellipsoid",
                (a, y, c),
                (wide, tall, wide),
                leaves,
                "rose",
                instance,
                holes=0.3,
                hole_size=0.09,
                bumps=_LEAFY,
                bump_size=_LEAF,
                pattern_origin=(x, 0.0, z),
            )
        )


def add_tree(plot: Plot, x: float, z: float, high: float, form: str = "") -> None:
    """A tree: round crowned, or a conifer of three skirts."""
    chance, instance = plot.chance, plot.thing()
    drawn = chance.pick(round=3, conifer=1)
    form = form or drawn
    leaves, bark = plot.material("tree"), plot.material("bark")
    radius = high * chance.between(0.022, 0.04)
    trunk = high * (chance.between(0.3, 0.45) if form == "round" else 0.2)
    lean = rotation(chance.between(-4, 4), 0, chance.between(-4, 4))
    plot.solids.append(
        Solid(
            "frustum", (x, 0.7 * trunk - 0.02, z), (radius, 0.7 * trunk, radius), bark, "tree", instance, lean, top=0.7
        )
    )

    def leafy(
        shape: str, centre: tuple[float, float, float], extents: tuple[float, float, float], **rest: float
    ) -> None:
        plot.solids.append(
            Solid(
                shape,  # type: ignore[arg-type]
                centre,
                extents,
                leaves,
                "tree",
                instance,
                holes=0.22 if form == "conifer" else 0.32,
                hole_size=0.05 * high**0.5 + 0.04,
                bumps=_LEAFY,
                bump_size=_LEAF,
                **rest,  # type: ignore[arg-type]
            )
        )

    crown = 0.5 * (high - trunk)
    if form == "conifer":
        for k in range(3):
            half = (0.62 - 0.11 * k) * crown
            leafy(
                "frustum",
                (x, trunk + (0.45 + 0.55 * k) * crown, z),
                ((0.55 - 0.14 * k) * crown, half, (0.55 - 0.14 * k) * crown),
                top=0.1,
            )
        return
    wide = crown * chance.between(0.75, 1.0)
    leafy("ellipsoid", (x, trunk + 0.95 * crown, z), (0.72 * wide, 0.85 * crown, 0.72 * wide))
    begin = chance.between(0, 360)
    for k in range(4):
        angle = math.radians(begin + 90 * k + chance.between(-25, 25))
        away, reach = 0.55 * wide, wide * chance.between(0.38, 0.6)
        centre = (x + away * math.cos(angle), trunk + crown * chance.between(0.55, 1.15), z + away * math.sin(angle))
        leafy("ellipsoid", centre, (reach, 0.8 * reach, reach))


def add_fence(plot: Plot, x: float, z: float, long: float, degrees: float, spacing: float = 0.16) -> None:
    """A fence about (x, z), along x before it is turned: pickets, horizontal boards, or tall slats."""
    chance, instance = plot.chance, plot.thing()
    paint, turn = plot.material("fence"), yaw(degrees)
    form = chance.pick(pickets=2, boards=1.2, slats=1.2)
    high = {"pickets": chance.between(0.7, 1.1), "boards": chance.between(0.8, 1.3), "slats": chance.between(1.4, 1.9)}[
        form
    ]

    def board(along: float, y: float, off: float, extents: tuple[float, float, float], upright: bool) -> None:
        place = turn @ (along, y, off)
        # grain of a horizontal board runs along it
        kind = paint.kind if upright or paint.kind == "paint" else "rails"
        plot.solids.append(
            Solid(
                "box",
                (x + float(place[0]), float(place[1]), z + float(place[2])),
                extents,
                replace(paint, kind=kind),
                "fence",
                instance,
                turn,
                pattern_origin=(x - 0.3 * along, 0.0, z),
            )
        )

    posts = max(2, round(long / 2.2) + 1)
    for k in range(posts):
        board(long * (k / (posts - 1) - 0.5), 0.52 * high, 0.0, (0.045, 0.52 * high, 0.045), True)
    if form == "boards":
        rows = 3 + int(chance.between(0, 3))
        wide = high / rows * chance.between(0.28, 0.4)
        for k in range(rows):
            board(0.0, high * (k + 0.6) / rows, 0.06, (0.5 * long, wide, 0.014), False)
        return
    for y in (0.25, 0.8):
        board(0.0, y * high, 0.055, (0.5 * long, 0.035, 0.016), False)
    wide = chance.between(0.5, 0.72) * spacing
    for k in range(int(long / spacing)):
        board(spacing * (k + 0.5) - 0.5 * long, 0.5 * high + 0.02, 0.08, (0.5 * wide, 0.5 * high - 0.02, 0.012), True)


def add_wall(plot: Plot, x: float, z: float, long: float, degrees: float, high: float, use: str = "brick") -> None:
    """A garden wall with a coping: brick or stone, of class stone."""
    instance, turn = plot.thing(), yaw(degrees)
    body = plot.material(use)
    plot.solids.append(
        Solid("box", (x, 0.5 * high, z), (0.5 * long, 0.5 * high, 0.13), body, "stone", instance, turn, bumps=0.2)
    )
    coping = plot.material("stone")
    plot.solids.append(
        Solid("box", (x, high + 0.03, z), (0.5 * long + 0.03, 0.035, 0.17), coping, "stone", instance, turn, bumps=0.2)
    )


def add_terrace(plot: Plot, x: float, z: float, wide: float, deep: float, steps: int) -> float:
    """A raised terrace with its front edge at z and steps in front of it; gives its height."""
    chance = plot.chance
    rise, tread = chance.between(0.13, 0.17), chance.between(0.30, 0.38)
    high = rise * steps
    wall, top = plot.thing(), plot.thing()
    face = plot.material(chance.pick(brick=1, stone=1))
    plot.solids.append(
        Solid(
            "box",
            (x, 0.5 * high - 0.03, z - 0.5 * deep),
            (0.5 * wide, 0.5 * high - 0.01, 0.5 * deep),
            face,
            "stone",
            wall,
        )
    )
    use = chance.pick(pavement=2, gravel=1, grass=1, dirt=0.4)
    plot.solids.append(
        Solid(
            "box",
            (x, high - 0.02, z - 0.5 * deep),
            (0.5 * wide + 0.03, 0.025, 0.5 * deep + 0.03),
            plot.material(use),
            use,
            top,
        )
    )
    stair = plot.thing()
    stone, across = plot.material("step"), chance.between(0.55, 1.1)
    for k in range(steps):
        y = rise * (k + 1)
        front = z + tread * (steps - k)
        plot.solids.append(
            Solid(
                "box",
                (x, 0.5 * y, 0.5 * (front + z) - 0.02),
                (across, 0.5 * y, 0.5 * (front - z) + 0.02),
                stone,
                "step",
                stair,
                bumps=0.1,
                pattern_origin=(x, 0.0, z),
            )
        )
    return high


def add_flowerpot(plot: Plot, x: float, z: float, size: float, ground: float = 0.0) -> None:
    """A pot ``size`` high with earth and a plant in it; the plant is a topiary or a rose of its own."""
    chance, instance = plot.chance, plot.thing()
    clay = plot.material("flowerpot")
    wide = size * chance.between(0.4, 0.55)
    square = chance.between(0, 1) < 0.15
    if square:
        plot.solids.append(
            Solid(
                "box",
                (x, ground + 0.5 * size, z),
                (wide, 0.5 * size, wide),
                clay,
                "flowerpot",
                instance,
                yaw(chance.between(0, 90)),
            )
        )
    else:
        base = chance.between(0.62, 0.85)
        plot.solids.append(
            Solid(
                "frustum",
                (x, ground + 0.5 * size, z),
                (wide * base, 0.5 * size, wide * base),
                clay,
                "flowerpot",
                instance,
                top=1 / base,
            )
        )
        plot.solids.append(
            Solid(
                "cylinder",
                (x, ground + 0.95 * size, z),
                (1.08 * wide, 0.06 * size, 1.08 * wide),
                clay,
                "flowerpot",
                instance,
            )
        )
    plot.solids.append(
        Solid(
            "cylinder",
            (x, ground + 1.005 * size, z),
            (0.9 * wide, 0.01, 0.9 * wide),
            plot.material("dirt"),
            "dirt",
            plot.thing(),
        )
    )
    kind = chance.pick(rose=0.45, topiary=0.45, bare=0.1)
    if kind == "bare":
        return
    plant, leaves = plot.thing(), plot.material(kind)
    half = wide * chance.between(0.9, 1.4)
    if kind == "topiary" and chance.between(0, 1) < 0.4:
        plot.solids.append(
            Solid(
                "frustum",
                (x, ground + size + 1.3 * half, z),
                (0.8 * half, 1.3 * half, 0.8 * half),
                leaves,
                kind,
                plant,
                top=0.05,
                bumps=_LEAFY,
                bump_size=_LEAF,
            )
        )
        return
    plot.solids.append(
        Solid(
            "ellipsoid",
            (x, ground + size + 0.75 * half, z),
            (half, 0.85 * half, half),
            leaves,
            kind,
            plant,
            holes=0.25 if kind == "rose" else 0.0,
            hole_size=0.07,
            bumps=_LEAFY,
            bump_size=_LEAF,
        )
    )


def add_stone(plot: Plot, x: float, z: float, size: float) -> None:
    """A boulder ``size`` wide, sunk into the ground."""
    chance = plot.chance
    half = 0.5 * size
    tall, deep = half * chance.between(0.5, 0.9), half * chance.between(0.6, 1.0)
    turn = rotation(chance.between(-12, 12), chance.between(0, 180), chance.between(-12, 12))
    plot.solids.append(
        Solid(
            "ellipsoid",
            (x, 0.5 * tall, z),
            (half, tall, deep),
            plot.material("stone"),
            "stone",
            plot.thing(),
            turn,
            bumps=0.6,
            bump_size=0.12,
        )
    )


def _stem(plot: Plot, x: float, z: float, radius: float, high: float, label: str, instance: int) -> Solid:
    return Solid("cylinder", (x, 0.5 * high, z), (radius, 0.5 * high, radius), plot.material("bark"), label, instance)
