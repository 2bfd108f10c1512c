"""What a pair of pictures of one scene under two lights teaches: the terms of the siamese network.

Everything is linear light, (B,C,H,W); a mask is (B,1,H,W), 1 where both pictures are valid. ``I`` is a picture, ``A``
albedo, ``S`` shading and ``M`` the assignment. Norms are the mean absolute value over valid pixels and channels of the
whole batch.

Source: Ma, Chu, Zhou, Urtasun, Torralba, Single image intrinsic decomposition without a single intrinsic image, ECCV
2018, as far as its text says; the form of the embedding's margin is the zoo's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from zoo.losses.scale_invariant import best_scale

__all__ = [
    "GradDomain",
    "Layers",
    "embedding_loss",
    "gradient_loss",
    "masked_l1",
    "pixel_margin_loss",
    "reconstruction_loss",
    "scale_invariant_l1",
    "scale_prior",
    "scene_margin_loss",
]

GradDomain = Literal["log", "linear"]

_FLOOR = 1e-3
_COLOUR = 0.1
"""By how much chromaticities must differ, in the sum of their absolute differences, to be two paints."""


@dataclass(frozen=True)
class Layers:
    """One picture of a pair and what the network says of it: I (B,3,H,W), A (B,3,H,W), S (B,1|3,H,W), M (B,1,H,W)."""

    image: Tensor
    albedo: Tensor
    shading: Tensor
    assignment: Tensor


def masked_l1(difference: Tensor, mask: Tensor) -> Tensor:
    """The mean absolute value of a difference (B,C,H,W) inside a mask (B,1,H,W); 0 where nothing is valid."""
    return (mask * difference.abs()).sum() / (mask.sum() * difference.shape[1]).clamp_min(1)


def reconstruction_loss(one: Layers, two: Layers, mask: Tensor) -> Tensor:
    """L_rec = sum over i of |I_i - A_i S_i| + |I_i - A_j S_i|, j the other picture.

    Albedo does not depend on the light, so that the other picture's serves as well.
    """
    return sum(
        (
            masked_l1(own.image - albedo * own.shading, mask)
            for own, other in ((one, two), (two, one))
            for albedo in (own.albedo, other.albedo)
        ),
        start=mask.new_zeros(()),
    )


def gradient_loss(layers: Layers, mask: Tensor, domain: GradDomain = "log") -> Tensor:
    """L_grad of one picture = |grad A - M grad I| + |grad S - (1 - M) grad I|, in forward differences in x and y.

    Gradients add up exactly in logarithms alone (floor 1e-3), which are the default. A difference counts where both of
    its pixels are valid; each of the two norms is the mean over both directions.
    """
    image, albedo, shading = layers.image, layers.albedo, layers.shading
    if domain == "log":
        image, albedo, shading = (value.clamp_min(_FLOOR).log() for value in (image, albedo, shading))
    total = mask.new_zeros(())
    for axis in (-1, -2):
        step = image.diff(dim=axis)
        size = step.shape[axis]
        paint = layers.assignment.narrow(axis, 0, size)
        valid = mask.narrow(axis, 0, size) * mask.narrow(axis, 1, size)
        of_albedo = masked_l1(albedo.diff(dim=axis) - paint * step, valid)
        of_shading = masked_l1(shading.diff(dim=axis) - (1 - paint) * step, valid)
        total = total + (of_albedo + of_shading) / 2
    return total


def scene_margin_loss(
    albedo: Tensor, mask: Tensor, pairs: int, margin: float, generator: torch.Generator | None = None
) -> Tensor:
    """Mean over random pairs (a, b) of different scenes of max(0, margin - d(A_a, A_b)).

    d is the mean absolute difference of both albedos inside both masks, each divided by its own mean there: two
    albedos that are white, or grey alike, have the distance 0.

    Args:
        albedo: (B,3,H,W), one of each scene.
        mask: (B,1,H,W).
        pairs: How many are drawn.
        margin: The distance that different scenes must keep.
        generator: Who draws; on the CPU.

    Returns:
        A scalar; 0 for a batch of one scene, or where no pair has a valid pixel in common.
    """
    count = len(albedo)
    if count < 2:
        return albedo.new_zeros(())
    first = torch.randint(count, (pairs,), generator=generator)
    second = (first + 1 + torch.randint(count - 1, (pairs,), generator=generator)) % count
    first, second = first.to(albedo.device), second.to(albedo.device)
    valid = mask[first] * mask[second]
    pixels = (valid.sum((1, 2, 3)) * albedo.shape[1]).clamp_min(1)
    one, two = (_unit_mean(albedo[i], valid) for i in (first, second))
    distance = (valid * (one - two).abs()).sum((1, 2, 3)) / pixels
    met = valid.flatten(1).any(1)
    return ((margin - distance).clamp_min(0) * met).sum() / met.sum().clamp_min(1)


def pixel_margin_loss(
    one: Layers, two: Layers, mask: Tensor, pairs: int, margin: float, generator: torch.Generator | None = None
) -> Tensor:
    """The same inside a picture: pixels whose chromaticity differs under both lights must differ in albedo.

    Chromaticity is I / (sum of channels); a pair counts if the absolute differences of its chromaticities sum up to
    more than 0.1 in both pictures: a colour that comes with one of the lights alone is not of the paint. The distance
    of two pixels is the mean over channels of the absolute difference of albedo, divided by the picture's mean albedo.

    Args:
        one: A picture of each scene, and its layers.
        two: Another picture of each.
        mask: (B,1,H,W).
        pairs: How many pairs of pixels of each picture are drawn.
        margin: The distance that they must keep.
        generator: Who draws; on the CPU.

    Returns:
        A scalar; 0 where no pair counts.
    """
    shape = (2, len(mask), 1, pairs)
    places = torch.randint(mask[0].numel(), shape, generator=generator).to(mask.device)

    def at(value: Tensor, which: int) -> Tensor:
        place = places[which].expand(-1, value.shape[1], -1)
        return value.flatten(2).gather(2, place)

    weight = at(mask, 0) * at(mask, 1)
    for layers in (one, two):
        chromaticity = layers.image / layers.image.sum(1, keepdim=True).clamp_min(_FLOOR)
        differs = (at(chromaticity, 0) - at(chromaticity, 1)).abs().sum(1, keepdim=True) > _COLOUR
        weight = weight * differs
    albedo = _unit_mean(one.albedo, mask)
    distance = (at(albedo, 0) - at(albedo, 1)).abs().mean(1, keepdim=True)
    return (weight * (margin - distance).clamp_min(0)).sum() / weight.sum().clamp_min(1)


def embedding_loss(one: Layers, two: Layers, mask: Tensor, apart: Tensor) -> Tensor:
    """L_emb = |A_1 - A_2| + what keeps others apart (``scene_margin_loss``, ``pixel_margin_loss``)."""
    return masked_l1(one.albedo - two.albedo, mask) + apart


def scale_prior(one: Layers, two: Layers, mask: Tensor, mean: float) -> Tensor:
    """|mean albedo of all valid pixels of both pictures of the batch - mean|: pairs do not tell how bright paint is."""
    total = sum(((mask * each.albedo).sum() for each in (one, two)), start=mask.new_zeros(()))
    return (total / (2 * mask.sum() * one.albedo.shape[1]).clamp_min(1) - mean).abs()


def scale_invariant_l1(value: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """The mean of |alpha x - y| of labelled samples, alpha = sum(m x y) / sum(m x x) of each, without a gradient.

    Args:
        value: x (B,C,H,W).
        target: y (B,1|C,H,W); where x has one channel, the mean of the target's stands for it.
        mask: m (B,1,H,W), 0 in samples without labels.
    """
    target = target.mean(1, keepdim=True) if value.shape[1] == 1 else target.expand_as(value)
    return masked_l1(best_scale(value, target, mask) * value - target, mask)


def _unit_mean(albedo: Tensor, mask: Tensor) -> Tensor:
    pixels = (mask.sum((1, 2, 3), keepdim=True) * albedo.shape[1]).clamp_min(1)
    mean = (mask * albedo).sum((1, 2, 3), keepdim=True) / pixels
    return albedo / mean.clamp_min(_FLOOR)
