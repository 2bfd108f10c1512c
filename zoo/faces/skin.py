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

_MIDDLE = 0.5
"""Subtracted from colours first, so that the terms of the polynomials do not cancel."""

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
    matrix, constant = (torch.from_numpy(array).to(exact) for array in _gaussians())
    with torch.autocast(image.device.type, enabled=False):
        # picture by picture: what is computed for one stays in the cache
        probability = torch.cat([_posterior(picture - _MIDDLE, matrix, constant) for picture in exact.flatten(2)])
    return probability.to(image.dtype).unflatten(1, image.shape[-2:])[:, None]


def _posterior(colours: Tensor, matrix: Tensor, constant: Tensor) -> Tensor:
    """(1,N) probabilities of (3,N) colours."""
    r, g, b = colours
    terms = torch.stack((r * r, g * g, b * b, r * g, r * b, g * b, r, g, b))
    density = torch.addmm(constant, matrix, terms)
    # Relative to the likeliest: far from all Gaussians every density by itself would round to 0.
    density.sub_(density.amax(0)).exp_()
    return density[:4].sum(0, keepdim=True) / density.sum(0)


@lru_cache(maxsize=1)
def _gaussians() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logarithms of prior, weight and density of the eight Gaussians, as polynomials of RGB - 0.5: (8,9) and (8,1)."""
    to_ycbcr = np.array(_TO_YCBCR)
    middle = np.array(_OFFSET) + _MIDDLE * to_ycbcr.sum(1)
    rows, constants = [], []
    for prior, gaussians in ((PRIOR, _SKIN), (1 - PRIOR, _OTHER)):
        for weight, mean, determinant, (a, b, c, d, e, f) in gaussians:
            inverse = np.array([[a, b, c], [b, d, e], [c, e, f]])
            away = middle - np.array(mean)
            square = to_ycbcr.T @ inverse @ to_ycbcr
            rows.append([*-0.5 * square.diagonal(), -square[0, 1], -square[0, 2], -square[1, 2],
                         *-(to_ycbcr.T @ inverse @ away)])  # fmt: skip
            volume = 0.5 * (3 * math.log(2 * math.pi) + math.log(determinant))
            constants.append(math.log(prior * weight) - volume - 0.5 * away @ inverse @ away)
    return np.array(rows), np.array(constants)[:, None]
