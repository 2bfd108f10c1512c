"""Batches in which the truth of some samples is not told."""

from __future__ import annotations

from torch import Tensor

from lightning_modules.base import Batch

__all__ = ["truth_mask"]


def truth_mask(batch: Batch) -> Tensor:
    """Where albedo and shading can be learned from: the mask, and 0 all over a sample whose truth is not told.

    Args:
        batch: With ``mask`` (B,1,H,W), and ``labelled`` (B,) of 1 and 0 where not all samples have their truth, as
            ``datamodules.ProceduralScenes`` gives it.

    Returns:
        (B,1,H,W).
    """
    mask = batch["mask"]
    return mask * batch["labelled"].view(-1, 1, 1, 1) if "labelled" in batch else mask
