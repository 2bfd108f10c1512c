"""Metrics that find their own tensors in a prediction and a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torchmetrics import Metric
from torchmetrics.wrappers.abstract import WrapperMetric


class Keyed(WrapperMetric):
    """Feeds a metric from the keys of the contract, so that one collection serves all outputs of a model.

    Args:
        metric: Any metric whose ``update`` takes ``(preds, target)``, or ``(preds, target, mask)`` when there is a
            mask.
        prediction: The key in the prediction.
        target: The key in the batch; the prediction's by default.
        mask: The key of the mask in the batch, or None where every pixel counts.
    """

    def __init__(
        self, metric: Metric, prediction: str, *, target: str | None = None, mask: str | None = "mask"
    ) -> None:
        super().__init__()
        self.metric = metric
        self.prediction, self.target, self.mask = prediction, target or prediction, mask

    def _arguments(self, prediction: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> list[Tensor]:
        arguments = [prediction[self.prediction].detach(), batch[self.target]]
        return arguments if self.mask is None else [*arguments, batch[self.mask]]

    def update(self, prediction: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> None:
        """Take in one batch."""
        self.metric.update(*self._arguments(prediction, batch))

    def forward(self, prediction: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> Any:
        """Take in one batch and give its value alone."""
        return self.metric(*self._arguments(prediction, batch))

    def compute(self) -> Any:
        """The metric over all batches so far."""
        return self.metric.compute()

    def reset(self) -> None:
        """Forget all batches."""
        self.metric.reset()
        super().reset()
