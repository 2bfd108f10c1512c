"""The sRGB transfer curve, both ways, fit for training and for export."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["linear_to_srgb", "srgb_to_linear"]


def srgb_to_linear(x: Tensor) -> Tensor:
    """Decode sRGB values to linear light.

    Works for any shape and number of channels (kornia's function wants three). Values outside [0, 1] pass:
    below 0 the straight piece goes on, above 1 the curve does. Gradients are finite everywhere.

    Args:
        x: sRGB-encoded values, usually in [0, 1].

    Returns:
        Linear values of the same shape.

    Source:
        IEC 61966-2-1: x / 12.92 up to 0.04045, ((x + 0.055) / 1.055)^2.4 above.

    Example:
        >>> srgb_to_linear(torch.tensor([0.0, 0.5, 1.0]))
        tensor([0.0000, 0.2140, 1.0000])
    """
    # The clamp keeps the power away from negative bases, whose NaN would reach the gradient through `where`.
    curve = ((x.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(x > 0.04045, curve, x / 12.92)


def linear_to_srgb(x: Tensor) -> Tensor:
    """Encode linear light as sRGB.

    The inverse of ``srgb_to_linear``: any shape, values outside [0, 1] pass (clamp before you show them), and
    the gradient at 0 is 12.92, where the bare power would give infinity.

    Args:
        x: Linear values, usually in [0, 1].

    Returns:
        sRGB-encoded values of the same shape.

    Source:
        IEC 61966-2-1: 12.92 x up to 0.0031308, 1.055 x^(1/2.4) - 0.055 above.

    Example:
        >>> linear_to_srgb(torch.tensor([0.0, 0.2140, 1.0]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    curve = 1.055 * x.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(x > 0.0031308, curve, x * 12.92)
