"""The authors' table of sizes in which their network is shown photographs."""

from __future__ import annotations

__all__ = ["official_size"]


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
