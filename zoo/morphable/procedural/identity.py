"""How heads differ: named fields with spreads and ties to body size, sex and weight, then their principal axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.morphable.procedural import eye
from zoo.morphable.procedural.blend import bump, ramp, window
from zoo.morphable.procedural.fields import on_side, rigid_eyes, with_lashes
from zoo.morphable.procedural.mesh import Head

Array = NDArray[np.float64]

COMPONENTS = 80
_FLIP = np.array([-1.0, 1.0, 1.0])


class Trait(NamedTuple):
    """One way in which heads differ.

    Args:
        name: What differs.
        field: (V,3) displacement at one standard deviation, millimetres.
        length: Its correlation with the length of the body.
        sex: With being male.
        weight: With weight.
        age: With age.
    """

    name: str
    field: Array
    length: float = 0.0
    sex: float = 0.0
    weight: float = 0.0
    age: float = 0.0


def identity_basis(head: Head) -> tuple[Array, Array]:
    """Principal axes of all traits together.

    Returns:
        (V,3,80) millimetres per standard deviation, and the (80,) shares of the variance that they explain.
    """
    traits = list(_traits(head))
    fields = np.stack([with_lashes(head, trait.field).ravel() for trait in traits], 1)
    ties = np.array([[trait.length, trait.sex, trait.weight, trait.age] for trait in traits])
    own = np.sqrt(np.clip(1.0 - (ties**2).sum(1), 0.05, None))
    covariance = ties @ ties.T + np.diag(own**2)
    mixed = fields @ np.linalg.cholesky(covariance)
    values, vectors = np.linalg.eigh(mixed.T @ mixed)
    order = np.argsort(values)[::-1][:COMPONENTS]
    axes = mixed @ vectors[:, order]
    # the sign of a principal axis is free: let each move its strongest vertex along the positive axis
    strongest = np.abs(axes).argmax(0)
    axes *= np.sign(axes[strongest, np.arange(axes.shape[1])])
    return axes.reshape(-1, 3, COMPONENTS), values[order] / values.sum()


def _traits(head: Head) -> Iterator[Trait]:
    symmetric = list(_whole_face(head)) + list(_features(head)) + list(_lids(head))
    yield from symmetric
    fields = {trait.name: trait.field for trait in symmetric}
    yield Trait("womanly", sum((share * fields[name] for name, share in _WOMANLY.items()), 0 * head.points), 0.0, -0.9)
    # nobody is quite symmetric: a weak one-sided copy of what differs most visibly between two sides
    for trait in symmetric:
        if trait.name in _LOPSIDED:
            left = trait.field * on_side(head.points, 1.0)[:, None]
            right = left[head.mirror] * _FLIP
            yield Trait(f"{trait.name}, one side", rigid_eyes(head, 0.22 * (left - right)))


_WOMANLY = {
    "brow ridge": -0.2, "glabella": -0.25, "brow height": 0.3, "jaw width": -0.35, "jaw angle": -0.15,
    "jaw taper": 0.4, "chin width": -0.4, "chin height": -0.15, "upper lip fullness": 0.3, "lower lip fullness": 0.2,
    "nose width": -0.35, "nose protrusion": -0.25, "nose length": -0.2, "tip height": 0.2, "apple of the cheek": 0.4,
    "neck width": -0.35, "larynx": -0.4, "eye size": 0.25, "forehead slope": -0.25,
}  # fmt: skip
"""What women's and men's faces differ in at once, besides what each trait's own tie tells."""

_LOPSIDED = frozenset(
    {
        "brow height", "brow ridge", "eye height", "eye spacing", "nose width", "nose bridge height", "mouth height",
        "mouth width", "cheekbone width", "cheek fullness", "jaw width", "jaw angle", "chin width", "ear stand",
        "ear size", "lid aperture", "lid fold", "eye slant", "upper lip fullness", "lower lip fullness", "nostril size",
        "temple width", "tip height", "nasolabial fold",
    }
)  # fmt: skip


