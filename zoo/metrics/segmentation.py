"""How well classes of pixels are told apart."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix

from zoo.contract import IGNORE

__all__ = ["ClassAccuracy", "MeanIoU", "PixelAccuracy"]


class _FromConfusion(MulticlassConfusionMatrix):
    """A figure of the confusion matrix c[true, predicted] over the pixels of all pictures together.

    Args:
        classes: How many classes there are; ids run from 0.
        ignore: The id in the truth of pixels that do not count.

    Shapes:
        preds, target (B,H,W) int64; mask (B,1,H,W), optional: pixels above 0.5 count.
    """

    higher_is_better = True

    def __init__(self, classes: int, ignore: int = IGNORE, **kwargs: Any) -> None:
        super().__init__(classes, ignore_index=ignore, **kwargs)
        self.ignore = ignore

    def update(self, preds: Tensor, target: Tensor, mask: Tensor | None = None) -> None:
        """Take in one batch."""
        if mask is not None:
            target = torch.where(mask[:, 0] > 0.5, target, self.ignore)
        if (target != self.ignore).any():  # torchmetrics stumbles over a batch with nothing in it
            super().update(preds, target)

    def _table(self) -> Tensor:
        table = super().compute()
        return table.double()


class PixelAccuracy(_FromConfusion):
    """The share of pixels whose class is right: sum over k of c[k, k] / sum of c, in [0, 1].

    Example:
        >>> metric = PixelAccuracy(3)
        >>> metric.update(torch.tensor([[[0, 0, 1, 2]]]), torch.tensor([[[0, 1, 1, 255]]]))
        >>> round(metric.compute().item(), 4)
        0.6667
    """

    def compute(self) -> Tensor:
        """NaN where no pixel counted."""
        table = self._table()
        return (table.diagonal().sum() / table.sum()).float()


class ClassAccuracy(_FromConfusion):
    """The mean over classes of the share of their pixels that is found: mean of c[k, k] / sum over j of c[k, j].

    Classes that the truth never shows are left out, so that a class that is only ever predicted does not count as one
    that was missed (torchmetrics' macro accuracy counts it).

    Example:
        >>> metric = ClassAccuracy(3)
        >>> metric.update(torch.tensor([[[0, 0, 1, 2]]]), torch.tensor([[[0, 1, 1, 1]]]))
        >>> round(metric.compute().item(), 4)
        0.6667
    """

    def compute(self) -> Tensor:
        """NaN where no pixel counted."""
        table = self._table()
        shown = table.sum(1) > 0
        return (table.diagonal()[shown] / table.sum(1)[shown]).mean().float()


class MeanIoU(_FromConfusion):
    """Intersection over union of each class, c[k, k] / (c[k, :] + c[:, k] - c[k, k]), and then the mean over classes.

    Classes that neither truth nor prediction shows are left out; one that is only ever predicted counts as 0.

    Example:
        >>> metric = MeanIoU(4)
        >>> metric.update(torch.tensor([[[0, 0, 1, 2]]]), torch.tensor([[[0, 1, 1, 1]]]))
        >>> round(metric.compute().item(), 4)  # 1/2, 1/3 and 0
        0.2778
    """

    def compute(self) -> Tensor:
        """NaN where no pixel counted."""
        table = self._table()
        union = table.sum(0) + table.sum(1) - table.diagonal()
        return (table.diagonal()[union > 0] / union[union > 0]).mean().float()
