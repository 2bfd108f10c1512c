"""The keys, shapes, ranges, colour spaces and axes that every part of the zoo agrees on.

Tensors are float32 and batch first; colours are RGB. This module needs torch alone, and nothing
below the papers imports anything of theirs, so that a building block can be lifted out of the zoo.

A dimension named by a letter has one size in all keys of a batch: ``B`` batch, ``H`` and ``W``
height and width, ``V`` vertices. ``K`` (a number of coefficients), ``T`` (triangles), ``P`` (pairs of
points) and ``L`` (further lights) are a key's own. Light follows ``zoo.render.sh``;
landmarks follow the iBUG order of 68 points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo.errors import UserError

__all__ = ["IGNORE", "KEYS", "LANDMARK_FLIP", "LANDMARK_PARTS", "Key", "check"]

IGNORE = 255
"""The class id of pixels that no segmentation loss or metric counts."""


@dataclass(frozen=True)
class Key:
    """What one name in a batch or a prediction means.

    Args:
        shape: Sizes, ``"3"`` literally, a letter for a free one, ``"1|3"`` for a choice.
        meaning: One sentence for people: units, axes, colour space.
        low: Smallest value allowed, if there is one.
        high: Largest value allowed, if there is one.
        dtype: The tensor's type.
        batched: Whether the first dimension is the batch; a mesh's triangles are shared by it.
    """

    shape: tuple[str, ...]
    meaning: str
    low: float | None = None
    high: float | None = None
    dtype: torch.dtype = torch.float32
    batched: bool = True


KEYS: dict[str, Key] = {
    "image": Key(("B", "3", "H", "W"), "the model's input, sRGB-encoded", 0.0, 1.0),
    "target": Key(("B", "3", "H", "W"), "the clean image in restoration, sRGB-encoded", 0.0, 1.0),
    "albedo": Key(("B", "3", "H", "W"), "linear reflectance; linear(image) = albedo x shading inside mask", 0.0),
    "shading": Key(("B", "1|3", "H", "W"), "linear light that arrives; see albedo", 0.0),
    "reconstruction": Key(("B", "3", "H", "W"), "albedo x shading, sRGB-encoded", 0.0, 1.0),
    "normal": Key(("B", "3", "H", "W"), "unit normals in the camera frame: x right, y up, z to the viewer", -1.0, 1.0),
    "depth": Key(("B", "1", "H", "W"), "distance along the optical axis, 0 where there is nothing", 0.0),
    "light": Key(("B", "3", "9"), "spherical-harmonic radiance per colour, camera frame; see zoo.render.sh"),
    "mask": Key(("B", "1", "H", "W"), "1 where the sample is valid", 0.0, 1.0),
    "segmentation": Key(("B", "H", "W"), "class ids, 255 = ignore", 0.0, 255.0, torch.int64),
    "instances": Key(("B", "H", "W"), "ids of the things in a picture, 0 = nothing", 0.0, None, torch.int64),
    "superpixels": Key(("B", "H", "W"), "ids of small regions of one surface each, 0 = none", 0.0, None, torch.int64),
    "judgements": Key(
        ("B", "P", "6"),
        "pairs of points: x1, y1, x2, y2 as fractions of width and height; which has the darker albedo "
        "(0 neither, 1 or 2); weight (0 = padding)",
        0.0,
    ),
    "shading_labels": Key(
        ("B", "H", "W"),
        "0 edge of depth or normal, 1 of a shadow, 2 smooth, 255 = ignore",
        0.0,
        255.0,
        torch.int64,
    ),
    "relit": Key(("B", "L", "3", "H", "W"), "the same scene under other lights, sRGB-encoded", 0.0, 1.0),
    "relit_shading": Key(("B", "L", "1|3", "H", "W"), "the shading of each of those pictures, linear", 0.0),
    "assignment": Key(("B", "1", "H", "W"), "probability that the image's gradient is one of albedo", 0.0, 1.0),
    "illumination": Key(("B", "1", "H", "W"), "Retinex: light on the sRGB-encoded brightest channel", 0.0),
    "reflectance": Key(("B", "1", "H", "W"), "Retinex: illumination x reflectance = the brightest channel", 0.0),
    "enhanced": Key(("B", "3", "H", "W"), "the image with its illumination raised, sRGB-encoded", 0.0, 1.0),
    "landmarks": Key(("B", "68", "2"), "iBUG order, pixels, x right, y down, centre of the top-left pixel is (0, 0)"),
    "landmark_error": Key(("B", "68"), "distance from the truth to be expected of each landmark, pixels", 0.0),
    "confidence": Key(("B",), "probability that the picture shows what the model is for, such as a face", 0.0, 1.0),
    "person": Key(("B",), "whose picture it is: pictures of one person share the number", 0.0, None, torch.int64),
    "embedding": Key(("B", "K"), "unit vectors; their cosine says how alike two faces are", -1.0, 1.0),
    "identity": Key(("B", "K"), "morphable-model coefficients in standard deviations"),
    "expression": Key(("B", "K"), "in standard deviations, or in [0, 1] where the model has blend shapes"),
    "texture": Key(("B", "K"), "morphable-model coefficients in standard deviations"),
    "rotation": Key(("B", "3"), "Euler angles (x, y, z) in radians; R = Rz Ry Rx"),
    "translation": Key(("B", "3"), "model units, camera frame"),
    "vertices": Key(("B", "V", "3"), "mesh in the camera frame, model units"),
    "triangles": Key(("T", "3"), "vertex ids, counter-clockwise seen from outside", 0.0, None, torch.int64, False),
}

LANDMARK_PARTS: dict[str, range] = {
    "jaw": range(0, 17),
    "right brow": range(17, 22),
    "left brow": range(22, 27),
    "nose bridge": range(27, 31),
    "nose base": range(31, 36),
    "right eye": range(36, 42),
    "left eye": range(42, 48),
    "outer lips": range(48, 60),
    "inner lips": range(60, 68),
}
"""The 68 points by part; right and left are the person's, so the right eye lies at smaller x."""

