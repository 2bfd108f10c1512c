"""Which pixels of a segmentation a network of so many classes is asked about."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torchmetrics import Metric

from zoo.contract import IGNORE
from zoo.metrics import Keyed

__all__ = ["VOID", "KeyedClasses", "known_labels"]

VOID = 0
"""The class of pixels that are nothing in particular."""


def known_labels(segmentation: Tensor, classes: int, ignore_void: bool) -> Tensor:
    """The truth as the network can answer it.

    Args:
        segmentation: (B,H,W) int64, ids of the contract.
        classes: How many the network knows, from 0 on.
        ignore_void: Whether class 0 does not count.

    Returns:
        (B,H,W) int64, ``IGNORE`` in place of ids that are not asked for.
    """
    known = segmentation < classes
    if ignore_void:
        known &= segmentation != VOID
    return segmentation.where(known, IGNORE)


class KeyedClasses(Keyed):
    """Feeds a metric of classes with the labels that the network knows; arguments are those of ``known_labels``.

    An id that is predicted by somebody else, such as a baseline, and that the network does not know counts as void.
    """

    def __init__(self, metric: Metric, classes: int, ignore_void: bool) -> None:
        super().__init__(metric, "segmentation", mask=None)
        self.classes, self.ignore_void = classes, ignore_void

    def _arguments(self, prediction: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> list[Tensor]:
        found = prediction["segmentation"]
        return [
            found.where(found < self.classes, VOID),
            known_labels(batch["segmentation"], self.classes, self.ignore_void),
        ]
