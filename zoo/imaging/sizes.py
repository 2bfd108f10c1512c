"""Sizes in which networks are shown photographs, by their shape."""

from __future__ import annotations

__all__ = ["SAW_SHAPES", "Shapes", "Size", "by_ratio"]

Size = tuple[int, int]
"""Height and width in pixels."""

Shapes = tuple[tuple[float, Size], ...]
"""From which ratio of the longer to the shorter side on which size holds, for upright pictures; falling."""

SAW_SHAPES: Shapes = ((1.73, (512, 256)), (1.41, (384, 256)), (1.15, (512, 384)), (0.0, (384, 384)))
"""The sizes that CGIntrinsics feeds SAW's photos in."""


def by_ratio(height: int, width: int, shapes: Shapes = SAW_SHAPES) -> Size:
    """The network size of a photo, by its longer over its shorter side.

    Args:
        height: Of the photo.
        width: Of the photo.
        shapes: From which ratio on which size holds, for upright photos; in falling order, the last from 0.

    Source: the released code of CGIntrinsics (Li and Snavely, ECCV 2018).

    Example:
        >>> by_ratio(341, 512), by_ratio(384, 512), by_ratio(512, 256), by_ratio(480, 512)
        ((256, 384), (384, 512), (512, 256), (384, 384))
    """
    longer, shorter = max(height, width), min(height, width)
    size = next(size for ratio, size in shapes if longer / shorter > ratio)
    return size if height > width else (size[1], size[0])
