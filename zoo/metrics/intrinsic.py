"""How well albedo and shading are found when their scale is not."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from zoo.metrics.per_picture import PerPicture, at_best_scale, mean_inside


class ScaleInvariantMSE(PerPicture):
    """Mean squared error after the best single scale of each picture, in linear light.

    For each sample alpha = sum(m x y) / sum(m x x) over pixels and channels (x predicted, y true, m the mask), and the
    error is the mean over valid pixels and channels of (alpha x - y)^2; the metric is the mean over samples. The scale
    is one number for all three channels: a wrong colour is an error, a wrong brightness is not.

    Args:
        clip: Upper limit of alpha x, 1.0 in the evaluation of MPI Sintel, whose layers lie in [0, 1]; by default none,
            because shading may be brighter.

    Source: the si-MSE of the intrinsic-image literature (Barron and Malik 2015; Narihira et al. 2015).

    Example:
        >>> import torch
        >>> metric = ScaleInvariantMSE()
        >>> y = torch.tensor([1.0, 2.0]).reshape(1, 1, 1, 2)
        >>> metric.update(10 * y, y)
        >>> metric.compute().item()
        0.0
    """

    higher_is_better = False

    def __init__(self, clip: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.clip = clip

    def values(self, preds: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """The error of each picture."""
        x, y = preds.double(), target.double()
        return mean_inside((at_best_scale(x, y, valid, self.clip) - y).square(), valid)
