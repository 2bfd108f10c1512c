"""Which of two points is darker: losses on relative judgements of reflectance."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.imaging.judgements import values_at_points

__all__ = ["judgement_loss", "superpixel_loss"]

_TINY = 1e-8


def judgement_loss(log_reflectance: Tensor, judgements: Tensor, margin: float = 0.425) -> Tensor:
    """Points judged equal shall be equal, and one judged darker shall be darker by a margin, in logarithms.

    For each picture sum w (r1 - r2)^2 / n over the n equal pairs, plus sum w max(r_dark - r_light + margin, 0)^2 / k,
    where k counts the unequal pairs that are not yet a margin apart; then the mean over pictures.

    Args:
        log_reflectance: (B,1,H,W), natural logarithm of linear reflectance.
        judgements: (B,P,6) as in ``zoo.contract``; a point lies in the pixel floor(x W), floor(y H). Pairs of weight 0
            do not count.
        margin: By how much, 0.425 in the authors' code.

    Source: Li and Snavely, CGIntrinsics, ECCV 2018, L_ord on IIW.

    Example:
        >>> log_r = torch.tensor([0.0, -1.0]).reshape(1, 1, 1, 2)
        >>> right = torch.tensor([[[0.75, 0.5, 0.25, 0.5, 1.0, 1.0]]])  # the right point is darker
        >>> wrong = torch.tensor([[[0.75, 0.5, 0.25, 0.5, 2.0, 1.0]]])
        >>> judgement_loss(log_r, right).item(), round(judgement_loss(log_r, wrong).item(), 3)
        (0.0, 2.031)
    """
    first = values_at_points(log_reflectance[:, 0], judgements[..., 0:2])
    second = values_at_points(log_reflectance[:, 0], judgements[..., 2:4])
    darker, weight = judgements[..., 4], judgements[..., 5]
    counted = weight > 0
    equal = _equal_pairs(first - second, weight, counted & (darker == 0))
    light_to_dark = torch.where(darker == 1, first - second, second - first)
    unequal = _unequal_pairs(light_to_dark, weight, counted & (darker > 0), margin)
    return (equal + unequal).mean()


def superpixel_loss(
    log_reflectance: Tensor,
    albedo: Tensor,
    superpixels: Tensor,
    mask: Tensor | None = None,
    margin: float = 0.4,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The same for rendered pictures: one random pixel of each superpixel, all pairs, judged by the true albedo.

    A pair is equal where the ratio of albedos lies in (1/1.05, 1.05), unequal beyond 1.5, and of no use between.

    Args:
        log_reflectance: (B,1,H,W), natural logarithm of linear reflectance.
        albedo: The truth (B,C,H,W), linear; the mean over channels counts. Pixels below 2e-4 are left out.
        superpixels: (B,H,W) ids as in ``zoo.contract``; 0 is none. Those of a single pixel are left out.
        mask: (B,1,H,W), 1 where a pixel can be drawn.
        margin: By how much a darker point shall be darker, 0.4 in the authors' code.
        generator: Of the random pixels, on the CPU; PyTorch's own by default.

    Source: Li and Snavely, CGIntrinsics, ECCV 2018, L_ord on CGI.
    """
    grey = albedo.mean(1)
    usable = (superpixels > 0) & (grey >= 2e-4)
    if mask is not None:
        usable &= mask[:, 0] > 0.5
    total = log_reflectance.new_zeros(())
    for log_r, truth, ids, use in zip(log_reflectance[:, 0], grey, superpixels, usable, strict=True):
        drawn = _one_of_each(ids[use], generator)
        r, g = log_r[use][drawn], truth[use][drawn]
        i, j = torch.triu_indices(len(r), len(r), 1, device=r.device)
        step, ratio = r[i] - r[j], g[i] / g[j]
        weight = torch.ones_like(step)
        total = total + _equal_pairs(step, weight, (ratio > 1 / 1.05) & (ratio < 1.05))
        light_to_dark = torch.where(ratio < 1, step, -step)
        total = total + _unequal_pairs(light_to_dark, weight, (ratio > 1.5) | (ratio < 1 / 1.5), margin)
    return total / len(log_reflectance)


def _equal_pairs(step: Tensor, weight: Tensor, chosen: Tensor) -> Tensor:
    """Sum w step^2 over the chosen pairs by their number; (...,P) -> (...)."""
    return (chosen * weight * step.square()).sum(-1) / (chosen.sum(-1) + _TINY)


def _unequal_pairs(light_to_dark: Tensor, weight: Tensor, chosen: Tensor, margin: float) -> Tensor:
    """Sum w max(r_dark - r_light + margin, 0)^2 by the number of pairs that are too near; (...,P) -> (...)."""
    excess = light_to_dark + margin
    active = chosen & (excess >= 0)
    return (active * weight * excess.clamp_min(0).square()).sum(-1) / (active.sum(-1) + _TINY)


def _one_of_each(ids: Tensor, generator: torch.Generator | None) -> Tensor:
    """The place of one random pixel of each id that has two or more, from (N,) ids."""
    order = torch.randperm(len(ids), generator=generator).to(ids.device)
    order = order[ids[order].argsort(stable=True)]
    _, counts = ids.unique(return_counts=True)
    first = order[counts.cumsum(0) - counts]
    return first[counts > 1]
