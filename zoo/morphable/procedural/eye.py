"""Eyelids: rings of points from the skin around an eye over the lid's fold to its margin, then behind it into a pocket.

The lids lie on a sphere around the eyeball, so that closing them is a slide along that sphere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zoo.morphable.procedural.blend import bump, ramp, smooth_max
from zoo.morphable.procedural.heightmap import HeightMap

Array = NDArray[np.float64]

CENTRE = np.array([31.5, 0.0, 76.5])
"""Middle of the left eyeball; the right one mirrors it."""
RADIUS = 12.0
LID = 1.5
"""Thickness of a lid: its outside lies this far over the eyeball."""
SECTORS = 44
PATCH_CENTRE = (31.5, 1.5)
PATCH_SIZE = (20.6, 16.0)
_OUTSIDE = np.array([0.0, 0.17, 0.32, 0.45, 0.56, 0.66, 0.75, 0.83, 0.905, 0.96, 1.0])
"""Where the rings lie between the border of the patch (0) and the margin of the lid (1)."""
_POCKET = np.array([0.93, 0.8, 0.6, 0.3])
"""Sizes of the rings behind the margin, as shares of the opening."""
RINGS = len(_OUTSIDE) + len(_POCKET)
MARGIN_RING = len(_OUTSIDE) - 1


@dataclass(frozen=True)
class Lids:
    """How an eye is open.

    Args:
        upper: Height of the upper margin's arc over the line between the corners, millimetres.
        lower: The same downwards.
        squint: Millimetres that the lower lid's skin bunches up.
        fold: How deep the crease over the upper lid is, 1 as in the mean.
        over: Millimetres that the upper margin stands out further, to close over the lower one.
        closing: 1 where the upper margin takes the shape of the lower one, to meet it all along.
    """

    upper: float = 4.6
    lower: float = 5.0
    squint: float = 0.0
    fold: float = 1.0
    over: float = 0.0
    closing: float = 0.0


OPEN = Lids()
CLOSED = replace(OPEN, upper=-5.4, lower=3.4, fold=0.35, over=0.8, closing=1.0)
WIDE = replace(OPEN, upper=6.6, lower=6.0, fold=0.7)
SQUINT = replace(OPEN, upper=3.7, lower=2.6, squint=1.6)


def border() -> Array:
    """The patch's outermost ring as seen from the front: (SECTORS,2), counter-clockwise from the outer corner."""
    angle = _angles()
    return np.stack(
        [PATCH_CENTRE[0] + PATCH_SIZE[0] * np.cos(angle), PATCH_CENTRE[1] + PATCH_SIZE[1] * np.sin(angle)], -1
    )


def margin(lids: Lids) -> Array:
    """The opening between the lids as seen from the front: (SECTORS,2)."""
    angle = _angles()
    along = np.cos(angle)
    rise = np.abs(np.sin(angle))
    x = CENTRE[0] - 0.9 + 13.95 * along
    corners = -0.3 + 1.2 * along
    above = np.sin(angle) >= 0
    lower_arch = rise**1.4 * (1.0 + 0.16 * along)
    # fuller than the lower one near the corners, so that no chink stays open there
    shut_arch = rise**1.1 * (1.0 + 0.16 * along)
    upper_arch = rise**1.1 * (1.0 - 0.13 * along)
    upper_arch = upper_arch + lids.closing * (shut_arch - upper_arch)
    arch = np.where(above, upper_arch, lower_arch)
    y = corners + np.where(above, lids.upper, -lids.lower) * arch
    return np.stack([x, y], -1)


def eyelids(surface: HeightMap, lids: Lids = OPEN) -> Array:
    """All rings of the left eye's patch, then its innermost point: (RINGS * SECTORS + 1,3) millimetres.

    Args:
        surface: Depth of the face without lids.
        lids: How the eye is open.
    """
    outer, inner = border(), margin(lids)
    relaxed = margin(OPEN)
    angle = _angles()
    over = ramp(np.sin(angle), 0.0, 0.55)
    under = ramp(-np.sin(angle), 0.0, 0.55)
    rings = []
    for share in _OUTSIDE:
        # the skin near the border stays, the plate of the lid follows its margin
        follow = relaxed + (inner - relaxed) * ramp(np.array(share), 0.25, 1.0)
        place = outer + (follow - outer) * share
        x, y = place.T
        z = smooth_max(surface(x, y), lid_sphere(x, y, RADIUS + LID + 0.5 * lids.closing), 3.2)
        # the crease: a groove over the upper lid with a soft fold hanging into it; a faint one below
        z += lids.fold * over * (1.15 * _peak(share, 0.47, 0.13) - 1.5 * _peak(share, 0.665, 0.055))
        z += under * (-0.5 * _peak(share, 0.5, 0.08) + (0.35 + lids.squint) * _peak(share, 0.72, 0.12))
        z += 0.35 * (share > 0.99) + lids.over * over * ramp(np.array(share), 0.6, 0.95)
        rings.append(np.stack([x, y, np.maximum(z, lid_sphere(x, y, RADIUS + 1.1 + 0.6 * lids.closing))], -1))
    middle = np.array([CENTRE[0] - 0.9, inner[:, 1].mean()])
    for share in _POCKET:
        x, y = (middle + (inner - middle) * share).T
        if share == _POCKET[0]:
            z = lid_sphere(x, y, RADIUS + 0.1) - 0.25 * bump(x, y, (16.5, -1.5), (3.0, 3.0))
        else:
            z = CENTRE[2] + (lid_sphere(x, y, RADIUS) - CENTRE[2]) * 0.35 - 22.0 * (0.93 - share)
            # the inner corner is filled with flesh: no cave beside the ball
            if share == _POCKET[1]:
                z += ramp(-np.cos(angle), 0.86, 0.98) * (lid_sphere(x, y, RADIUS) - 0.2 - z)
        rings.append(np.stack([x, y, z], -1))
    end = np.array([[middle[0], middle[1], CENTRE[2] - 15.0]])
    return np.concatenate([*rings, end])


def lid_sphere(x: Array, y: Array, radius: float) -> Array:
    """Depth of a sphere around the left eyeball, running out flat beyond its edge where the corners of the lids lie."""
    room = radius**2 - (x - CENTRE[0]) ** 2 - (y - CENTRE[1]) ** 2
    beyond = np.clip(np.hypot(x - CENTRE[0], y - CENTRE[1]) - 15.5, 0.0, None)
    return CENTRE[2] + np.sqrt(0.5 * (room + np.sqrt(room**2 + 45.0**2))) - 0.5 * beyond**2


def _angles() -> Array:
    return np.linspace(0.0, 2.0 * np.pi, SECTORS, endpoint=False)


def _peak(share: float, centre: float, width: float) -> float:
    return float(np.exp(-0.5 * ((share - centre) / width) ** 2))
