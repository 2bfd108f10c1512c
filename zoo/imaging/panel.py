"""Pictures side by side: one titled column a key, one row a sample; and contact sheets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from zoo.imaging.display import BACKGROUND

__all__ = ["contact_sheet", "panel"]

_SMALLEST_TILE = 176
"""Smaller tiles are enlarged by themselves, so that a title fits above each and a face can be judged."""

_INK = (40, 40, 40)
_PAPER = (round(255 * BACKGROUND),) * 3


def panel(columns: Mapping[str, Tensor], *, scale: float | None = None, rows: Sequence[str] = ()) -> Tensor:
    """Lay out pictures with one titled column a key and one row a sample.

    Columns may differ in resolution (a small input beside its large restoration): all are brought to one height.

    Args:
        columns: Title to (B, 3, H, W) or (B, 1, H, W), sRGB-encoded in [0, 1], on any device; see ``display``.
        scale: Tile height over the height of the tallest column; by default 1, or what makes tiles readable.
        rows: A name for each row, such as a file name; written above its row.

    Returns:
        (3, height, width) float32 on the CPU, sRGB-encoded, ready for ``write_image``.

    Raises:
        ValueError: No column, columns of different batch sizes, or something that is not a picture.
    """
    if not columns:
        raise ValueError("a panel needs at least one column.")
    stacks = {title: _as_pictures(title, stack) for title, stack in columns.items()}
    counts = {title: stack.shape[0] for title, stack in stacks.items()}
    if len(set(counts.values())) != 1:
        raise ValueError(f"the columns of a panel must have one number of samples, not {counts}.")
    tallest = max(stack.shape[-2] for stack in stacks.values())
    height = _tile_height(tallest, scale)
    gap = max(4, height // 32)
    tiles = [_to_height(stack, height) for stack in stacks.values()]
    widths = [tile.shape[-1] for tile in tiles]
    font_size = _font_size(height)
    titles = [_fit(title, width + gap // 2, font_size) for title, width in zip(stacks, widths, strict=True)]
    head = max(_text_height(*title) for title in titles) + 2 * gap
    line = font_size + gap if rows else 0
    count = next(iter(counts.values()))

    sheet = Image.new("RGB", (sum(widths) + gap * (len(widths) + 1), head + count * (height + gap + line)), _PAPER)
    pen = ImageDraw.Draw(sheet)
    left = gap
    for column, (width, (text, font)) in enumerate(zip(widths, titles, strict=True)):
        pen.multiline_text((left + width / 2, head - gap), text, fill=_INK, font=font, anchor="md", align="center")
        for row in range(count):
            sheet.paste(_to_pillow(tiles[column][row]), (left, head + row * (height + gap + line) + line))
        left += width + gap
    for row, name in enumerate(rows[:count]):
        text, font = _fit(name, sheet.width - 2 * gap, font_size, lines=1)
        pen.text((gap, head + row * (height + gap + line) + line - gap // 2), text, fill=_INK, font=font, anchor="ld")
    return _from_pillow(sheet)


def contact_sheet(
    images: Sequence[Tensor], titles: Sequence[str] = (), *, columns: int | None = None, tile: int = _SMALLEST_TILE
) -> Tensor:
    """Lay out pictures of any sizes in a grid, each centred in its tile above its title.

    Args:
        images: (3, H, W) or (1, H, W) each, sRGB-encoded in [0, 1].
        titles: A line of text for each picture, or nothing.
        columns: Tiles in a row; by default what makes the sheet about 3:2.
        tile: Width of a tile in pixels; it is as high as the highest picture needs, but no higher than wide.

    Returns:
        (3, height, width) float32 on the CPU, sRGB-encoded.

    Raises:
        ValueError: There is no picture, or a number of titles that is not the number of pictures.
    """
    if not images or (titles and len(titles) != len(images)):
        raise ValueError(f"a contact sheet of {len(images)} pictures cannot have {len(titles)} titles.")
    columns = min(len(images), columns or math.ceil(math.sqrt(1.5 * len(images))))
    gap = max(4, tile // 24)
    font_size = _font_size(tile)
    pictures = [_as_pictures(f"picture {index}", image[None]) for index, image in enumerate(images)]
    heights = [max(1, round(tile * min(1, each.shape[-2] / each.shape[-1]))) for each in pictures]
    high = max(heights)
    cell = high + gap + (font_size + gap if titles else 0)
    lines = math.ceil(len(images) / columns)
    sheet = Image.new("RGB", (columns * (tile + gap) + gap, lines * cell + gap), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for index, (picture, height) in enumerate(zip(pictures, heights, strict=True)):
        left, top = gap + index % columns * (tile + gap), gap + index // columns * cell
        fitted = _to_height(picture, height)
        sheet.paste(_to_pillow(fitted[0]), (left + (tile - fitted.shape[-1]) // 2, top + (high - height) // 2))
        if titles:
            text, font = _fit(titles[index], tile, font_size, lines=1)
            pen.text((left + tile / 2, top + high + gap // 2), text, fill=_INK, font=font, anchor="ma")
    return _from_pillow(sheet)


def _as_pictures(title: str, stack: Tensor) -> Tensor:
    if stack.ndim != 4 or stack.shape[1] not in (1, 3) or not stack.numel():
        raise ValueError(f"'{title}' has shape {tuple(stack.shape)}, but (B, 1 or 3, H, W) is expected.")
    return stack.detach().float().cpu().nan_to_num(0.0).clamp(0, 1).expand(-1, 3, -1, -1)


def _tile_height(height: int, scale: float | None) -> int:
    if scale is not None:
        return max(1, round(height * scale))
    # Whole factors keep what was sharp sharp.
    return height * math.ceil(_SMALLEST_TILE / height) if height < _SMALLEST_TILE else height


def _to_height(stack: Tensor, height: int) -> Tensor:
    """Resize: tiny pictures show their pixels, others are smoothed up or down."""
    if stack.shape[-2] == height:
        return stack
    size = (height, max(1, round(stack.shape[-1] * height / stack.shape[-2])))
    if height > stack.shape[-2] and stack.shape[-2] <= 48:
        return interpolate(stack, size, mode="nearest-exact")
    return interpolate(stack, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def _font_size(tile: int) -> int:
    return max(13, min(40, tile // 12))


def _fit(title: str, width: int, size: int, lines: int = 2) -> tuple[str, ImageFont.FreeTypeFont]:
    """Break, then shrink, then cut a title until it is no wider than its column."""
    for smaller in range(size, 10, -1):
        font = _font(smaller)
        wrapped = _wrap(title, font, width)
        if len(wrapped) <= lines and all(font.getlength(line) <= width for line in wrapped):
            return "\n".join(wrapped), font
    font = _font(11)
    text = title
    while len(text) > 1 and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…", font


def _wrap(title: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines = [""]
    for word in title.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # every wheel of Pillow has FreeType
    return font


def _text_height(text: str, font: ImageFont.FreeTypeFont) -> int:
    box = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), text, font=font)
    return math.ceil(box[3])


def _to_pillow(image: Tensor) -> Image.Image:
    return Image.fromarray((image * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy())


def _from_pillow(sheet: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(sheet)).permute(2, 0, 1).float().div(255).contiguous()
