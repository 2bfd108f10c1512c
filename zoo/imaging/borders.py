"""Pictures continued beyond their borders, for networks that want sides of certain lengths."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["crop_middle", "mirror_to_multiple"]


def mirror_to_multiple(image: Tensor, multiple: int, *, middle: bool = False) -> Tensor:
    """Continue a picture as its mirror image until its sides are multiples of a number.

    The border itself is not doubled. The mirror image goes to and fro where a picture is smaller than what it lacks,
    which ``F.pad`` refuses.

    Args:
        image: (B,C,H,W).
        multiple: What both sides shall be multiples of.
        middle: Continue it alike on all sides, so that ``crop_middle`` gives it back; by default only to the right and
            downwards, so that it stays at the top left corner.

    Returns:
        (B,C,H',W') with the smallest such sides.

    Example:
        >>> mirror_to_multiple(torch.tensor([[[[0.0, 1.0, 2.0]]]]), 8)[0, 0, 0].int().tolist()
        [0, 1, 2, 1, 0, 1, 2, 1]
    """
    rows, columns = (_mirrored(size, multiple, middle, image.device) for size in image.shape[-2:])
    return image.index_select(-2, rows).index_select(-1, columns)


def crop_middle(image: Tensor, height: int, width: int) -> Tensor:
    """The middle (...,height,width) of a picture that ``mirror_to_multiple`` has continued on all sides."""
    top, left = _before(height, image.shape[-2]), _before(width, image.shape[-1])
    return image[..., top : top + height, left : left + width]


def _mirrored(length: int, multiple: int, middle: bool, device: torch.device) -> Tensor:
    """Which pixel of a line lies where, once the line is long enough: a triangle wave."""
    whole = (length + multiple - 1) // multiple * multiple
    last = torch.arange(length, device=device)[-1:]  # a tensor: ONNX takes no remainder by a free size
    period = (2 * last).clamp_min(1)
    place = torch.arange(whole, device=device) - (_before(length, whole) if middle else 0)
    place = place.remainder(period)
    return torch.minimum(place, period - place)


def _before(length: int, whole: int) -> int:
    """How many pixels lie before the middle ``length`` of ``whole``.

    Not (whole - length) // 2: the exporter makes whole / 2 + (-length) // 2 of it, and ONNX rounds that towards zero.
    """
    return whole // 2 - length // 2
