"""A random material for a use: which kind, in which colours, how large its pattern."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from datamodules.scenes.materials.surface import RGB, Material
from zoo.names import find_name

__all__ = ["USES", "draw_material"]


class Generator(Protocol):
    """What ``draw_material`` needs of numpy's generators."""

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...


class Chance:
    """Draws in the words of a painter.

    Args:
        generator: The source.
    """

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    def between(self, low: float, high: float) -> float:
        """Uniform."""
        return low + (high - low) * float(self._generator.random())

    def seed(self) -> int:
        """Of a pattern."""
        return int(float(self._generator.random()) * 2**20)

    def pick(self, **weights: float) -> str:
        """One of the names, by weight."""
        place = float(self._generator.random()) * sum(weights.values())
        for name, weight in weights.items():
            place -= weight
            if place < 0:
                return name
        return next(reversed(weights))

    def among(self, colours: tuple[RGB, ...], spread: float = 0.15) -> RGB:
        """One of the colours, lighter or darker by up to ``spread`` and a little off in hue."""
        colour = colours[min(int(float(self._generator.random()) * len(colours)), len(colours) - 1)]
        level = 1 + self.between(-spread, spread)
        # no paint is whiter than this
        red, green, blue = (min(level * c * (1 + self.between(-0.05, 0.05)), 0.88) for c in colour)
        return red, green, blue

    def hue(self, low: float = 0.08, high: float = 0.6, saturation: float = 0.75) -> RGB:
        """Any hue: the brightest channel between ``low`` and ``high``, the darkest lower by up to ``saturation``."""
        turn, level = 6 * float(self._generator.random()), self.between(low, high)
        depth = saturation * self.between(0.2, 1.0)
        channels = [min(max(abs((turn - 2 * k) % 6 - 3) - 1, 0.0), 1.0) for k in range(3)]
        red, green, blue = (level * (1 - depth * (1 - c)) for c in channels)
        return red, green, blue


_WHITES: tuple[RGB, ...] = ((0.80, 0.79, 0.76), (0.74, 0.70, 0.62), (0.70, 0.70, 0.69), (0.82, 0.80, 0.72))
_WALLS: tuple[RGB, ...] = (
    (0.72, 0.66, 0.52),
    (0.58, 0.64, 0.60),
    (0.55, 0.60, 0.68),
    (0.70, 0.55, 0.42),
    (0.66, 0.62, 0.58),
    (0.40, 0.50, 0.42),
    (0.62, 0.42, 0.34),
    (0.32, 0.38, 0.48),
    (0.76, 0.70, 0.40),
)
_WOODS: tuple[tuple[RGB, RGB], ...] = (
    ((0.50, 0.33, 0.17), (0.28, 0.15, 0.06)),
    ((0.38, 0.21, 0.10), (0.16, 0.07, 0.03)),
    ((0.60, 0.45, 0.27), (0.40, 0.26, 0.13)),
    ((0.24, 0.13, 0.07), (0.09, 0.045, 0.025)),
    ((0.42, 0.31, 0.20), (0.22, 0.14, 0.08)),
)
_LEAVES: tuple[tuple[RGB, RGB], ...] = (
    ((0.05, 0.115, 0.03), (0.105, 0.20, 0.05)),
    ((0.04, 0.09, 0.035), (0.09, 0.15, 0.06)),
    ((0.07, 0.13, 0.03), (0.135, 0.21, 0.05)),
    ((0.06, 0.10, 0.06), (0.13, 0.18, 0.11)),
)
_SHADE: RGB = (0.025, 0.035, 0.02)
_BRICKS: tuple[RGB, ...] = (
    (0.32, 0.12, 0.07),
    (0.26, 0.10, 0.06),
    (0.36, 0.20, 0.11),
    (0.30, 0.16, 0.10),
    (0.34, 0.27, 0.18),
)
_STONES: tuple[RGB, ...] = (
    (0.30, 0.29, 0.27),
    (0.38, 0.33, 0.25),
    (0.24, 0.24, 0.25),
    (0.42, 0.38, 0.32),
    (0.30, 0.25, 0.21),
)
_MORTAR: RGB = (0.46, 0.43, 0.38)


def _paint(chance: Chance) -> Material:
    palette = _WHITES if chance.between(0, 1) < 0.45 else _WALLS
    return Material("paint", (chance.among(palette),), 1.0, chance.seed(), chance.between(0.3, 1.0))