def _whole_face(head: Head) -> Iterator[Trait]:
    p = head.points
    x, y, z = p.T
    ax, side = np.abs(x), x / np.sqrt(x**2 + 4.0)
    zero = np.zeros_like(x)

    def trait(
        name: str, dx: Array, dy: Array, dz: Array, length: float = 0, sex: float = 0, weight: float = 0, age: float = 0
    ) -> Trait:
        field = np.stack([dx + zero, dy + zero, dz + zero], -1)
        return Trait(name, rigid_eyes(head, field), length, sex, weight, age)

    below = np.clip(y, -125, 0)
    front = ramp(z, -20, 70)
    yield trait("size", 0.028 * x, 0.028 * y, 0.028 * z, 0.75, 0.5)
    yield trait("skull width", 0.035 * x * (1 - 0.7 * front * ramp(y, 45, -15)), zero, zero, 0.3, 0.2)
    yield trait("skull length", zero, zero, 0.04 * np.minimum(z, 20), 0.3, 0.2)
    yield trait("skull height", zero, 0.05 * np.clip(y - 25, 0, None), zero, 0.3)
    yield trait("face length", zero, 0.04 * below, zero, 0.7, 0.3)
    yield trait(
        "face width",
        0.042 * x * (0.15 + 0.85 * ramp(ax, 22, 60)) * window(y, -130, 20, 45) * front,
        zero,
        zero,
        0.1,
        0.3,
        0.5,
    )
    yield trait("face depth", zero, zero, 2.6 * front * window(y, -130, 40, 40) * np.exp(-((x / 45) ** 2)), 0.2, 0.2)
    yield trait(
        "forehead slope", zero, zero, -2.6 * ramp(y, 15, 75) * ramp(z, 0, 70) * np.exp(-((x / 60) ** 2)), 0, 0.5
    )
    yield trait("forehead height", zero, 3.0 * window(y, 45, 75, 30) * ramp(z, 20, 60), zero, 0.3)
    yield trait("forehead bulge", zero, zero, 1.8 * bump(ax, y, (0, 58), (34, 18)) * front)
    yield trait("occiput", zero, zero, -3.5 * bump(ax, y, (0, 15), (45, 35)) * ramp(z, -20, -70))
    yield trait("crown", zero, 3.0 * bump(x, z, (0, -40), (45, 30)) * ramp(y, 40, 90), zero)
    yield trait("temple width", side * 1.8 * bump(z, y, (42, 20), (20, 22)) * ramp(ax, 25, 50), zero, zero, 0, 0, 0.4)
    yield trait("prognathism", zero, zero, 1.8 * bump(ax, y, (0, -66), (32, 20)) * front)
    yield trait("lower face", zero, zero, 2.4 * ramp(y, -35, -105) * front * window(y, -130, 0, 12), 0, 0.3)
    neck = ramp(y, -105, -135)
    yield trait("neck width", 0.085 * x * neck, zero, 0.05 * z * neck, 0.1, 0.6, 0.55)
    yield trait("neck tilt", zero, zero, 0.09 * np.clip(y + 105, None, 0))
    throat = bump(ax, y, (0, -122), (36, 18)) * ramp(z, 5, 35)
    yield trait("double chin", zero, -3.2 * throat, 2.0 * throat, 0, 0, 0.7, 0.3)
    yield trait("larynx", zero, zero, 1.4 * bump(ax, y, (0, -146), (8, 9)) * ramp(z, 5, 25), 0, 0.75)
    # soft fullness of cheeks and jaw
    cheek = bump(ax, y, (46, -50), (17, 22)) * ramp(z, 5, 45)
    yield trait("cheek fullness", side * 2.9 * cheek, zero, 1.9 * cheek, 0, -0.1, 0.8)
    hollow = bump(ax, y, (42, -46), (12, 13)) * ramp(z, 25, 55)
    yield trait("cheek hollow", -side * 1.3 * hollow, zero, -1.6 * hollow, 0, 0.2, -0.5, 0.3)
    apple = bump(ax, y, (34, -26), (13, 11)) * front
    yield trait("apple of the cheek", side * 0.5 * apple, zero, 1.7 * apple, 0, -0.4, 0.3, -0.4)
    jowl = bump(ax, y, (38, -90), (10, 10)) * front
    yield trait("jowl", side * 0.5 * jowl, -1.6 * jowl, 1.0 * jowl, 0, 0, 0.4, 0.7)
    bone = bump(ax, y, (58, -18), (17, 13)) * ramp(z, 10, 40)
    yield trait("cheekbone width", side * 2.4 * bone, zero, 0.6 * bone, 0, 0.2)
    yield trait("cheekbone height", zero, 2.2 * bump(ax, y, (50, -22), (16, 12)) * front, zero)
    jaw = bump(z, y, (20, -80), (30, 20)) * ramp(ax, 18, 42)
    yield trait("jaw width", side * 2.1 * jaw, zero, zero, 0, 0.55, 0.4)
    yield trait("jaw angle", zero, -2.6 * bump(z, y, (12, -84), (24, 20)) * ramp(ax, 25, 42), zero, 0.2, 0.4)
    line = ramp(y, -45, -110) * ramp(y, -150, -115) * ramp(z, -10, 60)
    yield trait("jaw taper", -0.06 * x * line, zero, zero, 0, -0.4, -0.2)


