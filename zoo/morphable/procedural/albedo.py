"""What colours heads have: two-pigment skin, lips, brows, hair, eyes, teeth; then the principal axes of many draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from zoo.morphable.procedural import eye, mouth, parts
from zoo.morphable.procedural.blend import bump, ramp
from zoo.morphable.procedural.mesh import LABELS, Head, brow_weight, hair_weight

Array = NDArray[np.float64]

COMPONENTS = 80
DRAWS = 320
LOW, HIGH = 0.005, 0.95
"""Linear reflectance that nothing falls below or rises above."""

_TONES = np.array(
    [[0.056, 0.035, 0.024], [0.110, 0.064, 0.041], [0.225, 0.130, 0.081], [0.345, 0.211, 0.144], [0.46, 0.315, 0.24]]
)
"""Cheeks from very dark over brown and olive to very fair; those between are more saturated than their mixtures."""
_HAIR = np.array(
    [[0.009, 0.008, 0.008], [0.024, 0.016, 0.012], [0.060, 0.036, 0.022], [0.12, 0.075, 0.041], [0.21, 0.145, 0.08]]
)
"""From black over browns to blond."""
_GREY, _RED = np.array([0.25, 0.232, 0.210]), np.array([0.15, 0.062, 0.027])
_IRIS = np.array(
    [[0.045, 0.028, 0.018], [0.070, 0.043, 0.024], [0.085, 0.068, 0.038], [0.088, 0.092, 0.080], [0.085, 0.100, 0.110]]
)
"""Brown, light brown, hazel to green, grey and blue irises."""
_LIPSTICKS = np.array(
    [[0.33, 0.030, 0.035], [0.40, 0.115, 0.135], [0.15, 0.022, 0.042], [0.30, 0.12, 0.095], [0.24, 0.055, 0.035]]
)
"""Red, pink, plum, nude and brick."""
_SHADOWS = np.array([[0.10, 0.055, 0.04], [0.13, 0.05, 0.085], [0.045, 0.045, 0.055], [0.07, 0.085, 0.13]])
"""Brown, plum, smoke and blue on the upper lid."""


def albedo_basis(head: Head, seed: int) -> tuple[Array, Array, Array]:
    """Mean and principal axes of many drawn heads.

    Args:
        head: The mean head.
        seed: Of the draws.

    Returns:
        (V,3) mean, (V,3,80) per standard deviation, both sRGB-encoded, and (80,) shares of the variance. The axes are
        those of the encoded colours, in which equal steps look alike: a linear model of reflectance itself that reaches
        fair skin would have dark skin's colour lost in its noise, or below zero.
    """
    rng = np.random.default_rng(seed)
    paint = _Painter(head)
    draws = np.stack([_encoded(paint.draw(rng)).astype(np.float32).ravel() for _ in range(DRAWS)])
    mean = draws.mean(0)
    centred = draws - mean
    values, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64) / (DRAWS - 1))
    order = np.argsort(values)[::-1][:COMPONENTS]
    axes = centred.T.astype(np.float64) @ vectors[:, order] / np.sqrt(DRAWS - 1)
    axes *= np.sign(axes.sum(0))
    share = values[order] / values.sum()
    return mean.reshape(-1, 3).astype(np.float64), axes.reshape(-1, 3, COMPONENTS), share


def beard_weight(points: Array) -> Array:
    """How much a beard grows at (N,3) places of the template in millimetres: jaw, chin, upper lip and throat: (N,)."""
    ax, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    jaw = np.interp(ax, [0, 20, 34, 50, 62, 70], [-84.0, -80.0, -68.0, -52.0, -34.0, -10.0])
    beard = ramp(y, jaw + 10, jaw - 12) * ramp(y, -138, -112) * ramp(z, 5, 40)
    return np.clip(np.maximum(beard, bump(ax, y, (12, -57), (12, 4)) * ramp(z, 40, 65)), 0, 1)


class _Painter:
    """Colours one head after another in the coordinates of the mean one."""

    def __init__(self, head: Head) -> None:
        self.head = head
        p = head.bare
        self.x, self.y, self.z = p.T
        ax, y, z = np.abs(self.x), self.y, self.z
        front = ramp(z, 40, 65)
        self.skin = (head.part == 0).astype(float)
        index = {name: k for k, name in enumerate(LABELS)}
        self.is_ = {name: head.labels == k for name, k in index.items()}
        # where blood shows: nose, cheeks, ears, chin; where it does not: forehead, around the mouth
        self.blood = bump(ax, y, (0, -38), (12, 10)) * front + 0.8 * bump(ax, y, (40, -32), (14, 13)) * front
        self.blood += 0.35 * bump(ax, y, (0, -104), (12, 9)) * front + 0.9 * self.is_["ear"]
        self.blood += 0.5 * bump(ax, y, (32, -9), (11, 3.5)) * front
        self.shadow = (bump(ax, y, (27, -12), (10, 4.5)) + 0.7 * bump(ax, y, (33, 8.5), (13, 3.5))) * front
        self.beard = beard_weight(p)
        self.beard *= self.skin * (1 - self.is_["lips"])
        ids = head.skin.mouth
        ring, column = np.divmod(np.arange(len(ids)), mouth.SECTORS)
        inwards = ring - float(mouth.RED_RING)
        lips = np.zeros(len(p))
        lips[ids] = np.where(ring == mouth.RED_RING - 1, 0.2, ramp(inwards, -1.4, 1.2)) * (ring >= mouth.RED_RING - 1)
        self.lips = lips
        self.line = np.zeros(len(p))
        self.line[ids] = (ring >= mouth.LINE_RING - 1) & (ring <= mouth.LINE_RING)
        self.upper_lip = np.zeros(len(p))
        self.upper_lip[ids] = np.sin(mouth.angles()[column]) > 0
        # lashes darken the margins, most the upper one; the pockets behind the lids are pink
        self.lash = np.zeros(len(p))
        self.wet = np.zeros(len(p))
        angle = np.arange(eye.SECTORS) * (2 * np.pi / eye.SECTORS)
        for patch in head.skin.eyes:
            rows = patch[:-1].reshape(eye.RINGS, eye.SECTORS)
            strength = 0.35 + 0.60 * ramp(np.sin(angle), -0.1, 0.35)
            self.lash[rows[eye.MARGIN_RING]] = strength
            self.lash[rows[eye.MARGIN_RING - 1]] = 0.55 * strength * (np.sin(angle) > 0)
            self.wet[rows[eye.MARGIN_RING + 1 :].ravel()] = 1.0
            self.wet[patch[-1]] = 1.0
        self.lid = bump(ax, y, (33, 7.5), (13, 3.2)) * front
        self.nostril = head.nostril
        self.smooth = _smoother(head)
        rng = np.random.default_rng(7)
        self.waves = {}
        for size, count in ((40, 24), (12, 48)):
            direction = rng.standard_normal((count, 3)) * (1.8 / size)
            self.waves[size] = np.cos(p @ direction.T + rng.uniform(0, 2 * np.pi, count))
        iris_angle = np.zeros(len(p))
        for part, side in ((1, 1.0), (2, -1.0)):
            ball = head.part == part
            offset = p[ball] - eye.CENTRE * np.array([side, 1, 1])
            iris_angle[ball] = np.arctan2(offset[:, 1], side * offset[:, 0])
        self.iris_angle = iris_angle
        self.shade = self._shade_of_lids()

    def _shade_of_lids(self) -> Array:
        """How much of the light reaches each place of the eyeballs: little beside the lids, least under the upper one.

        Lights without cast shadows would let the whites shine to their corners, which makes eyes stare.
        """
        shade = np.ones(len(self.x))
        for part, side in ((1, 1.0), (2, -1.0)):
            ball = self.head.part == part
            x, y, z = ((self.head.points[ball] - eye.CENTRE * np.array([side, 1, 1])) * np.array([side, 1, 1])).T
            under = ramp(y, 1.0, 5.0) + 0.3 * ramp(y, -3.2, -6.0)
            corners = ramp(np.abs(x + 0.9), 4.5, 11.5)
            shade[ball] = 1.0 - ramp(z, 0.0, 5.0) * (1.0 - (1.0 - 0.5 * np.clip(under, 0, 1)) * (1.0 - 0.42 * corners))
        return shade

    def draw(self, rng: np.random.Generator) -> Array:
        """Linear reflectance of one drawn head: (V,3)."""
        head = self.head
        n = len(self.x)
        # flatter than normal: both ends of the range are people, not accidents
        tone = float(np.clip(0.53 + 0.47 * np.tanh(rng.normal(0, 0.58)), 0.0, 1.0))
        woman = rng.random() < 0.5
        place = tone * (len(_TONES) - 1)
        skin = np.exp([np.interp(place, np.arange(len(_TONES)), np.log(_TONES[:, channel])) for channel in range(3)])
        redness, yellow = rng.normal(0, 1, 2)
        skin = skin * np.exp([0.025 * redness, -0.045 * redness, -0.03 * redness - 0.04 * yellow])
        strength = (0.35 + 0.65 * tone) * np.exp(rng.normal(0, 0.3))
        colour = np.tile(skin, (n, 1))
        colour *= 1.0 - strength * self.blood[:, None] * np.array([0.02, 0.16, 0.14])
        colour *= 1.0 - np.clip(rng.normal(0.15, 0.1), 0, 0.4) * self.shadow[:, None] * np.array([0.9, 1.1, 1.0])
        colour *= 1.0 - rng.normal(0.02, 0.05) * ramp(self.y, 5, 60)[:, None]
        # patches of two sizes; freckles, pores and hairs are too fine for principal axes of a mesh
        colour *= 1.0 + 0.020 * rng.normal() * self._noise(rng, 40)[:, None]
        colour *= 1.0 + 0.022 * self._noise(rng, 12)[:, None] * np.array([0.8, 1.1, 1.1])
        # make-up: on the lids, on the cheeks
        if rng.random() < (0.4 if woman else 0.02):
            colour = _over(
                colour, _SHADOWS[rng.integers(len(_SHADOWS))] + 0.25 * skin, rng.uniform(0.15, 0.6) * self.lid
            )
        # hair: scalp, brows, beard
        hair = self._hair(rng, tone)
        cover = hair_weight(head.bare, float(rng.normal(0, 1.5))) * (head.hair > 0)
        density = float(np.clip(rng.normal(0.92, 0.12), 0.0, 1.0))
        colour = _over(colour, np.tile(hair, (n, 1)), density * cover)
        brow_hair = rng.uniform(0.45, 0.85) * hair + 0.15 * np.array([0.02, 0.014, 0.011])
        brow = brow_weight(
            head.bare,
            float(rng.normal(0.8 if woman else -0.3, 0.8)),
            float(np.exp(rng.normal(-0.34 if woman else 0.1, 0.22))),
            float(rng.normal(1.35 if woman else 0.8, 0.3)),
        )
        colour = _over(colour, brow_hair, np.clip(rng.normal(0.78, 0.14), 0.2, 0.95) * brow * self.skin)
        beard = rng.choice([0.0, rng.uniform(0.05, 0.35), rng.uniform(0.4, 0.9)], p=[0.2, 0.5, 0.3]) * (not woman)
        shape = self.beard * (1.0 - rng.choice([0.0, 1.0], p=[0.75, 0.25]) * ramp(np.abs(self.x), 20, 34))
        colour = _over(colour, 0.85 * hair + 0.06 * skin, beard * shape)
        # lips, redder and darker than the skin around them, or painted
        rouge = np.clip(rng.normal(0.75 if woman else 0.35, 0.28), 0, 1.3)
        lip = skin * np.array([0.86, 0.60, 0.66]) * (1 - 0.28 * rouge * np.array([0.15, 1.0, 0.85]))
        lip = lip + np.array([0.016, 0.0, 0.003]) * (1 - tone)
        if rng.random() < (0.42 if woman else 0.0):
            lip = lip + rng.uniform(0.2, 0.7) * (_LIPSTICKS[rng.integers(len(_LIPSTICKS))] * (0.6 + 0.5 * tone) - lip)
        colour = _over(colour, lip, np.clip(rng.normal(0.84 if woman else 0.7, 0.1), 0.45, 0.95) * self.lips)
        colour *= 1.0 - 0.35 * self.line[:, None]
        colour *= 1.0 - self.nostril[:, None] * np.array([0.72, 0.8, 0.82])
        colour = self.smooth @ colour
        # lids: lashes, the pink behind them
        colour = _over(colour, np.array([0.012, 0.009, 0.008]), np.clip(self.lash * rng.normal(0.85, 0.15), 0, 1))
        colour = _over(colour, np.array([0.45, 0.26, 0.225]) * (0.75 + 0.3 * tone), 0.9 * self.wet)
        for name, value in (
            ("mouth", (0.12, 0.030, 0.026)),
            ("gums", (0.30, 0.115, 0.10)),
            ("tongue", (0.30, 0.11, 0.095)),
            ("lashes", (0.014, 0.010, 0.009)),
        ):
            mask = self.is_[name] & (self.wet == 0)
            colour[mask] = np.array(value) * (0.85 + 0.15 * tone)
        teeth = np.array([0.60, 0.555, 0.45]) * np.clip(rng.normal(1.0, 0.08), 0.75, 1.2)
        mask = self.is_["teeth"]
        inwards = 1.0 - 0.3 * ramp(np.abs(head.points[mask, 0]), 7.0, 20.0)  # the cheeks stand in their light
        colour[mask] = teeth * (inwards * np.where(head.zone[mask] == 2.0, 0.55, 1.0))[:, None]
        self._eyes(colour, rng, tone)
        return np.clip(colour, LOW, HIGH)

    def _eyes(self, colour: Array, rng: np.random.Generator, tone: float) -> None:
        """Sclera, iris and pupil, painted into ``colour``."""
        ball, ring = (self.head.part == 1) | (self.head.part == 2), self.head.zone
        white = np.array([0.61, 0.58, 0.55]) * np.clip(rng.normal(0.98, 0.06), 0.8, 1.1)
        colour[ball] = white * (1 - 0.12 * ramp(ring[ball], 8, 11)[:, None] * np.array([0.4, 1.0, 1.0]))
        odds = np.array([0.42, 0.25, 0.13, 0.1, 0.1]) if tone > 0.6 else np.array([0.8, 0.2, 0.0, 0.0, 0.0])
        iris = _IRIS[rng.choice(len(_IRIS), p=odds)] * np.exp(rng.normal(0, 0.15))
        mask = ball & (ring <= parts.IRIS_RINGS)
        rays = 1.0 + 0.12 * np.sin(self.iris_angle[mask] * 14.0) + 0.1 * np.sin(self.iris_angle[mask] * 5.0 + 1.0)
        edge = np.where(ring[mask] >= parts.IRIS_RINGS, 0.45, np.where(ring[mask] <= 3, 0.85, 1.05))
        colour[mask] = iris * (rays * edge)[:, None]
        colour[ball & (ring == parts.IRIS_RINGS + 1)] = 0.72 * white
        colour[ball & (ring <= parts.PUPIL_RINGS)] = 0.008
        colour[ball] *= (self.shade[ball] ** np.where(ring[ball] > parts.IRIS_RINGS, 1.0, 0.5))[:, None]

    def _hair(self, rng: np.random.Generator, tone: float) -> Array:
        """Linear reflectance of the hair: dark with dark skin, anything with fair skin, grey at times: (3,)."""
        shade = float(np.clip(rng.normal(0.2 + 1.5 * tone**1.5, 0.8 * (0.3 + 0.7 * tone)), 0.0, len(_HAIR) - 1.0))
        hair = np.exp([np.interp(shade, np.arange(len(_HAIR)), np.log(_HAIR[:, channel])) for channel in range(3)])
        kind = rng.random()
        if kind < 0.13:
            return np.asarray(hair + rng.uniform(0.2, 0.7) * (_GREY - hair))
        if kind < 0.13 + 0.08 * tone:
            return np.asarray(hair + rng.uniform(0.3, 0.8) * (_RED - hair))
        return np.asarray(hair)

    def _noise(self, rng: np.random.Generator, size: int) -> Array:
        """Noise of unit spread over the head, blotches about ``size`` (12 or 40) millimetres across: (V,)."""
        waves = self.waves[size]
        # einsum, since a threaded product of this size costs more in waking threads than in work
        mixed = np.einsum("vk,k->v", waves, rng.standard_normal(waves.shape[1]))
        return np.asarray(mixed * np.sqrt(2.0 / waves.shape[1]))


def _encoded(linear: Array) -> Array:
    """Encode linear light as sRGB (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def _over(below: Array, above: Array, cover: Array) -> Array:
    return below + np.clip(cover, 0.0, 1.0)[:, None] * (above - below)


def _smoother(head: Head) -> sparse.csr_array:
    """A gentle average over neighbouring vertices of the skin, so that borders do not show the mesh: (V,V)."""
    triangles = head.triangles[head.part[head.triangles[:, 0]] == 0]
    ends = np.concatenate([triangles[:, [0, 1, 2, 1, 2, 0]], triangles[:, [1, 2, 0, 0, 1, 2]]], 0)
    pairs = np.stack([ends[: len(triangles)].ravel(), ends[len(triangles) :].ravel()])
    n = len(head.points)
    adjacent = sparse.csr_array((np.ones(pairs.shape[1]), pairs), shape=(n, n))
    adjacent.data[:] = 1.0
    degree = np.asarray(adjacent.sum(1)).ravel()
    around = sparse.diags_array(1.0 / np.maximum(degree, 1)) @ adjacent
    keep = np.where(degree > 0, 0.65, 1.0)
    return sparse.csr_array(sparse.diags_array(keep) + sparse.diags_array(1.0 - keep) @ around)
