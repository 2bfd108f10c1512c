"""How good landmarks are, and how good what is said about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from zoo.faces import five_points

__all__ = ["ExpectedErrorRatio", "FaceAccuracy", "LandmarkError"]

Values = Mapping[str, Tensor]


class _Mean(Metric):
    """The mean of some numbers; the batch is a prediction and the truth, by the contract's names."""

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def compute(self) -> Tensor:
        """NaN where there was nothing to measure."""
        return (self.total / self.count).float()


class LandmarkError(_Mean):
    """Mean distance of the points from the truth in per cent of the distance between the eyes, over faces.

    The eyes' centres are the means of their six points. Samples whose ``is_face`` is 0 do not count.
    """

    higher_is_better = False

    def update(self, prediction: Values, batch: Values) -> None:
        """Take in one batch."""
        distance = _distances(prediction, batch).mean(1)
        eyes = five_points(batch["landmarks"].double())
        faces = _is_face(batch)
        self.total += (100 * distance / (eyes[:, 1] - eyes[:, 0]).norm(dim=-1).clamp_min(1e-6))[faces].sum()
        self.count += faces.sum()


class ExpectedErrorRatio(_Mean):
    """The sum of all expected errors over the sum of all true ones: 1 where the network knows how sure it can be."""

    higher_is_better = None

    def update(self, prediction: Values, batch: Values) -> None:
        """Take in one batch."""
        faces = _is_face(batch)
        self.total += prediction["landmark_error"].detach().double()[faces].sum()
        self.count += _distances(prediction, batch)[faces].sum()


class FaceAccuracy(_Mean):
    """Share of samples, in per cent, whose confidence is above one half where there is a face, and below elsewhere."""

    higher_is_better = True

    def update(self, prediction: Values, batch: Values) -> None:
        """Take in one batch."""
        right = (prediction["confidence"].detach() > 0.5) == _is_face(batch)
        self.total += 100 * right.sum()
        self.count += len(right)


def _distances(prediction: Values, batch: Values) -> Tensor:
    return (prediction["landmarks"].detach().double() - batch["landmarks"].double()).norm(dim=-1)


def _is_face(batch: Values) -> Tensor:
    if "is_face" in batch:
        return batch["is_face"] > 0.5
    return torch.ones(len(batch["landmarks"]), dtype=torch.bool, device=batch["landmarks"].device)