# fmt: off
LANDMARK_FLIP: tuple[int, ...] = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1),
    *range(64, 59, -1), *range(67, 64, -1),
)
# fmt: on
"""Point ``i`` of a mirrored picture is point ``LANDMARK_FLIP[i]`` of the original one."""


def check(values: Mapping[str, Any], keys: Iterable[str] | None = None, *, slack: float = 1e-4) -> None:
    """Hold a batch or a prediction against the contract.

    Args:
        values: Tensors by name. Names that the contract does not know are left alone.
        keys: The names that must be there; by default those known ones that are.
        slack: How far rounding may carry a value out of its range.

    Raises:
        UserError: A key is missing, or has the wrong type, shape, range, or a value that is not finite.

    Example:
        >>> check({"image": torch.rand(2, 3, 8, 8), "mask": torch.ones(2, 1, 8, 8)}, ["image"])
        >>> check({"image": torch.rand(2, 3, 8, 8), "mask": torch.ones(2, 1, 9, 8)})
        Traceback (most recent call last):
        ...
        zoo.errors.UserError: 'mask' has shape (2, 1, 9, 8), but (B, 1, H, W) with B=2, H=8, W=8 is expected.
    """
    sizes: dict[str, int] = {}
    for name in keys if keys is not None else [k for k in values if k in KEYS]:
        if name not in values:
            raise UserError(f"'{name}' is missing; there are {', '.join(sorted(values)) or 'no keys at all'}.")
        key, value = KEYS[name], values[name]
        if not isinstance(value, Tensor) or value.dtype != key.dtype:
            raise UserError(f"'{name}' must be a {key.dtype} tensor, not {getattr(value, 'dtype', type(value))}.")
        _check_shape(name, key, value, sizes)
        if not value.numel():
            continue
        value = value.detach()
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise UserError(f"'{name}' holds values that are not finite (NaN or infinity).")
        low, high = float(value.min()), float(value.max())
        if (key.low is not None and low < key.low - slack) or (key.high is not None and high > key.high + slack):
            raise UserError(f"'{name}' runs from {low:.4g} to {high:.4g}, outside [{key.low}, {key.high}].")


def _check_shape(name: str, key: Key, value: Tensor, sizes: dict[str, int]) -> None:
    fits = value.ndim == len(key.shape)
    for expected, size in zip(key.shape, value.shape, strict=False):
        if not expected[0].isdigit():
            own = expected in ("K", "T", "P", "L")
            fits &= own or sizes.setdefault(expected, size) == size
        else:
            fits &= str(size) in expected.split("|")
    if not fits:
        known = ", ".join(f"{k}={v}" for k, v in sizes.items())
        expected = f"({', '.join(key.shape)})" + (f" with {known}" if known else "")
        raise UserError(f"'{name}' has shape {tuple(value.shape)}, but {expected} is expected.")
