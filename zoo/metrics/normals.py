"""The angle between predicted and true surface normals."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric

Statistic = Literal["mean", "std"]


class NormalError(Metric):
    """Angular error of surface normals over all valid pixels of all samples together.

    angle = arccos(n . n'), both normalised; the statistic is taken over pixels, not over per-picture means.

    Args:
        statistic: ``"mean"`` or ``"std"`` in degrees, or a number of degrees: then the share of pixels below it, in per cent.

    Shapes:
        preds, target (B,3,H,W), any length above zero; mask (B,1,H,W), pixels above 0.5 count.

    Source: the Photoface protocol as SfSNet (CVPR 2018) reports it: mean, standard deviation, share under 20, 25, 30 degrees.

    Example:
        >>> up, tilted = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 3.0**0.5, 1.0])
        >>> metric = NormalError("mean")
        >>> metric.update(tilted.reshape(1, 3, 1, 1), up.reshape(1, 3, 1, 1))
        >>> round(metric.compute().item(), 3)
        60.0
    """

    full_state_update = False
    count: Tensor
    total: Tensor
    squares: Tensor
    below: Tensor

    def __init__(self, statistic: Statistic | float = "mean", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(statistic, str) and statistic not in ("mean", "std"):
            raise ValueError(f"statistic must be 'mean', 'std' or a number of degrees, not {statistic!r}")
        self.statistic = statistic
        for name in ("count", "total", "squares", "below"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, mask: Tensor | None = None) -> None:
        """Take in one batch."""
        angle = angular_error(preds, target)
        if mask is not None:
            angle = angle[mask[:, 0] > 0.5]
        angle = angle.double()
        self.count += angle.numel()
        self.total += angle.sum()
        self.squares += angle.square().sum()
        if not isinstance(self.statistic, str):
            self.below += (angle < self.statistic).sum()

    def compute(self) -> Tensor:
        """Degrees, or per cent of pixels; NaN where no pixel was valid."""
        mean = self.total / self.count
        if self.statistic == "mean":
            return mean.float()
        if self.statistic == "std":
            return (self.squares / self.count - mean.square()).clamp_min(0).sqrt().float()
        return (100 * self.below / self.count).float()


def angular_error(preds: Tensor, target: Tensor) -> Tensor:
    """Degrees between two maps of vectors.

    The angle comes from atan2 of sine and cosine: arccos loses all digits near 0 and 180 degrees in float32.

    Args:
        preds: (B,3,H,W), any length above zero.
        target: (B,3,H,W), likewise.

    Returns:
        (B,H,W) in [0, 180].
    """
    sine = torch.linalg.cross(preds, target, dim=1).norm(dim=1)
    return torch.rad2deg(torch.atan2(sine, (preds * target).sum(1)))
