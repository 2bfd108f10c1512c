"""What a picture goes through before the network: its brightest value becomes 1."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

__all__ = ["Normalisation", "normalise"]

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
