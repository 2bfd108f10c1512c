"""Light that comes from other surfaces and from the sky: one bounce by rays, the further ones on average."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.scenes.lighting import Source, dome, stratified
from datamodules.scenes.materials.noise import fbm
from datamodules.scenes.primitives import Group, Solids
from datamodules.scenes.scene import Sky
from datamodules.scenes.seen import TILE, Hits, Seen, surfaces
from datamodules.scenes.smoothing import RunMeans
from datamodules.scenes.tracing import blocked, first_hit, in_sectors, into_half_space, towards

__all__ = ["Bounce", "face_points", "offset", "sky_radiance"]

_PATTERN = 5
"""Edge of the pixels that share out the directions of the dome."""
_TENT = 7
"""Edge of the pixels over which what they bring is made smooth."""
_WIDE = 25
"""Likewise for what comes from afar."""
_NEAR = 40.0
"""Pixels, at the distance of the surface, up to which a ray's end is near."""
_IN_CORNERS = 0.35
"""Of the light that is everywhere, this share arrives where something is near."""
_RAYS = 2
"""From each pixel that sends any."""
_SECTORS = 4
"""Around the normal, into which these rays are sorted."""
_BLUR = 15
"""Pixels over which light that leaves surfaces is averaged before it is gathered."""
_SMALLEST = 0.08
"""What looks smaller throws no shade (radius by distance)."""
_BRIGHTEST = 5.0
"""What a ray brings at most, in means of all rays: a patch of sun would show in the pattern of the rays."""


