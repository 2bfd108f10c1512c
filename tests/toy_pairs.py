"""Pictures of flat patches under soft light, two lights each: as little as shows what the pairs teach."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.imaging import linear_to_srgb


def toy_pairs(count: int, size: int = 64, seed: int = 0, lights: int = 2) -> dict[str, Tensor]:
    """A batch of the contract: image, relit, albedo, shading, relit_shading and mask.

    Albedo has 4 x 4 patches of random colours, light is a coloured ramp of a random direction.
    """
    generator = torch.Generator().manual_seed(seed)
    patches = 0.1 + 0.8 * torch.rand(count, 3, 4, 4, generator=generator)
    albedo = patches.repeat_interleave(size // 4, -1).repeat_interleave(size // 4, -2)
    line = torch.linspace(-0.5, 0.5, size)
    angle = 2 * torch.pi * torch.rand(count, lights, 1, 1, 1, generator=generator)
    ramp = 0.5 + 0.6 * (angle.cos() * line + angle.sin() * line[:, None])
    colour = 0.8 + 0.2 * torch.rand(count, lights, 3, 1, 1, generator=generator)
    shading = ramp * colour
    pictures = linear_to_srgb(albedo[:, None] * shading)
    return {
        "image": pictures[:, 0],
        "relit": pictures[:, 1:],
        "albedo": albedo,
        "shading": shading[:, 0],
        "relit_shading": shading[:, 1:],
        "mask": torch.ones(count, 1, size, size),
    }


def contrast(albedo: Tensor) -> float:
    """The spread of an albedo as a part of its mean, per channel and picture, averaged: 0 for a white sheet."""
    return float((albedo.std((2, 3)) / albedo.mean((2, 3))).mean())
