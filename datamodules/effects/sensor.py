"""What a camera makes of the light: how bright, of what colour, how noisy, and with which tone curve."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.sampling.draws import Draws, noise, per_picture

__all__ = ["exposure", "monochrome", "sensor_noise", "tone", "white_balance"]

_LUMA = (0.299, 0.587, 0.114)


def exposure(linear: Tensor, draws: Draws) -> Tensor:
    """Brighter or darker by up to 1.5."""
    return linear * per_picture(np.exp(draws.between("exposure", -0.4, 0.4)), linear)


def white_balance(linear: Tensor, draws: Draws) -> Tensor:
    """The error of the camera's white: gains along warm and cold, and a little along green and magenta."""
    return linear * torch.from_numpy(white_balance_gains(draws)).to(linear)[..., None, None]


def white_balance_gains(draws: Draws) -> np.ndarray:
    """Gains ``(B, 3)`` of luminance 1 for a white light."""
    # on average a little warm and towards magenta, as cameras and people like faces
    warmth = 0.05 + 0.1 * draws.normal("white balance", limit=2.5)
    tint = -0.02 + 0.03 * draws.normal("white balance tint", limit=2.5)
    gains = np.exp(np.stack([warmth, tint, -1.2 * warmth], -1))
    return gains / (gains @ np.array([0.2126, 0.7152, 0.0722]))[:, None]


def sensor_noise(linear: Tensor, draws: Draws) -> Tensor:
    """Noise of photons and of the sensor, from none to that of a phone in a dim room; in some pictures smeared.

    Cameras smooth their noise away and leave grains of a few pixels; those get as much of it in three of ten pictures.
    """
    strength = np.exp(draws.between("noise strength", np.log(0.002), np.log(0.02)))
    photons, sensor = per_picture(strength**1.5, linear), per_picture(0.3 * strength, linear)
    white = _white(draws.words("noise").to(linear.device), linear)
    rows = np.flatnonzero(draws.chance("smeared noise", 0.3))
    if len(rows):
        few = torch.from_numpy(rows).to(linear.device)
        white[few] = 2 * F.avg_pool2d(F.pad(white[few], (1, 1, 1, 1), mode="replicate"), 3, 1)
    return linear + white * (photons * linear.clamp_min(0) + sensor**2).sqrt()


def _white(words: Tensor, like: Tensor) -> Tensor:
    """White noise of variance 1 from one hashed number a value: the sum of its three bytes is nearly normal."""
    number = (noise(words, *like.shape[1:]) * 2**24).to(torch.int32)
    total = (number & 0xFF) + ((number >> 8) & 0xFF) + (number >> 16)
    return (total.to(like.dtype) - 382.5) / 128.0


def tone(srgb: Tensor, draws: Draws) -> Tensor:
    """Contrast (an S-curve that keeps black and white), lifted blacks, and saturation.

    Args:
        srgb: (B,3,H,W) in [0,1].
        draws: The samples.

    Returns:
        (B,3,H,W) in [0,1].
    """
    contrast = per_picture(0.35 * draws.normal("contrast", limit=2), srgb)
    # between the line (0) and a smooth step (1); below 0 it is flatter in the middle
    curved = srgb + contrast * srgb * (1 - srgb) * (2 * srgb - 1)
    lift = per_picture(draws.chance("blacks are lifted", 0.15) * draws.between("lift", 0.0, 0.08), srgb)
    curved = lift + (1 - lift) * curved
    saturation = per_picture(np.exp(0.18 * draws.normal("saturation", limit=2)), srgb)
    return torch.lerp(_luma(curved), curved, saturation).clamp(0, 1)


def monochrome(srgb: Tensor, draws: Draws) -> Tensor:
    """One picture in twenty is black and white, some of those in sepia."""
    rows = np.flatnonzero(draws.chance("black and white", 0.05))
    if not len(rows):
        return srgb
    few = torch.from_numpy(rows).to(srgb.device)
    sepia = per_picture(draws.chance("sepia", 0.25) * draws.between("sepia strength", 0.3, 1.0), srgb)[few]
    toned = _luma(srgb[few]) ** (1 + sepia * srgb.new_tensor([-0.12, 0.03, 0.2]).view(1, 3, 1, 1))
    srgb = srgb.clone()
    srgb[few] = toned
    return srgb


def _luma(srgb: Tensor) -> Tensor:
    return (srgb * srgb.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