class Bounce:
    """Rays from what is seen into the half space above it, and what they meet.

    Args:
        seen: By the camera.
        normals: (N,3) of its surfaces.
        filters: Over its surfaces.
    """

    def __init__(self, seen: Seen, normals: Tensor, filters: RunMeans) -> None:
        self._seen, self._filters = seen, filters
        # over the pixels that send rays
        self._senders = RunMeans(seen.image(seen.pixels.surface[:, None])[0, ::2, ::2])
        solids = seen.solids
        # every fourth pixel is enough, for all are averaged afterwards
        edge = 2 * TILE
        places = torch.arange(edge * edge, device=solids.device)
        places = places[(places // edge % 2 == 0) & (places % 2 == 0)]
        number = torch.arange(len(seen.depth), device=solids.device)
        pixels = seen.tiles(number[:, None], edge)[:, 0, places]
        self._pixels = pixels.repeat(1, _RAYS)
        flat = self._pixels.reshape(-1)
        x, y = seen.x[pixels].reshape(-1) // 2, seen.y[pixels].reshape(-1) // 2
        samples = [stratified(x, y, _PATTERN, _RAYS, k) for k in range(_RAYS)]
        u, v = (
            torch.stack(p, 1).reshape(len(pixels), -1, _RAYS).transpose(1, 2).reshape(-1)
            for p in zip(*samples, strict=True)
        )
        normals = normals.index_select(0, flat)
        directions = dome(normals, u, v)
        starts = offset(seen.pixels.points.index_select(0, flat), normals)

        def tiled(values: Tensor) -> Tensor:
            return values.reshape(len(pixels), -1, 3).transpose(1, 2).contiguous()

        valid = seen.pixels.solid[self._pixels] >= 0
        origins, ways = tiled(starts), tiled(directions)
        groups = solids.only(torch.ones_like(solids.casts), holes=False)
        up = tiled(normals)
        reach = into_half_space(origins, up, valid, _SMALLEST)
        # rays of a tile that leave to the same side go together, for they meet fewer solids
        order = v.reshape(len(pixels), -1).argsort(1)

        def sectors(values: Tensor) -> Tensor:
            turned = values.gather(-1, order.view(len(order), *[1] * (values.ndim - 2), -1).expand_as(values))
            return turned.unflatten(-1, (_SECTORS, -1)).movedim(-2, 1).contiguous()

        axis = F.normalize((up * valid[:, None]).sum(2), dim=1)
        origins, ways = sectors(origins), sectors(ways)
        reach = in_sectors(reach, axis, origins, ways, sectors(valid))
        met = first_hit(groups, reach, origins.flatten(0, 1), ways.flatten(0, 1), nearest=1e-4)
        distance, solid = (torch.empty_like(m).view(order.shape).scatter_(1, order, m.view(order.shape)) for m in met)
        self._solid = torch.where(valid, solid, -2).reshape(-1)
        self._directions = directions
        distance = distance.reshape(-1)
        self._is_near = (self._solid >= 0) & (distance < _NEAR * seen.view.pixel * seen.depth[flat])
        distance = torch.where(distance.isfinite(), distance, torch.zeros_like(distance))[:, None]
        points = starts + directions * distance
        hits = surfaces(solids, self._solid, points, directions)
        self._on_screen = self._find_on_screen(points, hits)
        self._face = self._solid.clamp_min(0) * 6 + _sides(hits.own_normal)

    def _find_on_screen(self, points: Tensor, hits: Hits) -> Tensor:
        """The pixel that shows what a ray met, or -1."""
        seen = self._seen
        x, y, depth = seen.view.project(points)
        x, y = x.round().long(), y.round().long()
        inside = (x >= 0) & (x < seen.width) & (y >= 0) & (y < seen.height) & (depth > 0)
        pixel = torch.where(inside, y * seen.width + x, 0)
        same = inside & (hits.surface >= 0) & (seen.pixels.surface[pixel] == hits.surface)
        same &= (seen.depth[pixel] - depth).abs() < 0.1 * depth
        return torch.where(same, pixel, -1)

    def shade(
        self, leaving: Tensor, faces: Tensor, face_albedo: Tensor, dark: Tensor, sky: Sky | None, fill: Tensor
    ) -> Tensor:
        """Shading (N,3) by what the rays bring.

        Args:
            leaving: (N,3) what pixels send out of direct light: albedo times direct shading.
            faces: (P*6,3) likewise, on average, of the six sides of all solids.
            face_albedo: (P*6,3).
            dark: (P,) bool: solids that count as lights already, and bring nothing here.
            sky: Where rays meet nothing.
            fill: (3,) light on every surface that is met, beside that of the lights.
        """
        met = self._solid >= 0
        # blurred, or patches of sun would show in the pattern of the rays
        picture = self._seen.image(torch.cat([leaving, torch.ones_like(leaving[:, :1])], 1))
        for _ in range(2):
            picture = self._filters.sums(picture, _BLUR)
        blurred = (picture[:3] / picture[3:]).reshape(3, -1).T
        from_screen = blurred.index_select(0, self._on_screen.clamp_min(0))
        of_faces = faces.index_select(0, self._face)
        radiance = torch.where((self._on_screen >= 0)[:, None], from_screen, of_faces)
        lit = met & ~dark[self._solid.clamp_min(0)]
        albedo = face_albedo.index_select(0, self._face) * lit[:, None]
        radiance = radiance * lit[:, None]
        missed = self._solid == -1
        if sky is not None:
            radiance = torch.where(missed[:, None], sky_radiance(sky, self._directions), radiance)
        count = (self._solid >= -1).sum().clamp_min(1)
        mean = radiance.sum(0) / count
        radiance = torch.minimum(radiance, _BRIGHTEST * mean + 1e-6)
        # further bounces: a surface that is met sees on average what the seen ones see
        share = albedo.sum(0) / count
        further = fill + mean / (1 - share).clamp_min(0.15)
        # less so in corners: what is near takes light away as it is taken from
        radiance = radiance + albedo * further * torch.where(self._is_near, _IN_CORNERS, 1.0)[:, None]
        return self._average(radiance)

    def _average(self, radiance: Tensor) -> Tensor:
        seen = self._seen
        # what is near shades in detail; what comes from afar changes little from place to place, where it arrives
        near = self._is_near.to(radiance.dtype)[:, None]
        rays = torch.cat([radiance * near, torch.ones_like(near), 1 - near, radiance * (1 - near)], 1)
        # as every pixel sends the same number of rays, those of one are added up in its place
        rays = rays.reshape(len(self._pixels), _RAYS, -1, 8).sum(1)
        across = seen.width // (2 * TILE)
        values = rays.reshape(-1, across, TILE, TILE, 8).permute(4, 0, 2, 1, 3).reshape(8, -1, across * TILE)
        # around a pixel that sends rays this takes in the whole pattern of them; the others lie between such pixels
        sums = self._senders.sums(values, _PATTERN)
        fine = self._filters.spread(sums[:5], _TENT)
        far = self._filters.spread(sums[4:], _WIDE)
        from_afar = far[1:] / far[:1].clamp_min(1e-6)
        means = (fine[:3] + fine[4:] * from_afar) / fine[3:4].clamp_min(1e-6)
        # what is so thin that no pixel of it sends rays is lit like what is around it
        thin = (fine[3] == 0).reshape(-1).nonzero()[:, 0]
        blocks = F.avg_pool2d(F.avg_pool2d(sums[None], TILE // 2), 3, 1, 1)[0]
        around = blocks[:, seen.y[thin] // TILE, seen.x[thin] // TILE]
        result = means.reshape(3, -1).T.contiguous()
        result[thin] = ((around[:3] + around[5:]) / around[3:4].clamp_min(1e-6)).T
        return result


def sky_radiance(sky: Sky, directions: Tensor, clouds: bool = False) -> Tensor:
    """What the sky sends from directions (N,3): (N,3)."""
    height = (directions[:, 1] / directions.norm(dim=1)).clamp(0, 1)
    horizon, zenith = directions.new_tensor(sky.horizon), directions.new_tensor(sky.zenith)
    colour = torch.lerp(horizon, zenith, height.sqrt()[:, None])
    if clouds and sky.clouds > 0:
        place = directions[:, [0, 2]] / (height[:, None] + 0.15)
        noise = fbm(place, 0.9, sky.seed, torch.full_like(height, 0.01), octaves=5)
        cover = ((noise + 1.6 * sky.clouds - 0.8) * 2.2).clamp(0, 1)
        white = (0.75 * horizon + 0.25 * zenith).mean() * 1.5
        colour = torch.lerp(colour, white.expand_as(colour), (0.9 * cover)[:, None])
    return colour


def face_points(solids: Solids) -> Hits:
    """Four points on each of the six sides of every solid, (P*24,), in the order of solids, sides, points."""
    device = solids.device
    own = torch.zeros(6, 4, 3, device=device)
    normal = torch.zeros(6, 3, device=device)
    for side in range(6):
        axis, sign = side // 2, 2 * (side % 2) - 1
        normal[side, axis] = sign
        own[side, :, axis] = sign
        for k, (a, b) in enumerate(((-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5))):
            own[side, k, (axis + 1) % 3], own[side, k, (axis + 2) % 3] = a, b
    unit = own.reshape(1, 24, 3).repeat(len(solids), 1, 1)
    round_ = ~solids.is_box
    unit[round_] = unit[round_] / unit[round_].norm(dim=-1, keepdim=True)
    points = solids.centre[:, None] + (unit * solids.size[:, None]) @ solids.turn.transpose(1, 2)
    own_normal = normal.repeat_interleave(4, 0)[None].expand_as(unit)
    world = own_normal @ solids.turn.transpose(1, 2)
    solid = torch.arange(len(solids), device=device).repeat_interleave(24)
    flat = points.reshape(-1, 3)
    footprint = solids.size.amax(1).repeat_interleave(24).clamp(0.02, 0.5)
    return Hits(solid, solid * 8, flat, world.reshape(-1, 3), own_normal.reshape(-1, 3), footprint)


def face_light(solids: Solids, groups: list[Group], faces: Hits, source: Source) -> Tensor:
    """Direct shading (P*24,) at the points of ``face_points``, colour 1, by one ray to the middle of a light.

    Only solids of some size are asked for what is in the way; small ones are in the shade for one half.

    Args:
        solids: All.
        groups: Those that are in the way.
        faces: ``face_points`` of all.
        source: The light.
    """
    unblocked = source.unblocked(faces.points, faces.normal)
    large = (solids.radius > 0.25).nonzero()[:, 0]
    chosen = (large[:, None] * 24 + torch.arange(24, device=large.device)).reshape(-1)
    points, normal = faces.points[chosen], faces.normal[chosen]
    origins = offset(points, normal, 0.01)
    half = torch.full_like(points[:, 0], 0.5)
    ends, _ = source.ends(origins, normal, half * 0, half)
    # a tile is one side of a solid
    starts, ways = (v.reshape(-1, 4, 3).transpose(1, 2).contiguous() for v in (origins, ends - origins))
    valid = (unblocked[chosen] > 1e-4).reshape(-1, 4)
    shadow = blocked(groups, towards(starts, valid, *source.box(starts)), starts, ways).reshape(-1)
    share = torch.full_like(unblocked, 0.5)
    share[chosen] = 1.0 - shadow.to(share.dtype)
    return unblocked * share


def offset(points: Tensor, normals: Tensor, distance: float = 1e-3) -> Tensor:
    """Points a little above their surface, where rays begin."""
    return points + distance * normals


def _sides(own_normal: Tensor) -> Tensor:
    """Which of six sides a normal belongs to: (N,)."""
    axis = own_normal.abs().argmax(1)
    return axis * 2 + (own_normal.gather(1, axis[:, None])[:, 0] > 0).long()
