"""From a description to pictures with the whole truth about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.random import Generator, Philox
from torch import Tensor
from torch.nn import functional as F

from datamodules.sampling.draws import SPLITS
from datamodules.scenes.bounce import Bounce, face_light, face_points, offset, sky_radiance
from datamodules.scenes.lighting import Source, sources_of, stratified
from datamodules.scenes.primitives import Solids
from datamodules.scenes.scene import Lighting, Scene
from datamodules.scenes.seen import Hits, Seen, paint, pick
from datamodules.scenes.smoothing import RunMeans
from datamodules.scenes.tracing import blocked, towards
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb, srgb_to_linear
from zoo.scene_classes import class_id

__all__ = ["SCENE_KEYS", "SceneRenderer", "render_scene"]

SCENE_KEYS = (
    "image", "albedo", "shading", "normal", "depth", "mask", "segmentation", "instances",
    "relit", "relit_shading", "shadow_edges",
)  # fmt: skip
"""All that a ``SceneRenderer`` can tell about a sample; the relit ones need more than one light."""

_WHITE_POINT = 0.9
"""This share of the picture is darker than what the camera exposes to ``_BRIGHT``."""
_BRIGHT = 0.8
"""sRGB."""
_WAVES = torch.linalg.qr(
    torch.tensor([[0.9, 0.3, -0.5], [0.4, -0.8, 0.7], [-0.2, 0.6, 0.9]]).repeat(3, 1, 1)
    + 0.55 * torch.tensor([[[0.0]], [[1.0]], [[-1.6]]]) * torch.eye(3)
).Q
"""Directions of the waves of bumps."""
_SHADOW_STEP = 0.12
"""Change from pixel to pixel of the share of light that is blocked, from which on it is a shadow's edge."""


