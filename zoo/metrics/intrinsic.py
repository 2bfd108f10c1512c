"""How well albedo and shading are found when their scale is not."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


class ScaleInvariantMSE(Metric):
    """Mean squared error after the best single scale of each picture, in linear light.

    For each sample alpha = sum(m x y) / sum(m x x) over pixels and channels (x predicted, y true, m the mask), and the error is
    mean over valid pixels and channels of (alpha x - y)^2; the metric is the mean over samples. The scale is one number for
    all three channels: a wrong colour is an error, a wrong brightness is not. Samples without a valid pixel are left out.

    Shapes:
        preds, target (B,C,H,W); mask (B,1,H,W), pixels above 0.5 count.

    Source: the si-MSE of the intrinsic-image literature (Barron and Malik 2015; Narihira et al. 2015).

    Example:
        >>> metric = ScaleInvariantMSE()
        >>> y = torch.tensor([1.0, 2.0]).reshape(1, 1, 1, 2)
        >>> metric.update(10 * y, y)
        >>> metric.compute().item()
        0.0
    """

    full_state_update = False
    higher_is_better = False
    total: Tensor
    samples: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("samples", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, mask: Tensor | None = None) -> None:
        """Take in one batch."""
        x, y = preds.double().flatten(1), target.expand_as(preds).double().flatten(1)
        valid = torch.ones_like(preds) if mask is None else (mask > 0.5).expand_as(preds)
        m = valid.flatten(1).double()
        alpha = (m * x * y).sum(1) / (m * x * x).sum(1).clamp_min(1e-12)
        error = (m * (alpha[:, None] * x - y).square()).sum(1)
        count = m.sum(1)
        self.total += (error / count.clamp_min(1)).sum()
        self.samples += (count > 0).sum()

    def compute(self) -> Tensor:
        """The mean over samples; NaN where there was none."""
        return (self.total / self.samples).float()
