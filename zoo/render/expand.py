"""From boxes of pixels to the list of all (box, pixel) pairs, without waste and without a loop.

Whoever has expanded boxes lets each pair bid for its pixel with an integer key, the smaller the better, by
``scatter_reduce_(..., "amin")``: positive floats have bits in the order of integers, so that a key of (distance, id)
finds the nearest, and the lower id where distances are equal.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

__all__ = ["NOTHING", "default_budget", "expand_boxes", "pieces", "positions", "span"]

NOTHING = 2**63 - 1
"""The key of a pixel that nobody has bid for. Its lower half, read as an id, is -1."""

BUDGET_CPU = 2**17
BUDGET_CUDA = 2**24
"""How many pairs are held at once: what a CPU's cache likes, what fills a GPU."""

EXACT_IN_FLOAT = 2**23
"""Up to this many pixels in a box, whole numbers and halves are exact in single precision."""


def default_budget(device: torch.device) -> int:
    """How many (box, pixel) pairs to hold at once on a device."""
    return BUDGET_CPU if device.type == "cpu" else BUDGET_CUDA


def positions(mask: Tensor) -> Tensor:
    """Where a vector of bools is true, as int64."""
    if mask.device.type == "cpu":  # numpy's search is about ten times as fast as torch's
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.nonzero().squeeze(1)


def span(low: Tensor, high: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The first pixel centre between two coordinates and inside the picture, and how many there are, as floats."""
    first = low.ceil().clamp_(min=0)
    return first, high.floor().clamp_(max=size - 1).sub_(first).add_(1).clamp_(min=0)


def pieces(pixels: Tensor, budget: int) -> Iterator[tuple[int, int, int]]:
    """Runs of boxes that hold about ``budget`` pixels together: first box, last box + 1, pixels."""
    end = pixels.cumsum(0)
    total = int(end[-1]) if end.numel() else 0
    cuts, sums = [0], [0]
    if total > budget:
        marks = torch.arange(budget, total, budget, device=end.device)
        cut = torch.searchsorted(end, marks, right=True).unique()
        cut = cut[cut > 0]
        cuts, sums = cuts + cut.tolist(), sums + end.index_select(0, cut - 1).tolist()
    cuts, sums = [*cuts, end.numel()], [*sums, total]
    for first, last, before, after in zip(cuts, cuts[1:], sums, sums[1:], strict=False):
        if after > before:
            yield first, last, after - before


def expand_boxes(
    left: Tensor, top: Tensor, width: Tensor, pixels: Tensor, pairs: int, largest: int
) -> tuple[Tensor, Tensor, Tensor]:
    """List the pixels of each box, row by row.

    Args:
        left: ``(N,)`` first column of each box, a whole number as float.
        top: ``(N,)`` first row of each box, likewise.
        width: ``(N,)`` columns of each box, likewise.
        pixels: ``(N,)`` int64 pixels in each box, which may be none.
        pairs: The sum of ``pixels``, known to the caller.
        largest: A bound on the pixels of one box.

    Returns:
        Box id (int32), column and row (floats) of each of the ``pairs`` pixels.
    """
    start = pixels.cumsum(0).sub_(pixels)
    # Counting the boxes that have begun is twice as fast as repeat_interleave.
    box = torch.zeros(pairs + 1, dtype=torch.int32, device=pixels.device)
    box.index_add_(0, start, box.new_ones(1).expand(start.numel()))
    box = box[:pairs].cumsum(0, dtype=torch.int32).sub_(1)
    step = torch.arange(pairs, device=pixels.device).sub_(start.index_select(0, box))
    across = width.index_select(0, box)
    if largest < EXACT_IN_FLOAT:
        step = step.to(across.dtype)
        down = (step + 0.5).div_(across).floor_()
        across = step.sub_(down * across)
    else:
        columns = across.long()
        rows = step.div(columns, rounding_mode="floor")
        down, across = rows.to(across.dtype), (step - rows * columns).to(across.dtype)
    return box, across.add_(left.index_select(0, box)), down.add_(top.index_select(0, box))