def _features(head: Head) -> Iterator[Trait]:
    p = head.points
    x, y, z = p.T
    ax, side = np.abs(x), x / np.sqrt(x**2 + 4.0)
    zero = np.zeros_like(x)
    front = ramp(z, 45, 70)

    def trait(
        name: str, dx: Array, dy: Array, dz: Array, length: float = 0, sex: float = 0, weight: float = 0, age: float = 0
    ) -> Trait:
        field = np.stack([dx + zero, dy + zero, dz + zero], -1)
        return Trait(name, rigid_eyes(head, field), length, sex, weight, age)

    # chin
    chin = bump(ax, y, (0, -104), (18, 12)) * front
    yield trait("chin forward", zero, zero, 2.8 * chin, 0, 0.4)
    yield trait(
        "chin width", x * 0.08 * window(y, -118, -98, 20) * front * np.exp(-((x / 32) ** 2)), zero, zero, 0, 0.5
    )
    yield trait("chin height", zero, -2.1 * ramp(y, -84, -112) * front * np.exp(-((x / 45) ** 2)), zero, 0.4, 0.3)
    cleft = bump(ax, y, (0, -104), (2.6, 6)) * front
    yield trait("chin cleft", zero, zero, -0.7 * cleft + 0.25 * bump(ax, y, (9, -104), (6, 7)) * front, 0, 0.3)
    yield trait("lip-chin hollow", zero, zero, -1.1 * bump(ax, y, (0, -89), (15, 5)) * front)
    # brow and eyes
    brow = bump(ax, y, (32, 18), (19, 8)) * front
    yield trait("brow ridge", zero, -0.7 * brow, 2.0 * brow, 0, 0.75)
    yield trait("glabella", zero, zero, 1.3 * bump(ax, y, (0, 22), (11, 9)) * front, 0, 0.5)
    yield trait(
        "brow height",
        zero,
        1.9 * window(y, 12, 34, 10) * bump(ax, y, (32, 20), (24, 40)) * front,
        zero,
        0.1,
        -0.6,
        0,
        -0.2,
    )
    yield trait("brow slant", zero, 0.9 * (ax - 30) / 14 * window(y, 13, 32, 12) * window(ax, 8, 58, 8) * front, zero)
    socket = bump(ax, y, (32, 0), (26, 20)) * front
    yield trait("eye spacing", side * 0.55 * socket, zero, zero, 0.3, 0.1)
    yield trait("eye height", zero, 1.4 * socket, zero)
    yield trait("eye depth", zero, zero, 1.5 * socket, 0, -0.3)
    bag = bump(ax, y, (30, -14), (11, 4.5)) * front
    yield trait("eye bags", zero, -0.2 * bag, 1.1 * bag, 0, 0.1, 0.3, 0.5)
    yield trait("tear trough", zero, zero, -1.0 * bump(ax, y, (21, -15), (8, 5), -0.5) * front, 0, 0.1, -0.2, 0.4)
    yield trait("upper orbit", zero, zero, 1.3 * bump(ax, y, (30, 13.5), (14, 5)) * front, 0, 0, 0.3, 0.3)
    # nose
    low = bump(ax, y, (0, -40), (17, 11)) * front
    core = np.exp(-((x / 17.0) ** 2)) * front
    yield trait(
        "nose width", x * 0.075 * window(y, -50, -32, 14) * np.exp(-((x / 28) ** 2)) * front, zero, zero, 0, 0.2
    )
    yield trait("nose length", zero, -2.3 * ramp(y, 5, -40) * ramp(y, -60, -47) * core, zero, 0.5, 0.3)
    yield trait("nose protrusion", zero, zero, 1.9 * ramp(y, 5, -38) * ramp(y, -55, -44) * core, 0.3, 0.4)
    bridge = np.exp(-((x / 9.0) ** 2)) * front
    yield trait("nose bridge height", zero, zero, 1.7 * bump(ax * 0, y, (0, -10), (1, 14)) * bridge, 0, 0.4)
    yield trait("nose root", zero, zero, 1.5 * bump(ax * 0, y, (0, 6), (1, 8)) * bridge, 0, 0.3)
    yield trait("nose hump", zero, zero, 1.2 * bump(ax * 0, y, (0, -16), (1, 6.5)) * bridge, 0, 0.3)
    yield trait(
        "bridge width", x * 0.10 * window(y, -24, -2, 14) * np.exp(-((x / 13) ** 2)) * front, zero, zero, 0, 0.1
    )
    yield trait("tip height", zero, 1.9 * bump(ax, y, (0, -36), (11, 10)) * ramp(z, 100, 116), zero, 0, -0.3)
    tip = bump(ax, y, (0, -36), (9, 8)) * ramp(z, 105, 120)
    yield trait("tip breadth", x * 0.09 * bump(ax, y, (0, -36), (13, 10)) * ramp(z, 100, 117), zero, 0.3 * tip)
    yield trait("tip fullness", zero, zero, 1.1 * tip)
    yield trait("wing flare", side * 0.9 * bump(ax, y, (14, -42), (6, 7)) * front, zero, zero, 0, 0.2)
    yield trait("wing height", zero, 0.9 * bump(ax, y, (13, -42), (7, 8)) * front, zero)
    rim = bump(ax, y, (9, -46), (5, 4.5)) * ramp(z, 98, 108)
    yield trait("nostril size", side * 0.5 * rim, 0.5 * rim, zero)
    yield trait("columella", zero, -0.8 * bump(ax, y, (0, -46), (5.5, 5)) * ramp(z, 104, 112), zero)
    yield trait("nose base depth", zero, zero, 1.0 * low * ramp(z, 118, 104))
    # mouth
    lipband = window(y, -76, -65, 20) * front * np.exp(-((x / 42) ** 2))
    yield trait("mouth width", x * 0.075 * lipband, zero, zero, 0.2, 0.3)
    yield trait("mouth height", zero, 1.1 * window(y, -82, -60, 14) * np.exp(-((x / 38) ** 2)) * front, zero)
    upper = bump(ax, y, (0, -64), (16, 4)) * front
    lower = bump(ax, y, (0, -76), (15, 4.5)) * front
    yield trait(
        "upper lip fullness", zero, 1.2 * bump(ax, y, (0, -61), (17, 5)) * front, 0.9 * upper, 0, -0.45, 0, -0.5
    )
    yield trait(
        "lower lip fullness", zero, -1.2 * bump(ax, y, (0, -81), (16, 5)) * front, 1.0 * lower, 0, -0.4, 0, -0.4
    )
    yield trait("lips forward", zero, zero, 1.5 * bump(ax, y, (0, -70), (20, 10)) * front)
    bow = bump(ax, y, (0, -61), (4, 4)) - bump(ax, y, (7, -61), (4, 4))
    yield trait("cupid's bow", zero, -0.6 * bow * front, zero)
    corner = bump(ax, y, (25, -70), (8, 6)) * front
    yield trait("mouth corners", zero, 0.9 * corner, -0.2 * corner)
    groove = bump(ax, y, (0, -56), (3, 8)) - 0.7 * bump(ax, y, (6, -56), (2.5, 8))
    yield trait("philtrum", zero, zero, -0.5 * groove * front)
    fold = ax - (20.0 + 0.42 * (-44.0 - y))
    valley = np.exp(-0.5 * (fold / 3.2) ** 2) * window(y, -66, -46, 9) * front
    ridge = np.exp(-0.5 * ((fold - 6) / 5) ** 2) * window(y, -66, -44, 10) * front
    yield trait("nasolabial fold", zero, zero, -0.9 * valley + 0.7 * ridge, 0, 0.1, 0.3, 0.6)
    # ears
    ears = bump(z, y, (-10, -18), (17, 27)) * ramp(ax, 60, 74)
    yield trait("ear stand", side * 2.3 * ears * ramp(z, 4, -22), zero, zero, 0, 0.2)
    yield trait("ear size", zero, 0.07 * (y + 20) * ears, 0.06 * (z + 2) * ears, 0.3, 0.4, 0, 0.3)
    yield trait("ear height", zero, 2.2 * bump(z, y, (-8, -20), (22, 34)) * ramp(ax, 50, 66), zero)
    yield trait("ear tilt", zero, -0.05 * (z + 8) * ears, 0.06 * (y + 20) * ears)
    yield trait("lobe", zero, -2.0 * bump(z, y, (-4, -46), (7, 6)) * ramp(ax, 60, 70), zero, 0, 0.2)
    # hair: its volume and its cut
    centre = p - np.array([0.0, 20.0, -5.0])
    out = centre / np.linalg.norm(centre, axis=1, keepdims=True)
    for name, where, size in (
        ("hair volume", head.hair, 2.4),
        ("hair on top", head.hair * ramp(y, 40, 95), 3.0),
        ("hair at the sides", head.hair * window(y, -40, 50, 25) * ramp(z, 60, 10), 2.0),
        ("fringe", head.hair * bump(ax, y, (0, 80), (45, 22)) * ramp(z, 20, 60), 2.0),
        ("parting", head.hair * np.tanh(x / 18) * ramp(y, 60, 100), 1.5),
    ):
        yield Trait(name, size * where[:, None] * out, 0.0, -0.4 if name == "hair volume" else 0.0)
    waves = np.sin(0.22 * x + 0.4) * np.sin(0.2 * y + 0.17 * z)
    yield Trait("hair waves", 0.7 * (head.hair * waves)[:, None] * out)
    waves = np.sin(0.31 * z + 0.13 * x) * np.cos(0.24 * y)
    yield Trait("hair tufts", 0.6 * (head.hair * waves)[:, None] * out)


