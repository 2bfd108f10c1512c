"""Animated pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor

from zoo.files import written_whole

__all__ = ["write_gif"]

_SAMPLED = 8
"""Frames from which the palette is taken."""


def write_gif(path: str | Path, frames: Sequence[Tensor], *, seconds: float = 0.06) -> Path:
    """Write frames as a GIF that goes round for ever.

    All frames share one palette, so that colours do not flicker, and are not dithered, which keeps the file small.

    Args:
        path: The file to make.
        frames: (3,H,W) each, of one size, sRGB in [0,1].
        seconds: How long each is shown; GIF counts hundredths.

    Returns:
        The file.

    Raises:
        UserError: The place cannot be written to.
        ValueError: There is no frame.
    """
    if not frames:
        raise ValueError("a GIF needs at least one frame.")
    pictures = [
        Image.fromarray((frame.detach().cpu().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy())
        for frame in frames
    ]
    few = pictures[:: max(1, len(pictures) // _SAMPLED)]
    together = Image.new("RGB", (few[0].width, few[0].height * len(few)))
    for row, picture in enumerate(few):
        together.paste(picture, (0, row * picture.height))
    palette = together.quantize(255, method=Image.Quantize.MEDIANCUT, kmeans=1)
    plain = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    with written_whole(path) as part:
        plain[0].save(part, save_all=True, append_images=plain[1:], duration=round(seconds * 1000), loop=0)
    return Path(path)
