"""What camera and file make of a rendered scene: the picture changes, the truth does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from datamodules.effects.compression import compress, lose_resolution
from datamodules.effects.sensor import sensor_noise
from datamodules.sampling.draws import Draws
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb, srgb_to_linear

__all__ = ["SCENE_EFFECTS", "check_scene_effects", "photograph"]

_ON_PICTURE: dict[str, Callable[[Tensor, Draws], Tensor]] = {"resolution": lose_resolution, "compression": compress}

SCENE_EFFECTS = ("noise", *_ON_PICTURE)
"""In the order in which they happen."""

_OTHER_PICTURE = 1_000_003
"""Between the seeds of the pictures of one scene: each has noise of its own."""


def check_scene_effects(effects: Sequence[str]) -> tuple[str, ...]:
    """Effects by name.

    Raises:
        UserError: There is no such effect.
    """
    unknown = [name for name in effects if name not in SCENE_EFFECTS]
    if unknown:
        raise UserError(f"scenes have no effect named '{unknown[0]}'; there are {', '.join(SCENE_EFFECTS)}.")
    return tuple(effects)


def photograph(
    batch: Mapping[str, Any], seed: int, split: str, indices: Sequence[int], effects: Sequence[str]
) -> dict[str, Any]:
    """Put the effects into ``image``, and into every picture of ``relit``.

    Args:
        batch: Clean pictures by the contract's names.
        seed: Of the data set.
        split: Of the samples.
        indices: The samples; those that count on through the epochs get other noise in each.
        effects: Some of ``SCENE_EFFECTS``.

    Returns:
        A new batch; nothing is changed in place.
    """
    result = dict(batch)
    if not effects:
        return result
    if "image" in batch:
        result["image"] = _develop(batch["image"], Draws(seed, split, indices), effects)
    if "relit" in batch:
        pictures = [
            _develop(picture, Draws(seed + place * _OTHER_PICTURE, split, indices), effects)
            for place, picture in enumerate(batch["relit"].unbind(1), 1)
        ]
        result["relit"] = torch.stack(pictures, 1)
    return result


def _develop(picture: Tensor, draws: Draws, effects: Sequence[str]) -> Tensor:
    if "noise" in effects:
        picture = linear_to_srgb(sensor_noise(srgb_to_linear(picture), draws).clamp(0, 1))
    for name, effect in _ON_PICTURE.items():
        if name in effects:
            picture = effect(picture, draws)
    return picture