def _paper(chance: Chance) -> Material:
    kind = chance.pick(stripes=1, damask=1.4, dots=0.5)
    ground = chance.among(_WALLS + _WHITES)
    # motifs are lighter or darker than the paper, or of a hue of their own
    if chance.between(0, 1) < 0.65:
        level = chance.between(0.45, 0.8) if max(ground) > 0.5 or chance.between(0, 1) < 0.5 else 1.4
        motif = (level * ground[0], level * ground[1], level * ground[2])
    else:
        motif = chance.hue(0.2, 0.7, 0.6)
    line = chance.hue(0.15, 0.5, 0.5)
    scale = chance.between(0.10, 0.32) if kind != "damask" else chance.between(0.28, 0.6)
    return Material(kind, (ground, motif, line), scale, chance.seed(), chance.between(0.3, 1.0))


def _wall(chance: Chance) -> Material:
    kind = chance.pick(paint=0.42, paper=0.33, plaster=0.13, bricks=0.08, concrete=0.04)
    if kind == "paint":
        return _paint(chance)
    if kind == "paper":
        return _paper(chance)
    if kind == "bricks":
        return _brick(chance)
    palette = _WHITES + _WALLS[:5] if kind == "plaster" else _STONES
    return Material(kind, (chance.among(palette),), chance.between(0.6, 1.5), chance.seed(), chance.between(0.3, 1.0))


def _brick(chance: Chance) -> Material:
    first = chance.among(_BRICKS)
    second = chance.among(_BRICKS)
    mortar = chance.among((_MORTAR, (0.30, 0.28, 0.26), (0.55, 0.52, 0.47)))
    return Material(
        "bricks", (first, second, mortar), chance.between(0.21, 0.27), chance.seed(), chance.between(0.2, 1.0)
    )


def _tiled(chance: Chance) -> Material:
    first = chance.among((*_WHITES, *_STONES, (0.62, 0.30, 0.18), (0.10, 0.10, 0.11)))
    again = chance.between(0, 1) < 0.35
    other = chance.among((*_STONES, (0.06, 0.06, 0.07), (0.45, 0.20, 0.12), (0.20, 0.30, 0.34)))
    grout = chance.among(((0.45, 0.44, 0.42), (0.22, 0.21, 0.20), (0.65, 0.64, 0.62)))
    second = first if again else other
    return Material("tiles", (first, second, grout), chance.between(0.18, 0.5), chance.seed(), chance.between(0.2, 1.0))


def _timber(chance: Chance, kind: str, low: float, high: float) -> Material:
    light, dark = _WOODS[min(int(chance.between(0, len(_WOODS))), len(_WOODS) - 1)]
    level = chance.between(0.8, 1.15)
    colours = tuple((level * r, level * g, level * b) for r, g, b in (light, dark))
    return Material(kind, colours, chance.between(low, high), chance.seed(), chance.between(0.35, 1.0))


def _marble(chance: Chance) -> Material:
    body, vein = {
        "white": ((0.78, 0.77, 0.74), (0.34, 0.34, 0.36)),
        "green": ((0.10, 0.17, 0.13), (0.42, 0.50, 0.44)),
        "black": ((0.07, 0.07, 0.075), (0.50, 0.48, 0.44)),
        "rose": ((0.58, 0.40, 0.34), (0.76, 0.70, 0.64)),
    }[chance.pick(white=2, green=1, black=1, rose=1)]
    return Material(
        "marble",
        (chance.among((body,)), chance.among((vein,))),
        chance.between(0.35, 0.9),
        chance.seed(),
        chance.between(0.4, 1.0),
    )


def _floor(chance: Chance) -> Material:
    kind = chance.pick(planks=0.34, parquet=0.2, tiles=0.22, carpet=0.12, marble=0.05, slabs=0.07)
    if kind in ("planks", "parquet"):
        return _timber(chance, kind, 0.07, 0.10) if kind == "parquet" else _timber(chance, kind, 0.09, 0.2)
    if kind == "tiles":
        return _tiled(chance)
    if kind == "marble":
        return _marble(chance)
    if kind == "slabs":
        return _slab(chance, "slabs")
    return Material(
        "carpet", (chance.hue(0.15, 0.5, 0.5), chance.hue(0.1, 0.6, 0.4)), 1.0, chance.seed(), chance.between(0.2, 1.0)
    )


