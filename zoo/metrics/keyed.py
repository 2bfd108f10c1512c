"""Metrics that find their own tensors in a prediction and a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        target: The key in the batch; the prediction's by default. Of several, the first that a batch has counts.
        mask: The key of the mask in the batch, or None where every pixel counts; of several likewise. Any third
            argument of the metric's ``update`` can stand in its place.
        optional: Pass over batches that lack the target, so that the result is NaN where all do; and do without a mask
            where a batch has none.
    """

    def __init__(
        self,
        metric: Metric,
        prediction: str,
        *,
        target: str | Sequence[str] | None = None,
        mask: str | Sequence[str] | None = "mask",
        optional: bool = False,
    ) -> None:
        super().__init__()
        self.metric = metric
        self.prediction, self.optional = prediction, optional
        self.targets, self.masks = _names(target or prediction), _names(mask or ())

    def _arguments(self, prediction: Mapping[str, Tensor], batch: Mapping[str, Any]) -> list[Any]:
        arguments = [prediction[self.prediction].detach(), batch[_first(self.targets, batch)]]
        if self.masks and not (self.optional and not any(name in batch for name in self.masks)):
            arguments.append(batch[_first(self.masks, batch)])
        return [_precise(value) for value in arguments]

    def _passes_over(self, batch: Mapping[str, Any]) -> bool:
        return self.optional and not any(name in batch for name in self.targets)

    def update(self, prediction: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> None:
        """Take in one batch."""
        if self._passes_over(batch):
            return
        arguments = self._arguments(prediction, batch)
        with torch.autocast(arguments[0].device.type, enabled=False):
            self.metric.update(*arguments)

    def forward(self, prediction: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> Any:
        """Take in one batch and give its value alone."""
        if self._passes_over(batch):
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


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _first(names: Sequence[str], batch: Mapping[str, Any]) -> str:
    """The first of the names that a batch has; the last one where it has none, so that a KeyError names it."""
    return next((name for name in names if name in batch), names[-1])


def _precise(value: Any) -> Any:
    """A tensor, or a list of tensors that differ in size, in full precision; whole numbers as they are."""
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    return [_precise(each) for each in value]
