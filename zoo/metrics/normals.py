"""The angle between predicted and true surface normals."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric


class NormalError(Metric):
    """Angular error of surface normals over all valid pixels of all samples together.

    angle = arccos(n . n'), both normalised; the statistic is taken over pixels, not over per-picture means.

    Args:
        statistic: ``"mean"`` or ``"std"``, both in degrees.

    Shapes:
        preds, target (B,3,H,W), any length above zero; mask (B,1,H,W), pixels above 0.5 count.

    Source: the Photoface protocol as SfSNet (CVPR 2018) reports it.

    Example:
        >>> up, tilted = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 3.0**0.5, 1.0])
        >>> metric = NormalError("mean")
        >>> metric.update(tilted.reshape(1, 3, 1, 1), up.reshape(1, 3, 1, 1))
        >>> round(metric.compute().item(), 3)
        60.0
    """

    full_state_update = False
    higher_is_better = False
    count: Tensor
    total: Tensor
    squares: Tensor

    def __init__(self, statistic: Literal["mean", "std"] = "mean", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if statistic not in ("mean", "std"):
            raise ValueError(f"statistic must be 'mean' or 'std', not {statistic!r}")
        self.statistic = statistic
        for name in ("count", "total", "squares"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, mask: Tensor | None = None) -> None:
        """Take in one batch."""
        angle = _valid_angles(preds, target, mask)
        self.count += angle.numel()
        self.total += angle.sum()
        self.squares += angle.square().sum()

    def compute(self) -> Tensor:
        """Degrees; NaN where no pixel was valid."""
        mean = self.total / self.count
        if self.statistic == "mean":
            return mean.float()
        return (self.squares / self.count - mean.square()).clamp_min(0).sqrt().float()


class NormalsWithin(Metric):
    """Share of valid pixels whose normal is off by less than some degrees, in per cent.

    Args:
        degrees: The threshold; SfSNet (CVPR 2018) reports 20, 25 and 30.

    Shapes:
        preds, target (B,3,H,W), any length above zero; mask (B,1,H,W), pixels above 0.5 count.
    """

    full_state_update = False
    higher_is_better = True
    count: Tensor
    within: Tensor

    def __init__(self, degrees: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.degrees = degrees
        for name in ("count", "within"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, mask: Tensor | None = None) -> None:
        """Take in one batch."""
        angle = _valid_angles(preds, target, mask)
        self.count += angle.numel()
        self.within += (angle < self.degrees).sum()

    def compute(self) -> Tensor:
        """Per cent; NaN where no pixel was valid."""
        return (100 * self.within / self.count).float()


def _valid_angles(preds: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
    angle = angular_error(preds, target)
    return (angle if mask is None else angle[mask[:, 0] > 0.5]).double()


def angular_error(preds: Tensor, target: Tensor) -> Tensor:
    """Degrees between two maps of vectors.

    The angle comes from atan2 of sine and cosine: arccos loses all digits near 0 and 180 degrees in float32. A vector
    without a length points nowhere and counts as 90 degrees off.

    Args:
        preds: (B,3,H,W), of any length.
        target: (B,3,H,W), likewise.

    Returns:
        (B,H,W) in [0, 180].
    """
    sine = torch.linalg.cross(preds, target, dim=1).norm(dim=1)
    cosine = (preds * target).sum(1)
    angle = torch.rad2deg(torch.atan2(sine, cosine))
    return torch.where((sine == 0) & (cosine == 0), 90.0, angle)
