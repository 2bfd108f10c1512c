"""Landmarks drawn over pictures, for people who judge them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from zoo.contract import LANDMARK_PARTS

__all__ = ["draw_landmarks"]

_SURE, _UNSURE = (0.1, 0.95, 0.3), (1.0, 0.15, 0.1)
_LINE = (1.0, 0.95, 0.2)
_CLOSED = ("right eye", "left eye", "outer lips", "inner lips")


def draw_landmarks(image: Tensor, landmarks: Tensor, error: Tensor | None = None, *, smallest: int = 0) -> Tensor:
    """Draw 68 points, and thin lines between those of a part.

    Args:
        image: (B, 3, H, W), sRGB-encoded, in [0, 1].
        landmarks: (B, 68, 2) in its pixels; those outside of it are not drawn.
        error: (B, 68) expected errors in pixels: points go from green to red as they grow to a fifth of the distance
            between the eyes' outer corners. All are green by default.
        smallest: Smaller pictures are enlarged to this height first, so that a point hides little.

    Returns:
        (B, 3, H', W') in [0, 1].
    """
    factor = max(1, math.ceil(smallest / image.shape[-2]))
    picture = (
        interpolate(image.detach().float(), scale_factor=factor, mode="bilinear") if factor > 1 else image.detach()
    )
    points = (landmarks.detach().float() + 0.5) * factor - 0.5
    picture = picture.float().clamp(0, 1).clone()
    radius = max(0.9, picture.shape[-2] / 200)
    axes = [torch.arange(size, device=image.device, dtype=torch.float32) for size in picture.shape[-2:]]
    colours = _colours(points, None if error is None else error.detach().float() * factor)
    for own, dots, colour in zip(picture, points, colours, strict=True):
        for start, end in _segments():
            _stroke(own, axes, dots[start], dots[end], radius / 2, own.new_tensor(_LINE), 0.45)
        for dot, ink in zip(dots, colour, strict=True):
            _stroke(own, axes, dot, dot, radius, ink, 1.0)
    return picture


def _colours(points: Tensor, error: Tensor | None) -> Tensor:
    sure, unsure = points.new_tensor(_SURE), points.new_tensor(_UNSURE)
    if error is None:
        return sure.expand(*points.shape[:2], 3)
    eyes = (points[:, 45] - points[:, 36]).norm(dim=-1).clamp_min(1e-6)
    return torch.lerp(sure, unsure, (5 * error / eyes[:, None]).clamp(0, 1)[..., None])


def _segments() -> list[tuple[int, int]]:
    pairs = []
    for name, part in LANDMARK_PARTS.items():
        pairs += [(i, i + 1) for i in part[:-1]]
        if name in _CLOSED:
            pairs.append((part[-1], part[0]))
    return pairs


def _stroke(
    picture: Tensor, axes: list[Tensor], start: Tensor, end: Tensor, radius: float, colour: Tensor, opacity: float
) -> None:
    """Blend a line with round ends into a picture (3, H, W), in place; a dot where both ends are one."""
    reach = radius + 1
    low, high = torch.minimum(start, end) - reach, torch.maximum(start, end) + reach
    limits = [picture.shape[-1], picture.shape[-2]]
    (left, right), (top, bottom) = (
        (max(0, math.floor(float(low[i]))), min(limits[i], math.ceil(float(high[i])) + 1)) for i in range(2)
    )
    if left >= right or top >= bottom:
        return
    x, y = axes[1][left:right][None], axes[0][top:bottom][:, None]
    along = end - start
    share = ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / along.square().sum().clamp_min(1e-6)
    share = share.clamp(0, 1)
    distance = torch.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])
    alpha = opacity * (radius + 0.5 - distance).clamp(0, 1)
    window = picture[:, top:bottom, left:right]
    window.copy_(torch.lerp(window, colour.view(3, 1, 1).expand_as(window), alpha.expand_as(window)))
