"""Hair as one shell: from the crown over the skull to the hairline, and down beside face and neck where it is long."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from datamodules.faces.worn.site import SECTORS, Site
from datamodules.faces.worn.surfaces import azimuths, smoothstep, tube
from datamodules.sampling.draws import Draws, noise

__all__ = ["COUNT", "TRIANGLES", "hair_colour", "hair_points"]

Array = NDArray[Any]

_CAP, _FALL, _INNER = 19, 7, 5
_RINGS = _CAP + _FALL + _INNER + 1
COUNT = _RINGS * SECTORS
TRIANGLES = tube(_RINGS, SECTORS)

# Height of the hairline over the eyes by the angle from the front: forehead, temple, sideburn, over the ear, nape.
_HAIRLINE = np.array(
    [(0, 66), (15, 67), (30, 65), (42, 57), (52, 44), (60, 24), (67, 0), (73, -22), (79, -26), (84, 17), (98, 22),
     (112, 10), (119, -22), (130, -56), (150, -68), (180, -71)]
)  # fmt: skip
_LEAVES = np.array([(0, 0), (60, 4), (110, 4), (140, -8), (180, -12)])
"""Where long hair leaves the skull and hangs."""

# Hair from black over brown to blond; then grey, red and dyed.
_NATURAL = np.array(
    [[0.010, 0.009, 0.008], [0.022, 0.015, 0.011], [0.045, 0.027, 0.017], [0.085, 0.052, 0.030], [0.17, 0.112, 0.060],
     [0.33, 0.24, 0.14]]
)  # fmt: skip
_RED = np.array([0.17, 0.055, 0.022])
_GREY = np.array([0.33, 0.32, 0.31])


def hair_colour(person: Draws, painted: Tensor, skin: Tensor) -> Tensor:
    """Colours of people's hair, near that of their painted brows and scalp.

    Args:
        person: One draw a person.
        painted: (B,3) linear colour of the painted scalp or brows.
        skin: (B,3) linear colour of the skin; red and fair hair grow on fair skin.

    Returns:
        (B,3) linear.
    """
    u = person.uniform("worn hair colour", 8)
    # paint on skin is fairer than hair, which shows its own shadows; dark brows seldom go with fair hair
    luminance, fairness = (c.double().cpu().numpy() @ [0.2126, 0.7152, 0.0722] for c in (painted, skin))
    shade = np.clip(2.25 + 1.25 * np.log(np.maximum(luminance, 1e-4) / 0.045) + (u[:, 0] + u[:, 1] - 1), 0, 5)
    shade = np.minimum(shade, 0.8 + 16 * fairness)
    colour = np.stack([np.interp(shade, np.arange(6), _NATURAL[:, c]) for c in range(3)], -1)
    kind = u[:, 2, None]
    red = _RED * np.exp(0.8 * (u[:, 3, None] - 0.5))
    dyed = 0.02 + 0.4 * u[:, 5:8] ** 2
    grey = _GREY * (0.45 + 0.75 * u[:, 4, None])
    share = 0.4 + 0.6 * u[:, 3, None]
    colour = np.where(kind < 0.13, colour + share * (grey - colour), colour)
    colour = np.where((kind >= 0.13) & (kind < 0.18) & (fairness[:, None] > 0.15), red, colour)
    colour = np.where((kind >= 0.18) & (kind < 0.205), dyed, colour)
    return torch.from_numpy(colour).to(painted)


class _Style:
    """What was drawn for each person's hair: arrays of (B,1) or (B,S)."""

    def __init__(self, person: Draws) -> None:
        u = person.uniform("worn hair style", 48)
        self.angle = np.degrees(azimuths(SECTORS))
        self.signed = (self.angle + 180) % 360 - 180
        self.away = np.abs(self.signed)
        k = iter(range(48))

        def draw(low: float, high: float) -> Array:
            return low + (high - low) * u[:, next(k), None]

        length = draw(0, 1)
        self.long = length > 0.56
        medium = self.long & (length < 0.7)
        straight = draw(0, 1)
        self.top = np.where(straight > 0.9, draw(28, 55), np.exp(draw(np.log(4), np.log(24))))
        self.side = np.where(straight > 0.9, draw(0.6, 1.0) * self.top, np.exp(draw(np.log(1.2), np.log(9))))
        self.side = np.where(self.long & (straight <= 0.9), 5 + self.side, self.side)
        self.afro = straight > 0.9
        self.waviness = np.where(draw(0, 1) > 0.45, draw(0.5, 6), 0.3)
        self.curls = np.where(self.afro, draw(2, 4), np.where(draw(0, 1) > 0.7, draw(1, 3.5), draw(0, 0.8)))
        # hairline: all of it higher or lower, the temples receding, thin on top
        self.hairline = np.interp(self.away, *_HAIRLINE.T) + draw(-4, 8) * (self.away < 60)
        shape = draw(-5, 5) * np.cos(np.radians(self.away) * draw(3, 7)) + draw(0, 5) * np.cos(self.signed * 0.9)
        self.hairline = self.hairline + shape * (self.away < 55)
        recedes = np.where((draw(0, 1) > 0.75) & ~self.long, draw(0.2, 1), 0)
        self.recedes = recedes
        temples, middle = np.exp(-(((self.away - 34) / 17) ** 2)), np.exp(-((self.away / 22) ** 2))
        self.hairline = self.hairline + recedes * (32 * temples + draw(0, 34) * middle)
        sideburn = np.exp(-(((self.away - 73) / 8) ** 2))
        self.hairline = self.hairline + draw(0, 36) * sideburn
        # fringe: a line over the forehead, at times slanted
        fringe = (draw(0, 1) > 0.56) & (recedes == 0)
        line = draw(24, 50) + draw(-0.35, 0.35) * self.signed
        line = np.maximum(line, 23.0) + 3 * np.sin(self.signed * draw(0.04, 0.22) + 6 * draw(0, 1))
        spread = draw(34, 62)
        self.end = np.where(fringe & (self.away < spread), np.minimum(line, self.hairline), self.hairline)
        soft = np.clip((spread + 8 - self.away) / 16, 0, 1)
        fringe_end = self.hairline + (np.minimum(line, self.hairline) - self.hairline) * soft
        # its ends are locks of unequal length, not one cut edge; hair that is combed back begins unevenly too
        locks = person.uniform("worn hair locks", len(self.angle))
        tips = person.between("worn hair tips", 3, 14, 1) * (0.6 * locks + 0.4 * np.roll(locks, 1, axis=1) - 0.5)
        self.hairline = self.hairline + 2.5 * (locks - 0.5) * (self.away < 70)
        self.end = np.where(fringe, np.minimum(fringe_end + tips * soft, self.hairline), self.hairline)
        # long hair begins to fall somewhere between the corner of the eye and the back of the ear
        opens = np.where(draw(0, 1) > 0.3, draw(54, 70), draw(108, 122))
        tip = np.where(medium, draw(-95, -50), draw(-240, -105))
        falls = np.clip((self.away - opens) / 14, 0, 1)
        falls = falls * falls * (3 - 2 * falls) * self.long
        ragged = 6 * np.sin(self.angle * draw(0.05, 0.12) * 3 + 6 * draw(0, 1))
        self.end = np.minimum(self.end, self.end + (tip + ragged - self.end) * falls)
        self.falls = falls
        self.flare = draw(-14, 16)
        self.parting = np.where(draw(0, 1) > 0.45, draw(-38, 38), 1000.0)
        self.groove = draw(0.3, 0.75)
        self.sweep = draw(-0.25, 0.25)
        self.strands = draw(0.3, 0.7)
        self.lift = draw(0.0, 1.0)