def _ceiling(chance: Chance) -> Material:
    kind = chance.pick(paint=0.7, plaster=0.3)
    return Material(kind, (chance.among(_WHITES, 0.06),), 1.0, chance.seed(), chance.between(0.1, 0.5))


def _fabric(chance: Chance) -> Material:
    kind = chance.pick(cloth=0.4, stripes=0.2, checks=0.2, dots=0.1, damask=0.1)
    body = chance.hue(0.12, 0.65)
    second = chance.hue(0.08, 0.7)
    third = chance.hue(0.05, 0.8)
    scale = chance.between(0.05, 0.2) if kind != "damask" else chance.between(0.15, 0.35)
    return Material(kind, (body, second, third), scale, chance.seed(), chance.between(0.3, 1.0))


def _furniture(chance: Chance) -> Material:
    kind = chance.pick(wood=0.55, paint=0.35, metal=0.1)
    if kind == "wood":
        return _timber(chance, "wood", 0.8, 1.4)
    if kind == "metal":
        return _metal(chance)
    colour = chance.among(_WHITES) if chance.between(0, 1) < 0.45 else chance.hue(0.1, 0.6)
    return Material("paint", (colour,), 1.0, chance.seed(), 0.5)


def _sofa(chance: Chance) -> Material:
    if chance.between(0, 1) < 0.7:
        return _fabric(chance)
    colour = chance.among(((0.16, 0.07, 0.04), (0.05, 0.045, 0.045), (0.36, 0.24, 0.14), (0.30, 0.06, 0.05)))
    return Material("leather", (colour,), chance.between(0.8, 1.6), chance.seed(), chance.between(0.3, 1.0))


def _metal(chance: Chance) -> Material:
    colour = chance.among(((0.34, 0.34, 0.35), (0.12, 0.12, 0.13), (0.45, 0.38, 0.26), (0.55, 0.55, 0.55)))
    return Material("metal", (colour,), 1.0, chance.seed(), chance.between(0.2, 0.8))


def _rug(chance: Chance) -> Material:
    field = chance.among(
        ((0.30, 0.05, 0.05), (0.06, 0.09, 0.20), (0.42, 0.32, 0.18), (0.10, 0.20, 0.16), (0.22, 0.10, 0.07))
    )
    first, second = chance.hue(0.25, 0.65, 0.5), chance.hue(0.06, 0.35)
    edge = chance.among(((0.55, 0.48, 0.36), (0.08, 0.06, 0.06)))
    return Material("rug", (field, first, second, edge), 1.0, chance.seed(), 0.6, (2.2, 1.5))


def _picture(chance: Chance) -> Material:
    kind = chance.pick(landscape=0.5, abstract=0.5)
    colours: tuple[RGB, ...]
    if kind == "landscape":
        sky = chance.among(((0.25, 0.42, 0.68), (0.50, 0.40, 0.42), (0.40, 0.47, 0.52)))
        haze = chance.among(((0.78, 0.66, 0.48), (0.72, 0.74, 0.74), (0.80, 0.52, 0.38)))
        far = chance.among(((0.12, 0.20, 0.10), (0.16, 0.18, 0.24)))
        near = chance.among(((0.26, 0.22, 0.08), (0.08, 0.16, 0.06), (0.36, 0.26, 0.12)))
        colours = (sky, haze, far, near, (0.9, 0.82, 0.6))
    else:
        colours = tuple(chance.hue(0.08, 0.85, 0.9) for _ in range(5))
    return Material(kind, colours, 1.0, chance.seed(), chance.between(0.2, 1.0), (0.8, 0.6))


def _book(chance: Chance) -> Material:
    cover = chance.hue(0.06, 0.55, 0.85)
    band = chance.among(((0.60, 0.46, 0.18), (0.78, 0.75, 0.68), (0.05, 0.05, 0.05)))
    return Material("book", (cover, band, (0.72, 0.68, 0.58)), 1.0, chance.seed(), 0.5, (0.03, 0.24))


def _vase(chance: Chance) -> Material:
    kind = chance.pick(glaze=0.6, terracotta=0.2, marble=0.2)
    if kind == "terracotta":
        return _pot(chance)
    if kind == "marble":
        return _marble(chance)
    return Material(
        "glaze",
        (chance.hue(0.15, 0.85, 0.6), chance.hue(0.05, 0.7, 0.8)),
        chance.between(0.12, 0.4),
        chance.seed(),
        chance.between(0, 1),
    )


