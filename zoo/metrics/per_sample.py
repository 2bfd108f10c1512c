"""What metrics have in common that give each sample of a batch a number."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


class PerSample(Metric):
    """The mean over samples of a number that each has; NaN where there were none."""

    full_state_update = False
    total: Tensor
    samples: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("samples", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def add(self, values: Tensor, counted: Tensor | None = None) -> None:
        """Take in the numbers (B,) of a batch, or those of them where ``counted`` (B,) holds."""
        values = values if counted is None else values[counted]
        self.total += values.double().sum()
        self.samples += len(values)

    def compute(self) -> Tensor:
        """The mean over samples."""
        return (self.total / self.samples).float()


def point_weights(mask: Tensor | None, points: Tensor) -> Tensor:
    """How much each point counts, (B,N) in float64.

    Args:
        mask: (B,) of samples, (B,N) of points, above 0.5 counts; None where all do.
        points: (B,N,D).
    """
    weights = points.new_ones(points.shape[:2], dtype=torch.float64)
    if mask is None:
        return weights
    counted = mask > 0.5
    return weights * (counted[:, None] if counted.ndim == 1 else counted)
