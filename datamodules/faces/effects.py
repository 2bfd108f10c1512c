"""What keeps a picture from being albedo x shading: the picture changes, the truth does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from datamodules.effects.compression import compress, lose_resolution
from datamodules.effects.sensor import exposure, monochrome, sensor_noise, tone, white_balance
from datamodules.faces.lens import blur, flare, vignette
from datamodules.faces.lighting import SURFACE_EFFECTS
from datamodules.sampling.draws import Draws
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb

__all__ = ["EFFECTS", "apply_effects", "check_effects"]

_ON_LIGHT: dict[str, Callable[[Tensor, Draws], Tensor]] = {
    "flare": flare,
    "vignette": vignette,
    "exposure": exposure,
    "white_balance": white_balance,
    "blur": blur,
    "noise": sensor_noise,
}
_ON_PICTURE: dict[str, Callable[[Tensor, Draws], Tensor]] = {
    "tone": tone,
    "monochrome": monochrome,
    "resolution": lose_resolution,
    "compression": compress,
}

EFFECTS = (*SURFACE_EFFECTS, "backlight", *_ON_LIGHT, *_ON_PICTURE)
"""In the order in which they happen: at the head, behind it, in the camera, in the file."""


def check_effects(effects: Sequence[str]) -> tuple[str, ...]:
    """Effects by name, or ``"all"`` of them.

    Returns:
        Their names, each among ``EFFECTS``.

    Raises:
        UserError: There is no such effect.
    """
    names = EFFECTS if effects == "all" or tuple(effects) == ("all",) else tuple(effects)
    unknown = sorted(set(names) - set(EFFECTS))
    if unknown:
        raise UserError(f"no effect named '{unknown[0]}'; there are {', '.join(EFFECTS)}.")
    return names


def apply_effects(linear: Tensor, draws: Draws, effects: Sequence[str]) -> Tensor:
    """The picture that a camera makes of the light that reaches it.

    Every effect has draws of its own, so that leaving one out changes no other.

    Args:
        linear: (B,3,H,W), linear light; 1 is what the sensor holds at most.
        draws: The samples.
        effects: Some of ``EFFECTS``; they happen in that order, those of the scene having happened before.

    Returns:
        (B,3,H,W) sRGB in [0, 1].
    """
    for name, effect in _ON_LIGHT.items():
        if name in effects:
            linear = effect(linear, draws)
    picture = linear_to_srgb(linear.clamp(0, 1))
    for name, effect in _ON_PICTURE.items():
        if name in effects:
            picture = effect(picture, draws)
    return picture
