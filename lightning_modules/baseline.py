"""The trivial answer: what the training data looks like on average, whatever the picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

__all__ = ["mean_over_data"]


def mean_over_data(batches: Iterable[Mapping[str, Tensor]], keys: Iterable[str], limit: int = 64) -> dict[str, Tensor]:
    """The mean of some keys over the data: of maps pixel by pixel inside the mask, of anything else over samples.

    Args:
        batches: Batches of the contract.
        keys: What to average. Maps are (B,C,H,W), and a pixel that is never valid takes the mean of all valid ones.
        limit: At most this many batches are read.

    Returns:
        Tensors without the batch dimension.
    """
    keys = list(keys)
    sums: dict[str, Tensor] = {}
    weights: dict[str, Tensor] = {}
    for _, batch in zip(range(limit), batches, strict=False):
        for key in keys:
            value = batch[key].double()
            weight = batch["mask"].double() if value.ndim == 4 else torch.ones_like(value)
            sums[key] = sums.get(key, 0) + (value * weight).sum(0)
            weights[key] = weights.get(key, 0) + weight.sum(0)
    return {key: _divide(sums[key], weights[key]).float() for key in keys}


def _divide(total: Tensor, weight: Tensor) -> Tensor:
    if total.ndim < 3:
        return total / weight
    overall = total.sum((1, 2), keepdim=True) / weight.sum((1, 2), keepdim=True).clamp_min(1)
    return torch.where(weight > 0, total / weight.clamp_min(1), overall)
