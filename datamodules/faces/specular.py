"""The light that skin, lips, teeth and eyes mirror: in the picture, not in the truth."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from datamodules.sampling.draws import Draws
from datamodules.sampling.light import Light
from zoo.morphable import MorphableModel

__all__ = ["WET", "gloss_of_people", "gloss_of_triangles", "highlights"]

WET = 2.0**5.5
"""Exponents above this belong to wet things (lips, teeth, eyes), which shine alike on everybody."""

_FRESNEL = 0.028  # of skin and tears at normal incidence, for an index of refraction of 1.4

# strength as a multiple of a dielectric's, and exponent of the lobe: the higher, the smaller and brighter the highlight
_DRY, _SKIN = (0.2, 10.0), (0.45, 16.0)
_PARTS = {
    "skin": _SKIN, "ear": (0.35, 12.0), "neck": (0.3, 10.0), "hair": (0.4, 18.0), "brows": (0.2, 10.0),
    "lips": (0.6, 50.0), "mouth": (0.8, 60.0), "gums": (1.0, 80.0), "tongue": (0.8, 50.0), "teeth": (0.9, 120.0),
    "sclera": (1.0, 250.0), "iris": (1.0, 250.0), "pupil": (1.0, 250.0), "tears": (1.0, 200.0), "lashes": (0.2, 10.0),
}  # fmt: skip

# where skin is oily: points of the 68 whose mean is the middle, how far above it (in distances of the eyes), and radius
_OILY = (((21, 22), 0.45, 0.5), ((27, 28, 29), 0.0, 0.15), ((30,), 0.0, 0.2), ((1, 36, 31), 0.0, 0.25),
         ((15, 45, 35), 0.0, 0.25), ((8, 57), 0.0, 0.2))  # fmt: skip


def gloss_of_triangles(model: MorphableModel) -> Tensor:
    """How each triangle of a face model shines, by its part; skin more so on forehead, nose, cheekbones and chin.

    Args:
        model: With parts, or without: then all of it is skin.

    Returns:
        (T + 1, 2) strength and exponent; the last row is for whatever else is worn.
    """
    count = len(model.mean)
    names = model.label_names if model.labels is not None else ("skin",)
    table = torch.tensor([_PARTS.get(name, _DRY) for name in names])
    labels = torch.zeros(count, dtype=torch.long) if model.labels is None else model.labels.cpu()
    gloss = table[labels]
    oily = _oiliness(model)
    gloss[:, 0] *= 1 + 0.8 * oily * (gloss[:, 1] < WET)
    gloss[:, 1] *= 1 + 0.7 * oily * (gloss[:, 1] < WET)
    faces = gloss[model.triangles.cpu()].mean(1)
    return torch.cat((faces, torch.tensor([_DRY]))).to(model.triangles.device)


def _oiliness(model: MorphableModel) -> Tensor:
    mean = model.mean.cpu()
    if model.landmark_indices is None:
        return torch.zeros(len(mean))
    points = mean[model.landmark_indices.cpu()]
    eyes = (points[36:42].mean(0) - points[42:48].mean(0)).norm().clamp_min(1e-6)
    oily = torch.zeros(len(mean))
    for corners, above, radius in _OILY:
        middle = points[list(corners)].mean(0) + torch.tensor([0.0, above, 0.0]) * eyes
        oily = torch.maximum(oily, torch.exp(-((mean - middle) ** 2).sum(1) / (2 * (radius * eyes) ** 2)))
    return oily


def gloss_of_people(draws: Draws, device: torch.device | str = "cpu") -> Tensor:
    """Factors ``(B, 2)`` on strength and exponent of skin: from powdered to sweating, mostly in between."""
    oil = draws.normal("oily skin", limit=2)
    strength = np.exp(0.55 * oil + 0.15 * draws.normal("sheen", limit=2))
    exponent = np.exp(0.35 * oil + 0.3 * draws.normal("roughness of skin", limit=2))
    return torch.from_numpy(np.stack([strength, exponent], -1)).float().to(device)


def highlights(
    normal: Tensor, view: Tensor, strength: Tensor, exponent: Tensor, light: Light, shading: Tensor, unseen: Tensor
) -> Tensor:
    """What a rough dielectric mirrors of the lamps and, towards its outline, of everything else.

    Args:
        normal: (B,3,H,W) unit.
        view: (B,3,H,W) unit, towards the camera.
        strength: (B,1,H,W) as a multiple of what a dielectric mirrors.
        exponent: (B,1,H,W) of the lobe.
        light: Its lamps; a wide one widens and dims the highlight.
        shading: (B,3,H,W) Lambertian, which stands for the brightness of the surroundings.
        unseen: (B,1,H,W) share of the main lamp that is in shadow.

    Returns:
        (B,3,H,W) linear light to add.

    Source:
        Normalised Blinn-Phong lobe, pi times (m + 8) / (8 pi) (n.h)^m n.l per unit of shading, with Schlick's
        approximation of Fresnel's factor (Akenine-Möller et al., Real-Time Rendering, chapter 9).
    """
    facing = (normal * view).sum(1, keepdim=True).clamp(0, 1)
    # in grazing view a rough surface mirrors its surroundings, which is what bleaches the outline of a cheek
    total = shading * (0.12 * strength * (1 - facing) ** 4)
    for lamp in range(light.directions.shape[1]):
        colour = light.colours[:, lamp, :, None, None]
        if not bool(colour.any()):
            continue
        towards = light.directions[:, lamp, :, None, None]
        cosine = (normal * towards).sum(1, keepdim=True)
        along = (view * towards).sum(1, keepdim=True)
        half = ((cosine + facing) / (2 + 2 * along).clamp_min(1e-4).sqrt()).clamp(1e-4, 1)
        # half-way vectors turn half as far as the lamp: its variance counts for a quarter
        lobe = 1 / (1 / exponent + light.softness[:, lamp, None, None, None] / 4)
        # a rough surface hides half of its mirrors from itself where it is grazed, so that it never reaches 1
        fresnel = _FRESNEL + 0.2 * (1 - ((1 + along) / 2).clamp(0, 1).sqrt()) ** 5
        mirrored = strength * fresnel * (lobe + 8) / 8 * torch.exp(lobe * half.log()) * cosine.clamp_min(0)
        total += colour * (mirrored * (1 - unseen) if lamp == 0 else mirrored)
    return total
