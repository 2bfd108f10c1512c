"""Augmentations that act on everything they must: the one place where a batch is mirrored or recoloured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from datamodules.sampling.draws import Draws
from zoo.contract import KEYS, LANDMARK_FLIP
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb, srgb_to_linear
from zoo.render.sh import flip_light

__all__ = ["UNFLIPPABLE", "crop_window", "flip_coins", "hflip", "recolour", "refuse_unflippable"]

UNFLIPPABLE = ("identity", "expression", "texture", "embedding", "vertices", "triangles")
"""Keys without a mirror image: the other person's coefficients and embedding are not known, and a mesh would turn
inside out."""

_MAPS = (
    "image",
    "target",
    "albedo",
    "shading",
    "reconstruction",
    "normal",
    "depth",
    "mask",
    "segmentation",
    "instances",
    "superpixels",
    "shading_labels",
    "relit",
    "relit_shading",
    "assignment",
    "illumination",
    "reflectance",
    "enhanced",
)


def hflip(batch: Mapping[str, Any], where: Tensor | None = None) -> dict[str, Any]:
    """Mirror samples left to right: a picture of the mirrored world.

    Maps are mirrored, normals' x changes sign, light's x, xy and xz terms do, landmarks swap sides, and the pose turns
    and moves the other way. Names that the contract does not know stay as they are.

    Args:
        batch: Tensors by the contract's names.
        where: (B,) bools; all samples by default.

    Returns:
        A new batch; nothing is changed in place.

    Raises:
        UserError: The batch has a key that cannot be mirrored (``UNFLIPPABLE``), or landmarks without a picture.

    Example:
        >>> hflip({"rotation": torch.tensor([[0.1, 0.2, 0.3]])})["rotation"]
        tensor([[ 0.1000, -0.2000, -0.3000]])
    """
    refuse_unflippable(batch)
    width = next((batch[key].shape[-1] for key in _MAPS if key in batch), None)
    mirrored: dict[str, Any] = {}
    for key, value in batch.items():
        if key not in KEYS:
            mirrored[key] = value
            continue
        other = _mirror(key, value, width)
        if where is not None:
            other = torch.where(where.view(-1, *[1] * (value.ndim - 1)), other, value)
        mirrored[key] = other
    return mirrored


def refuse_unflippable(keys: Iterable[str]) -> None:
    """Raise where a batch of these keys could not be mirrored.

    Raises:
        UserError: Names the keys, and what to do.
    """
    found = [key for key in keys if key in UNFLIPPABLE]
    if found:
        raise UserError(f"{', '.join(found)} cannot be mirrored. Leave them out of the keys, or set flip to false.")


def _mirror(key: str, value: Tensor, width: int | None) -> Tensor:
    if key in _MAPS:
        value = value.flip(-1)
        return value * value.new_tensor([-1, 1, 1]).view(3, 1, 1) if key == "normal" else value
    if key == "light":
        return flip_light(value)
    if key == "landmarks":
        if width is None:
            raise UserError("landmarks cannot be mirrored alone: the batch needs a picture to tell its width.")
        swapped = value[:, list(LANDMARK_FLIP)]
        return torch.stack((width - 1 - swapped[..., 0], swapped[..., 1]), -1)
    if key == "judgements":
        x1, y1, x2, y2, *rest = value.unbind(-1)
        return torch.stack((1 - x1, y1, 1 - x2, y2, *rest), -1)
    if key == "landmark_error":
        return value[:, list(LANDMARK_FLIP)]
    if key in ("confidence", "person"):
        return value
    if key == "rotation":  # M Rz Ry Rx M with M = diag(-1, 1, 1) turns about y and z the other way
        return value * value.new_tensor([1, -1, -1])
    if key == "translation":
        return value * value.new_tensor([-1, 1, 1])
    raise UserError(f"'{key}' has no rule to mirror it; add one to datamodules.augment.")


def recolour(batch: Mapping[str, Any], gain: Tensor) -> dict[str, Any]:
    """Change the colour and the strength of the light: image, shading and light follow, albedo and normals stay.

    The same scene under other lights changes alike. Where a picture would burn out the product no longer holds, so
    those pixels leave the mask.

    Args:
        batch: Tensors by the contract's names.
        gain: (B,3) factors on linear red, green and blue.

    Returns:
        A new batch; nothing is changed in place.
    """
    result = dict(batch)
    for key in ("image", "target", "reconstruction", "relit"):
        if key in batch:
            linear = srgb_to_linear(batch[key]) * _planes(gain, batch[key])
            result[key] = linear_to_srgb(linear.clamp_max(1))
            if key in ("image", "relit") and "mask" in batch:
                fits = linear.amax(-3, keepdim=True) <= 1
                result["mask"] = result["mask"] * (fits.all(1) if key == "relit" else fits)
    for key in ("shading", "relit_shading"):
        if key in batch:
            result[key] = batch[key] * _planes(gain, batch[key])
    if "light" in batch:
        result["light"] = batch["light"] * gain[:, :, None]
    return result


def _planes(gain: Tensor, like: Tensor) -> Tensor:
    """Gains (B,3) in the shape of pictures (B,3,H,W), or of several a sample (B,L,3,H,W)."""
    return gain.view(len(gain), *[1] * (like.ndim - 4), 3, 1, 1)


def crop_window(batch: Mapping[str, Any], place: Tensor, size: tuple[int, int]) -> dict[str, Any]:
    """Cut a window out of every map; judgements about points outside of it get the weight 0.

    Args:
        batch: Maps and judgements by the contract's names.
        place: (B,2) in [0, 1]: how far down and how far to the right of the possible places the window lies.
        size: Height and width of the window, at most those of the maps.

    Returns:
        A new batch; nothing is changed in place.

    Raises:
        UserError: The batch has a key that cannot be cropped, or no maps.
    """
    shape = next((value.shape[-2:] for key, value in batch.items() if key in _MAPS), None)
    if shape is None:
        raise UserError("there is no map to cut a window out of.")
    room = place.new_tensor([full - part + 1 for full, part in zip(shape, size, strict=True)])
    corners = [tuple(map(int, corner)) for corner in (place * room).long().clamp_max(room.long() - 1)]
    cropped: dict[str, Any] = {}
    for key, value in batch.items():
        if key in _MAPS:
            windows = [each[..., y : y + size[0], x : x + size[1]] for each, (y, x) in zip(value, corners, strict=True)]
            cropped[key] = torch.stack(windows)
        elif key == "judgements":
            cropped[key] = _crop_judgements(value, corners, shape, size)
        elif key in KEYS:
            raise UserError(f"'{key}' has no rule to crop it; leave it out of the keys.")
        else:
            cropped[key] = value
    return cropped


def _crop_judgements(
    value: Tensor, corners: Sequence[tuple[int, ...]], shape: Sequence[int], size: tuple[int, int]
) -> Tensor:
    corner = value.new_tensor([(x, y, x, y) for y, x in corners])[:, None]
    full, part = (value.new_tensor([width, height] * 2) for height, width in (shape, size))
    points = (value[..., :4] * full - corner) / part
    inside = ((points >= 0) & (points < 1)).all(-1, keepdim=True)
    return torch.cat((points.clamp(0, 1), value[..., 4:5], value[..., 5:] * inside), -1)


def flip_coins(seed: int, indices: Sequence[int]) -> Tensor:
    """A fair coin for each index of an ``EpochSampler``: which samples are mirrored in which epoch, ``(B,)`` bools."""
    return torch.from_numpy(Draws(seed, "train", indices).chance("flip", 0.5))
