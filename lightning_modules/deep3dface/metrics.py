"""Metrics that hold a reconstruction against what its module decoded of the batch's truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torchmetrics import Metric

from zoo.errors import UserError
from zoo.metrics import Keyed
from zoo.metrics.per_sample import PerSample

__all__ = ["ColourError", "OfPrediction"]


class OfPrediction(Keyed):
    """Finds its target in the prediction itself; NaN where no prediction has one.

    Args:
        metric: As ``Keyed`` takes it.
        prediction: The key that is measured.
        target: The key of what it is held against.
        mask: The key of a mask, or None.
    """

    def __init__(self, metric: Metric, prediction: str, *, target: str, mask: str | None = None) -> None:
        super().__init__(metric, prediction, target=target, mask=mask, optional=True)

    def update(self, prediction: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> None:
        """Take in one batch."""
        super().update(prediction, prediction)

    def forward(self, prediction: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> Any:
        """Take in one batch and give its value alone."""
        return super().forward(prediction, prediction)


class ColourError(PerSample):
    """Root mean square of the difference of vertex colours in per cent of full white, a mean over faces.

    The predicted colours are first scaled by the one factor that fits best, since a picture does not tell a dark face
    in bright light from a bright face in the dark.

    Shapes:
        preds, target (B,V,3), display-encoded, in [0, 1].
    """

    higher_is_better = False

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in one batch.

        Raises:
            UserError: The colours differ in number.
        """
        if preds.shape != target.shape or target.ndim != 3:
            raise UserError(f"colours of shape {tuple(preds.shape)} cannot be held against {tuple(target.shape)}.")
        ours, truth = preds.double().flatten(1), target.double().flatten(1)
        factor = (ours * truth).sum(1) / ours.square().sum(1).clamp_min(1e-9)
        self.add(100 * (factor[:, None] * ours - truth).square().mean(1).sqrt())
