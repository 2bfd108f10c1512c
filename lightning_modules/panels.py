"""Layers as a person reads them: each with the truth beside it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from lightning_modules.base import Batch
from zoo.imaging import display

__all__ = ["layers_beside_truth"]

_SAID_EVERYWHERE = ("segmentation",)
"""Keys that hold outside of the mask too: sky has a class and no albedo."""


def layers_beside_truth(keys: Sequence[str], prediction: Batch, batch: Batch) -> dict[str, Tensor]:
    """Titled pictures of the layers that there are, each followed by ``true …`` where the batch knows it.

    Args:
        keys: Of the contract, in the order in which they are read; those that the prediction lacks are passed over.
        prediction: What a model says.
        batch: The truth, and a mask outside of which nothing is shown, as far as there are any.

    Returns:
        (B,3,H,W) each, sRGB in [0, 1].
    """
    pictures = {}
    for key in keys:
        if key in prediction:
            mask = None if key in _SAID_EVERYWHERE else batch.get("mask")
            pictures[key] = display(key, prediction[key], mask)
            if key in batch:
                pictures[f"true {key}"] = display(key, batch[key], mask)
    return pictures
