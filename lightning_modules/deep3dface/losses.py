"""The terms of the hybrid loss, unweighted; sums and means are those of the authors' code."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "coefficient_loss",
    "gamma_loss",
    "landmark_loss",
    "perceptual_loss",
    "photometric_loss",
    "reflectance_loss",
]

HEAVY_LANDMARKS = (28, 29, 30, *range(60, 68))
"""Ridge and tip of the nose, and the inner lips, 0-based."""
HEAVY = 20.0
"""How many times these landmarks count."""

W_EXPRESSION, W_TEXTURE = 0.8, 1.7e-2
"""Weights beside that of the identity, which is 1."""

BLEND_SHAPE_STD = 0.25
"""Stands for a standard deviation of blend shapes in [0,1]: two of them use half of the range."""
BLEND_SHAPE_REACH = 0.05
"""Likewise of what lies outside [0,1], which no face shows."""

TINY = 1e-6
"""Added to squared differences of colours before the root, whose slope at 0 is infinite."""


def photometric_loss(rendered: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Mean length of the colour differences, weighted: sum A |I - I'| / max(sum A, 1).

    Args:
        rendered: (B,3,H,W) picture, display-encoded.
        image: (B,3,H,W) picture to be matched.
        mask: (B,1,H,W) weights in [0,1], which get no gradient: the skin's probability times the face's mask.
    """
    mask = mask.detach()
    length = (TINY + (rendered - image).square().sum(1, keepdim=True)).sqrt()
    return (length * mask).sum() / mask.sum().clamp_min(1)


def landmark_loss(predicted: Tensor, true: Tensor, size: int = 224) -> Tensor:
    """Mean squared distance of the 68 points in pixels of a picture of 224, where some points count 20 times.

    Args:
        predicted: (B,68,2) in pixels of a picture of ``size``.
        true: (B,68,2) likewise; both with y up, or both with y down.
        size: Height and width of the picture.
    """
    weights = predicted.new_ones(68)
    weights[list(HEAVY_LANDMARKS)] = HEAVY
    squared = ((predicted - true) * (224 / size)).square().sum(-1)
    return (squared * weights).mean()


def perceptual_loss(feature: Tensor, other: Tensor) -> Tensor:
    """Mean of 1 - cosine between the recognition features (B,D) of rendered and real faces; any length will do."""
    return (1 - F.cosine_similarity(feature, other, dim=1)).mean()


def coefficient_loss(identity: Tensor, expression: Tensor, texture: Tensor, expression_prior: str = "normal") -> Tensor:
    """Keeps coefficients probable: the mean over the batch of |a|^2 + 0.8 |b|^2 + 0.017 |d|^2.

    The paper's coefficients are in standard deviations. Blend shapes (``expression_prior="unit"``) are not: theirs are
    divided by 0.25 first, and what leaves [0,1] costs its squared distance in units of 0.05 besides.

    Args:
        identity: (B,I).
        expression: (B,E).
        texture: (B,T).
        expression_prior: "normal" or "unit", as the face model has it.
    """
    moved = expression.square().sum(1)
    if expression_prior == "unit":
        outside = expression - expression.clamp(0, 1)
        moved = moved / BLEND_SHAPE_STD**2 + outside.square().sum(1) / BLEND_SHAPE_REACH**2
    each = identity.square().sum(1) + W_EXPRESSION * moved + W_TEXTURE * texture.square().sum(1)
    return each.mean()


def reflectance_loss(texture: Tensor, skin: Tensor) -> Tensor:
    """Variance of the skin's colour over its vertices, the three colours added up: skin is nearly of one colour.

    Args:
        texture: (B,V,3) display-encoded colours in 0..1.
        skin: (V,) bool or 0..1, the vertices that count.
    """
    weights = skin.to(texture.dtype)
    total = weights.sum().clamp_min(1)
    mean = torch.einsum("bvc,v->bc", texture, weights) / total
    squared = (texture - mean[:, None]).square().sum(-1)
    return (squared @ weights).mean() / total


def gamma_loss(gamma: Tensor) -> Tensor:
    """Light is nearly white: the mean squared difference of gamma (B,3,9) to its mean over the three colours."""
    return (gamma - gamma.mean(1, keepdim=True)).square().mean()
