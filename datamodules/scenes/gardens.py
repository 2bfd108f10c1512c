"""Gardens: a ground of several surfaces, what grows and stands on it, daylight of five conditions.

Classes are those of ``zoo.scene_classes.GARDEN_CLASSES``. "ground" is bare trodden earth, "dirt" dark dug soil of beds,
"box" clipped hedges, garden walls and boulders are "stone", ponds are "void" (the data set has no class for water), and
what grows in a flowerpot is "topiary" or "rose".
"""

from __future__ import annotations

import math
from itertools import pairwise

from datamodules.scenes import garden_things as things
from datamodules.scenes.garden_lights import draw_daylight
from datamodules.scenes.garden_things import Plot
from datamodules.scenes.materials.draw import Generator
from datamodules.scenes.scene import Camera, Scene, Solid, yaw

__all__ = ["draw_garden"]

_LAYER = 0.004
"""Metres that each surface lies above the one before: enough to decide which is seen, too little to be a step."""
_ORIGIN = (0.0, 0.0, 0.0)
_ROUGH = {"grass": 0.18, "gravel": 0.12, "woodchip": 0.16, "dirt": 0.18, "ground": 0.08, "pavement": 0.03}
_UNEVEN = 0.2
"""Metres from bump to bump of the ground."""
_GROUNDS = {"grass": 0.40, "ground": 0.17, "gravel": 0.14, "dirt": 0.08, "pavement": 0.12, "woodchip": 0.09}


def draw_garden(generator: Generator, lights: int = 1) -> Scene:
    """A random garden.

    The camera stands at the origin's height of a child or a small robot to that of a person and looks towards -z.

    Args:
        generator: The only source of chance; see ``scene`` for the rules.
        lights: How many lightings.
    """
    plot = Plot(generator)
    chance = plot.chance
    eye = chance.between(0.7, 1.75)
    aim = (chance.between(-1.2, 1.2), chance.between(-0.5, 0.55), -6.0)
    camera = Camera((0.0, eye, 0.0), aim, chance.between(55, 76))
    plot.take(0.0, 0.0, 1.2)
    base = chance.pick(**_GROUNDS)
    far = chance.between(7.5, 12.5)
    plot.solids.append(
        Solid(
            "box",
            (0, -0.5, -20),
            (80, 0.5, 80),
            plot.material(base),
            base,
            plot.thing(),
            bumps=_ROUGH[base],
            bump_size=_UNEVEN,
            pattern_origin=_ORIGIN,
        )
    )
    _edge(plot, far)
    _backdrop(plot, far)
    if chance.between(0, 1) < 0.35:
        _formal(plot, base, far)
    else:
        _loose(plot, base, far)
    _behind_the_camera(plot)
    # leaves are dark and stones are pale: brighter, and whole beds would be burnt out
    exposure = chance.between(-0.75, -0.1)
    return Scene(plot.solids, camera, [draw_daylight(plot.chance) for _ in range(lights)], exposure)


def _other(plot: Plot, *taken: str) -> str:
    """A surface that is none of these."""
    return plot.chance.pick(**{name: weight for name, weight in _SURFACES.items() if name not in taken})


_SURFACES = {"pavement": 0.2, "gravel": 0.18, "woodchip": 0.2, "dirt": 0.2, "ground": 0.1, "grass": 0.15}


def _lay_box(
    plot: Plot, level: int, name: str, x: float, z: float, wide: float, deep: float, degrees: float = 0.0
) -> None:
    """A rectangular surface about (x, z)."""
    high = 0.05
    plot.solids.append(
        Solid(
            "box",
            (x, _LAYER * level - high, z),
            (0.5 * wide, high, 0.5 * deep),
            plot.material(name),
            name,
            plot.thing(),
            yaw(degrees),
            bumps=_ROUGH[name],
            bump_size=_UNEVEN,
            casts=False,
            pattern_origin=_ORIGIN,
        )
    )


def _lay_bed(plot: Plot, level: int, name: str, x: float, z: float, wide: float, deep: float, degrees: float) -> None:
    """An oval bed, heaped a little."""
    heap = plot.chance.between(0.05, 0.14)
    plot.solids.append(
        Solid(
            "ellipsoid",
            (x, _LAYER * level - 0.02, z),
            (0.5 * wide, heap, 0.5 * deep),
            plot.material(name),
            name,
            plot.thing(),
            yaw(degrees),
            lower=0.0,
            bumps=_ROUGH[name],
            bump_size=_UNEVEN,
            casts=False,
            pattern_origin=_ORIGIN,
        )
    )


