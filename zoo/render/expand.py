"""From boxes of pixels to the list of all (box, pixel) pairs, without waste and without a loop."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["expand_boxes", "span"]

EXACT_IN_FLOAT = 2**23
"""Up to this many pixels in a box, whole numbers and halves are exact in single precision."""


def span(low: Tensor, high: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The first and the last pixel centre between two coordinates and inside the picture, both as floats."""
    return low.ceil().clamp_(min=0), high.floor().clamp_(max=size - 1)


def expand_boxes(
    left: Tensor, top: Tensor, width: Tensor, pixels: Tensor, pairs: int, largest: int
) -> tuple[Tensor, Tensor, Tensor]:
    """List the pixels of each box, row by row.

    Args:
        left: ``(N,)`` first column of each box, a whole number as float.
        top: ``(N,)`` first row of each box, likewise.
        width: ``(N,)`` columns of each box, likewise.
        pixels: ``(N,)`` int64 pixels in each box.
        pairs: The sum of ``pixels``, known to the caller.
        largest: A bound on the pixels of one box.

    Returns:
        Box id (int64), column and row (floats) of each of the ``pairs`` pixels.
    """
    box = torch.repeat_interleave(torch.arange(pixels.numel(), device=pixels.device), pixels, output_size=pairs)
    start = pixels.cumsum(0) - pixels
    step = torch.arange(pairs, device=pixels.device).sub_(start.index_select(0, box))
    across = width.index_select(0, box)
    if largest < EXACT_IN_FLOAT:
        step = step.to(across.dtype)
        down = (step + 0.5).div_(across).floor_()
        across = torch.addcmul(step, down, across, value=-1)
    else:
        columns = across.long()
        rows = step.div(columns, rounding_mode="floor")
        down, across = rows.to(across.dtype), (step - rows * columns).to(across.dtype)
    return box, across.add_(left.index_select(0, box)), down.add_(top.index_select(0, box))
