"""Supervision of reflectance and shading, whose scale nobody knows."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

__all__ = ["ScalePer", "best_scale", "gradient_matching", "log_scale_invariant_loss", "scale_invariant_loss"]

ScalePer = Literal["image", "batch"]


def best_scale(preds: Tensor, target: Tensor, mask: Tensor, per: ScalePer = "image") -> Tensor:
    """The factor c = sum(m p g) / sum(m p p) that brings predictions nearest to the truth, without a gradient.

    Args:
        preds: (B,C,H,W), linear.
        target: (B,C,H,W), linear.
        mask: (B,1,H,W), 1 where a pixel counts.
        per: One factor for each ``image``, or one for the whole ``batch``.

    Returns:
        (B,1,1,1) or (1,1,1,1); 0 where nothing counts.
    """
    p = preds.detach()
    over = (1, 2, 3) if per == "image" else (0, 1, 2, 3)
    return (mask * p * target).sum(over, keepdim=True) / (mask * p * p).sum(over, keepdim=True).clamp_min(1e-12)


def gradient_matching(difference: Tensor, mask: Tensor, levels: int = 4) -> Tensor:
    """Absolute differences of the error two pixels apart, on every 1st, 2nd, 4th, 8th pixel, summed over levels.

    At each level G = (sum m_i m_j |D_i - D_j| along x + the same along y) / (2 sum m), where i and j are two pixels
    apart and D = m x difference.

    Args:
        difference: Prediction minus truth (B,C,H,W).
        mask: (B,1,H,W).
        levels: How many; each takes every second pixel of the one before, without a blur. A level that is left with
            two pixels or fewer on a side has no differences along it.

    Source: Li and Snavely, CGIntrinsics, ECCV 2018: the gradient term with the authors' distance of two pixels.
    """
    total = difference.new_zeros(())
    for level in range(levels):
        step = 2**level
        m = mask[..., ::step, ::step].expand(-1, difference.shape[1], -1, -1)
        d = m * difference[..., ::step, ::step]
        along_x = m[..., 2:] * m[..., :-2] * (d[..., 2:] - d[..., :-2]).abs()
        along_y = m[..., 2:, :] * m[..., :-2, :] * (d[..., 2:, :] - d[..., :-2, :]).abs()
        total = total + (along_x.sum() + along_y.sum()) / (2 * m.sum()).clamp_min(1)
    return total


def scale_invariant_loss(
    preds: Tensor,
    target: Tensor,
    mask: Tensor,
    per: ScalePer = "image",
    gradient_weight: float = 0.5,
) -> Tensor:
    """Squared error in linear light after the best scale, with its gradient pyramid.

    sum m (c p - g)^2 / sum m + gradient_weight x sum over four levels of G (see ``gradient_matching``), where c is
    ``best_scale``.

    Args:
        preds: exp of what a network predicts, (B,C,H,W), linear.
        target: The truth (B,C,H,W), linear.
        mask: (B,1,H,W), 1 where a pixel counts.
        per: Whether each image has its scale, or the batch has one for all, as in the authors' code.
        gradient_weight: Of the pyramid.

    Source: Li and Snavely, CGIntrinsics, ECCV 2018, L_sup.

    Example:
        >>> import torch
        >>> truth = torch.rand(2, 1, 16, 16) + 0.1
        >>> bool(scale_invariant_loss(3 * truth, truth, torch.ones(2, 1, 16, 16)) < 1e-6)
        True
    """
    difference = best_scale(preds, target, mask, per) * preds - target
    count = (mask.sum() * preds.shape[1]).clamp_min(1)
    return (mask * difference.square()).sum() / count + gradient_weight * gradient_matching(difference, mask)


def log_scale_invariant_loss(
    log_preds: Tensor,
    log_target: Tensor,
    mask: Tensor,
    per: ScalePer = "image",
    gradient_weight: float = 0.5,
) -> Tensor:
    """The variance of the error in logarithms, where a scale is an offset, with its gradient pyramid.

    mean d^2 - (mean d)^2 with d = log p - log g inside the mask, + gradient_weight x sum over four levels of G. The
    authors think this may suit shading better where IIW and SAW are trained on too.

    Args:
        log_preds: (B,C,H,W).
        log_target: (B,C,H,W); finite also outside the mask.
        mask: (B,1,H,W), 1 where a pixel counts.
        per: Over what a mean is taken: each ``image``, all images weighing alike, or the ``batch`` as the authors do.
        gradient_weight: Of the pyramid.

    Source: Li and Snavely, CGIntrinsics, ECCV 2018; the data term is Eigen et al.'s (NIPS 2014) with lambda = 1.
    """
    difference = log_preds - log_target
    over = (1, 2, 3) if per == "image" else (0, 1, 2, 3)
    count = (mask.sum(over, keepdim=True) * difference.shape[1]).clamp_min(1)
    mean = (mask * difference).sum(over, keepdim=True) / count
    variance = (mask * (difference - mean).square()).sum(over, keepdim=True) / count
    return variance.mean() + gradient_weight * gradient_matching(difference, mask)
