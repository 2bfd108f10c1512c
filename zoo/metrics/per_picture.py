"""What metrics have in common that give each picture a value and average over pictures."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from zoo.metrics.per_sample import PerSample


class PerPicture(PerSample):
    """The mean over pictures of a value that is taken inside each picture's mask.

    Pictures without a valid pixel are left out; where there are no others, the result is NaN.

    Shapes:
        preds, target (B,C,H,W), either with one channel that stands for all; mask (B,1,H,W), pixels above 0.5 count.
    """

    @abstractmethod
    def values(self, preds: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """The value of each picture (B,); all are (B,C,H,W), and ``valid`` is a truth value for each number."""

    def update(self, preds: Tensor, target: Tensor, mask: Tensor | None = None) -> None:
        """Take in one batch."""
        preds, target = torch.broadcast_tensors(preds, target)
        valid = torch.ones_like(preds, dtype=torch.bool) if mask is None else (mask > 0.5).expand_as(preds)
        self.add(self.values(preds, target, valid), valid.flatten(1).any(1))


def mean_inside(values: Tensor, valid: Tensor) -> Tensor:
    """The mean of the valid numbers of each picture, (B,C,H,W) -> (B,) in float64; 0 where there are none."""
    weight = valid.double().flatten(1)
    return (weight * values.double().flatten(1)).sum(1) / weight.sum(1).clamp_min(1)


def at_best_scale(x: Tensor, y: Tensor, valid: Tensor, clip: float | None = None) -> Tensor:
    """Alpha x with alpha = sum(m x y) / sum(m x x) of each picture over pixels and channels, 0 where x is black.

    Args:
        x: The prediction (B,C,H,W).
        y: The truth, likewise.
        valid: m, a truth value for each number.
        clip: Upper limit of alpha x.
    """
    alpha = mean_inside(x * y, valid) / mean_inside(x * x, valid).clamp_min(1e-12)
    scaled = alpha.reshape(-1, 1, 1, 1) * x
    return scaled if clip is None else scaled.clamp_max(clip)
