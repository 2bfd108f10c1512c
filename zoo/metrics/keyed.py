"""Metrics that find their own tensors in a prediction and a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.wrappers.abstract import WrapperMetric


class Keyed(WrapperMetric):
    """Feeds a metric from the keys of the contract, so that one collection serves all outputs of a model.

    It measures in full precision, also while the model runs under autocast.

    Args:
        metric: Any metric whose ``update`` takes ``(preds, target)``, or ``(preds, target, mask)`` when there is a
            mask.
        prediction: The key in the prediction.
        target: The key in the batch; the prediction's by default.
        mask: The key of the mask in the batch, or None where every pixel counts.
        optional: Pass over batches that lack the target, so that the result is NaN where all do; and do without a mask
            where a batch has none.
    """

    def __init__(
        self,
        metric: Metric,
        prediction: str,
        *,
        target: str | None = None,
        mask: str | None = "mask",
        optional: bool = False,
    ) -> None:
        super().__init__()
        self.metric = metric
        self.prediction, self.target, self.mask = prediction, target or prediction, mask
        self.optional = optional

    def _arguments(self, prediction: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> list[Tensor]:
        arguments = [prediction[self.prediction].detach(), batch[self.target]]
        if self.mask is not None and (self.mask in batch or not self.optional):
            arguments.append(batch[self.mask])
        return [value.float() if value.is_floating_point() else value for value in arguments]

    def update(self, prediction: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> None:
        """Take in one batch."""
        if self.optional and self.target not in batch:
            return
        arguments = self._arguments(prediction, batch)
        with torch.autocast(arguments[0].device.type, enabled=False):
            self.metric.update(*arguments)

    def forward(self, prediction: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> Any:
        """Take in one batch and give its value alone."""
        if self.optional and self.target not in batch:
            return torch.tensor(torch.nan)
        arguments = self._arguments(prediction, batch)
        with torch.autocast(arguments[0].device.type, enabled=False):
            return self.metric(*arguments)

    def compute(self) -> Any:
        """The metric over all batches so far."""
        if self.optional and not self.metric.update_called:
            return torch.tensor(torch.nan)
        return self.metric.compute()

    def reset(self) -> None:
        """Forget all batches."""
        self.metric.reset()
        super().reset()
