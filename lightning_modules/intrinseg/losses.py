"""The losses of IntrinSeg: layers up to a scale and as they are, and classes.

They are sums over channels and means over the valid pixels of a whole batch, in the symbols of the paper: J is
predicted, J^ the truth.

Source: Baslamisli et al., ECCV 2018; scale and its limits from the network that it builds on (Shi et al., CVPR 2017).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.contract import IGNORE

__all__ = ["class_loss", "layer_loss", "least_squares_scale"]

_SCALE_LIMITS = (0.1, 10.0)


def least_squares_scale(value: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """The scale alpha = sum(J J^) / sum(J^2) inside the mask, of each picture and channel, within [0.1, 10].

    Args:
        value: J (B,C,H,W).
        target: J^ (B,C,H,W).
        mask: (B,1,H,W).

    Returns:
        (B,C,1,1), 1 where J is 0 everywhere. It is a constant to the gradient: at the best scale the loss does not
        change with it, and at a limit it does not move.
    """
    value, target = (mask * value).detach(), mask * target
    energy = value.square().sum((2, 3), keepdim=True)
    alpha = (value * target).sum((2, 3), keepdim=True) / energy.clamp_min(1e-12)
    return torch.where(energy > 0, alpha.clamp(*_SCALE_LIMITS), 1.0)


def layer_loss(
    value: Tensor, target: Tensor, mask: Tensor, gamma_smse: float = 0.95, gamma_mse: float = 0.05
) -> Tensor:
    """L_CL = gamma_SMSE L_MSE(alpha J, J^) + gamma_MSE L_MSE(J, J^), with L_MSE = (1/n) sum of (J^ - J)^2.

    Args:
        value: J (B,1 or C,H,W), linear.
        target: J^ (B,1 or C,H,W), linear; one channel stands for all, and is compared with the mean of several.
        mask: (B,1,H,W), 1 where both are compared; n is its sum of squares.
        gamma_smse: Weight of the error that the best scale leaves.
        gamma_mse: Weight of the error as it is.

    Returns:
        A scalar; 0 where no pixel is valid.
    """
    if value.shape[1] == 1:
        target = target.mean(1, keepdim=True)
    target = target.expand_as(value)
    n = mask.square().sum().clamp_min(1)
    alpha = least_squares_scale(value, target, mask)
    scaled = (mask * (alpha * value - target)).square().sum() / n
    plain = (mask * (value - target)).square().sum() / n
    return gamma_smse * scaled + gamma_mse * plain


def class_loss(score: Tensor, labels: Tensor) -> Tensor:
    """L_CE: the mean over labelled pixels of -log p of the true class.

    Args:
        score: (B,C,H,W), before the soft-max.
        labels: (B,H,W) int64; ``IGNORE`` counts nowhere.

    Returns:
        A scalar; 0 where no pixel has a label.
    """
    total = F.cross_entropy(score, labels, ignore_index=IGNORE, reduction="sum")
    return total / (labels != IGNORE).sum().clamp_min(1)
