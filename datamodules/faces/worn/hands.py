"""A hand before the face: forearm and palm, five bent fingers, and at times a thing in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.faces.worn.site import Site
from datamodules.faces.worn.surfaces import stacked, tube, tubes
from datamodules.sampling.draws import Draws
from zoo.render import euler_to_matrix

__all__ = ["COUNT", "TRIANGLES", "hand_points"]

Array = NDArray[Any]
_Put = Callable[[Array], Tensor]

_ARM, _ARM_AROUND, _FINGER, _FINGER_AROUND, _THING, _THING_AROUND = 14, 12, 9, 8, 10, 20
_HAND = _ARM * _ARM_AROUND + 5 * _FINGER * _FINGER_AROUND
COUNT = _HAND + _THING * _THING_AROUND
TRIANGLES = stacked(
    [(_ARM * _ARM_AROUND, tube(_ARM, _ARM_AROUND))]
    + 5 * [(_FINGER * _FINGER_AROUND, tube(_FINGER, _FINGER_AROUND))]
    + [(_THING * _THING_AROUND, tube(_THING, _THING_AROUND))]
)

# Along the arm and the palm up to the knuckles: y, half width, half thickness.
_ARM_SHAPE = np.array(
    [(-330, 40, 36), (-240, 38, 33), (-160, 33, 28), (-105, 28, 22), (-72, 26, 19), (-58, 27, 18), (-44, 31, 18),
     (-26, 37, 17), (-8, 40, 16), (12, 41, 14.5), (28, 41, 13), (42, 39, 11.5), (51, 34, 8), (53, 2, 1)]
)  # fmt: skip
# Of each finger, the thumb last: base, length, half thickness, direction across; of the left hand seen from its back.
_FINGERS = np.array(
    [(-30, 40, 58, 6.8, -0.16), (-11, 46, 73, 7.8, -0.04), (10, 47, 78, 8.2, 0.05), (30, 44, 70, 8.0, 0.15),
     (36, -16, 66, 9.4, 0.75)]
)  # fmt: skip
_SPOTS = np.array([(0, -75), (28, -90), (52, -50), (58, -15), (33, 2), (0, -30), (0, 55), (45, 45)])
"""Where hands are: mouth, chin, cheek, temple, eye, nose, forehead."""
_PHALANGES = np.array([0.0, 0.2, 0.42, 0.5, 0.68, 0.76, 0.92, 0.98, 1.0])
_ROUND = np.array([1.0, 0.97, 0.98, 1.03, 0.95, 0.97, 0.82, 0.55, 0.02])


def hand_points(site: Site, draws: Draws, share: float) -> tuple[Tensor, Tensor]:
    """A hand before some of the heads.

    Args:
        site: The heads.
        draws: The samples.
        share: How many of them have one.

    Returns:
        Points (B, COUNT, 3) in the site's frame and linear albedo (B, COUNT, 3).
    """
    u = draws.uniform("worn hand", 40)
    batch = len(u)
    shown = torch.from_numpy(u[:, 0] < share).to(site.radius.device)[:, None, None]

    def put(values: Array) -> Tensor:
        return torch.from_numpy(np.asarray(values, np.float32)).to(site.radius)

    side = np.where(u[:, 1] < 0.5, -1.0, 1.0)
    holds = u[:, 2] < 0.35
    curl = np.where(holds, 0.75, 0.05 + 0.75 * u[:, 3] ** 2)
    spread = np.where(holds, 0.1, 0.2 + 1.1 * u[:, 4])
    points = torch.cat((_arm(batch, put), *_fingers(u, curl, spread, put)), 1)
    # mirrored hands are inside out unless their order is turned, so a right hand is a left one turned about its arm
    facing = np.where((u[:, 5] < 0.35) & ~holds, np.pi, 0.0)
    size = put(0.9 + 0.2 * u[:, 6])[:, None, None]
    lean = side * np.radians(np.where(holds, 10 + 35 * u[:, 7], 5 + 75 * u[:, 7]))
    angles = put(np.stack([-0.45 * u[:, 8] + 0.1, facing + 0.6 * (u[:, 9] - 0.5), lean], -1))
    points = points * size @ euler_to_matrix(angles).mT

    spot = _SPOTS[(u[:, 10] * len(_SPOTS)).astype(int)] * np.stack([side, np.ones(batch)], -1)
    spot = np.where(holds[:, None], np.stack([14 * (u[:, 11] - 0.5), -98 - 30 * u[:, 12]], -1), spot)
    spot = spot + 26 * (u[:, 13:15] - 0.5)
    place = put(np.concatenate([spot, np.zeros((batch, 1))], -1))
    away = (site.landmarks[..., :2] - place[:, None, :2]).norm(dim=-1)
    before = torch.where(away < 55, site.landmarks[..., 2], 60.0).amax(1)
    place[:, 2] = before + put(np.where(holds, 62, 20 + 45 * u[:, 15] ** 2))
    # the tips, not the palm, lie on the spot
    points = points + place[:, None] - put(np.where(holds, 0, 25 + 30 * u[:, 16]))[:, None, None] * _up(angles)

    thing, colour = _thing(u, put)
    lift = place + put(np.stack([0 * side, 18 + 22 * u[:, 17], np.full(batch, -36.0)], -1))
    thing = thing @ euler_to_matrix(angles * angles.new_tensor([0.3, 0.0, 0.35])).mT + lift[:, None]
    thing = torch.where(put(holds)[:, None, None] > 0, thing, thing.new_tensor([0.0, 20.0, 0.0]))
    points = torch.where(shown, torch.cat((points, thing), 1), points.new_tensor([0.0, 20.0, 0.0]))

    skin = site.skin[:, None] * _tone(put(0.9 + 0.2 * u[:, 18]), site)
    sleeve = put(0.03 + 0.5 * u[:, 19:22])[:, None]
    covered = (torch.arange(_HAND, device=skin.device) < 4 * _ARM_AROUND)[:, None] & (put(u[:, 22]) < 0.6)[
        :, None, None
    ]
    return points, torch.cat((torch.where(covered, sleeve, skin), colour), 1)


def _up(angles: Tensor) -> Tensor:
    return euler_to_matrix(angles)[:, None, :, 1]


def _tone(brightness: Tensor, site: Site) -> Tensor:
    """Fingertips and knuckles are redder than the back of the hand: (B,_HAND,3)."""
    redness = torch.zeros(_HAND, device=site.radius.device)
    finger = torch.from_numpy(np.repeat(np.array([0.1, 0, 0.3, 0.8, 0.3, 0.6, 0.6, 1, 1]), _FINGER_AROUND))
    redness[_ARM * _ARM_AROUND :] = finger.repeat(5).to(redness)
    return brightness[:, None, None] * (1 - redness[:, None] * redness.new_tensor([0.0, 0.12, 0.1]))


def _arm(batch: int, put: _Put) -> Tensor:
    shape = put(_ARM_SHAPE)
    path = torch.stack((0 * shape[:, 0], shape[:, 0], 0 * shape[:, 0]), -1)
    return tubes(path, shape[:, 1:], _ARM_AROUND, put(np.array([0.0, 0, 1]))).expand(batch, -1, -1)


def _fingers(u: Array, curl: Array, spread: Array, put: _Put) -> list[Tensor]:
    """Each finger bends at its three joints towards the palm (-z)."""
    fingers = []
    for k, (x, y, length, thick, across) in enumerate(_FINGERS):
        thumb = k == 4
        bend = (0.4 * curl if thumb else curl) * (0.8 + 0.4 * u[:, 24 + k]) + 0.05
        turn = across * (np.where(thumb, 0.6 + 0.5 * spread, spread)) + 0.06 * (u[:, 30 + k] - 0.5)
        middle = (_PHALANGES[1:] + _PHALANGES[:-1]) / 2
        # the bend so far grows at each joint
        pitch = bend[:, None] * (0.35 + np.array([0.5, 0.5, 1.0, 1.3, 1.6, 1.9, 1.9, 1.9])) * (1 + 0 * middle)
        step = length * np.diff(_PHALANGES)
        ahead = np.cos(pitch) * step
        down = -np.sin(pitch) * step
        rows = np.stack([ahead * np.sin(turn)[:, None], ahead * np.cos(turn)[:, None], down], -1)
        path = np.concatenate([np.zeros((len(u), 1, 3)), rows.cumsum(1)], 1) + np.array((x, y, 1.0))
        radius = np.repeat((thick * _ROUND)[:, None], 2, 1)
        fingers.append(tubes(put(path), put(radius), _FINGER_AROUND, put(np.array([0.05, 0.05, 1.0]))))
    return fingers


def _thing(u: Array, put: _Put) -> tuple[Tensor, Tensor]:
    """A cup, a phone or a microphone: rings of a rounded box or a rod, with its colour."""
    kind = (u[:, 36] * 3).astype(int)
    t = np.linspace(-1, 1, _THING)
    shut = np.array([0.02, 0.97, 1, 1, 1, 1, 1, 1, 0.97, 0.02])
    cup = np.stack([55 * np.sign(t) * np.abs(t) ** 0.5, 38 * shut * (1 + 0.15 * t), 38 * shut * (1 + 0.15 * t)])
    phone = np.stack([72 * np.sign(t) * np.abs(t) ** 0.4, 36 * shut, 5 * shut])
    rod = np.array([0.02, 11, 11.5, 12, 13, 15, 24, 27, 20, 0.02])
    microphone = np.stack([np.array([-120, -120, -80, -40, 0, 28, 42, 62, 80, 86]), rod, rod])
    shapes = put(np.stack([cup, phone, microphone])[kind])
    power = put(np.array([1.0, 0.35, 1.0])[kind])[:, None, None]
    angle = torch.linspace(0, 2 * np.pi, _THING_AROUND + 1, device=shapes.device)[:-1]
    c, s = angle.cos(), angle.sin()
    height, width, depth = (shapes[:, k, :, None] for k in range(3))
    # top to bottom, turning to the right as seen from outside
    x = width * s.sign() * s.abs() ** power
    z = depth * c.sign() * c.abs() ** power
    points = torch.stack((x, height + 0 * x, z), -1).flip(1).flatten(1, 2)
    colour = put(np.where(kind[:, None] == 0, 0.05 + 0.7 * u[:, 37:40], 0.01 + 0.1 * u[:, 37:38]))
    rows = torch.arange(_THING, device=angle.device).repeat_interleave(_THING_AROUND)
    shade = torch.where((rows == 0) | (rows == _THING - 1), 0.4, 1.0)
    return points, colour[:, None] * shade[:, None]
