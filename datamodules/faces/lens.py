"""What a lens does to light: flare, darker corners, blur by focus or by motion."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.sampling.background import pixel_grid
from datamodules.sampling.draws import Draws, per_picture

__all__ = ["blur", "flare", "vignette"]

_SIZE = 128  # of the pictures that the widths of blur are meant for; smaller ones get less of it


def flare(linear: Tensor, draws: Draws) -> Tensor:
    """Light that strays in the lens: bright places glow, and in a few pictures a veil lies over everything."""
    count, _, height, width = linear.shape
    small = F.interpolate(linear, size=(8, 8), mode="area")
    glow = F.interpolate(small, size=(height, width), mode="bicubic", align_corners=False).clamp_min(0)
    amount = 0.02 + 0.16 * draws.uniform("flare") ** 4
    veil = draws.chance("veiled", 0.06) * draws.between("veil", 0.02, 0.15)
    colour = 1 + 0.15 * draws.normal("veil colour", 3, limit=2)
    haze = torch.from_numpy(veil[:, None] * colour).to(linear).view(count, 3, 1, 1)
    return torch.lerp(linear, glow, per_picture(amount, linear)) * (1 - haze) + haze


def vignette(linear: Tensor, draws: Draws) -> Tensor:
    """Corners darker by up to a half, around the middle of the photo that the crop is from."""
    x, y = pixel_grid(linear.shape[-1], linear.device)
    middle = torch.from_numpy(draws.between("vignette middle", -0.5, 0.5, 2)).to(linear)[..., None, None, None]
    strength = per_picture(draws.chance("vignetted", 0.4) * draws.between("vignette", 0.05, 0.25), linear)
    distance = (x - middle[:, 0]) ** 2 + (y - middle[:, 1]) ** 2
    return linear / (1 + strength * distance[:, : len(linear)].view(len(linear), 1, *linear.shape[2:]))


def blur(linear: Tensor, draws: Draws) -> Tensor:
    """Out of focus in 35 % of the pictures (a Gaussian of up to 1.3 pixels at 128), moved in 8 % (up to 5 pixels)."""
    linear = linear.clone()
    scale = linear.shape[-1] / _SIZE
    sigma = np.maximum(scale * draws.between("blur", 0.3, 1.3), 0.05)
    rows = np.flatnonzero(draws.chance("is blurred", 0.35))
    if len(rows):
        few = torch.from_numpy(rows).to(linear.device)
        linear[few] = _gaussian(linear[few], torch.from_numpy(sigma[rows]).to(linear))
    length, angle = scale * draws.between("motion", 1.0, 5.0), draws.between("motion angle", 0, math.pi)
    rows = np.flatnonzero(draws.chance("moves", 0.08))
    if len(rows):
        few = torch.from_numpy(rows).to(linear.device)
        step = torch.from_numpy(np.stack([np.cos(angle), np.sin(angle)], -1)[rows] * length[rows, None]).to(linear)
        linear[few] = _motion(linear[few], step)
    return linear


def _gaussian(linear: Tensor, sigma: Tensor) -> Tensor:
    count, channels, height, width = linear.shape
    offsets = torch.arange(-4, 5, device=linear.device, dtype=linear.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma.view(-1, 1)) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    rows = F.pad(linear, (4, 4, 4, 4), mode="replicate").view(1, count * channels, height + 8, width + 8)
    rows = F.conv2d(rows, kernel[:, None, :, None], groups=count * channels)
    return F.conv2d(rows, kernel[:, None, None, :], groups=count * channels).view_as(linear)


def _motion(linear: Tensor, step: Tensor) -> Tensor:
    """The mean along a straight way of ``step`` (n,2) pixels, through the place of each pixel."""
    x, y = pixel_grid(linear.shape[-1], linear.device)
    here = torch.stack(torch.broadcast_tensors(x[0], y[0]), -1)
    total = torch.zeros_like(linear)
    shares = torch.linspace(-0.5, 0.5, 7, device=linear.device)
    for share in shares:
        grid = here + (share * step * (2 / linear.shape[-1]))[:, None, None, :]
        total += F.grid_sample(linear, grid, padding_mode="border", align_corners=False)
    return total / len(shares)