def _lay_path(plot: Plot, level: int, name: str, x: float, wide: float, far: float) -> None:
    """A path that winds from the viewer's feet to the end of the garden."""
    chance = plot.chance
    surface, instance = plot.material(name), plot.thing()
    swing, turns, begin = chance.between(0.2, 1.6), chance.between(0.3, 1.0), chance.between(0, 6)
    pieces = 9
    points = []
    for k in range(pieces + 1):
        z = 2.5 - (far + 2.0) * k / pieces
        points.append((x + swing * math.sin(begin + turns * z * 0.7), z))
    for (a, b), (c, d) in pairwise(points):
        long, turn = math.hypot(c - a, d - b), math.degrees(math.atan2(a - c, b - d))
        for shape, centre, extents in (
            ("box", ((a + c) / 2, (b + d) / 2), (0.5 * wide, 0.05, 0.5 * long)),
            ("cylinder", (c, d), (0.5 * wide, 0.05, 0.5 * wide)),
        ):
            plot.solids.append(
                Solid(
                    shape,  # type: ignore[arg-type]
                    (centre[0], _LAYER * level - 0.05, centre[1]),
                    extents,
                    surface,
                    name,
                    instance,
                    yaw(turn) if shape == "box" else None,
                    bumps=_ROUGH[name],
                    bump_size=_UNEVEN,
                    casts=False,
                    pattern_origin=_ORIGIN,
                )
            )


def _lay_pond(plot: Plot, level: int, x: float, z: float, radius: float) -> None:
    """A round pond with a rim of boulders."""
    chance = plot.chance
    plot.solids.append(
        Solid(
            "cylinder",
            (x, _LAYER * level - 0.05, z),
            (radius, 0.05, radius),
            plot.material("water"),
            "void",
            plot.thing(),
            casts=False,
        )
    )
    count = int(radius * 9)
    for k in range(count):
        angle = 2 * math.pi * (k + chance.between(-0.2, 0.2)) / count
        things.add_stone(plot, x + radius * math.cos(angle), z + radius * math.sin(angle), chance.between(0.2, 0.42))
    plot.take(x, z, radius + 0.2)


def _edge(plot: Plot, far: float) -> None:
    """What ends the garden at the back and at the sides."""
    chance = plot.chance
    half = chance.between(3.2, 6.0)
    sides = (
        (0.0, -far, 2 * half, 0.0, chance.pick(fence=0.36, hedge=0.26, wall=0.24, none=0.14)),
        (-half, -0.5 * far, far, 90.0, chance.pick(fence=0.22, hedge=0.26, wall=0.17, none=0.35)),
        (half, -0.5 * far, far, 90.0, chance.pick(fence=0.22, hedge=0.26, wall=0.17, none=0.35)),
    )
    for x, z, long, degrees, kind in sides:
        if kind == "fence":
            things.add_fence(plot, x, z, long, degrees, spacing=max(0.14, long / 45))
        elif kind == "hedge":
            things.add_hedge(plot, x, z, long, degrees, chance.between(0.7, 2.0), 0.6)
        elif kind == "wall":
            use = chance.pick(brick=0.75, stone=0.25)
            things.add_wall(plot, x, z, long, degrees, chance.between(0.6, 1.9), use)


def _backdrop(plot: Plot, far: float) -> None:
    """Trees and hills beyond the garden."""
    chance = plot.chance
    if chance.between(0, 1) < 0.4:
        for _ in range(2):
            wide = chance.between(14, 30)
            place = (chance.between(-25, 25), -0.5, -far - 22 - chance.between(0, 10))
            name = chance.pick(grass=2, ground=1)
            plot.solids.append(
                Solid(
                    "ellipsoid",
                    place,
                    (wide, chance.between(1.5, 5), 10),
                    plot.material(name),
                    name,
                    plot.thing(),
                    lower=0.0,
                    bumps=0.5,
                )
            )
    if chance.between(0, 1) < 0.55:
        _treeline(plot, far + chance.between(9, 16))
    for _ in range(int(chance.between(1, 6))):
        x, z = chance.between(-9, 9), -far - chance.between(1.5, 7)
        things.add_tree(plot, x, z, chance.between(3.0, 7.0))


