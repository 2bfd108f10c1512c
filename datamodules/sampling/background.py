"""What stands behind a face: gradients, clouds, scenery, blobs and blurred panels, and nobody's picture."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.sampling.draws import Draws
from datamodules.sampling.scenery import lay_scenery

__all__ = ["clouds", "draw_background", "pixel_grid"]

_BLOBS, _PANELS = 6, 8


def pixel_grid(size: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Pixel centres from -1 to 1 over the picture: x (right) as (1, 1, size) and y (down) as (1, size, 1)."""
    line = (torch.arange(size, device=device) + 0.5) * (2 / size) - 1
    return line[None, None, :], line[None, :, None]


def clouds(draws: Draws, purpose: str, channels: int, size: int, device: torch.device | str) -> Tensor:
    """Smooth noise of five octaves, with a roughness of its own in each sample.

    Returns:
        ``(B, channels, size, size)`` in [0, 1].
    """
    persistence = draws.between(f"{purpose} roughness", 0.35, 0.85)
    total = torch.zeros(len(draws), channels, size, size, device=device)
    for octave, cells in enumerate((2, 4, 8, 16, 32)):
        weight = _tensor(persistence**octave / (persistence[:, None] ** np.arange(5)).sum(-1), device)
        lattice = _tensor(draws.uniform(f"{purpose} {cells}", channels, cells + 1, cells + 1), device)
        grown = F.interpolate(lattice, size=(size, size), mode="bilinear", align_corners=True)
        total += weight[:, None, None, None] * grown
    return ((total - 0.5) * 1.8 + 0.5).clamp_(0, 1)


def draw_background(draws: Draws, size: int, device: torch.device | str = "cpu") -> Tensor:
    """Backgrounds ``(B, 3, size, size)``, sRGB in [0, 1]: every sample mixes the kinds in its own way.

    Args:
        draws: The samples.
        size: Height and width.
        device: Where they are made; the random numbers are the same everywhere.
    """
    x, y = pixel_grid(size, device)
    palette = _tensor(_palette(draws, 4), device)[..., None, None]

    angle = _tensor(draws.between("gradient angle", 0, 2 * math.pi), device)[:, None, None]
    ramp = (0.5 + 0.4 * (x * angle.cos() + y * angle.sin()))[:, None]
    picture = torch.lerp(palette[:, 0], palette[:, 1], ramp)

    opacity = _tensor(draws.uniform("opacity", 2) * draws.chance("layer", 0.6, 2), device)[..., None, None, None]
    texture = clouds(draws, "clouds", 2, size, device)
    edge = _tensor(np.exp(draws.between("cloud edge", 0, 3)), device)[:, None, None, None]
    picture = torch.lerp(picture, palette[:, 2], torch.sigmoid((texture[:, :1] - 0.5) * 6 * edge) * opacity[:, 0])
    picture = torch.lerp(picture, palette[:, 3], _stripes(draws, x, y) * opacity[:, 1])
    lay_scenery(draws, picture, x, y)
    _blobs(draws, picture, x, y)
    _panels(draws, picture, x, y)
    grain = _tensor(draws.between("grain", 0, 0.5), device)[:, None, None, None]
    picture = picture * (1 + grain * (texture[:, 1:] - 0.5))
    return _defocus(draws, picture).clamp_(0, 1)


def _palette(draws: Draws, colours: int) -> np.ndarray:
    """Colours that go together: one brightness and hue a picture, and departures from it. ``(B, colours, 3)``."""
    base = draws.between("brightness", 0.05, 0.9)[:, None, None]
    hue = 0.06 * draws.normal("hue", 1, 3, limit=2)
    value = 0.22 * draws.normal("palette value", colours, 1, limit=2)
    own = 0.08 * draws.normal("palette", colours, 3, limit=2)
    return np.clip(base + hue + value + own, 0.01, 0.99)


