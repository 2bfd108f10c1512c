"""Scenery behind people, in half of the pictures: horizons, walls, writing, leaves, windows, passers-by, white."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.sampling.draws import Draws

__all__ = ["lay_scenery"]


def lay_scenery(draws: Draws, picture: Tensor, x: Tensor, y: Tensor) -> None:
    """Lay one of the kinds over some of the pictures, in place.

    Args:
        draws: The samples.
        picture: (B,3,S,S), sRGB in [0,1].
        x: (1,1,S) from -1 to 1, to the right.
        y: (1,S,1) from -1 to 1, downwards.
    """
    kind = (draws.uniform("scenery") / _EACH).astype(int)
    for number, lay in enumerate(_KINDS):
        rows = np.flatnonzero(kind == number)
        if len(rows):
            few = torch.from_numpy(rows).to(picture.device)
            some = draws.of([draws.indices[row] for row in rows])
            picture[few] = lay(some, picture[few], x, y).clamp(0, 1)


def _horizon(draws: Draws, picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """A bright sky over a ground, and something between them."""
    height = _put(draws.between("horizon", -0.7, 0.7), x) + x * _put(draws.between("horizon slope", -0.1, 0.1), x)
    sky = _colour(np.array([0.62, 0.76, 0.9]) + 0.3 * draws.between("sky", -0.6, 0.5, 1) * [1.2, 0.8, 0.5], x)
    fade = ((height - y) * 0.2).clamp(0, 0.5)[:, None]
    ground = _colour(draws.between("ground", 0.1, 0.7, 1) * np.exp(0.3 * draws.normal("ground hue", 3, limit=2)), x)
    hills = _lattice(draws, "hills", x, 1, 12)[:, 0, :1] * 0.2
    below = torch.sigmoid((y - height + hills) * 40)[:, None]
    return torch.lerp(
        sky - fade * sky.new_tensor([0.5, 0.35, 0.15]).view(1, 3, 1, 1), 0.5 * ground + 0.5 * picture, below
    )


def _tiles(draws: Draws, picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Bricks or tiles, each of a shade of its own, with joints."""
    rows = _put(np.exp(draws.between("tile rows", 1.2, 2.8)), x)
    columns = rows * _put(draws.between("tile shape", 0.35, 1.0), x)
    v = y * rows + 0 * x
    u = x * columns + 0.5 * (v.floor() % 2) * _put(draws.chance("bricks", 0.6), x)
    edge = torch.minimum((u - u.round()).abs() / columns, (v - v.round()).abs() / rows)
    shade = torch.frac(torch.sin(u.floor() * 12.99 + v.floor() * 78.23) * 437.58).abs() - 0.5
    brick = picture * (1 + 0.4 * _put(draws.uniform("tile contrast"), x) * shade)[:, None]
    joint = torch.sigmoid((0.015 - edge) * 300)[:, None] * _put(draws.between("joint", 0.3, 1), x)[:, None]
    return torch.lerp(brick, _colour(draws.between("joint colour", 0.1, 0.9, 1), x), joint)


