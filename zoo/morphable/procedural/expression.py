"""What faces do: 64 named deformations in the manner of ARKit, each from 0 (at rest) to 1 (full)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zoo.morphable.procedural import eye, mouth
from zoo.morphable.procedural.blend import bump, ramp, window
from zoo.morphable.procedural.fields import on_side, rigid_eyes, with_lashes
from zoo.morphable.procedural.mesh import Head

Array = NDArray[np.float64]

HINGE = np.array([0.0, -22.0, 6.0])
"""Where the jaw turns, in front of the ears."""
JAW_DEGREES = 19.0
GAZE_DEGREES = 24.0


def expression_basis(head: Head) -> tuple[Array, tuple[str, ...]]:
    """All deformations: (V,3,64) millimetres at full strength, and their names."""
    named = list(_deformations(head))
    return np.stack([with_lashes(head, field) for _, field in named], -1), tuple(name for name, _ in named)


def _deformations(head: Head) -> Iterator[tuple[str, Array]]:
    moves = _Moves(head)
    for name, field in moves.paired():
        for letter, side in (("L", 1.0), ("R", -1.0)):
            half = rigid_eyes(head, field * on_side(head.points, side)[:, None])
            if name == "mouthSmile":  # a true smile narrows the eyes
                half += 0.35 * moves.lids(0 if side > 0 else 1, eye.SQUINT)
            yield f"{name}_{letter}", half
    for name, make in (("eyeBlink", eye.CLOSED), ("eyeWide", eye.WIDE), ("eyeSquint", eye.SQUINT)):
        for letter, k in (("L", 0), ("R", 1)):
            yield f"{name}_{letter}", moves.lids(k, make)
    for letter, k in (("L", 0), ("R", 1)):
        outwards = 1.0 if k == 0 else -1.0
        for name, turn in (
            ("Up", (-1.0, 0.0)),
            ("Down", (1.0, 0.0)),
            ("In", (0.0, -outwards)),
            ("Out", (0.0, outwards)),
        ):
            yield f"eyeLook{name}_{letter}", moves.gaze(k, *turn)
    yield from moves.middle()


class _Moves:
    """The fields, over one head."""

    def __init__(self, head: Head) -> None:
        self.head = head
        p = head.points
        self.x, self.y, self.z = p.T
        self.ax, self.side = np.abs(self.x), self.x / np.sqrt(self.x**2 + 4.0)
        self.zero = np.zeros(len(p))
        self.front = ramp(self.z, 40, 65)
        skin = head.part == 0
        self.soft = skin.astype(float)
        # 0 on the upper lip, 1 on the lower one, half at the corners; elsewhere by height
        lower = ramp(self.y, -60, -86)
        column = np.arange(len(head.skin.mouth)) % mouth.SECTORS
        ring = np.arange(len(head.skin.mouth)) // mouth.SECTORS
        height = np.sin(mouth.angles()[column])
        around = ramp(height, 0.95, -0.95)
        share = ramp(ring / mouth.RED_RING, 0.0, 1.0)
        lower[head.skin.mouth] += share * (around - lower[head.skin.mouth])
        lower[head.skin.mouth[-1]] = 0.5
        self.lower = lower
        red = np.zeros(len(p))
        red[head.skin.mouth] = ramp(ring / mouth.RED_RING, 0.5, 1.0)
        self.red = red

    def field(self, dx: Array | float, dy: Array | float, dz: Array | float) -> Array:
        return np.stack([dx + self.zero, dy + self.zero, dz + self.zero], -1) * self.soft[:, None]

    def jaw_weight(self) -> Array:
        """How much each vertex goes with the jaw: (V,)."""
        # the border runs from the corner of the mouth to the ear, sharp at the lips and broad on the cheek
        border = np.interp(self.z, [0, 30, 70, 95], [-38.0, -48.0, -66.0, -71.0])
        breadth = np.interp(self.z, [0, 40, 80, 100], [26.0, 24.0, 16.0, 12.0])
        u = np.clip(0.5 - 0.5 * (self.y - border) / breadth, 0, 1)
        weight = u * u * (3 - 2 * u)
        weight *= ramp(self.z, -14, 26)
        # under the chin the skin of the throat takes over
        weight *= ramp(self.y + 0.25 * (self.z - 60), -152, -118)
        ids = self.head.skin.mouth
        share = ramp((np.arange(len(ids)) // mouth.SECTORS) / mouth.RED_RING, 0.0, 1.0)
        weight[ids] += share * (self.lower[ids] - weight[ids])
        part = self.head.part
        weight[(part == 4) | (part == 5)] = 1.0
        weight[(part == 1) | (part == 2) | (part == 3)] = 0.0
        return weight

    def jaw_open(self, degrees: float = JAW_DEGREES) -> Array:
        angle = np.radians(degrees)
        offset = self.head.points - HINGE
        turned = np.stack(
            [
                offset[:, 0],
                np.cos(angle) * offset[:, 1] - np.sin(angle) * offset[:, 2],
                np.sin(angle) * offset[:, 1] + np.cos(angle) * offset[:, 2],
            ],
            -1,
        )
        moved = (turned - offset) * self.jaw_weight()[:, None]
        # the corners of the mouth are drawn in and down, the cheeks hollow a little
        corner = bump(self.ax, self.y, (25, -71), (10, 9)) * self.front
        cheek = bump(self.ax, self.y, (46, -55), (12, 18)) * ramp(self.z, 20, 50)
        moved += self.field(-self.side * (2.5 * corner + 1.8 * cheek), -1.5 * corner, 0.0)
        return moved

    def lids(self, k: int, lids: eye.Lids) -> Array:
        moved = np.zeros_like(self.head.points)
        change = eye.eyelids(self.head.skin.surface, lids) - eye.eyelids(self.head.skin.surface)
        moved[self.head.skin.eyes[k]] = change * (np.array([1.0, 1.0, 1.0]) if k == 0 else np.array([-1.0, 1.0, 1.0]))
        return moved

    def gaze(self, k: int, down: float, outwards: float) -> Array:
        """Turn an eyeball; its lids follow when it looks up or down."""
        moved = np.zeros_like(self.head.points)
        ball = self.head.part == 1 + k
        centre = eye.CENTRE * (np.array([1.0, 1.0, 1.0]) if k == 0 else np.array([-1.0, 1.0, 1.0]))
        offset = self.head.points[ball] - centre
        pitch, yaw = np.radians(GAZE_DEGREES * down * 0.8), np.radians(GAZE_DEGREES * outwards)
        about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        moved[ball] = offset @ (about_y @ about_x).T - offset
        if down > 0:
            moved += self.lids(k, replace(eye.OPEN, upper=2.2, lower=5.4, fold=0.7))
        elif down < 0:
            moved += self.lids(k, replace(eye.OPEN, upper=6.2, lower=4.2, fold=0.9))
        return moved

    def paired(self) -> Iterator[tuple[str, Array]]:
        """Deformations that are cut into a left and a right half."""
        y, z, ax, side, front = self.y, self.z, self.ax, self.side, self.front
        brow = window(y, 12, 32, 9) * front
        inner, outer = ramp(ax, 38, 12), ramp(ax, 22, 46) * ramp(ax, 68, 56)
        whole = ramp(ax, 66, 50)
        yield (
            "browDown",
            self.field(-side * 1.8 * brow * inner, -4.5 * brow * whole * (0.5 + 0.5 * inner), 1.0 * brow * inner),
        )
        forehead = window(y, 12, 60, 14) * front
        yield "browInnerUp", self.field(0, 6.0 * forehead * inner * ramp(y, 62, 28), -0.3 * brow * inner)
        yield "browOuterUp", self.field(0, 6.5 * forehead * outer * ramp(y, 62, 28), 0)
        puff = bump(ax, y, (42, -56), (15, 17)) * ramp(z, 25, 55)
        yield "cheekPuff", self.field(side * 6.5 * puff, 0, 5.5 * puff)
        apple = bump(ax, y, (38, -24), (15, 10)) * front
        yield "cheekSquint", self.field(side * 0.5 * apple, 3.6 * apple, 1.8 * apple)
        corner = bump(ax, y, (27, -70), (11, 11)) * front
        wide = bump(ax, y, (20, -70), (16, 11)) * front
        bulge = bump(ax, y, (42, -42), (13, 13)) * front
        fold = ax - (22.0 + 0.42 * (-44.0 - y))
        crease = np.exp(-0.5 * (fold / 3.2) ** 2) * window(y, -68, -48, 8) * front
        smile = self.field(
            side * (5.0 * corner + 2.5 * wide),
            7.0 * corner + 3.0 * bulge + 1.6 * apple,
            -4.5 * corner + 3.2 * bulge - 1.4 * crease,
        )
        thin = self.red * window(ax, 0, 20, 8)
        smile += self.field(0, 0.9 * thin * (0.5 - self.lower) * ramp(np.abs(y + 70), 0.5, 4), -1.2 * thin)
        yield "mouthSmile", smile
        yield "mouthFrown", self.field(side * 1.0 * corner, -6.5 * corner - 1.5 * wide, -1.2 * corner)
        yield (
            "mouthDimple",
            self.field(side * 3.5 * corner, 1.0 * corner, -3.5 * corner + 1.5 * bump(ax, y, (36, -66), (6, 9)) * front),
        )
        yield "mouthStretch", self.field(side * (6.0 * corner + 3.0 * wide), -3.0 * corner, -3.5 * corner)
        raise_upper = (1.0 - self.lower) * window(y, -74, -52, 12) * bump(ax, y, (10, -62), (13, 40)) * front
        yield "mouthUpperUp", self.field(0, 5.0 * raise_upper, 1.0 * raise_upper)
        drop_lower = self.lower * window(y, -92, -66, 12) * bump(ax, y, (10, -76), (13, 40)) * front
        yield "mouthLowerDown", self.field(side * 0.8 * drop_lower, -5.0 * drop_lower, 0.8 * drop_lower)
        press = self.red * ramp(ax, 30, 18)
        yield (
            "mouthPress",
            self.field(0, 1.0 * press * (2 * self.lower - 1) * ramp(np.abs(y + 70), 0.3, 5), -1.6 * press),
        )
        sneer = bump(ax, y, (16, -38), (8, 13)) * front
        yield "noseSneer", self.field(0, 3.6 * sneer + 1.2 * raise_upper, 0.9 * bump(ax, y, (12, -14), (6, 10)) * front)
        flare = bump(ax, y, (15, -43), (5.5, 6.5)) * front
        yield "nostrilFlare", self.field(side * 2.0 * flare, 0.4 * flare, 0)
        hollow = bump(ax, y, (43, -56), (12, 15)) * ramp(z, 25, 55)
        yield "cheekSuck", self.field(-side * 4.0 * hollow, 0, -3.5 * hollow)

    def middle(self) -> Iterator[tuple[str, Array]]:
        """Deformations that have no halves."""
        x, y, ax, side, front = self.x, self.y, self.ax, self.side, self.front
        jaw = self.jaw_weight()[:, None]
        opened = self.jaw_open()
        around = window(y, -80, -62, 22) * np.exp(-((x / 36) ** 2)) * front
        lip = self.red * front
        corner = bump(ax, y, (25, -70), (10, 10)) * front
        yield "jawOpen", opened
        yield "jawForward", jaw * np.array([0.0, -0.5, 5.5])
        yield "jawLeft", jaw * np.array([6.5, -0.6, 0.0])
        yield "jawRight", jaw * np.array([-6.5, -0.6, 0.0])
        yield (
            "mouthPucker",
            self.field(-0.42 * x * around, 0.12 * (y + 70) * lip, 6.5 * around * np.exp(-((x / 20) ** 2))),
        )
        funnel = self.field(
            -0.28 * x * around, (1 - 2 * self.lower) * 5.0 * lip * ramp(ax, 26, 6), 6.0 * lip * ramp(ax, 30, 10)
        )
        yield "mouthFunnel", funnel + 0.18 * opened
        upper, lower = lip * (1 - self.lower) * ramp(ax, 26, 14), lip * self.lower * ramp(ax, 26, 14)
        yield "mouthRollUpper", self.field(0, -2.8 * upper * ramp(y, -69.5, -62), -3.4 * upper)
        yield "mouthRollLower", self.field(0, 3.4 * lower * ramp(y, -70.5, -79), -3.6 * lower)
        band = window(y, -80, -56, 10) * np.exp(-((x / 28) ** 4)) * front
        yield "mouthShrugUpper", self.field(0, 3.0 * band * (1 - self.lower), 1.2 * band * (1 - self.lower))
        chin = bump(ax, y, (0, -100), (18, 13)) * front
        shrug = window(y, -92, -64, 14) * np.exp(-((x / 28) ** 4)) * front
        yield "mouthShrugLower", self.field(0, 3.6 * shrug + 2.4 * chin, 1.8 * shrug - 0.8 * chin)
        yield "mouthLeft", self.field(6.5 * around, 0, 0)
        yield "mouthRight", self.field(-6.5 * around, 0, 0)
        # the jaw drops behind closed lips: the lower lip stays with the upper one
        hold = np.zeros_like(opened)
        stay = self.soft * window(y, -86, -60, 16) * np.exp(-((x / 32) ** 4)) * front
        hold[:] = 0.55 * opened * (1 - stay[:, None])
        inside = np.isin(np.arange(len(y)), self.head.skin.mouth[mouth.LINE_RING * mouth.SECTORS :])
        hold[inside] *= 0.0
        rows = (self.head.part == 4) | (self.head.part == 5)
        hold[rows] = 0.0
        yield "mouthClose", hold
        yield "mouthNarrow", self.field(-0.22 * x * around, 0, 0.8 * around)
        yield "mouthWide", self.field(0.16 * x * around, 0, -2.0 * corner)
        part_lips = lip * ramp(ax, 24, 8)
        yield "lipsPart", self.field(0, (1 - 2 * self.lower) * 2.2 * part_lips, 0.4 * part_lips)
        knit = bump(ax, y, (10, 21), (9, 8)) * front
        yield "browKnit", self.field(-side * 3.0 * knit * ramp(ax, 0, 6), -1.2 * knit, 1.4 * knit)
        dimple = bump(ax, y, (0, -102), (13, 9)) * front
        yield "chinRaise", self.field(0, 4.0 * dimple, -0.6 * dimple)
        throat = bump(ax, y, (18, -145), (14, 24)) * ramp(self.z, -10, 25)
        yield "neckTense", self.field(side * 2.0 * throat, 0, 2.2 * throat)
        tongue = self.head.part == 5
        tip = np.zeros_like(opened)
        reach = ramp(self.z[tongue], self.z[tongue].min() + 6, self.z[tongue].max())
        tip[tongue] = np.stack([0 * reach, 5.0 * reach, 3.0 * reach], -1)
        yield "tongueUp", tip + 0.35 * opened