def _treeline(plot: Plot, away: float) -> None:
    """The edge of a wood: round crowns down to the ground, side by side."""
    chance = plot.chance
    leaves = [plot.material("tree") for _ in range(3)]
    x = -1.25 * away
    while x < 1.25 * away:
        wide, tall = chance.between(1.6, 3.6), chance.between(1.4, 3.4)
        material = leaves[min(int(chance.between(0, 3)), 2)]
        place = (x, 0.55 * tall, -away - chance.between(-1.2, 1.2))
        plot.solids.append(
            Solid("ellipsoid", place, (wide, tall, 1.6), material, "tree", plot.thing(), bumps=0.7, bump_size=0.5)
        )
        x += wide * chance.between(1.0, 1.7)


def _formal(plot: Plot, base: str, far: float) -> None:
    """A straight path between low hedges, pairs of clipped shrubs, rose beds behind."""
    chance = plot.chance
    x, wide = chance.between(-0.8, 0.8), chance.between(1.0, 1.8)
    path, bed = _other(plot, base), _other(plot, base, "pavement", "grass")
    long = far - 1.0
    _lay_box(plot, 1, path, x, -0.5 * far + 1.5, wide, far + 3.0)
    steps = int(chance.between(2, 5)) if chance.between(0, 1) < 0.55 else 0
    high = 0.0
    if steps:
        high = things.add_terrace(plot, x, -far + 2.2, chance.between(4, 7), 2.2, steps)
        long -= 3.0
    edged, hedge_high = chance.between(0, 1) < 0.7, chance.between(0.25, 0.5)
    leaves, roses = plot.material("topiary"), plot.material("rose")
    form, size, gap = (
        chance.pick(ball=2, cone=2, tiers=1.2, standard=1.5),
        chance.between(0.5, 0.9),
        chance.between(1.6, 2.6),
    )
    for side in (-1.0, 1.0):
        border = x + side * (0.5 * wide + 0.2)
        beds = border + side * 1.15
        _lay_box(plot, 2, bed, beds, -1.6 - 0.5 * (long - 1.6), 1.9, long - 1.6)
        if edged:
            things.add_hedge(plot, border, -1.8 - 0.5 * (long - 1.8), long - 1.8, 90.0, hedge_high, 0.3)
        z = -2.4
        while z > -long:
            things.add_topiary(plot, border + side * 0.75, z, size, form, leaves)
            plot.take(border + side * 0.75, z, 0.5 * size)
            for _ in range(2):
                a, b = beds + chance.between(-0.4, 0.9) * side, z - gap * chance.between(0.35, 0.65)
                width = chance.between(0.45, 0.8)
                if plot.free(a, b, 0.4 * width):
                    plot.take(a, b, 0.4 * width)
                    things.add_rose(plot, a, b, width, roses)
            z -= gap
        if chance.between(0, 1) < 0.6:
            things.add_flowerpot(
                plot, x + side * (0.5 * wide - 0.25), -chance.between(2.5, 5.5), chance.between(0.25, 0.45)
            )
    if steps:
        for side in (-1.0, 1.0):
            if chance.between(0, 1) < 0.7:
                things.add_flowerpot(plot, x + 1.5 * side, -far + 1.9, chance.between(0.3, 0.5), high)
    plot.take(x, -0.5 * far, 1.0)
    _scatter(plot, far, int(chance.between(1, 4)), away=3.0)