def _writing(draws: Draws, picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Rows of marks as large as letters on a sign or a poster, no letter among them."""
    scale = _put(np.exp(draws.between("letter size", 1.2, 2.6)), x)
    tilt = _put(draws.between("writing tilt", -0.3, 0.3), x)
    u, v = (x + tilt * y) * scale, (y - tilt * x) * scale * 0.6
    line = torch.sigmoid((0.32 - (torch.frac(v + 9) - 0.5).abs()) * 25)
    place = torch.stack((u / 6, v / 6), -1) % 2 - 1
    lattice = torch.from_numpy(draws.uniform("letters", 1, 48, 48)).to(x)
    strokes = F.grid_sample(lattice, place, align_corners=False, padding_mode="reflection")[:, 0]
    word = torch.sin(u * 0.9 + 7 * v.floor()) > -0.6
    ink = torch.sigmoid((strokes - 0.52) * 25) * line * word
    return torch.lerp(picture, _colour(draws.uniform("ink", 3), x), ink[:, None])


def _leaves(draws: Draws, picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """A clutter of leaves with light between them, in greens, browns or greys."""
    fine, coarse = _lattice(draws, "fine leaves", x, 2, 40), _lattice(draws, "coarse leaves", x, 2, 14)
    hue = np.array([0.3, 0.42, 0.18]) * np.exp(0.35 * draws.normal("leaf hue", 3, limit=2))
    leaf = _colour(hue, x) * (0.4 + 1.2 * fine[:, :1])
    open_ = torch.sigmoid((0.6 * coarse[:, :1] + 0.4 * fine[:, 1:] - 0.62) * 20)
    return torch.lerp(leaf, 0.5 + 0.5 * picture, open_ * _put(draws.between("between leaves", 0.2, 1), x)[:, None])


def _window(draws: Draws, picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """A bright opening with bars in a wall."""
    cx, cy = (_put(values, x) for values in draws.between("window", -0.9, 0.9, 2).T)
    w, h = (_put(values, x) for values in draws.between("window size", 0.25, 0.9, 2).T)
    u, v = (x - cx) / w, (y - cy) / h
    inside = torch.sigmoid((1 - torch.maximum(u.abs() + 0 * v, v.abs() + 0 * u)) * 40)
    bars = _put(draws.between("window bars", 1, 3).round(), x)
    bar = torch.minimum((u * bars - (u * bars).round()).abs() / bars, (v * bars - (v * bars).round()).abs() / bars)
    light = _colour(draws.between("window light", 0.85, 1.1, 1) + 0.08 * draws.normal("window hue", 3, limit=2), x)
    return torch.lerp(picture * 0.8, light, (inside * torch.sigmoid((bar - 0.03) * 120))[:, None])


def _people(draws: Draws, picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Two out-of-focus passers-by: heads of skin's colours with hair, over clothes."""
    for number in range(2):
        cx, cy, radius, soft, tone = draws.uniform(f"passer-by {number}", 5).T
        cx, cy, radius = (_put(v, x) for v in (2.2 * cx - 1.1, 1.2 * cy - 0.8, 0.12 + 0.3 * radius))
        skin = _colour(np.array([0.87, 0.68, 0.57]) * (1 - 0.75 * tone[:, None] * [0.8, 0.9, 0.95]), x)
        sharp = _put(np.exp(1 + 2.5 * soft), x)
        u, v = (x - cx) / radius, (y - cy) / radius
        clothes = torch.sigmoid(sharp * (1 - ((u / 2.2) ** 2 + ((v - 3.3) / 2.3) ** 2).sqrt()))
        hair = torch.sigmoid(sharp * (1.15 - (u**2 + ((v + 0.25) / 1.15) ** 2).sqrt()))
        face = torch.sigmoid(sharp * (0.95 - ((u / 0.9) ** 2 + ((v - 0.15) / 1.15) ** 2).sqrt()))
        picture = torch.lerp(picture, _colour(draws.between(f"clothes {number}", 0.02, 0.9, 3), x), clothes[:, None])
        picture = torch.lerp(picture, skin * _colour(draws.between(f"hair {number}", 0.1, 0.6, 1), x), hair[:, None])
        picture = torch.lerp(picture, skin, face[:, None])
    return picture


def _bright(draws: Draws, picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """A studio's white, or a sky that is burnt out."""
    white = _colour(draws.between("white", 0.85, 1.1, 1) + 0.02 * draws.normal("white hue", 3, limit=2), x)
    return torch.lerp(picture, white, _put(draws.between("whiteness", 0.6, 1.0), x)[:, None])


_KINDS: tuple[Callable[[Draws, Tensor, Tensor, Tensor], Tensor], ...] = (
    _horizon, _tiles, _writing, _leaves, _window, _people, _bright, _bright,
)  # fmt: skip
_EACH = 0.07


def _lattice(draws: Draws, purpose: str, like: Tensor, channels: int, cells: int) -> Tensor:
    """Random numbers, smooth between ``cells`` places a side: (B,channels,S,S)."""
    values = torch.from_numpy(draws.uniform(purpose, channels, cells, cells)).to(like)
    return F.interpolate(values, size=(like.shape[-1],) * 2, mode="bilinear", align_corners=True)


def _put(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32)).to(like)[:, None, None]


def _colour(values: np.ndarray, like: Tensor) -> Tensor:
    """(B,1) grey or (B,3) colours as (B,.,1,1)."""
    return torch.from_numpy(np.clip(values, 0, 1.1).astype(np.float32)).to(like)[..., None, None]
