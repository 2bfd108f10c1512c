"""From random numbers to faces with the whole truth about them: a batch at a time, on any device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.faces.effects import apply_effects, check_effects
from datamodules.faces.framing import Placed, place
from datamodules.faces.lighting import backlight, leaving_light
from datamodules.faces.skin_detail import SkinDetail
from datamodules.faces.specular import gloss_of_triangles
from datamodules.faces.worn import Worn, WornRange
from datamodules.sampling.background import draw_background
from datamodules.sampling.camera import CameraRange, draw_framing
from datamodules.sampling.coefficients import draw_expression, draw_identity, draw_texture
from datamodules.sampling.draws import Draws
from datamodules.sampling.light import Light, draw_light, expose
from datamodules.sampling.occluder import draw_occluders
from datamodules.sampling.pose import PoseRange, draw_rotation
from zoo.contract import IGNORE
from zoo.errors import UserError
from zoo.imaging import srgb_to_linear
from zoo.morphable import MorphableModel
from zoo.render import interpolate, rasterize
from zoo.render.normals import unit_normals
from zoo.render.sh import shade

__all__ = ["FACE_KEYS", "FaceRenderer"]

FACE_KEYS = (
    "image", "albedo", "shading", "normal", "depth", "light", "mask", "segmentation", "landmarks",
    "identity", "expression", "texture", "rotation", "translation", "vertices", "triangles",
)  # fmt: skip
"""All that a ``FaceRenderer`` can tell about a sample."""

_OVERSAMPLING = 2


class FaceRenderer:
    """Renders faces of a morphable model under random light, pose, camera and background.

    Inside ``mask`` linear(image) is albedo x shading, exactly so without ``effects``; outside of it albedo, shading,
    normal and depth are 0. The mask holds the pixels that the head covers wholly: not those of its outline, and not
    what something stands in front of. ``segmentation`` is 0 for the background and 1 + the model's own part ids for
    the head, 255 on the outline and on things in front.

    Args:
        model: The face model; it is moved to ``device``.
        size: Height and width of the pictures.
        seed: Sample i of a seed is always the same face.
        keys: Which of ``FACE_KEYS`` to return.
        pose: Distribution of the head's pose.
        camera: Distribution of camera and crop.
        occluders: Share of samples with something in front of the face.
        effects: Some of ``datamodules.faces.effects.EFFECTS``, or "all", in the picture but not in the truth.
        people: How many pictures in a row show the same person; 1 for a new person in each.
        worn: How often people wear what, hair among it; by default nothing at all. It is in the picture, lit like the
            head, but no truth is told about it: the mask ends where it begins.
        detail: Freckles, pores, stubble and strands of hair, drawn for each person and part of the albedo.
        device: Where to render.

    Raises:
        UserError: A key that is not known, a size that is too small, or a key that the model cannot give.
    """

    def __init__(
        self,
        model: MorphableModel,
        size: int = 128,
        seed: int = 0,
        keys: Sequence[str] = FACE_KEYS,
        pose: PoseRange | None = None,
        camera: CameraRange | None = None,
        occluders: float = 0.3,
        effects: Sequence[str] | str = (),
        people: int = 1,
        worn: WornRange | None = None,
        detail: bool = True,
        device: torch.device | str = "cpu",
    ) -> None:
        unknown = [key for key in keys if key not in FACE_KEYS]
        if unknown:
            raise UserError(f"faces have no key '{unknown[0]}'; there are {', '.join(FACE_KEYS)}.")
        if size < 16:
            raise UserError(f"faces of {size} pixels are too small to see; take a size of at least 16.")
        if "segmentation" in keys and model.labels is None:
            raise UserError(f"the face model '{model.name}' has no parts, so leave 'segmentation' out of the keys.")
        self.device = torch.device(device)
        self.model = model.to(self.device)
        self.size, self.seed, self.keys, self.people = size, seed, tuple(keys), people
        self.pose, self.camera = pose or PoseRange(), camera or CameraRange()
        self._worn = None if worn is None or worn.nothing else Worn(self.model, worn)
        self._triangles, self._labels = self.model.triangles, self.model.labels
        if self._worn is not None:
            self._triangles = torch.cat((self._triangles, self._worn.triangles + len(self.model.mean)))
            if self._labels is not None:
                self._labels = torch.cat((self._labels, self._worn.labels_for(self.model)))
        self.occluders, self.effects = occluders, check_effects(effects)
        self._detail = SkinDetail(self.model) if detail else None
        self._gloss = gloss_of_triangles(self.model)

    @torch.no_grad()
    def render(self, split: str, indices: Sequence[int]) -> dict[str, Tensor]:
        """Samples ``indices`` of a split, as the contract has them, on the renderer's device."""
        draws = Draws(self.seed, split, indices)
        person = draws.of([i // self.people for i in draws.indices])
        device = self.device
        coefficients = {
            "identity": draw_identity(person, self.model).to(device),
            "expression": draw_expression(draws, self.model).to(device),
            "texture": draw_texture(person, self.model).to(device),
        }
        head = self.model(**coefficients)
        albedo = head["albedo"]
        rotation = draw_rotation(draws, self.pose).to(device)
        own, colours = len(self.model.mean), albedo
        if self._worn is not None:
            head, colours = self._worn.on(head, albedo, draws, person)
        placed = place(head, rotation, draw_framing(draws, self.camera), self.size)
        brightness = torch.from_numpy(np.exp(0.35 * draws.normal("brightness of the face", limit=2))).float()
        light = expose(draw_light(draws).to(device), placed.normals[:, :own], albedo, brightness.to(device))
        maps = self._draw(placed, colours, person)
        maps["shading"] = shade(maps["normal"], light.sh).clamp_min(0) * maps["cover"].gt(0)
        maps.update(self._compose(draws, person, maps, placed, light))
        known = {"light": light.sh, "rotation": rotation, **coefficients}
        known |= {
            "landmarks": placed.landmarks,
            "translation": placed.translation,
            "vertices": placed.vertices[:, :own],
        }
        return {key: self._value(key, known, maps) for key in self.keys}

    def _draw(self, placed: Placed, albedo: Tensor, person: Draws) -> dict[str, Tensor]:
        """Albedo, normal, depth and coverage, averaged over the part of each pixel that the head covers."""
        k = _OVERSAMPLING
        # pixel centres: the middle of k x k small pixels is the middle of the large one
        screen = torch.cat((placed.screen[..., :2] * k + (k - 1) / 2, placed.screen[..., 2:]), -1)
        triangles = self._triangles
        face_ids = rasterize(screen, triangles, self.size * k, self.size * k)
        attributes = torch.cat((albedo, placed.normals), -1)
        values, depth, corners = interpolate(screen, triangles, face_ids, attributes)
        covered, worn = ((face_ids >= first)[:, None].float() for first in (0, len(self.model.triangles)))
        pooled = F.avg_pool2d(torch.cat((values, depth, covered, worn), 1), k)
        cover = pooled[:, 7:8]
        share = cover.clamp_min(1e-6)
        maps = {
            "cover": cover,
            "worn": pooled[:, 8:],
            "albedo": pooled[:, 0:3] / share,
            "normal": unit_normals(pooled[:, 3:6]),
            "depth": pooled[:, 6:7] / share,
            "face_ids": face_ids[:, ::k, ::k],
        }
        if self._detail is not None:
            maps["albedo"] = maps["albedo"] * self._detail(person, face_ids[:, ::k, ::k], corners[..., ::k, ::k])
        if "segmentation" in self.keys:
            maps["segmentation"] = self._parts(face_ids, corners)
        return maps

    def _parts(self, face_ids: Tensor, corners: Tensor) -> Tensor:
        """The part that covers most of each pixel: the label of the nearest corner at each small pixel, and a vote."""
        assert self._labels is not None
        first, second, third = corners.unbind(1)
        a, b, c = self._triangles[face_ids.clamp_min(0)].unbind(-1)
        vertex = torch.where(first >= torch.maximum(second, third), a, torch.where(second >= third, b, c))
        label = torch.where(face_ids >= 0, self._labels[vertex] + 1, 0)
        a, b, c, d = (label[:, i::_OVERSAMPLING, j::_OVERSAMPLING] for i in range(2) for j in range(2))
        return torch.where((b == c) | (b == d), b, torch.where(c == d, c, a))

    def _compose(
        self, draws: Draws, person: Draws, maps: dict[str, Tensor], placed: Placed, light: Light
    ) -> dict[str, Tensor]:
        """The picture, and what of the head is validly seen in it."""
        size, device = self.size, self.device
        behind = srgb_to_linear(draw_background(draws, size, device))
        thing, opacity = draw_occluders(draws, size, self.occluders, device)
        # things in front stand in the face's light, as far as its mean goes
        glow = shade(
            placed.middle.new_tensor([0.0, 0.3, 0.95]).view(1, 3, 1, 1).expand(len(draws), -1, -1, -1), light.sh
        )
        product = seen = maps["albedo"] * maps["shading"]
        if self.effects:
            # what is not of the model itself, and what is not there, has the last row
            gloss = self._gloss[maps["face_ids"].clamp_max(len(self._gloss) - 1)].movedim(-1, 1)
            unit = 1000 * self.model.data.metres_per_unit
            seen = leaving_light(maps, placed, gloss, light, unit, draws, person, self.effects)
        if "backlight" in self.effects:
            behind = backlight(behind, draws)
        linear = torch.lerp(behind, seen, maps["cover"])
        linear = torch.lerp(linear, srgb_to_linear(thing) * glow.clamp(0.05, 1.2), opacity)
        valid = (maps["cover"] > 0.999) & (maps["worn"] == 0) & (opacity == 0) & (product.amax(1, keepdim=True) <= 1)
        picture = {"image": apply_effects(linear, draws, self.effects), "mask": valid.float()}
        if "segmentation" in maps:
            # what is wholly worn has labels of its own
            partly = (maps["cover"] > 0) & (maps["worn"] < 1) & ~valid | (opacity > 0)
            picture["segmentation"] = maps["segmentation"].masked_fill(partly[:, 0], IGNORE)
        return picture

    def _value(self, key: str, known: dict[str, Tensor], maps: dict[str, Tensor]) -> Tensor:
        if key == "triangles":
            return self.model.triangles
        if key in known:
            return known[key].contiguous()
        value = maps[key]
        return value * maps["mask"] if key in ("albedo", "shading", "normal", "depth") else value