def _pot(chance: Chance) -> Material:
    if chance.between(0, 1) < 0.25:
        return Material(
            "glaze", (chance.hue(0.1, 0.6, 0.7), chance.hue(0.1, 0.6, 0.5)), 0.3, chance.seed(), chance.between(0, 0.6)
        )
    clay = chance.among(((0.38, 0.14, 0.065), (0.31, 0.115, 0.06), (0.42, 0.20, 0.11)))
    return Material("terracotta", (clay, (0.58, 0.48, 0.40)), 1.0, chance.seed(), chance.between(0.2, 1.0))


def _leaf(chance: Chance, kind: str, low: float, high: float) -> Material:
    dark, light = _LEAVES[min(int(chance.between(0, len(_LEAVES))), len(_LEAVES) - 1)]
    level = chance.between(0.85, 1.25)
    colours = tuple((level * r, level * g, level * b) for r, g, b in (dark, light))
    petal = chance.among(
        ((0.55, 0.03, 0.05), (0.72, 0.26, 0.32), (0.80, 0.72, 0.62), (0.70, 0.48, 0.07), (0.60, 0.12, 0.30))
    )
    return Material(kind, (*colours, _SHADE, petal), chance.between(low, high), chance.seed(), chance.between(0.4, 1.0))


def _grass(chance: Chance) -> Material:
    kind = chance.pick(grass=0.7, meadow=0.3)
    green = chance.among(((0.065, 0.13, 0.03), (0.08, 0.15, 0.035), (0.055, 0.105, 0.03)))
    dry = chance.among(((0.14, 0.18, 0.05), (0.20, 0.19, 0.07), (0.10, 0.17, 0.04)))
    flower = chance.among(((0.75, 0.73, 0.66), (0.70, 0.55, 0.06), (0.45, 0.25, 0.55)))
    return Material(kind, (green, dry, flower), 1.0, chance.seed(), chance.between(0.2, 1.0))


def _dirt(chance: Chance) -> Material:
    damp = chance.among(((0.06, 0.038, 0.022), (0.05, 0.035, 0.026), (0.085, 0.048, 0.025)))
    dry = (damp[0] * 2.1, damp[1] * 2.1, damp[2] * 2.1)
    return Material("dirt", (damp, dry, chance.among(_STONES)), 1.0, chance.seed(), chance.between(0.3, 1.0))


def _ground(chance: Chance) -> Material:
    dark = chance.among(((0.17, 0.12, 0.075), (0.20, 0.155, 0.10), (0.15, 0.12, 0.09)))
    light = (dark[0] * 1.6, dark[1] * 1.6, dark[2] * 1.65)
    return Material("sand", (dark, light), 1.0, chance.seed(), chance.between(0.3, 1.0))


def _gravel(chance: Chance) -> Material:
    first, second = chance.among(_STONES), chance.among((*_STONES, (0.60, 0.57, 0.52)))
    dark = (0.3 * first[0], 0.3 * first[1], 0.3 * first[2])
    return Material(
        "gravel", (first, second, dark), chance.between(0.025, 0.06), chance.seed(), chance.between(0.3, 1.0)
    )


def _woodchip(chance: Chance) -> Material:
    dark = chance.among(((0.13, 0.06, 0.03), (0.18, 0.09, 0.045)))
    light = chance.among(((0.42, 0.27, 0.14), (0.34, 0.19, 0.10), (0.38, 0.16, 0.08)))
    return Material("woodchip", (dark, light, (0.035, 0.022, 0.015)), chance.between(0.05, 0.09), chance.seed(), 0.6)


def _slab(chance: Chance, kind: str) -> Material:
    first, second = chance.among(_STONES), chance.among(_STONES)
    # joints are of earth, moss, or mortar that is paler than most stones
    joints: tuple[RGB, ...] = ((0.12, 0.10, 0.075), (0.07, 0.10, 0.04), (0.50, 0.46, 0.40))
    joint = chance.among(joints[:2] if kind == "cobbles" else joints)
    scale = {"slabs": (0.4, 0.7), "crazy_paving": (0.35, 0.6), "cobbles": (0.10, 0.16)}[kind]
    return Material(kind, (first, second, joint), chance.between(*scale), chance.seed(), chance.between(0.2, 1.0))


