"""How a person sees each key of the contract."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.contract import IGNORE
from zoo.imaging.colour import linear_to_srgb
from zoo.scene_classes import SCENE_COLOURS

__all__ = ["BACKGROUND", "display", "segmentation_palette"]

BACKGROUND = 0.92
"""The neutral grey (sRGB) of panels and of pixels outside the mask."""

SHADING_EXPOSURE = 0.26
"""Shading is shown darker than it is: skin of a photograph that is exposed for it has a shading of 1 to 3.8."""

_PICTURES = ("image", "target", "reconstruction")


def display(key: str, value: Tensor, mask: Tensor | None = None, *, size: int = 128) -> Tensor:
    """Turn a value of the contract into a picture.

    - ``albedo`` and ``shading``: linear light through the sRGB curve; shading times ``SHADING_EXPOSURE``
    - ``normal``: 0.5 + 0.5 n, so blue faces the viewer, red looks right, green looks up
    - ``depth``: near is bright, far is dark, each sample stretched over its own range; 0 is background
    - ``segmentation``: one colour a class, the background grey where the label is to be ignored
    - ``instances`` and ``superpixels``: one colour an id, the background grey where there is none
    - ``shading_labels``: red edges of surfaces, blue edges of shadows, green where it is smooth, grey elsewhere
    - ``light``: a white sphere under that light
    - everything else with 1 or 3 channels: as it is

    Args:
        key: A name of ``zoo.contract.KEYS``, or any other for a value that is a picture already.
        value: As the contract has it; (B, C, H, W) in most cases.
        mask: (B, 1, H, W) in [0, 1]; outside of it the result is ``BACKGROUND``.
        size: Height and width of the sphere that shows ``light``.

    Returns:
        (B, 3, H, W) float32, sRGB-encoded, in [0, 1], on the device of ``value``, without gradient.

    Raises:
        ValueError: The value cannot be shown as a picture, such as a vector of coefficients.
    """
    value = value.detach()
    if key == "segmentation":
        shown = _coloured(value, segmentation_palette(value.device))
    elif key in ("instances", "superpixels"):
        shown = _coloured(value, _id_palette(int(value.max()) + 1, value.device))
    elif key == "shading_labels":
        shown = _coloured(value, _shading_label_palette(value.device))
    elif key == "light":
        shown, mask = _light(value.float(), size), None
    elif value.ndim != 4 or value.shape[1] not in (1, 3):
        raise ValueError(f"'{key}' of shape {tuple(value.shape)} is no picture; (B, 1 or 3, H, W) is expected.")
    elif key == "normal":
        shown = _normal(value.float())
    elif key == "depth":
        shown = _depth(value.float())
    elif key == "albedo":
        shown = linear_to_srgb(value.float())
    elif key == "shading":
        shown = linear_to_srgb(value.float() * SHADING_EXPOSURE)
    else:
        shown = value.float()
    shown = shown.nan_to_num(0.0).clamp(0, 1)
    shown = shown.expand(-1, 3, -1, -1)
    if mask is not None:
        inside = mask.detach().to(shown).clamp(0, 1)
        shown = shown * inside + BACKGROUND * (1 - inside)
    return shown.contiguous()


def segmentation_palette(device: torch.device | None = None) -> Tensor:
    """Give the colours of the class ids 0 to 255.

    The classes of scenes have the colours of ``zoo.scene_classes``. Behind them, the bits of the id are dealt out to
    red, green and blue from the highest bit down, so that neighbours differ strongly; this is the palette of PASCAL
    VOC. The id to be ignored has the background grey.

    Returns:
        (256, 3) float32, sRGB-encoded, in [0, 1].
    """
    ids = torch.arange(256, device=device)
    colours = torch.zeros(256, 3, dtype=torch.int64, device=device)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= ((ids >> channel) & 1) << (7 - bit)
        ids = ids >> 3
    palette = colours.float() / 255
    palette[: len(SCENE_COLOURS)] = torch.tensor(SCENE_COLOURS, device=device) / 255
    palette[IGNORE] = BACKGROUND
    return palette


def _id_palette(count: int, device: torch.device) -> Tensor:
    """Colours of ids (count,3): hues a golden section apart, so that ids that follow each other differ."""
    ids = torch.arange(count, device=device, dtype=torch.float64)
    hue, strength, value = (
        (ids * 0.6180340) % 1,
        0.45 + 0.4 * ((ids * 0.7548777) % 1),
        0.6 + 0.4 * ((ids * 0.5698403) % 1),
    )
    wheel = (hue[:, None] * 6 + torch.tensor([0.0, 4.0, 2.0], device=device)) % 6
    pure = ((wheel - 3).abs() - 1).clamp(0, 1)
    palette = (value[:, None] * (1 - strength[:, None] * (1 - pure))).float()
    palette[0] = BACKGROUND
    return palette


def _shading_label_palette(device: torch.device) -> Tensor:
    palette = torch.full((256, 3), BACKGROUND, device=device)
    palette[:3] = torch.tensor([[0.85, 0.15, 0.1], [0.1, 0.25, 0.9], [0.35, 0.75, 0.3]], device=device)
    return palette


def _coloured(value: Tensor, palette: Tensor) -> Tensor:
    """(B,H,W) or (B,1,H,W) ids in the colours of a palette: (B,3,H,W)."""
    ids = value[:, 0] if value.ndim == 4 else value
    return palette[ids.long().clamp(0, len(palette) - 1)].permute(0, 3, 1, 2)


def _normal(value: Tensor) -> Tensor:
    nothing = value.norm(dim=1, keepdim=True) < 1e-3
    return torch.where(nothing, torch.full_like(value, BACKGROUND), 0.5 + 0.5 * value)


def _depth(value: Tensor) -> Tensor:
    shown = torch.full_like(value, BACKGROUND)
    for sample, depth in zip(shown, value, strict=True):
        valid = depth > 0
        if not bool(valid.any()):
            continue
        seen = depth[valid]
        ends = torch.quantile(seen[:: seen.numel() // 100_000 + 1], torch.tensor([0.01, 0.99]).to(seen))
        nearness = (ends[1] - depth) / (ends[1] - ends[0]).clamp(min=1e-12)
        sample[valid] = (0.1 + 0.8 * nearness.clamp(0, 1))[valid]
    return shown


def _light(value: Tensor, size: int) -> Tensor:
    """A white sphere seen along z, lit by the harmonics, smooth at its edge."""
    from zoo.render.sh import shade  # a panel without light does not need the renderer

    axis = (torch.arange(size, device=value.device) + 0.5) / size * 2 - 1
    y, x = torch.meshgrid(-axis, axis, indexing="ij")
    radius = (x**2 + y**2).sqrt()
    inside = ((0.95 - radius) * size / 2 + 0.5).clamp(0, 1)
    x, y = x / 0.95, y / 0.95
    z = (1 - x**2 - y**2).clamp(min=0).sqrt()
    normal = torch.nn.functional.normalize(torch.stack([x, y, z]), dim=0).expand(value.shape[0], -1, -1, -1)
    lit = linear_to_srgb(shade(normal, value) * SHADING_EXPOSURE).clamp(0, 1)
    return lit * inside + BACKGROUND * (1 - inside)