def _lids(head: Head) -> Iterator[Trait]:
    """Shapes of the eyes: the lids slide on the ball, or the ball and its lids grow or turn together."""
    neutral = eye.eyelids(head.skin.surface)

    def lids(name: str, changed: Array, sex: float = 0.0) -> Trait:
        field = np.zeros_like(head.points)
        field[head.skin.eyes[0]] = changed - neutral
        field[head.skin.eyes[1]] = (changed - neutral) * _FLIP
        return Trait(name, field, 0.0, sex)

    yield lids("lid aperture", eye.eyelids(head.skin.surface, replace(eye.OPEN, upper=eye.OPEN.upper + 0.50)), -0.3)
    yield lids("lower lid", eye.eyelids(head.skin.surface, replace(eye.OPEN, lower=eye.OPEN.lower - 0.34)))
    yield lids("lid fold", eye.eyelids(head.skin.surface, replace(eye.OPEN, fold=1.38)))
    p = head.points
    size, slant, width = (np.zeros_like(p) for _ in range(3))
    ring = np.minimum(np.arange(eye.RINGS * eye.SECTORS + 1) // eye.SECTORS, eye.RINGS)
    follow = ramp(np.clip(ring / eye.MARGIN_RING, 0, 1), 0.0, 0.9)[:, None]
    for ids, part, side in ((head.skin.eyes[0], 1, 1.0), (head.skin.eyes[1], 2, -1.0)):
        centre = eye.CENTRE * np.array([side, 1.0, 1.0])
        offset = p[ids] - centre
        size[ids] = 0.026 * offset * follow
        size[head.part == part] = 0.026 * (p[head.part == part] - centre)
        turned = np.stack([-offset[:, 1], offset[:, 0], 0 * offset[:, 0]], -1)
        slant[ids] = 0.042 * side * turned * follow
        width[ids, 0] = 0.028 * offset[:, 0] * follow[:, 0] * ramp(np.abs(offset[:, 0]), 6, 14)
    yield Trait("eye size", size, 0.3)
    yield Trait("eye slant", slant, 0.0, -0.2)
    yield Trait("eye width", width)