def _stripes(draws: Draws, x: Tensor, y: Tensor) -> Tensor:
    angle, phase = _planes(x, *(draws.between(f"stripe {what}", 0, 2 * math.pi) for what in ("angle", "phase")))
    frequency = _tensor(np.exp(draws.between("stripe frequency", 1.5, 3.8)), x.device)[:, None, None]
    sharpness = _tensor(np.exp(draws.between("stripe sharpness", 0, 2.5)), x.device)[:, None, None]
    wave = torch.sin((x * angle.cos() + y * angle.sin()) * frequency + phase)
    return torch.sigmoid(wave * sharpness * 1.5)[:, None]


def _blobs(draws: Draws, picture: Tensor, x: Tensor, y: Tensor) -> None:
    """Soft discs, as lights out of focus."""
    centre = draws.between("blob centre", -1.1, 1.1, _BLOBS, 2)
    radius = np.exp(draws.between("blob radius", -2.8, -0.8, _BLOBS))
    softness = draws.between("blob softness", 0.05, 0.8, _BLOBS)
    colour = draws.between("blob colour", 0.05, 1.0, _BLOBS, 3)
    there, opacity = draws.chance("blob", 0.2, _BLOBS), draws.between("blob opacity", 0.3, 1, _BLOBS)
    for i in range(_BLOBS):
        rows = np.flatnonzero(there[:, i])
        cx, cy, r, soft, strength = _planes(
            picture, *centre[rows, i].T, radius[rows, i], radius[rows, i] * softness[rows, i], opacity[rows, i]
        )
        distance = ((x - cx) ** 2 + (y - cy) ** 2).sqrt()
        _lay(picture, rows, colour[rows, i], torch.sigmoid((r - distance) / soft * 4) * strength)


def _panels(draws: Draws, picture: Tensor, x: Tensor, y: Tensor) -> None:
    """Rectangles, upright or turned, each with its own blur: doors, frames, windows, shelves."""
    centre = draws.between("panel centre", -1, 1, _PANELS, 2)
    half = np.exp(draws.between("panel size", -2.6, -0.1, _PANELS, 2))
    angle = draws.chance("panel is turned", 0.3, _PANELS) * draws.between("panel angle", -0.8, 0.8, _PANELS)
    blur = np.exp(draws.between("panel blur", -4.5, -1.8, _PANELS))
    colour = np.clip(_palette(draws, _PANELS) + 0.1 * draws.normal("panel colour", _PANELS, 3, limit=2), 0, 1)
    there, opacity = draws.chance("panel", 0.3, _PANELS), draws.between("panel opacity", 0.4, 1, _PANELS)
    for i in range(_PANELS):
        rows = np.flatnonzero(there[:, i])
        turn = angle[rows, i]
        cx, cy, w, h, c, s, soft, strength = _planes(
            picture, *centre[rows, i].T, *half[rows, i].T, np.cos(turn), np.sin(turn), blur[rows, i], opacity[rows, i]
        )
        dx, dy = x - cx, y - cy
        inside = torch.minimum(w - (c * dx + s * dy).abs(), h - (c * dy - s * dx).abs())
        _lay(picture, rows, colour[rows, i], torch.sigmoid(inside / soft * 3) * strength)


def _planes(like: Tensor, *columns: np.ndarray) -> Iterator[Tensor]:
    """One number a sample, each as (n, 1, 1)."""
    return (_tensor(column, like.device)[:, None, None] for column in columns)


def _lay(picture: Tensor, rows: np.ndarray, colour: np.ndarray, alpha: Tensor) -> None:
    """Lay a colour over some of the pictures, in place."""
    which = torch.from_numpy(rows).to(picture.device)
    over = _tensor(colour, picture.device)[:, :, None, None]
    picture[which] = torch.lerp(picture[which], over, alpha[:, None])


def _defocus(draws: Draws, picture: Tensor) -> Tensor:
    """Blur by a draw: a mix of the picture with a much smaller copy of it."""
    size = picture.shape[-1]
    small = F.interpolate(picture, size=(max(4, size // 8),) * 2, mode="area")
    blurred = F.interpolate(small, size=(size, size), mode="bicubic", align_corners=False)
    amount = _tensor(draws.uniform("defocus") * draws.chance("out of focus", 0.6), picture.device)
    return torch.lerp(picture, blurred, amount[:, None, None, None])


def _tensor(values: np.ndarray, device: torch.device | str) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32)).to(device)
