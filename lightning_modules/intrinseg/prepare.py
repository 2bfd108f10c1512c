"""What a picture goes through before the network: its brightest value becomes 1, its sides multiples of 32."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

__all__ = ["Normalisation", "normalise", "pad_to_multiple"]

Normalisation = Literal["max-8bit", "max", "none"]

_DARKEST_PEAK = 1e-4
_ROUNDING = 1e-3
"""Less than the smallest fraction of k * 255 / kmax of two whole numbers, more than float32 loses on it."""


def normalise(image: Tensor, how: Normalisation) -> Tensor:
    """Divide each picture by its largest value.

    Args:
        image: (B,3,H,W) in [0, 1].
        how: ``max-8bit``: the official way, x * 255 / max(x), cut to whole numbers, / 255, which for pictures of 8 bits
            gives exactly the authors' numbers (no gradient passes); ``max``: without the cut; ``none``: leave it.

    Returns:
        (B,3,H,W) in [0, 1]; a black picture stays black.
    """
    if how == "none":
        return image
    image = image / image.amax((1, 2, 3), keepdim=True).clamp_min(_DARKEST_PEAK)
    return (image * 255 + _ROUNDING).floor() / 255 if how == "max-8bit" else image


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Continue a picture to the right and downwards as its mirror image, to and fro where it is small.

    Args:
        image: (B,C,H,W).
        multiple: What both sides shall be multiples of.

    Returns:
        The picture, at its top left corner, and its reflection; the border itself is not doubled.
    """
    rows, columns = (_mirrored(size, size + -size % multiple, image.device) for size in image.shape[-2:])
    return image[..., rows, :][..., columns]


def _mirrored(size: int, wanted: int, device: torch.device) -> Tensor:
    """0 1 2 3 2 1 0 1 2 ... of the wanted length, for a size of 4."""
    last = torch.arange(size, device=device)[-1:]  # a tensor, because exported sizes are no numbers
    period = (2 * last).clamp_min(1)
    place = torch.arange(wanted, device=device) % period
    return torch.minimum(place, period - place)
