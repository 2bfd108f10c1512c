"""Judgements of reflectance: what lies at their points, and pictures of them as a person sees them."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

__all__ = ["draw_judgements", "values_at_points"]

_SMOOTHING = 3
"""Lines are drawn at so many times the size, and shrunk."""

_EQUAL, _UNEQUAL = (70, 210, 255), (255, 120, 20)
_DARK, _LIGHT = (20, 20, 20), (255, 255, 255)


def values_at_points(values: Tensor, points: Tensor) -> Tensor:
    """What a map holds where points lie: in the pixel (int(y H), int(x W)), without interpolation.

    Args:
        values: (B,H,W).
        points: (B,P,2), x and y as fractions of width and height; those beyond the border lie in the last pixel.

    Returns:
        (B,P); gradients pass.

    Example:
        >>> values_at_points(torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[[0.2, 0.5], [0.99, 0.5], [1.0, 0.5]]]))
        tensor([[1., 3., 3.]])
    """
    height, width = values.shape[-2:]
    column = (points[..., 0] * width).long().clamp(0, width - 1)
    row = (points[..., 1] * height).long().clamp(0, height - 1)
    return values.flatten(1).gather(1, row * width + column)


def draw_judgements(image: Tensor, judgements: Tensor) -> Tensor:
    """Draw pairs of points: blue lines join equal ones; orange lines go from a light point to the darker, black one.

    Lines are wide where the weight is high; pairs of weight 0 are left out.

    Args:
        image: (B,3,H,W) sRGB in [0,1].
        judgements: (B,P,6) as the contract has them.

    Returns:
        (B,3,H,W) sRGB in [0,1], on the CPU.
    """
    return torch.stack([_draw(*each) for each in zip(image.detach().cpu(), judgements.detach().cpu(), strict=True)])


def _draw(image: Tensor, judgements: Tensor) -> Tensor:
    _, height, width = image.shape
    pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    size = (width * _SMOOTHING, height * _SMOOTHING)
    sheet = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(sheet)
    radius = max(height, width) * _SMOOTHING / 140
    rows = judgements[judgements[:, 5] > 0].tolist()
    ends = [((x1 * size[0], y1 * size[1]), (x2 * size[0], y2 * size[1])) for x1, y1, x2, y2, _, _ in rows]
    for (one, other), (*_, darker, weight) in zip(ends, rows, strict=True):
        thickness = max(1, round(radius * (0.3 + 0.6 * min(1.0, weight))))
        pen.line([one, other], fill=_UNEQUAL if darker else _EQUAL, width=thickness)
    for (one, other), (*_, darker, _) in zip(ends, rows, strict=True):
        for place, (x, y) in enumerate((one, other), 1):
            if darker:
                fill = _DARK if darker == place else _LIGHT
                pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill, outline=_UNEQUAL)
    small = sheet.resize((width, height), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 255
