"""How likely each pixel's colour is skin: two mixtures of Gaussians in YCbCr."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["skin_probability"]

PRIOR = 0.8
"""Probability that a pixel is skin before its colour is known."""

_TO_YCBCR = ((65.481, 128.553, 24.966), (-37.797, -74.203, 112.0), (112.0, -93.786, -18.214))
_OFFSET = (16.0, 128.0, 128.0)
"""ITU-R BT.601, from RGB in 0..1 to the range of studios."""

_SKIN = (
    (0.24063933, (113.71862, 103.39613, 164.08226), 5692842.5,
     (0.0019472069, 0.0020450759, -0.00060243998, 0.017700525, 0.0051420014, 0.0081308950)),
    (0.16365987, (150.19858, 105.18467, 155.51428), 5851930.5,
     (0.0027110141, 0.0011036990, 0.0023122299, 0.010707724, 0.010742856, 0.017481629)),
    (0.26034665, (183.92976, 107.62468, 152.71820), 2329131.0,
     (0.0048026871, 0.00022935172, 0.0077668377, 0.011729696, 0.0081661865, 0.025374353)),
    (0.33535415, (114.90524, 113.59782, 151.38217), 1585971.0,
     (0.0011989699, 0.0022453172, -0.0010748957, 0.047758564, 0.020332102, 0.024502251)),
)  # fmt: skip
_OTHER = (
    (0.12791070, (99.200851, 112.07533, 140.20602), 458703648.0,
     (0.00085371657, 0.00071197288, 0.00023958916, 0.0025935620, 0.00076557708, 0.0015042332)),
    (0.31130761, (110.91392, 125.52969, 130.19237), 6466488.0,
     (0.00024650150, 0.00045542428, 0.00015019422, 0.026412144, 0.018419769, 0.037497383)),
    (0.34245777, (129.75864, 129.96107, 126.96808), 90611376.0,
     (0.00037054974, 0.00038146760, 0.00040408765, 0.0085505722, 0.0079136286, 0.010982352)),
    (0.21832393, (112.29587, 128.85121, 129.05431), 133097.63,
     (0.00013709733, 0.00051228428, 0.00012777430, 0.28237113, 0.10528370, 0.23468947)),
)  # fmt: skip
"""Weight, mean, determinant of the covariance, and the upper triangle of its inverse (11, 12, 13, 22, 23, 33)."""


def skin_probability(image: Tensor) -> Tensor:
    """P(skin | colour) of each pixel by Bayes' rule, neither rounded nor cut at a threshold.

    Args:
        image: (B,3,H,W) sRGB in [0,1].

    Returns:
        (B,1,H,W) in [0,1].

    Source:
        The attention of Deng et al. 2019: mixtures of four Gaussians each, prior 0.8.

    Example:
        >>> skin_probability(torch.tensor([220.0, 170.0, 140.0]).view(1, 3, 1, 1) / 255).item()  # doctest: +ELLIPSIS
        0.989...
    """
    exact = image if image.dtype == torch.float64 else image.float()
    matrix, shift, logarithm = (torch.from_numpy(a).to(exact) for a in _gaussians())
    with torch.autocast(image.device.type, enabled=False):
        colours = exact.flatten(2)
        # |A (x - mu)|^2 of the eight Gaussians at once: a distance stays exact where a polynomial would cancel
        distance = (matrix @ colours + shift).square().unflatten(1, (8, 3)).sum(2)
        density = logarithm[:, None] - distance / 2
        skin, other = density[:, :4].logsumexp(1), density[:, 4:].logsumexp(1)
        # by logarithms: far from all Gaussians both densities would round to 0
        probability = (skin - other + math.log(PRIOR / (1 - PRIOR))).sigmoid()
    return probability.to(image.dtype).unflatten(1, image.shape[-2:])[:, None]


@lru_cache(maxsize=1)
def _gaussians() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """For RGB in 0..1: A (24,3) and -A mu (24,1) with A^T A the inverse covariance, and logs of the factors (8,)."""
    to_ycbcr, offset = np.array(_TO_YCBCR), np.array(_OFFSET)
    rows, shifts, logs = [], [], []
    for weight, mean, determinant, (a, b, c, d, e, f) in _SKIN + _OTHER:
        root = np.linalg.cholesky(np.array([[a, b, c], [b, d, e], [c, e, f]])).T
        rows.append(root @ to_ycbcr)
        shifts.append(root @ (offset - np.array(mean)))
        logs.append(math.log(weight) - 1.5 * math.log(2 * math.pi) - 0.5 * math.log(determinant))
    return np.concatenate(rows), np.concatenate(shifts)[:, None], np.array(logs)
