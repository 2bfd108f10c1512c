"""Sparse judgements of relative reflectance, as people gave them for IIW, but from the true albedo."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn import functional as F

from datamodules.sampling.draws import Draws
from zoo.errors import UserError

__all__ = ["Judges", "judge"]

_CANDIDATES = 1200
"""Darts thrown at a picture; the last ones seldom find room."""

_NEIGHBOURS = 1.8
"""In separations: points this near are compared, five or six around each where the picture is well filled."""

_FLAT = 1.5
"""Around a point the albedo's ratio of brightest to darkest is at most this: nobody is asked about an edge, but about
the grain of wood or gravel."""


@dataclass(frozen=True)
class Judges:
    """Who judges, and how.

    Args:
        pairs: Pairs in each picture; too few are filled up with pairs of weight 0.
        separation: Smallest distance between two points, as a share of the picture's longer side; IIW has 0.07 in its
            sparse and 0.03 in its dense comparisons.
        ratio: Albedos are called equal up to this ratio of the brighter to the darker.
        mistakes: Share of answers that are wrong, at half their weight.

    Raises:
        UserError: A value that makes no sense.
    """

    pairs: int = 200
    separation: float = 0.07
    ratio: float = 1.1
    mistakes: float = 0.05

    def __post_init__(self) -> None:
        if self.pairs < 1 or not 0 < self.separation < 1 or self.ratio <= 1 or not 0 <= self.mistakes <= 1:
            raise UserError(
                "judges need at least 1 pair, a separation between 0 and 1, a ratio above 1, mistakes from 0 to 1."
            )


def judge(albedo: Tensor, mask: Tensor, draws: Draws, judges: Judges) -> Tensor:
    """Compare neighbouring points by their true albedo.

    Points are spread at random with a minimum distance, where the truth is valid and the albedo has no edge. The mean
    of the channels is compared, as WHDR does. The weight is 1 where the answer is clear and falls to 0 towards the
    threshold, where people disagree: it is the distance of the log ratio from it, in log thresholds, at most 1.

    Args:
        albedo: (B,3,H,W) linear.
        mask: (B,1,H,W).
        draws: The samples.
        judges: Who judges.

    Returns:
        (B,P,6): x1, y1, x2, y2 as fractions of width and height, at centres of pixels; which is darker: 0 neither, 1
        the first, 2 the second; and the weight, 0 in rows that only fill up.

    Source: Bell, Bala, Snavely, Intrinsic Images in the Wild, SIGGRAPH 2014: the protocol; the weights are our own.
    """
    height, width = albedo.shape[-2:]
    intensity = albedo.mean(1, keepdim=True)
    valid = _askable(intensity, mask)[:, 0].cpu().numpy()
    levels = intensity[:, 0].cpu().numpy()
    darts = draws.uniform("judgement points", _CANDIDATES)
    order = draws.uniform("judgement order", _CANDIDATES)
    answers = draws.uniform("judgement answers", judges.pairs, 3)
    result = np.zeros((len(levels), judges.pairs, 6), np.float32)
    for row, level, where, dart, rank, chance in zip(result, levels, valid, darts, order, answers, strict=True):
        separation = judges.separation * max(height, width)
        points = _spread(where, dart, separation)
        pairs = _neighbours(points, rank, _NEIGHBOURS * separation)[: judges.pairs]
        first, second = points[pairs[:, 0]], points[pairs[:, 1]]
        darker, weight = _answers(level[tuple(first.T)], level[tuple(second.T)], chance[: len(pairs)], judges)
        scale = np.array([height, width])
        row[: len(pairs), :4] = np.concatenate([((each + 0.5) / scale)[:, ::-1] for each in (first, second)], 1)
        row[: len(pairs), 4], row[: len(pairs), 5] = darker, weight
    return torch.from_numpy(result)


def _askable(intensity: Tensor, mask: Tensor) -> Tensor:
    """Where a point may lie: valid, and no edge of albedo, in a window of about 1 % of the picture."""
    reach = max(1, round(0.005 * max(intensity.shape[-2:])))
    window = 2 * reach + 1
    # outside of the picture counts as valid, outside of the mask does not
    inside = -F.max_pool2d(-mask, window, 1, reach) > 0.5
    bright = F.max_pool2d(intensity, window, 1, reach)
    dark = -F.max_pool2d(-intensity, window, 1, reach)
    return inside & (dark > 0) & (bright <= _FLAT * dark)


def _spread(where: NDArray[np.bool_], darts: NDArray[np.float64], separation: float) -> NDArray[np.int64]:
    """Some of these pixels, none nearer to another than the separation: (N,2) rows and columns."""
    pixels = np.argwhere(where)
    if not len(pixels):
        return pixels
    thrown = pixels[(darts * len(pixels)).astype(np.int64)]
    reach = math.ceil(separation)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = y**2 + x**2 < separation**2
    taken = np.zeros([side + 2 * reach for side in where.shape], bool)
    kept = []
    for row, column in thrown.tolist():
        if not taken[row + reach, column + reach]:
            taken[row : row + 2 * reach + 1, column : column + 2 * reach + 1] |= disc
            kept.append((row, column))
    return np.array(kept)


def _neighbours(points: NDArray[np.int64], rank: NDArray[np.float64], distance: float) -> NDArray[np.int64]:
    """Pairs of points within a distance, (N,2), in random order; of each pair any point comes first."""
    if len(points) < 2:
        return np.zeros((0, 2), np.int64)
    pairs = cKDTree(points).query_pairs(distance, output_type="ndarray")
    mixed = (rank[pairs[:, 0]] + math.pi * rank[pairs[:, 1]]) % 1
    order = np.argsort(mixed, kind="stable")
    turned = (1000 * mixed[order, None]) % 1 < 0.5
    return np.where(turned, pairs[order, ::-1], pairs[order]).astype(np.int64)


def _answers(
    first: NDArray[np.float32], second: NDArray[np.float32], chance: NDArray[np.float64], judges: Judges
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    log_ratio = np.log(second.astype(np.float64)) - np.log(first.astype(np.float64))
    threshold = math.log(judges.ratio)
    darker = np.where(np.abs(log_ratio) <= threshold, 0, np.where(log_ratio > 0, 1, 2))
    weight = np.minimum(1, np.abs(np.abs(log_ratio) - threshold) / threshold)
    wrong = chance[:, 0] < judges.mistakes
    darker = np.where(wrong, (darker + 1 + (chance[:, 1] < 0.5)) % 3, darker)
    return darker, np.maximum(0.01, np.where(wrong, weight / 2, weight))
