"""The lit colour of a surface as a display shows it, with its gradient in closed form."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["lit_colour"]

KNEE, DARK_SLOPE = 0.0031308, 12.92
"""Up to here in linear light the sRGB curve is a line of this slope."""
ENCODED_KNEE = 0.04045


def lit_colour(texture: Tensor, shading: Tensor) -> Tensor:
    """sRGB(linear(texture) x shading), where no texture leaves [0,1] and no shading falls below 0.

    The same as with ``zoo.imaging``'s functions, in less than half of the time with its gradient.

    Args:
        texture: Display-encoded reflectance, any shape.
        shading: Linear light of the same shape.

    Returns:
        Display-encoded colours of that shape, not clamped from above.
    """
    colour: Tensor = _LitColour.apply(texture, shading)
    return colour


class _LitColour(torch.autograd.Function):
    """The curves' pieces meet at the knee, so that each is a sum of two clamped pieces; `where` is far slower."""

    @staticmethod
    def forward(ctx: Any, texture: Tensor, shading: Tensor) -> Tensor:
        encoded, light = texture.clamp(0, 1), shading.clamp_min(0)
        base = encoded.clamp_min(ENCODED_KNEE).add_(0.055).div_(1.055)
        albedo = base.pow(2.4).add_(encoded.clamp_max(ENCODED_KNEE).sub_(ENCODED_KNEE).div_(DARK_SLOPE))
        linear = albedo * light
        bright = linear.clamp_min(KNEE).pow_(1 / 2.4)
        ctx.save_for_backward(texture, shading, albedo, linear, bright)
        dark = linear.clamp_max(KNEE).sub_(KNEE).mul_(DARK_SLOPE)
        return dark.add_(bright, alpha=1.055).sub_(0.055)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        texture, shading, albedo, linear, bright = ctx.saved_tensors
        # of the power y = x^p: p y / x
        slope = bright.div(linear.clamp_min(KNEE)).mul_(1.055 / 2.4)
        slope.masked_fill_(linear < KNEE, DARK_SLOPE)
        to_linear = slope.mul_(gradient)
        encoded = texture.clamp(0, 1)
        rise = albedo.div(encoded.clamp_min(ENCODED_KNEE).add_(0.055)).mul_(2.4)
        rise.masked_fill_(encoded < ENCODED_KNEE, 1 / DARK_SLOPE)
        to_texture = rise.mul_(to_linear).mul_(shading.clamp_min(0)).mul_(encoded == texture)
        return to_texture, to_linear.mul_(albedo).mul_(shading > 0)