def _pavement(chance: Chance) -> Material:
    kind = chance.pick(slabs=0.4, crazy_paving=0.2, cobbles=0.2, bricks=0.2)
    return _brick(chance) if kind == "bricks" else _slab(chance, kind)


def _stone(chance: Chance) -> Material:
    first = chance.among(_STONES)
    dark = chance.between(0.45, 0.7)
    second = (dark * first[0], dark * first[1], dark * first[2])
    lichen = chance.among(((0.42, 0.42, 0.30), (0.12, 0.15, 0.06), (0.50, 0.38, 0.12)))
    return Material("stone", (first, second, lichen), chance.between(0.5, 1.5), chance.seed(), chance.between(0.1, 1.0))


def _fence(chance: Chance) -> Material:
    if chance.between(0, 1) < 0.35:
        colour = chance.among((*_WHITES, (0.10, 0.20, 0.13), (0.20, 0.32, 0.38), (0.30, 0.10, 0.06)))
        return Material("paint", (colour,), 1.0, chance.seed(), 1.0)
    base = _timber(chance, "slats", 0.7, 1.2)
    return Material("slats", (*base.colours, (0.30, 0.28, 0.26)), base.scale, base.seed, chance.between(0.1, 1.0))


def _bark(chance: Chance) -> Material:
    body = chance.among(((0.17, 0.12, 0.085), (0.22, 0.18, 0.14), (0.12, 0.09, 0.07), (0.42, 0.40, 0.36)))
    return Material("bark", (body, (0.10, 0.13, 0.04)), chance.between(0.7, 1.4), chance.seed(), chance.between(0, 1))


def _water(chance: Chance) -> Material:
    deep = chance.among(((0.04, 0.07, 0.07), (0.05, 0.08, 0.05), (0.04, 0.06, 0.09)))
    light = chance.among(((0.16, 0.24, 0.28), (0.14, 0.20, 0.16)))
    return Material("water", (deep, light), chance.between(0.6, 1.5), chance.seed(), chance.between(0.3, 1.0))


USES: dict[str, Callable[[Chance], Material]] = {
    "wall": _wall,
    "floor": _floor,
    "ceiling": _ceiling,
    "wood": lambda chance: _timber(chance, "wood", 0.8, 1.4),
    "post": lambda chance: _timber(chance, "post", 0.8, 1.4),
    "fabric": _fabric,
    "sofa": _sofa,
    "furniture": _furniture,
    "metal": _metal,
    "marble": _marble,
    "rug": _rug,
    "picture": _picture,
    "book": _book,
    "vase": _vase,
    "paint": _paint,
    "foliage": lambda chance: _leaf(chance, "foliage", 0.04, 0.08),
    "topiary": lambda chance: _leaf(chance, "foliage", 0.025, 0.05),
    "rose": lambda chance: _leaf(chance, "rose", 0.04, 0.06),
    "tree": lambda chance: _leaf(chance, "foliage", 0.07, 0.12),
    "grass": _grass,
    "ground": _ground,
    "gravel": _gravel,
    "pavement": _pavement,
    "dirt": _dirt,
    "woodchip": _woodchip,
    "stone": _stone,
    "brick": _brick,
    "fence": _fence,
    "flowerpot": _pot,
    "step": lambda chance: _slab(chance, "slabs") if chance.between(0, 1) < 0.4 else _stone(chance),
    "bark": _bark,
    "water": _water,
}
"""From a use to the function that draws a material for it."""


def draw_material(use: str, generator: Generator) -> Material:
    """A random material for a use.

    Args:
        use: One of ``USES``: wall, floor, ceiling, wood, post, fabric, sofa, furniture, rug, picture, book, vase,
            foliage, topiary, rose, tree, grass, ground, gravel, pavement, dirt, woodchip, stone, brick, fence,
            flowerpot, step, bark, water, ...
        generator: Only its ``random()`` is called, so numpy's generators do.

    Returns:
        A material. What has a border or a composition (rug, picture, book) has a usual ``size``; replace it by the
        thing's own: ``dataclasses.replace(material, size=(width, height))``.

    Raises:
        UserError: No such use.
    """
    name = find_name(use, USES, kind="use of a material", hint="datamodules.scenes.materials.USES has all")
    return USES[name](Chance(generator))
