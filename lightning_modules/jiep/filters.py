"""Gradients, means and maxima over windows, and the guided filter, with the borders of the authors' code."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["box_mean", "gradient_x", "gradient_y", "guided_filter", "window_max"]


def gradient_x(x: Tensor) -> Tensor:
    """Right neighbour minus pixel, 0 in the last column; (B,H,W)."""
    return pad(x[..., 1:] - x[..., :-1], (0, 1))


def gradient_y(x: Tensor) -> Tensor:
    """Lower neighbour minus pixel, 0 in the last row; (B,H,W)."""
    return pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1))


def box_mean(x: Tensor, radius: int) -> Tensor:
    """The mean over (2 radius + 1)² pixels of a picture that is mirrored at its border; (B,H,W).

    The border pixel itself is repeated (symmetric padding); the radius is at most the picture's height and width.
    """
    return _mirrored_mean(_mirrored_mean(x, radius).mT, radius).mT


def window_max(x: Tensor, radius: int) -> Tensor:
    """The largest value among (2 radius + 1)² pixels, as far as they lie in the picture; (B,H,W), not negative."""
    return _line_max(_line_max(x, radius).mT, radius).mT


def guided_filter(guide: Tensor, x: Tensor, radius: int, epsilon: float) -> Tensor:
    """Smooth a picture along the edges of a guide.

    Args:
        guide: (B,H,W).
        x: (B,H,W).
        radius: Of the square window, cut off at the border, over whose own pixels means are taken.
        epsilon: Variance of the guide below which an edge is smoothed away.

    Source: He, Sun, Tang, Guided image filtering, PAMI 2013.
    """
    area = _box_sum(torch.ones_like(guide), radius)

    def mean(values: Tensor) -> Tensor:
        return _box_sum(values, radius) / area

    mean_guide, mean_x = mean(guide), mean(x)
    covariance = mean(guide * x) - mean_guide * mean_x
    slope = covariance / (mean(guide * guide) - mean_guide * mean_guide + epsilon)
    return mean(slope) * guide + mean(mean_x - slope * mean_guide)


def _mirrored_mean(x: Tensor, radius: int) -> Tensor:
    width = x.shape[-1]
    mirror = x.flip(-1)
    wide = torch.cat([mirror[..., width - radius :], x, mirror[..., :radius]], -1)
    total = wide[..., :width]
    for offset in range(1, 2 * radius + 1):
        total = total + wide[..., offset : offset + width]
    return total / (2 * radius + 1)


def _line_max(x: Tensor, radius: int) -> Tensor:
    width = x.shape[-1]
    wide = pad(x, (radius, radius))  # zero is the least value
    largest = x
    for offset in range(2 * radius + 1):
        largest = torch.maximum(largest, wide[..., offset : offset + width])
    return largest


def _box_sum(x: Tensor, radius: int) -> Tensor:
    return _line_sum(_line_sum(x, radius).mT, radius).mT


def _line_sum(x: Tensor, radius: int) -> Tensor:
    width = x.shape[-1]
    before = pad(pad(x.cumsum(-1), (1, 0)), (radius, radius), mode="replicate")
    return before[..., 2 * radius + 1 :] - before[..., :width]
