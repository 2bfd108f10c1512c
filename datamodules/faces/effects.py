"""What a camera adds to the light that reaches it: the picture changes, the truth does not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.sampling.draws import Draws, noise
from zoo.errors import UserError

__all__ = ["EFFECTS", "apply_effects", "check_effects"]

EFFECTS = ("exposure", "blur", "noise")
"""In the order in which they happen."""


def check_effects(effects: Sequence[str]) -> None:
    """Refuse names that are not among ``EFFECTS``.

    Raises:
        UserError: There is no such effect.
    """
    unknown = sorted(set(effects) - set(EFFECTS))
    if unknown:
        raise UserError(f"no effect named '{unknown[0]}'; there are {', '.join(EFFECTS)}.")


def apply_effects(linear: Tensor, draws: Draws, effects: Sequence[str]) -> Tensor:
    """Effects on linear pictures.

    ``exposure`` multiplies by up to 1.5 either way; ``blur`` is a Gaussian of up to 1.2 pixels in half
    of the pictures; ``noise`` is that of photons and of the sensor, from none to that of a phone in a dim room.

    Args:
        linear: (B,3,H,W), linear light in [0, 1].
        draws: The samples.
        effects: Some of ``EFFECTS``; they happen in that order.

    Returns:
        (B,3,H,W) linear, not clamped.
    """
    if "exposure" in effects:
        linear = linear * _numbers(np.exp(draws.between("exposure", -0.4, 0.4)), linear)
    if "blur" in effects:
        sigma = draws.between("blur", 0.3, 1.2) * draws.chance("is blurred", 0.5)
        linear = _blur(linear, _numbers(np.maximum(sigma, 0.05), linear))
    if "noise" in effects:
        linear = _sensor_noise(linear, draws)
    return linear


def _blur(linear: Tensor, sigma: Tensor) -> Tensor:
    count, channels, height, width = linear.shape
    offsets = torch.arange(-4, 5, device=linear.device, dtype=linear.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma.view(-1, 1)) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    rows = F.pad(linear, (4, 4, 4, 4), mode="replicate").view(1, count * channels, height + 8, width + 8)
    rows = F.conv2d(rows, kernel[:, None, :, None], groups=count * channels)
    return F.conv2d(rows, kernel[:, None, None, :], groups=count * channels).view_as(linear)


def _sensor_noise(linear: Tensor, draws: Draws) -> Tensor:
    strength = np.exp(draws.between("noise strength", np.log(0.002), np.log(0.02)))
    photons, sensor = _numbers(strength**1.5, linear), _numbers(0.3 * strength, linear)
    words = draws.words("noise").to(linear.device)
    # the sum of three uniform numbers has the variance of one quarter; close enough to a normal for noise
    white = noise(words, 3, *linear.shape[1:]).sum(1).sub_(1.5).mul_(2.0)
    return linear + white * (photons * linear.clamp_min(0) + sensor**2).sqrt()


def _numbers(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(values).to(like)[:, None, None, None]