def _loose(plot: Plot, base: str, far: float) -> None:
    """A path that winds, beds, perhaps a terrace or a pond, and things everywhere."""
    chance = plot.chance
    used = [base]
    if chance.between(0, 1) < 0.4:
        name = _other(plot, *used)
        used.append(name)
        _lay_box(
            plot,
            1,
            name,
            chance.between(-2, 2),
            -chance.between(1, 4),
            chance.between(3, 6),
            chance.between(2, 4.5),
            chance.between(-25, 25),
        )
    if chance.between(0, 1) < 0.6:
        name = _other(plot, *used, "grass")
        used.append(name)
        _lay_path(plot, 2, name, chance.between(-1.5, 1.5), chance.between(0.8, 1.5), far)
    if chance.between(0, 1) < 0.35:
        steps = int(chance.between(2, 5))
        x, z, wide = chance.between(-2, 2), -far + chance.between(2.4, 4.0), chance.between(2.6, 5)
        high = things.add_terrace(plot, x, z, wide, 2.2, steps)
        things.add_flowerpot(plot, x + 0.36 * wide, z - 0.4, chance.between(0.3, 0.5), high)
        things.add_flowerpot(plot, x - 0.36 * wide, z - 0.4, chance.between(0.3, 0.5), high)
        for k in range(-2, 3):
            plot.take(x + 0.25 * wide * k, z - 0.6, 0.7)
        plot.take(x, z + 0.8, 0.9)
    if chance.between(0, 1) < 0.12:
        _lay_pond(plot, 3, chance.between(-2.5, 2.5), -chance.between(4, 6.5), chance.between(0.8, 1.5))
    for level in range(int(chance.between(1, 4))):
        name = _other(plot, base, "grass") if chance.between(0, 1) < 0.85 else _other(plot, base)
        depth = chance.between(3.0, 0.8 * far)
        x = chance.between(-0.6, 0.6) * depth
        wide, deep, degrees = chance.between(1.6, 3.6), chance.between(1.0, 2.2), chance.between(-40, 40)
        _lay_bed(plot, 4 + level, name, x, -depth, wide, deep, degrees)
        _plant(plot, x, -depth, 0.36 * wide, 0.36 * deep)
    _scatter(plot, far, int(chance.between(5, 11)))
    if chance.between(0, 1) < 0.3:
        depth = chance.between(3, 6)
        things.add_fence(plot, chance.between(-2, 2), -depth, chance.between(1.5, 3.5), chance.between(-60, 60))


def _plant(plot: Plot, x: float, z: float, wide: float, deep: float) -> None:
    """Fill a bed with one kind of plant."""
    chance = plot.chance
    kind = chance.pick(rose=0.55, topiary=0.3, stone=0.15)
    shared = plot.material("rose" if kind == "rose" else "topiary")
    for _ in range(int(chance.between(2, 6))):
        a, b, size = x + chance.between(-wide, wide), z + chance.between(-deep, deep), chance.between(0.4, 0.8)
        if not plot.free(a, b, 0.42 * size):
            continue
        plot.take(a, b, 0.42 * size)
        if kind == "rose":
            things.add_rose(plot, a, b, size, shared)
        elif kind == "topiary":
            things.add_topiary(plot, a, b, size, "", shared)
        else:
            things.add_stone(plot, a, b, size)


def _scatter(plot: Plot, far: float, count: int, away: float = 0.0) -> None:
    """Single things within the view, none nearer to the middle than ``away``."""
    chance = plot.chance
    for _ in range(count):
        depth = chance.between(2.2, far - 0.8)
        x = chance.between(-0.62, 0.62) * depth
        if abs(x) < away:
            x = math.copysign(away + 0.2 * depth, x)
        kind = chance.pick(topiary=0.25, rose=0.12, flowerpot=0.24, stone=0.14, tree=0.12, hedge=0.13)
        size = {"topiary": 0.7, "rose": 0.7, "flowerpot": 0.42, "stone": 0.5, "tree": 1.0, "hedge": 1.2}[kind]
        size *= chance.between(0.65, 1.35)
        radius = 0.3 if kind == "tree" else 0.55 * size
        if (kind == "tree" and depth < 3.5) or not plot.free(x, -depth, radius):
            continue
        plot.take(x, -depth, radius)
        if kind == "tree":
            things.add_tree(plot, x, -depth, chance.between(2.6, 5.0))
        elif kind == "hedge":
            things.add_hedge(plot, x, -depth, size * 1.4, chance.between(-40, 40), chance.between(0.3, 0.9), 0.4)
        elif kind == "topiary":
            things.add_topiary(plot, x, -depth, size)
        elif kind == "rose":
            things.add_rose(plot, x, -depth, size)
        elif kind == "flowerpot":
            things.add_flowerpot(plot, x, -depth, size)
        else:
            things.add_stone(plot, x, -depth, size)


def _behind_the_camera(plot: Plot) -> None:
    """Trees and fences that are not seen, but whose shadows are."""
    chance = plot.chance
    for side in (-1.0, 1.0):
        if chance.between(0, 1) < 0.4:
            things.add_tree(plot, side * chance.between(2.8, 5.0), chance.between(-0.5, 2.5), chance.between(3.5, 6.5))
    if chance.between(0, 1) < 0.2:
        things.add_fence(plot, chance.between(-1, 1), 1.6, 4.0, chance.between(-15, 15), 0.2)