def hair_points(site: Site, person: Draws, pressed: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
    """The shell of each head.

    Args:
        site: The heads.
        person: Whose hair it is.
        pressed: (B,SECTORS) height over the eyes above which a hat presses the hair flat; large for no hat.
        shown: (B,) bool; other heads get no shell.

    Returns:
        Points (B, COUNT, 3) in the site's frame and linear albedo (B, COUNT, 3).
    """
    style = _Style(person)

    def put(values: Array) -> Tensor:
        return torch.from_numpy(np.asarray(values, np.float32)).to(site.radius)

    end, leaves = put(style.end), put(np.interp(style.away, *_LEAVES.T))
    batch = len(end)
    edge = torch.maximum(end, leaves)  # where the shell leaves the skin
    edge = torch.where(put(style.falls) > 0.02, edge, end)
    rim = site.polar_of(edge)
    share = torch.linspace(0, 1, _CAP, device=end.device)[:, None]
    polar = rim[:, None] * share
    skin = site.at(polar)
    height = 20 + skin * polar.cos()
    angle = put(np.radians(style.signed))
    sideways = skin * polar.sin() * angle.sin()
    ahead = skin * polar.sin() * angle.cos()

    words = person.words("worn hair noise")
    rough = noise(words.to(end.device), _RINGS, SECTORS)
    strand = _strands(rough)
    hangs = smoothstep(put(style.hairline) - end, 3.0, 16.0)[:, None]
    on_top = smoothstep(height, 28.0, 92.0)
    thick = put(style.side)[:, None] + put(style.top - style.side)[:, None] * on_top
    # the front is combed up or lies down
    thick = thick * (1 + 0.6 * put(style.lift)[:, None] * smoothstep(ahead, 40.0, 85.0) * on_top)
    line = put(style.parting)[:, None] + put(style.sweep)[:, None] * ahead
    groove = put(style.groove)[:, None] * smoothstep(ahead, -45.0, 0.0) * on_top
    thick = thick * (1 - groove * torch.exp(-(((sideways - line) / 7) ** 2)))
    bald = put(style.recedes)[:, None] * smoothstep(height, 85.0, 108.0) * smoothstep(ahead, 70.0, 10.0)
    thick = thick * (1 - 0.8 * bald)
    curl = put(style.curls)[:, None]
    thick = thick + torch.minimum(curl, 0.6 * thick) * 2.4 * (rough[:, :_CAP] - 0.5)
    thick = thick * (1 + 0.5 * (strand[:, :_CAP] - 0.5))
    # a fringe lies close to the forehead; where nothing hangs the shell runs out into the skin
    near_edge = smoothstep(share, 0.55, 1.0)
    thick = thick + (torch.clamp(thick, 1.2, 3.2) - thick) * near_edge * hangs
    # long hair covers the ears
    cover = put(style.falls)[:, None] * smoothstep(height, 45.0, 20.0)
    thick = thick + cover * (site.ears_at(polar) * 0.9 + 2)
    flat = smoothstep(height, pressed[:, None] - 14, pressed[:, None] + 2)
    thick = thick + (torch.clamp(thick, max=1.5) - thick) * flat
    ends = torch.where(share > 0.999, -1.5, (1 - share**5)) * torch.ones_like(hangs)
    thick = torch.where(share > 0.999, thick * hangs - 1.5 * (1 - hangs), thick * (ends + (1 - ends) * hangs))
    # behind the ears the neck draws back from the skin as directions tell it; nothing may stand off there
    radius = skin + thick - 5 * (1 - hangs) * smoothstep(height, 8.0, -30.0) * smoothstep(share, 0.55, 0.95)
    cap = site.points(radius, polar)

    # below: straight down from where the hair is widest, with waves, flaring out or curving in
    last = cap[:, -1:]
    drop = torch.linspace(0, 1, _FALL + 1, device=end.device)[1:, None]
    fall = (edge - end).clamp_min(0)[:, None]
    top = last[..., 1]
    flat_radius = (last[..., 0] ** 2 + last[..., 2] ** 2).sqrt()
    below = fall * drop
    wave = put(style.waviness)[:, None] * torch.sin(below * 0.11 + 9 * strand[:, -1:]) * smoothstep(below, 0.0, 30.0)
    loose = (1 + 0.02 * put(style.curls)[:, None] * (rough[:, _CAP : _CAP + _FALL] - 0.5)) * flat_radius
    outer = loose + wave + put(style.flare)[:, None] * smoothstep(below / 60, 0.3, 1.6) * (fall > 1)
    direction = torch.stack((angle.sin(), torch.zeros_like(angle), angle.cos()), -1)
    hanging = direction * outer[..., None]
    hanging[..., 1] = top - below
    # inside: a lock's thickness nearer to the neck, up to the root
    back = torch.linspace(1, 0, _INNER, device=end.device)[:, None]
    depth = (9 + 5 * back) * smoothstep(fall, 0.0, 25.0) + 3.0
    below = fall * back
    inner = flat_radius + put(style.flare)[:, None] * smoothstep(below / 60, 0.3, 1.6) * (fall > 1) - depth
    inside = direction * inner[..., None]
    inside[..., 1] = top - below
    # where nothing falls all of these lie under the skin
    root = site.points(skin[:, -1:] - 4, polar[:, -1:])
    low = torch.cat((hanging, inside), 1)
    falls = (fall > 1)[..., None]
    low = torch.where(falls, low, torch.cat((last.expand_as(hanging), root.expand_as(inside)), 1))
    points = torch.cat((cap, low, root), 1)
    points = torch.where(shown[:, None, None, None], points, points.new_tensor([0.0, 20.0, 0.0]))

    shade = 1 + put(style.strands)[:, None] * 2 * (strand - 0.5) + 0.4 * (rough - 0.5)
    dim = torch.ones(_RINGS, 1, device=end.device)
    dim[_CAP + _FALL :, 0] = torch.linspace(1.0, 0.45, _INNER + 1)  # the inside lies in its own shadow
    albedo = hair_colour(person, site.hair, site.skin)[:, None, None] * (shade * dim).clamp(0.2, 2)[..., None]
    # where hair begins it takes the colour of the painted scalp that it grows from: no hard edge
    thin = torch.zeros(batch, _RINGS, SECTORS, device=end.device)
    thin[:, :_CAP] = 0.8 * smoothstep(share, 0.75, 1.0) * (1 - hangs) * (0.4 + 0.6 * rough[:, :_CAP])
    albedo = torch.lerp(albedo, site.hair[:, None, None].expand_as(albedo), thin[..., None])
    return points.view(batch, COUNT, 3), albedo.clamp(0.004, 0.85).reshape(batch, COUNT, 3)


def _strands(rough: Tensor) -> Tensor:
    """Noise that changes from sector to sector and little along each: (B,R,S) about [0, 1]."""
    long = F.avg_pool2d(rough[:, None], (9, 1), stride=1, padding=(4, 0), count_include_pad=False)[:, 0]
    return 0.5 + 2.2 * (long - 0.5)
