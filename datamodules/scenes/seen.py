"""What the camera sees of a scene before there is light: surfaces, their points, normals and paint."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.scenes.camera import View
from datamodules.scenes.materials import Material, albedo_of
from datamodules.scenes.primitives import Solids
from datamodules.scenes.scene import Scene
from datamodules.scenes.tracing import first_hit, in_view

__all__ = ["TILE", "Hits", "Seen", "paint", "pick", "surfaces"]

TILE = 8
"""Edge of the square tiles of pixels whose rays are traced together."""

_GRID = ((-0.125, -0.375), (0.375, -0.125), (0.125, 0.375), (-0.375, 0.125))
"""Where a pixel at an edge is looked at once more: a rotated grid."""


@dataclass
class Hits:
    """Points on surfaces; N of them.

    Args:
        solid: (N,) id, -1 where a ray met nothing; then the rest means nothing.
        surface: (N,) id of solid and face, -1 for nothing.
        points: (N,3) world.
        normal: (N,3) world, towards the ray's origin.
        own_normal: (N,3) in the solid's axes, outward.
        footprint: (N,) metres of the surface across a pixel.
    """

    solid: Tensor
    surface: Tensor
    points: Tensor
    normal: Tensor
    own_normal: Tensor
    footprint: Tensor


class Seen:
    """First hits of a picture's rays.

    Args:
        scene: To look at.
        solids: The same, packed.
        height: Of the picture.
        width: Of the picture.

    Attributes:
        height, width: Of the picture, rounded up to whole pairs of tiles; everything is in raster order of this size.
        depth: (N,) metres along the axis, infinite for nothing.
        directions: (N,3) of depth 1.
        pixels: ``Hits`` of the pixels' centres.
        edges: (E,) pixels that contain an edge.
        finer: ``Hits`` of 4 more points in each of them, (4E,).
        finer_directions: (4E,3).
        alike: (4E,) for each of them the pixel around it that shows the same surface.
        lone: those for which there is none: their place in ``finer``.
    """

    def __init__(self, scene: Scene, solids: Solids, height: int, width: int) -> None:
        device = solids.device
        self.solids = solids
        self.view = View(scene.camera, height, width, device)
        self.height, self.width = (math.ceil(n / (2 * TILE)) * 2 * TILE for n in (height, width))
        y, x = torch.meshgrid(
            torch.arange(self.height, device=device), torch.arange(self.width, device=device), indexing="ij"
        )
        self.x, self.y = x.reshape(-1), y.reshape(-1)
        across, up = self.view.slopes(self.x.float(), self.y.float())
        depth, solid = self._trace(self.tiles(across[:, None])[:, 0], self.tiles(up[:, None])[:, 0])
        self.depth, solid = self.raster(depth[:, None])[:, 0], self.raster(solid[:, None])[:, 0]
        self.directions = self.view.directions(across, up)
        self.pixels = self._hits(self.depth, solid, self.directions)
        self.edges = self._edges()
        self._look_closer()
        self._find_alike()

    def tiles(self, values: Tensor, edge: int = TILE) -> Tensor:
        """From raster order (N,C) to tiles (T,C,edge²); the edge is ``TILE`` or twice that."""
        shape = (self.height // edge, edge, self.width // edge, edge, values.shape[1])
        return values.reshape(shape).permute(0, 2, 4, 1, 3).reshape(-1, values.shape[1], edge * edge)

    def raster(self, values: Tensor) -> Tensor:
        """From tiles (T,C,64) to raster order (N,C)."""
        c = values.shape[1]
        shape = (self.height // TILE, self.width // TILE, c, TILE, TILE)
        return values.reshape(shape).permute(0, 3, 1, 4, 2).reshape(-1, c)

    def image(self, values: Tensor) -> Tensor:
        """From raster order (N,C) to a picture (C,H,W) of the whole tiles."""
        return values.T.reshape(-1, self.height, self.width)

    def _trace(self, across: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
        """Depth and solid (T,K) along rays by their slopes (T,K)."""
        view = self.view
        directions = view.directions(across, up).transpose(1, 2).contiguous()
        origins = view.position[None, :, None].expand_as(directions)
        return first_hit(
            self.solids.groups, in_view(view.position, view.axes, across, up), origins, directions, nearest=0.05
        )

    def _hits(self, depth: Tensor, solid: Tensor, directions: Tensor) -> Hits:
        some = solid >= 0
        points = self.view.position + directions * torch.where(some, depth, torch.ones_like(depth))[:, None]
        hits = surfaces(self.solids, solid, points, directions)
        slope = (hits.normal * directions).sum(1).abs() / directions.norm(dim=1)
        hits.footprint = depth * self.view.pixel * directions.norm(dim=1) / slope.clamp_min(0.12).sqrt()
        return hits

    def _edges(self) -> Tensor:
        """Pixels beside another surface, in the order of the tiles."""
        ids = self.pixels.surface.reshape(self.height, self.width)
        differs = torch.zeros_like(ids, dtype=torch.bool)
        across, down = ids[:, 1:] != ids[:, :-1], ids[1:] != ids[:-1]
        differs[:, 1:] |= across
        differs[:, :-1] |= across
        differs[1:] |= down
        differs[:-1] |= down
        number = torch.arange(self.height * self.width, device=ids.device)
        order = self.tiles(number[:, None]).reshape(-1)
        return order[differs.reshape(-1)[order]]

    def _look_closer(self) -> None:
        grid = torch.tensor(_GRID, device=self.edges.device)
        x = (self.x[self.edges, None] + grid[:, 0]).reshape(-1)
        y = (self.y[self.edges, None] + grid[:, 1]).reshape(-1)
        across, up = self.view.slopes(x, y)
        rays = TILE * TILE
        missing = -len(x) % rays
        if len(x):
            padded = [torch.cat([v, v[-1:].expand(missing)]).reshape(-1, rays) for v in (across, up)]
            depth, solid = (v.reshape(-1)[: len(x)] for v in self._trace(*padded))
        else:
            depth, solid = across, self.edges.repeat_interleave(4)
        self.finer_directions = self.view.directions(across, up)
        self.finer = self._hits(depth, solid, self.finer_directions)

    def _find_alike(self) -> None:
        x, y = self.x[self.edges], self.y[self.edges]
        # four to a row, as they lie in one pixel
        surface, solid = self.finer.surface.view(-1, 4), self.finer.solid.view(-1, 4)
        best, score = self.edges[:, None].expand_as(solid), torch.full_like(solid, -1, dtype=torch.int8)
        for dy, dx in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)):
            near = (y + dy).clamp_(0, self.height - 1).mul_(self.width).add_((x + dx).clamp_(0, self.width - 1))
            other = self.pixels.solid[near][:, None]
            value = (other >= 0).to(torch.int8) + 2 * (other == solid)
            value += 4 * (self.pixels.surface[near][:, None] == surface)
            better = value > score
            best, score = torch.where(better, near[:, None], best), torch.maximum(value, score)
        self.alike = best.reshape(-1)
        self.lone = (score < 4).reshape(-1).nonzero()[:, 0]


def surfaces(solids: Solids, solid: Tensor, points: Tensor, directions: Tensor) -> Hits:
    """The surface at points (N,3) of solids (N,) that rays of directions (N,3) met; ``footprint`` is left at 0.1 m."""
    some = solid >= 0
    ids = solid.clamp_min(0)
    face, normal, own = solids.surface(ids, points)
    away = (normal * directions).sum(1, keepdim=True) > 0
    normal = torch.where(away, -normal, normal)
    surface = torch.where(some, ids * 8 + face, -1)
    return Hits(solid, surface, points, normal, own, torch.full_like(points[:, 0], 0.1))


def pick(hits: Hits, which: Tensor) -> Hits:
    """Some of them."""
    return Hits(**{name: values[which] for name, values in vars(hits).items()})


def paint(scene: Scene, solids: Solids, hits: list[Hits]) -> list[Tensor]:
    """Albedo (N,3) of each of several sets of points; every material is asked once."""
    solid = torch.cat([h.solid for h in hits])
    ids = solid.clamp_min(0)
    world = torch.cat([h.points for h in hits])
    points = solids.own(ids, world)
    normals = torch.cat([h.own_normal for h in hits])
    footprint = torch.cat([h.footprint for h in hits])
    numbers: dict[Material, int] = {}
    of_solid = [numbers.setdefault(s.material, len(numbers)) for s in scene.solids]
    material = torch.tensor(of_solid, device=solid.device, dtype=torch.int16)[ids]
    material[solid < 0] = len(numbers)
    order = material.argsort(stable=True)
    counts = torch.bincount(material, minlength=len(numbers) + 1).tolist()
    albedo = torch.full_like(points, 0.5)
    start = 0
    for kind, count in zip(numbers, counts, strict=False):
        which = order[start : start + count]
        start += count
        if count:
            place, normal, wide = (v.index_select(0, which) for v in (points, normals, footprint))
            albedo.index_copy_(0, which, albedo_of(kind, place, F.normalize(normal, dim=1), wide))
    return list(albedo.split([len(h.solid) for h in hits]))
