"""How far landmarks lie from the truth, by the size of the face."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from zoo.errors import UserError
from zoo.metrics.per_sample import PerSample, point_weights

__all__ = ["LandmarkNME"]

_OUTER_EYE_CORNERS = (36, 45)


class LandmarkNME(PerSample):
    """Normalised mean error of 68 landmarks in per cent, a mean over faces.

    The mean distance of a face's points from the truth, over the size of the true face: ``interocular`` is the distance
    between the outer corners of the eyes (points 36 and 45), ``box`` is sqrt(width x height) of the box around the 68
    true points. AFLW2000-3D is evaluated by the box, in x and y alone, over bins of yaw [0, 30], (30, 60] and (60, 90]:
    one metric for each, whose mask tells who belongs to it, and their plain mean stands for all.

    Args:
        normalise: ``interocular`` or ``box``.

    Shapes:
        preds, target (B,68,2) in pixels; with a third coordinate, that is passed over. mask (B,) of faces or (B,68) of
        points, above 0.5 counts; a face of which no point counts is left out, its size is that of all its true points.

    Source: 300-W (Sagonas et al., ICCVW 2013) for ``interocular``; 3DDFA (Zhu et al., CVPR 2016) for ``box``.

    Example:
        >>> truth = torch.rand(1, 68, 2)
        >>> truth[0, 36], truth[0, 45] = torch.tensor([0.0, 0.0]), torch.tensor([40.0, 30.0])
        >>> metric = LandmarkNME("interocular")
        >>> metric.update(truth + torch.tensor([1.0, 0.0]), truth)
        >>> round(metric.compute().item(), 4)
        2.0
    """

    higher_is_better = False

    def __init__(self, normalise: Literal["interocular", "box"] = "interocular", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if normalise not in ("interocular", "box"):
            raise ValueError(f"normalise must be 'interocular' or 'box', not {normalise!r}")
        self.normalise = normalise

    def update(self, preds: Tensor, target: Tensor, mask: Tensor | None = None) -> None:
        """Take in one batch.

        Raises:
            UserError: There are not 68 points of each face, or a true face has no size.
        """
        for points in (preds, target):
            if points.ndim != 3 or points.shape[1] != 68 or points.shape[2] not in (2, 3):
                raise UserError(f"landmarks must be (B, 68, 2), not {tuple(points.shape)}.")
        if len(preds) != len(target):
            raise UserError(f"landmarks of {len(preds)} faces cannot be held against those of {len(target)}.")
        preds, target = preds[..., :2].double(), target[..., :2].double()
        weights = point_weights(mask, target)
        counted = weights.sum(1) > 0
        size = self._size(target)
        if bool((size[counted] <= 0).any()):
            raise UserError("the true landmarks of a face lie all in one place, so that it has no size.")
        distance = torch.where(weights > 0, (preds - target).norm(dim=-1), 0)
        self.add(100 * distance.sum(1) / weights.sum(1).clamp_min(1) / size, counted)

    def _size(self, target: Tensor) -> Tensor:
        if self.normalise == "box":
            return (target.amax(1) - target.amin(1)).prod(-1).sqrt()
        one, other = (target[:, corner] for corner in _OUTER_EYE_CORNERS)
        return (one - other).norm(dim=-1)
