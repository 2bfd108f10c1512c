"""How well smooth shading is told from edges of shading, as SAW's labels have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric

__all__ = ["SAWAveragePrecision"]

Array = NDArray[np.float64]

_SMOOTH = 2
_CLASS_WEIGHTS = np.array([1.0, 1.0, 2.0])
_MAX_FILTER = 10
_DARKEST = 1e-4
_SMALL = 1e-5
_HALF = 200


class SAWAveragePrecision(Metric):
    """Average precision, in per cent, of finding smooth shading by the gradient of log shading.

    The protocol behind the published "AP %" of BigTime, CGIntrinsics and their successors, with its peculiarities:

    1. Shading, encoded and grey, is resized bilinearly to the labels and floored at 1e-4; then its logarithm is taken.
    2. g is the magnitude of SciPy's Sobel gradient (not normalised, mirrored border), g_max the maximum of g over
       10 x 10 pixels.
    3. A pixel is called smooth where g < t, for 400 thresholds t = log of 200 steps from 1.001 to 1.5 and 200 from
       1.501 to 64.
    4. True smooth pixels (label 2) are judged by g, edges (labels 0 and 1) by g_max. Counts of three labels by two
       answers are summed over all pictures; pictures without labels change nothing.
    5. Rows of the counts are weighted to [1, 1, 2] / (row + 1e-5). With the weighted counts c, precision =
       c[2, smooth] / (sum over labels of c[:, smooth] + 1e-5), recall = c[2, smooth] / (sum of c[2] + 1e-5).
    6. AP is 100 x the area (trapezia) under precision over recall in the order of thresholds, with the points (0,
       precision of the smallest threshold) before and (1, 0.5) after.

    The original SAW release computes another curve; the two are not comparable.

    Args:
        challenge: Count each smooth pixel with the mean gradient of the picture (SciPy's Sobel on the mean of sRGB
            channels) over its region, so that smooth shading on textures weighs more. A region is a 4-connected set of
            smooth pixels. Counts are whole numbers in the authors' code, so that the weighted sum of each picture and
            threshold is cut off.
        space: How shading is encoded before it is resized: by ``gamma`` 1/2.2, as CGIntrinsics stores its predictions,
            or not at all (``linear``). The gradient of a logarithm scales with the exponent.

    Shapes:
        preds (B,1|3,h,w), linear shading. labels (B,H,W) int64: 0 edge of depth or normal, 1 of a shadow, 2 smooth,
        above 99 none. image (B,3,H,W) sRGB, for the challenge only, and passed over otherwise. Labels, and pictures of
        their sizes, may also be lists of B tensors that differ in height and width, as SAW's own are.

    Source: Kovacs, Bell, Snavely, Bala, Shading Annotations in the Wild, CVPR 2017, evaluated as by Li and Snavely,
    ECCV 2018. It runs on the CPU.

    Example:
        >>> shading, labels = torch.ones(1, 1, 24, 24), torch.full((1, 24, 24), 2)
        >>> shading[..., 20:], labels[..., 18:22] = 0.1, 1
        >>> metric = SAWAveragePrecision()
        >>> metric.update(shading, labels)
        >>> round(metric.compute().item(), 2)
        100.0
    """

    full_state_update = False
    higher_is_better = True
    counts: Tensor

    def __init__(self, challenge: bool = False, space: Literal["gamma", "linear"] = "gamma", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if space not in ("gamma", "linear"):
            raise ValueError(f"space must be 'gamma' or 'linear', not {space!r}")
        self.challenge, self.space = challenge, space
        self.add_state("counts", torch.zeros(2 * _HALF, 3, 2, dtype=torch.int64), dist_reduce_fx="sum")

    def update(
        self, preds: Tensor, labels: Tensor | Sequence[Tensor], image: Tensor | Sequence[Tensor] | None = None
    ) -> None:
        """Take in one batch.

        Raises:
            ValueError: The challenge has no picture to weigh pixels by.
        """
        if self.challenge and image is None:
            raise ValueError("the challenge weighs pixels by the picture's gradient: update needs the image.")
        encoded = preds.clamp_min(0) ** (1 / 2.2 if self.space == "gamma" else 1)
        for i, shading in enumerate(encoded.mean(1)):
            true = labels[i].cpu().numpy()
            if shading.shape != true.shape:
                shading = F.interpolate(shading[None, None], true.shape, mode="bilinear", align_corners=False)[0, 0]
            weight = None
            if self.challenge and image is not None:
                weight = _region_means(_gradient(_numbers(image[i].mean(0))), true == _SMOOTH)
            counts = _counts(_numbers(shading), true, weight)
            self.counts += torch.from_numpy(counts).to(self.counts.device)

    def compute(self) -> Tensor:
        """Per cent; NaN where no pixel had a label."""
        counts = self.counts.cpu().numpy().astype(np.float64)
        if not counts.any():
            return torch.tensor(torch.nan)
        counts *= (_CLASS_WEIGHTS / (counts.sum(2) + _SMALL))[..., None]
        correct = counts[:, _SMOOTH, 1]
        precision = correct / (counts[:, :, 1].sum(1) + _SMALL)
        recall = correct / (counts[:, _SMOOTH].sum(1) + _SMALL)
        x, y = np.concatenate([[0], recall, [1]]), np.concatenate([precision[:1], precision, [0.5]])
        return torch.tensor(100 * np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2), dtype=torch.float32)


def _thresholds() -> Array:
    return np.log(np.concatenate([np.linspace(1.001, 1.5, _HALF), np.linspace(1.501, 64, _HALF)]))


def _counts(shading: Array, labels: NDArray[np.int64], weight: Array | None) -> NDArray[np.int64]:
    """Of one picture: pixels by threshold, label and answer (edge, smooth)."""
    gradient = _gradient(np.log(np.maximum(shading, _DARKEST)))
    widened = ndimage.maximum_filter(gradient, size=_MAX_FILTER)
    counts = np.zeros((2 * _HALF, 3, 2), dtype=np.int64)
    for label in range(3):
        seen = labels == label
        values = (gradient if label == _SMOOTH else widened)[seen]
        weights = weight[seen] if weight is not None and label == _SMOOTH else np.ones(len(values))
        order = np.argsort(values)
        below = np.concatenate([[0], np.cumsum(weights[order])])
        smooth = below[np.searchsorted(values[order], _thresholds(), side="left")]
        counts[:, label, 0], counts[:, label, 1] = below[-1] - smooth, smooth  # whole numbers: cut off as the authors'
    return counts


def _gradient(picture: Array) -> Array:
    return np.hypot(ndimage.sobel(picture, axis=0), ndimage.sobel(picture, axis=1))


def _region_means(values: Array, inside: NDArray[np.bool_]) -> Array:
    """Every pixel's mean over its 4-connected region, 0 outside of all."""
    regions, count = ndimage.label(inside)
    means = np.concatenate([[0.0], ndimage.mean(values, regions, np.arange(1, count + 1))])
    return np.asarray(means[regions], dtype=np.float64)


def _numbers(values: Tensor) -> Array:
    return values.detach().cpu().double().numpy()
