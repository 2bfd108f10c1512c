"""Things in front of a face: bars, discs and rounded boxes with a texture of their own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from datamodules.sampling.background import clouds, pixel_grid
from datamodules.sampling.draws import Draws

__all__ = ["draw_occluders"]


def draw_occluders(
    draws: Draws, size: int, share: float = 0.3, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """One thing in front of some of the faces, mostly reaching in from the border, as a hand or a cup does.

    Args:
        draws: The samples.
        size: Height and width of the picture.
        share: How many of the samples have one.
        device: Where they are made.

    Returns:
        Colours ``(B, 3, size, size)``, sRGB in [0, 1], and opacity ``(B, 1, size, size)``: exactly 0 where the thing is
        not, soft over about a pixel along its outline, or over up to 8 % of the picture where it is out of focus.
    """

    def put(values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(values, np.float32)).to(device)[:, None, None]

    x, y = pixel_grid(size, device)
    # on a circle around the face, so that the middle of the thing seldom covers the nose
    around = draws.between("occluder bearing", 0, 2 * np.pi)
    away = draws.between("occluder distance", 0.45, 1.1)
    angle = draws.between("occluder angle", 0, np.pi)
    length = np.exp(draws.between("occluder length", -1.7, -0.1))
    width = length * np.exp(draws.between("occluder width", -2.2, 0.0))
    roundness = draws.uniform("occluder roundness")
    dx, dy = x - put(away * np.cos(around)), y - put(away * np.sin(around))
    c, s = put(np.cos(angle)), put(np.sin(angle))
    along, across = (c * dx + s * dy).abs(), (c * dy - s * dx).abs()
    corner = put(width * roundness)
    outside = torch.hypot(
        (along - put(length) + corner).clamp_min(0), (across - put(width) + corner).clamp_min(0)
    ) + torch.maximum(along - put(length) + corner, across - put(width) + corner).clamp_max(0)
    edge = (corner - outside) * (size / 2)  # distance to the outline in pixels, positive inside
    # a quarter of the things are so near to the camera that they are out of focus
    near = draws.chance("occluder is near", 0.25) * draws.between("occluder blur", 0.0, 0.08)
    opacity = (edge / put(1 + near * size) + 0.5).clamp(0, 1) * put(draws.chance("occluder", share))

    texture = clouds(draws, "occluder", 1, size, device)
    colour = put(draws.between("occluder colour", 0.03, 0.85, 3))[:, 0, 0, :, None, None]
    contrast = put(draws.between("occluder contrast", 0.1, 1.0))[:, None]
    roundish = 1 - 0.5 * (across / put(width).clamp_min(1e-3)).clamp(0, 1) ** 2  # darker to the sides, as a rod is
    return (colour * (1 + contrast * (texture - 0.5)) * roundish[:, None]).clamp(0, 1), opacity[:, None]
