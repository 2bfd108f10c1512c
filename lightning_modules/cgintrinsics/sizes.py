"""Sizes that the network takes: a picture reflected up to them, or the authors' table of sizes."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["crop_back", "official_size", "reflect_to_multiple"]


def reflect_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Reflect a picture at its borders, alike on all sides, until its sides are multiples.

    The reflection is itself reflected where a picture is smaller than what it lacks, which ``F.pad`` does not do.

    Args:
        image: (B,C,H,W), at least 2 pixels on each side.
        multiple: Of the sides of the result.

    Returns:
        (B,C,H',W') with the smallest such sides; ``crop_back`` undoes it.
    """
    rows = _reflected(image.shape[-2], multiple, image.device)
    columns = _reflected(image.shape[-1], multiple, image.device)
    return image.index_select(-2, rows).index_select(-1, columns)


def crop_back(padded: Tensor, height: int, width: int) -> Tensor:
    """The middle of a picture that ``reflect_to_multiple`` has made."""
    top, left = _before(height, padded.shape[-2]), _before(width, padded.shape[-1])
    return padded[..., top : top + height, left : left + width]


def _reflected(length: int, multiple: int, device: torch.device) -> Tensor:
    """Which pixel of a line lies where, once the line is long enough: a triangle wave."""
    whole = (length + multiple - 1) // multiple * multiple
    period = 2 * torch.arange(length, device=device)[-1:]  # a tensor: ONNX takes no remainder by a free size
    place = (torch.arange(whole, device=device) - _before(length, whole)).remainder(period)
    return torch.minimum(place, period - place)


def _before(length: int, whole: int) -> int:
    """How many pixels lie before the middle ``length`` of ``whole``.

    Not (whole - length) // 2: the exporter makes whole / 2 + (-length) // 2 of it, and ONNX rounds that towards zero.
    """
    return whole // 2 - length // 2


def official_size(height: int, width: int) -> tuple[int, int]:
    """Height and width to which the authors resize a photo of SAW, by the ratio of its sides.

    Source: the authors' test code.

    Example:
        >>> official_size(341, 512), official_size(512, 341), official_size(512, 512)
        ((256, 384), (384, 256), (384, 384))
    """
    ratio = height / width
    for limit, longer, shorter in ((1.73, 512, 256), (1.41, 384, 256), (1.15, 512, 384)):
        if ratio > limit:
            return longer, shorter
        if ratio < 1 / limit:
            return shorter, longer
    return 384, 384
