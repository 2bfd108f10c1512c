"""From the truth about a face to the light that leaves it: shadows taken away, highlights added."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from datamodules.faces.framing import Placed
from datamodules.faces.shadows import cast_shadow, crevices, dapples, lamp_frame
from datamodules.faces.specular import WET, gloss_of_people, highlights
from datamodules.sampling.draws import Draws, per_picture
from datamodules.sampling.light import Light
from zoo.render.sh import shade

__all__ = ["SURFACE_EFFECTS", "backlight", "leaving_light"]

SURFACE_EFFECTS = ("shadows", "crevices", "dapples", "specular")
"""What happens to light at the head."""


def leaving_light(
    maps: dict[str, Tensor],
    placed: Placed,
    gloss: Tensor,
    light: Light,
    millimetres: float,
    draws: Draws,
    person: Draws,
    effects: Sequence[str],
) -> Tensor:
    """The light that leaves the head: albedo x shading, and what Lambert's law and distant lamps leave out.

    Args:
        maps: albedo, normal, shading, depth and cover, ``(B,.,H,W)``.
        placed: The head before the camera.
        gloss: (B,2,H,W) strength and exponent of the highlight of what each pixel shows.
        light: Of each sample.
        millimetres: In one unit of the model.
        draws: The samples.
        person: Who is in them.
        effects: Some of ``SURFACE_EFFECTS``; other names are ignored.

    Returns:
        (B,3,H,W) linear.
    """
    albedo, normal, shading = maps["albedo"], maps["normal"], maps["shading"]
    rays = placed.rays(shading.shape[-1])
    unseen = torch.zeros_like(maps["depth"])
    if "shadows" in effects or "dapples" in effects:
        unseen = _unseen(maps, placed, rays, light, millimetres, draws, effects)
        share = shade(normal, light.lamps[:, 0]).clamp_min(0)
        shading = shading - torch.minimum(share, shading) * unseen
    if "crevices" in effects:
        lost = crevices(maps["depth"] * millimetres, maps["cover"], normal)
        shading = shading * (1 - lost * per_picture(draws.between("crevices", 0.4, 1.0), lost))
    product = albedo * shading
    if "specular" not in effects:
        return product
    own = gloss_of_people(person, gloss.device)[..., None, None]
    strength, exponent = torch.where(gloss[:, 1:] < WET, gloss * own, gloss).split(1, 1)
    view = -rays / rays.norm(dim=1, keepdim=True)
    return product + highlights(normal, view, strength, exponent, light, shading, unseen) * (maps["cover"] > 0)


def _unseen(
    maps: dict[str, Tensor],
    placed: Placed,
    rays: Tensor,
    light: Light,
    millimetres: float,
    draws: Draws,
    effects: Sequence[str],
) -> Tensor:
    """Share of the main lamp's light that does not arrive, ``(B,1,H,W)``."""
    frame = lamp_frame(light.directions[:, 0])
    middle = placed.middle * millimetres
    points = rays * maps["depth"] * millimetres
    unseen = torch.zeros_like(maps["depth"])
    if "shadows" in effects:
        width = 2 + 30 * light.softness[:, 0]
        unseen = cast_shadow(placed.vertices * millimetres, middle, points, maps["normal"], frame, width)
        unseen = unseen * per_picture(draws.between("shadow", 0.6, 1.0), unseen)
    rows = np.flatnonzero(draws.chance("dappled", 0.08)) if "dapples" in effects else np.empty(0, int)
    if len(rows):
        few = torch.from_numpy(rows).to(unseen.device)
        across = torch.einsum("bji,bihw->bjhw", frame[few, :2], points[few] - middle[few, :, None, None])
        lit = dapples(draws.of([draws.indices[row] for row in rows]), across)
        unseen[few] = 1 - (1 - unseen[few]) * lit
    return unseen


def backlight(behind: Tensor, draws: Draws) -> Tensor:
    """A background much brighter than the face, as in front of a window: up to six times, in one picture of eight."""
    return behind * per_picture(
        np.where(draws.chance("backlit", 0.12), np.exp(draws.between("backlight", 0.3, 1.8)), 1.0), behind
    )
