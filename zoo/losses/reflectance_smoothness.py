"""Neighbours of one colour have one reflectance."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["bilateral_weights", "reflectance_smoothness_loss"]


def bilateral_weights(linear: Tensor, chroma_sigma: float = 0.025, intensity_sigma: float = 0.1) -> Tensor:
    """How alike each pixel and its 3x3 neighbours look.

    w = exp(-|difference of (r, g) chromaticities|^2 / chroma_sigma^2) exp(-(difference of intensities)^2 /
    intensity_sigma^2), with r / (r + g + b), g / (r + g + b) and the mean of the channels.

    Args:
        linear: (B,3,H,W), linear light.
        chroma_sigma: Of chromaticities; 0.025 in the authors' code.
        intensity_sigma: Of intensities; 0.1.

    Returns:
        (B,9,H-2,W-2): neighbours row by row, of all pixels but those of the border; the fifth is the pixel itself.

    Source: Li and Snavely, CGIntrinsics, ECCV 2018, L_rsmooth.
    """
    chroma = linear[:, :2] / (linear.sum(1, keepdim=True) + 1e-6)
    features = torch.cat([chroma / chroma_sigma, linear.mean(1, keepdim=True) / intensity_sigma], 1)
    difference = _neighbours(features) - features[..., None, 1:-1, 1:-1]
    return (-difference.square().sum(1)).exp()


def reflectance_smoothness_loss(log_reflectance: Tensor, linear: Tensor, levels: int = 4) -> Tensor:
    """Differences of log reflectance between neighbours that look alike, on every 1st, 2nd, 4th, 8th pixel.

    At level l the mean over pixels of sum_j w_ij |log R_i - log R_j| / 8, with ``bilateral_weights``; levels weigh
    1, 1/2, 1/3, 1/4.

    Args:
        log_reflectance: (B,1,H,W).
        linear: The picture (B,3,H,W), linear light.
        levels: How many; each takes every second pixel of the one before. One that is left with fewer than three
            pixels on a side is left out.

    Source: Li and Snavely, CGIntrinsics, ECCV 2018, L_rsmooth.
    """
    total = log_reflectance.new_zeros(())
    for level in range(levels):
        step = 2**level
        r, image = log_reflectance[..., ::step, ::step], linear[..., ::step, ::step]
        if min(r.shape[-2:]) < 3:
            break
        total = total + _at_one_level(r, image) / (level + 1)
    return total


def _at_one_level(log_reflectance: Tensor, linear: Tensor) -> Tensor:
    difference = (_neighbours(log_reflectance)[:, 0] - log_reflectance[..., 1:-1, 1:-1]).abs()
    return (bilateral_weights(linear) * difference).mean((0, 2, 3)).sum() / 8


def _neighbours(x: Tensor) -> Tensor:
    """(B,C,H,W) -> (B,C,9,H-2,W-2)."""
    height, width = x.shape[-2:]
    windows = [x[..., i : height - 2 + i, j : width - 2 + j] for i in range(3) for j in range(3)]
    return torch.stack(windows, 2)
