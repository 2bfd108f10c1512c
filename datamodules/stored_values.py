"""The numbers of an image file as they are stored: for albedo, masks and other maps that are no photographs.

``zoo.imaging.read_image`` shows a file as a person sees it: it applies colour profiles and lays transparency over
white. A map of measurements must not be touched in this way.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zoo.errors import UserError

__all__ = ["read_values", "refuse_other_sizes"]


def read_values(path: Path, channels: int) -> Tensor:
    """Read an image file without any interpretation of its colours.

    8-bit files are divided by 255, 16-bit files by 65535. Alpha is dropped. Grey becomes three equal channels where
    three are asked for, and colours their mean where one is.

    Args:
        path: A PNG or TIFF, or any other file that OpenCV reads.
        channels: 1 or 3.

    Returns:
        (channels, H, W) float32 in [0, 1].

    Raises:
        UserError: The file is missing, damaged, or holds something else than 8 or 16 bits.
    """
    import cv2  # slow to import

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                picture.load()  # OpenCV lets a truncated file pass
        stored = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    except FileNotFoundError as problem:
        raise UserError(f"{path} does not exist. Copy it again, or take its sample out of the data.") from problem
    except Exception as problem:  # decoders raise nearly anything when a file is damaged
        raise UserError(f"{path} is damaged or no image ({_first_line(problem)}). Copy it again.") from problem
    if stored is None or stored.dtype not in (np.uint8, np.uint16):
        raise UserError(f"{path} cannot be read as an image of 8 or 16 bits. Copy it again.")
    values = stored.astype(np.float32) / np.float32(255 if stored.dtype == np.uint8 else 65535)
    if values.ndim == 2:
        values = values[..., None]
    values = values[..., 2::-1] if values.shape[2] >= 3 else values[..., :1]
    if values.shape[2] != channels:
        values = values.mean(2, keepdims=True) if channels == 1 else np.repeat(values, channels, 2)
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def refuse_other_sizes(sizes: Mapping[Path, Sequence[int]]) -> None:
    """Raise where the maps of one sample differ in size.

    Args:
        sizes: Height and width by file, the picture first.

    Raises:
        UserError: Names the first map of another size.
    """
    (picture, (height, width)), *maps = sizes.items()
    for path, size in maps:
        if tuple(size) != (height, width):
            raise UserError(
                f"{path} has {size[1]} x {size[0]} values, but {picture.name} has {width} x {height} pixels. "
                "Copy both again."
            )


def _first_line(problem: BaseException) -> str:
    return (str(problem).splitlines() or [""])[0].rstrip(".") or type(problem).__name__
