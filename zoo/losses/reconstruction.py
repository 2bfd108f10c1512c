"""Reflectance and shading must multiply to the picture, whose colours are reflectance's."""

from __future__ import annotations

from torch import Tensor

__all__ = ["chromaticity", "reconstruction_loss"]


def chromaticity(linear: Tensor) -> Tensor:
    """Each channel's share of r + g + b, of pixels no darker than 1e-4.

    Args:
        linear: (B,3,H,W), linear light.

    Returns:
        (B,3,H,W); the three channels sum to one.

    Source: Li and Snavely, CGIntrinsics, ECCV 2018.

    Example:
        >>> import torch
        >>> chromaticity(torch.tensor([0.2, 0.2, 0.1]).reshape(1, 3, 1, 1)).flatten()
        tensor([0.4000, 0.4000, 0.2000])
    """
    linear = linear.clamp_min(1e-4)
    return linear / (linear.sum(1, keepdim=True) + 1e-6)


def reconstruction_loss(linear: Tensor, reflectance: Tensor, shading: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean of (I - chroma R S)^2 over all pixels and channels; the mask multiplies the difference.

    Because chromaticities sum to one, R S is drawn to r + g + b, three times the mean intensity.

    Args:
        linear: The picture (B,3,H,W), linear light.
        reflectance: (B,1,H,W), linear.
        shading: (B,1,H,W), linear.
        mask: (B,1,H,W); the mean is still one over all pixels, as in the authors' code.

    Source: Li and Snavely, CGIntrinsics, ECCV 2018, L_reconstruct.
    """
    difference = linear - chromaticity(linear) * reflectance * shading
    return (difference if mask is None else mask * difference).square().mean()