class SceneRenderer:
    """Renders rooms and gardens.

    Inside ``mask`` linear(image) is albedo x shading; outside lie the sky, lamps and panes, and pixels that are burnt
    out in the picture or in a relit one.

    Args:
        height: Of the pictures.
        width: Of the pictures.
        seed: Sample i of a seed is always the same scene.
        kind: Rooms, gardens, or both in turn at random.
        lights: Under how many lights; all but the first give ``relit``.
        keys: Which of ``SCENE_KEYS``; by default all that there are.
        device: Where to render.

    Raises:
        UserError: A key or kind that is not known, too few pixels, or no light.
    """

    def __init__(
        self,
        height: int = 192,
        width: int = 256,
        seed: int = 0,
        kind: Literal["both", "rooms", "gardens"] = "both",
        lights: int = 1,
        keys: Sequence[str] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        known = [k for k in SCENE_KEYS if lights > 1 or not k.startswith("relit")]
        for key in keys or ():
            if key not in SCENE_KEYS:
                raise UserError(f"scenes have no key '{key}'; there are {', '.join(SCENE_KEYS)}.")
            if key not in known:
                raise UserError(f"'{key}' needs a scene under several lights; set lights to 2 or more.")
        if kind not in ("both", "rooms", "gardens"):
            raise UserError(f"there are no scenes of kind '{kind}'; there are both, rooms and gardens.")
        if min(height, width) < 16:
            raise UserError(f"scenes of {height} x {width} pixels are too small to see; take 16 or more.")
        if lights < 1:
            raise UserError("a scene needs a light to be seen; set lights to 1 or more.")
        self.height, self.width, self.seed, self.kind, self.lights = height, width, seed, kind, lights
        self.keys = tuple(keys) if keys is not None else tuple(known)
        self.device = torch.device(device)

    def scene(self, split: str, index: int) -> Scene:
        """The description of one sample."""
        key = np.random.SeedSequence((self.seed, SPLITS.index(split), 0x5CE7E)).generate_state(2, np.uint64)
        generator = Generator(Philox(key=key, counter=[0, index, 0, 0]))
        indoors = generator.random() < 0.5 if self.kind == "both" else self.kind == "rooms"
        return (_room() if indoors else _garden())(generator, self.lights)

    @torch.no_grad()
    def render(self, split: str, indices: Sequence[int]) -> dict[str, Tensor]:
        """Samples of a split, on the renderer's device.

        Returns:
            The keys asked for, as ``zoo.contract`` has them, albedo and shading with 3 channels, ``relit`` with L =
            lights - 1; and ``shadow_edges`` (B,H,W) bool: pixels of one surface where direct light begins or ends.
        """
        rendered = [render_scene(self.scene(split, int(i)), self.height, self.width, self.device) for i in indices]
        return {key: torch.stack([r[key] for r in rendered]) for key in self.keys}


def _room() -> Callable[[Generator, int], Scene]:
    from datamodules.scenes.rooms import draw_room

    return draw_room


def _garden() -> Callable[[Generator, int], Scene]:
    from datamodules.scenes.gardens import draw_garden

    return draw_garden


@torch.no_grad()
def render_scene(scene: Scene, height: int, width: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """One scene under all of its lightings.

    Args:
        scene: What to render.
        height: Of the picture.
        width: Of the picture.
        device: Where.

    Returns:
        ``SCENE_KEYS`` without the batch dimension; the relit ones if there are lightings for them.
    """
    shot = _Shot(scene, height, width, device)
    pictures = [shot.picture(lighting) for lighting in scene.lightings]
    mask = shot.valid.clone()
    for picture in pictures:
        mask &= (picture["linear"] <= 1).all(0)
    result = {
        "image": linear_to_srgb(pictures[0]["linear"].clamp(0, 1)),
        "albedo": shot.albedo,
        "shading": pictures[0]["shading"],
        "shadow_edges": pictures[0]["shadow_edges"] & mask,
        "mask": mask[None].float(),
        **shot.truth,
    }
    if len(pictures) > 1:
        result["relit"] = linear_to_srgb(torch.stack([p["linear"] for p in pictures[1:]]).clamp(0, 1))
        result["relit_shading"] = torch.stack([p["shading"] for p in pictures[1:]])
    return {key: value[..., :height, :width].contiguous() for key, value in result.items()}


class _Shot:
    """One scene and camera, under any light: what all lightings share is computed once."""

    def __init__(self, scene: Scene, height: int, width: int, device: torch.device | str) -> None:
        self._scene, self._size = scene, (height, width)
        self._solids = solids = Solids(scene.solids, device)
        self._seen = seen = Seen(scene, solids, height, width)
        self._faces = face_points(solids)
        lone = pick(seen.finer, seen.lone)
        self._paint, lone_paint, face_paint = paint(scene, solids, [seen.pixels, lone, self._faces])
        self._finer_paint = self._paint[seen.alike]
        self._finer_paint[seen.lone] = lone_paint
        self._face_albedo = face_paint.reshape(-1, 4, 3).mean(1)
        self._normal = self._with_bumps()
        self._filters = RunMeans(seen.image(seen.pixels.surface[:, None])[0])
        self._visible: dict[tuple[object, ...], Tensor] = {}
        self._bounce = Bounce(seen, seen.pixels.normal, self._filters)
        lit = {name for lighting in scene.lightings for name in lighting.glow}
        self._glows = torch.tensor([s.glow in lit for s in scene.solids], device=solids.device)
        self._casting = solids.only(solids.casts)
        self._large = solids.only(solids.casts & (solids.radius > 0.2), holes=False)
        self._average_paint()

    def _with_bumps(self) -> Tensor:
        """Normals (N,3) that wave: the gradient of three crossing waves, faded out where pixels are coarse."""
        hits, solids = self._seen.pixels, self._solids
        strength, size = solids.bumps[hits.solid.clamp_min(0)].unbind(-1)
        if not bool((strength > 0).any()):
            return hits.normal
        rough = (strength > 0).nonzero()[:, 0]
        place = hits.points[rough] * (6.2832 / size[rough])[:, None]
        fine = torch.zeros_like(place)
        for number, (turn, share) in enumerate(((0.7, 0.8), (1.3, 1.0), (2.3, 0.6))):
            # waves of no common direction or period, bent by others, look like no waves
            across = place @ (turn * _WAVES[number]).to(place)
            bend = place @ (0.6 * turn * _WAVES[number - 1].T).to(place)
            fine += share * torch.cos(across + 2.2 * torch.sin(bend.roll(1, 1)) + 1.3 * torch.sin(1.7 * bend))
        fade = (2 - 2.5 * hits.footprint[rough] / size[rough]).clamp(0, 1)
        normal = hits.normal.clone()
        normal[rough] = F.normalize(normal[rough] + (0.45 * strength[rough] * fade)[:, None] * fine, dim=1)
        return normal

    def _average_paint(self) -> None:
        """Albedo of pixels, the mean over the surfaces in them, and what else does not depend on light."""
        seen, scene = self._seen, self._scene
        device = self._solids.device
        surface = seen.pixels.solid >= 0
        glows = torch.cat([self._glows, torch.zeros(1, dtype=torch.bool, device=device)])
        self._emits = glows[seen.pixels.solid] | ~surface
        self._finer_emits = (glows[seen.finer.solid] | (seen.finer.solid < 0)).reshape(-1, 4)
        valid = ~self._emits
        valid[seen.edges] = ~(self._finer_emits.any(1) | self._emits[seen.edges])
        albedo = self._paint * ~self._emits[:, None]
        paints = self._finer_paint.reshape(-1, 4, 3) * ~self._finer_emits[..., None]
        albedo[seen.edges] = paints.sum(1) / (~self._finer_emits).sum(1, keepdim=True).clamp_min(1)
        self.valid = seen.image(valid[:, None])[0]
        self.albedo = seen.image(albedo)
        classes = [class_id(s.label) for s in scene.solids] + [class_id("sky")]
        things = [s.instance for s in scene.solids] + [0]
        normal = (self._normal @ seen.view.axes.T) * surface[:, None]
        self.truth = {
            "normal": seen.image(normal),
            "depth": seen.image(torch.where(surface, seen.depth, torch.zeros_like(seen.depth))[:, None]),
            "segmentation": seen.image(torch.tensor(classes, device=device)[seen.pixels.solid][:, None])[0],
            "instances": seen.image(torch.tensor(things, device=device)[seen.pixels.solid][:, None])[0],
        }

    def _visibility(self, source: Source) -> Tensor:
        """The share of a light (N,) that is not blocked, smooth over each surface."""
        if source.key in self._visible:
            return self._visible[source.key]
        seen, n = self._seen, source.samples
        u, v = stratified(seen.x, seen.y, n)
        normal = seen.pixels.normal
        origins = offset(seen.pixels.points, normal)
        ends, weight = source.ends(origins, normal, u, v)
        starts, ways = seen.tiles(origins), seen.tiles(ends - origins)
        valid = seen.tiles(((weight > 0) & (seen.pixels.solid >= 0))[:, None])[:, 0]
        shadow = blocked(self._casting, towards(starts, valid, *source.box(starts)), starts, ways)
        lit = ~seen.raster(shadow[:, None])[:, 0]
        # once more, for soft edges without the steps of single samples
        sums = self._filters.sums(self._filters.sums(seen.image(torch.stack([weight * lit, weight], 1)), n), n)
        share = torch.where(sums[1] > 1e-12, sums[0] / sums[1].clamp_min(1e-12), torch.ones_like(sums[0]))
        self._visible[source.key] = share.reshape(-1)
        return self._visible[source.key]

    def _shading(self, lighting: Lighting) -> tuple[Tensor, Tensor]:
        """Shading (N,3) of pixels, and where a shadow begins or ends (N,)."""
        points = self._seen.pixels.points
        direct = torch.zeros_like(points)
        parts: list[tuple[Tensor, Tensor]] = []
        faces = torch.zeros_like(self._faces.points)
        for source in sources_of(lighting):
            colour = points.new_tensor(source.colour)
            unblocked = source.unblocked(points, self._normal)
            share = self._visibility(source)
            direct += (unblocked * share)[:, None] * colour
            parts.append((unblocked * float(colour.mean()), share))
            faces += face_light(self._solids, self._large, self._faces, source)[:, None] * colour
        leaving = self._paint * direct * ~self._emits[:, None]
        face_leaving = self._face_albedo * faces.reshape(-1, 4, 3).mean(1)
        fill = points.new_tensor(lighting.ambient)
        indirect = self._bounce.shade(leaving, face_leaving, self._face_albedo, self._glows, lighting.sky, fill)
        shading = direct + indirect
        return shading, self._shadow_edges(parts, shading)

    def _shadow_edges(self, parts: list[tuple[Tensor, Tensor]], shading: Tensor) -> Tensor:
        """Where the blocked share of a light changes fast within one surface: (N,) bool."""
        seen = self._seen
        surface = seen.pixels.surface.reshape(seen.height, seen.width)
        total = shading.mean(1).reshape(seen.height, seen.width)
        found = torch.zeros_like(surface, dtype=torch.bool)
        for dim in (0, 1):
            size = surface.shape[dim]
            low, high = surface.narrow(dim, 0, size - 1), surface.narrow(dim, 1, size - 1)
            change = torch.zeros(low.shape, device=surface.device)
            for unblocked, share in parts:
                light = unblocked.reshape(surface.shape)
                part = share.reshape(surface.shape)
                step = part.narrow(dim, 1, size - 1) - part.narrow(dim, 0, size - 1)
                change += step * torch.minimum(light.narrow(dim, 0, size - 1), light.narrow(dim, 1, size - 1))
            brightest = torch.maximum(total.narrow(dim, 0, size - 1), total.narrow(dim, 1, size - 1))
            fast = (low == high) & (change.abs() > _SHADOW_STEP * brightest) & (brightest > 0)
            found.narrow(dim, 0, size - 1).logical_or_(fast)
            found.narrow(dim, 1, size - 1).logical_or_(fast)
        return found.reshape(-1)

    def _leaving(self, hits: Hits, paint: Tensor, ways: Tensor, shading: Tensor, lighting: Lighting) -> Tensor:
        """What surfaces, lamps, panes and the sky send to the camera along directions (N,3): (N,3)."""
        glow = [lighting.glow.get(s.glow) if s.glow else None for s in self._scene.solids]
        shines = torch.tensor([g is not None for g in [*glow, None]], device=paint.device)[hits.solid]
        radiance = torch.tensor([g or (0.0, 0.0, 0.0) for g in [*glow, None]], device=paint.device)[hits.solid]
        light = paint * torch.where(shines[:, None], radiance, shading)
        if lighting.sky is None:
            return light * (hits.solid >= 0)[:, None]
        nothing = (hits.solid < 0).nonzero()[:, 0]
        light[nothing] = sky_radiance(lighting.sky, ways[nothing], clouds=True)
        return light

    def picture(self, lighting: Lighting) -> dict[str, Any]:
        """The exposed picture under one lighting: ``linear`` and ``shading`` (3,H,W), ``shadow_edges`` (H,W)."""
        seen = self._seen
        shading, shadow_edges = self._shading(lighting)
        linear = self._leaving(seen.pixels, self._paint, seen.directions, shading, lighting)
        at_edges = shading[seen.alike]
        finer = self._leaving(seen.finer, self._finer_paint, seen.finer_directions, at_edges, lighting)
        linear[seen.edges] = finer.reshape(-1, 4, 3).mean(1)
        albedo = self.albedo
        exposure = self._exposure(seen.image(linear))
        linear, finer = linear * exposure, finer * exposure
        # a pane is brighter than white by far: without a limit it would eat up the bars before it
        finer = torch.where(self._finer_emits.reshape(-1, 1), finer.clamp_max(1.1), finer)
        linear[seen.edges] = finer.reshape(-1, 4, 3).mean(1)
        picture = seen.image(linear)
        # at edges shading is what makes the product exact: the light of the surfaces in a pixel, weighed by albedo
        whole = self.valid & (albedo > 0).all(0)
        mean = torch.where(whole, picture / albedo.clamp_min(1e-4), 0.0)
        return {
            "linear": picture,
            "shading": mean,
            "shadow_edges": seen.image(shadow_edges[:, None])[0],
        }

    def _exposure(self, picture: Tensor) -> Tensor:
        """What the camera's automatic multiplies light with."""
        height, width = self._size
        valid = self.valid[:height, :width]
        level = picture[:, :height, :width].mean(0)[valid]
        if not len(level):
            return picture.new_ones(())
        rank = max(int(_WHITE_POINT * len(level)) - 1, 0)
        bright = srgb_to_linear(picture.new_tensor(_BRIGHT)) * 2.0**self._scene.exposure
        return bright / level.kthvalue(rank + 1).values.clamp_min(1e-6)
