"""Shading by division: what is left of a linear picture beside its albedo, as CGIntrinsics' data has it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.imaging import linear_to_srgb

__all__ = ["GAMMA", "divided_shading", "eroded"]

GAMMA = 2.2
"""The exponent with which CGIntrinsics' pictures are encoded."""


def eroded(mask: Tensor, side: int) -> Tensor:
    """A mask (1,H,W) without what lies near its outside; the picture's border is no outside."""
    return 1 - F.max_pool2d(1 - mask[None], side, stride=1, padding=side // 2)[0]


def divided_shading(
    linear: Tensor, albedo: Tensor, mask: Tensor, brightest: float, noisy: bool = False
) -> dict[str, Tensor]:
    """The contract's keys from a picture and its albedo: shading by division, as CGIntrinsics' loader has it.

    Args:
        linear: (3,H,W) linear picture.
        albedo: (3,H,W) linear, above 0.
        mask: (1,H,W) of 0 and 1.
        brightest: Shading above this leaves the mask.
        noisy: Smooth picture and shading by total variation, with the weights 0.05 and 0.1.

    Returns:
        ``image`` (sRGB), ``albedo``, ``shading`` (3,H,W) and ``mask`` (1,H,W). The 90th percentile of shading inside
        the mask is 1, and albedo times shading is the linear picture there, unless it is noisy.
    """
    shading = linear / albedo
    if noisy:
        # the input is smoothed as it is displayed
        linear = _smoothed(linear ** (1 / GAMMA), 0.05).clamp_min(0) ** GAMMA
        shading = _smoothed(shading, 0.1)
    valid = (shading <= brightest) & (shading >= 1e-4)
    mask = mask * valid.all(0, keepdim=True)
    shading = shading.clamp(1e-4, 20)
    inside = shading[:, mask[0] > 0.5]
    level = float(np.percentile(inside.numpy(), 90)) if inside.numel() >= 10 else 1.0
    return {
        "image": linear_to_srgb(linear).clamp(0, 1),
        "albedo": albedo * level,
        "shading": shading / level,
        "mask": mask,
    }


def _smoothed(values: Tensor, weight: float) -> Tensor:
    from skimage.restoration import denoise_tv_chambolle  # slow to import, and few pictures need it

    return torch.from_numpy(denoise_tv_chambolle(values.numpy(), weight=weight, channel_axis=0)).to(values)
