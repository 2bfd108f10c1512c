"""The head as those see it who dress it: how far the skin lies in each direction, and where the landmarks are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from datamodules.faces.worn.surfaces import azimuths
from zoo.morphable import MorphableModel

__all__ = ["NECK_DEPTH", "NECK_HEIGHTS", "SECTORS", "Fitting", "Site"]

Array = NDArray[Any]

SECTORS = 64
_LEVELS = 27
_LOWEST = np.radians(152.0)
_EYES_DEPTH, _CENTRE_HEIGHT = 84.0, 20.0
_NEIGHBOURS = 6
NECK_HEIGHTS = np.arange(-245.0, -119.0, 7.0)
NECK_DEPTH = -15.0
_LANDMARKS = (36, 39, 42, 45)


@dataclass(frozen=True)
class Site:
    """One batch of heads, in millimetres: the origin lies in height of the eyes, 84 mm behind their corners.

    Args:
        radius: (B, levels, sectors) distance of the skin from the middle of the skull, ears left out.
        ears: (levels, sectors) how far ears stand out over that.
        neck: (B,N,SECTORS // 2) distance of neck and shoulders from the axis x = 0, z = ``NECK_DEPTH`` at each of
            ``NECK_HEIGHTS``; 0 where the head has ended.
        landmarks: (B,68,3).
        skin: (B,3) linear colour of the neck and cheeks.
        hair: (B,3) linear colour of scalp or brows.
    """

    radius: Tensor
    ears: Tensor
    neck: Tensor
    landmarks: Tensor
    skin: Tensor
    hair: Tensor

    def at(self, polar: Tensor) -> Tensor:
        """Distance of the skin at angles from the top.

        Args:
            polar: (B,R,S) radians; S is ``SECTORS``, or one.
        """
        return _between(self.radius, polar * ((_LEVELS - 1) / _LOWEST))

    def ears_at(self, polar: Tensor) -> Tensor:
        """How far the ears stand out: (B,R,S) as in ``at``."""
        return _between(self.ears.expand_as(self.radius), polar * ((_LEVELS - 1) / _LOWEST))

    def polar_of(self, height: Tensor) -> Tensor:
        """The angle at which the skin has a height.

        Args:
            height: (B,S) millimetres over the eyes.

        Returns:
            (B,S) radians.
        """
        level = torch.linspace(0, float(_LOWEST), _LEVELS, device=height.device)
        heights = _CENTRE_HEIGHT + self.radius * level.cos()[:, None]
        above = (heights > height[:, None]).cumprod(1).sum(1, keepdim=True).clamp(1, _LEVELS - 1)
        upper, lower = heights.gather(1, above - 1)[:, 0], heights.gather(1, above)[:, 0]
        share = ((upper - height) / (upper - lower).clamp_min(1e-3)).clamp(0, 1)
        return (above[:, 0] - 1 + share) * (float(_LOWEST) / (_LEVELS - 1))

    @staticmethod
    def points(radius: Tensor, polar: Tensor) -> Tensor:
        """Places at a distance from the middle of the skull: (B,R,S) and (B,R,S) to (B,R,S,3)."""
        angle = torch.from_numpy(azimuths(radius.shape[-1])).to(radius)
        flat = radius * polar.sin()
        return torch.stack((flat * angle.sin(), _CENTRE_HEIGHT + radius * polar.cos(), flat * angle.cos()), -1)


def _between(values: Tensor, level: Tensor) -> Tensor:
    level = level.clamp(0, _LEVELS - 1.001).expand(len(values), -1, values.shape[-1])
    below = level.floor().long()
    low = values.gather(1, below)
    return low + (values.gather(1, below + 1) - low) * (level - below)


class Fitting:
    """Finds the site of heads of one model.

    The bare skin is found by direction as seen from the middle of the skull, so that heads of any topology serve, and
    those without a back of the head get one as round as what they have.

    Args:
        model: The face model; it must have landmarks.
    """

    def __init__(self, model: MorphableModel) -> None:
        data = model.data
        self.millimetres = data.metres_per_unit * 1000.0
        mean = model.mean.detach().cpu().numpy().astype(np.float64) * self.millimetres
        marks = model.landmarks(torch.from_numpy(mean)[None])
        assert marks is not None
        origin = _origin(marks)[0].numpy()
        place = mean - origin
        skin = self._outside(model, place)
        vertices, weights, ears = _directions(place, skin)
        # a vertex is wanted in several directions, so its distance is taken once
        used, ids = np.unique(vertices, return_inverse=True)
        device = model.mean.device
        self._used, self._ids = (
            torch.from_numpy(used).to(device),
            torch.from_numpy(ids.reshape(vertices.shape)).to(device),
        )
        self._weights = torch.from_numpy(weights).float().to(device)
        self._ears = torch.from_numpy(ears).float().to(device)
        vertices, weights = _neck_directions(place, skin)
        self._neck_ids = torch.from_numpy(vertices).to(device)
        self._neck_weights = torch.from_numpy(weights).float().to(device)
        self._scalp = _painted_hair(model, place, skin)
        away_from_face = (place[:, 2] < 62) | (place[:, 1] > 45)
        hairy = skin & (place[:, 1] > -75) & away_from_face & ((place[:, 1] > -5) | (place[:, 2] < 30))
        self._hairy = torch.from_numpy(np.flatnonzero(hairy)).to(device)
        self._cheeks = np.flatnonzero(skin & (place[:, 1] < -60) & (np.abs(place[:, 0]) > 25) & (place[:, 2] > -10))

    def __call__(self, head: dict[str, Tensor], albedo: Tensor) -> Site:
        """The site of each head of a batch.

        Args:
            head: vertices and landmarks, as the model gives them.
            albedo: (B,V,3) linear.
        """
        marks = head["landmarks"] * self.millimetres
        origin = _origin(marks)
        offset = head["vertices"][:, self._used] * self.millimetres - origin[:, None]
        offset[..., 1] -= _CENTRE_HEIGHT
        distance = (offset * offset).sum(-1).sqrt()
        radius = (distance[:, self._ids] * self._weights).sum(-1)
        around = head["vertices"][:, self._neck_ids] * self.millimetres - origin[:, None, None]
        across = torch.hypot(around[..., 0], around[..., 2] - NECK_DEPTH)
        neck = (across * self._neck_weights).sum(-1).unflatten(1, (len(NECK_HEIGHTS), -1))
        skin = albedo[:, self._cheeks].mean(1)
        hair = albedo[:, self._scalp].mean(1)
        radius = radius.unflatten(1, (_LEVELS, SECTORS))
        return Site(radius, self._ears, neck, marks - origin[:, None], skin, hair)

    def back(self, points: Tensor, head: dict[str, Tensor]) -> Tensor:
        """Millimetres of a site (B,N,3) to the head frame in model units."""
        return (points + _origin(head["landmarks"] * self.millimetres)[:, None]) / self.millimetres

    def dye(self, albedo: Tensor, site: Site, colour: Tensor) -> Tensor:
        """What to add to colours of heads (B,V,3), so that hair painted on the skin turns to ``colour`` (B,3)."""
        painted = albedo[:, self._hairy]
        skin, hair = site.skin[:, None], site.hair[:, None]
        # grey hair may be as light as the skin under it, so what tells them apart is the whole colour
        apart = skin - hair
        share = ((skin - painted) * apart).sum(-1, keepdim=True) / (apart * apart).sum(-1, keepdim=True).clamp_min(1e-5)
        share = ((share - 0.15) / 0.7).clamp(0, 1)
        here, hair = painted.mean(-1, keepdim=True), hair.mean(-1, keepdim=True)
        # lightness varies along painted hair as it did
        change = torch.zeros_like(albedo)
        change[:, self._hairy] = share * (colour[:, None] * (here / hair.clamp_min(1e-3)).clamp(0.6, 1.5) - painted)
        return change

    @staticmethod
    def _outside(model: MorphableModel, place: Array) -> NDArray[np.bool_]:
        """Which vertices are the outer skin of head and neck: (V,) bool."""
        labels = model.data.labels
        if labels is None:
            return np.ones(len(place), bool)
        names = ("skin", "hair", "neck", "ear", "brows", "lips", "face")
        wanted = [k for k, name in enumerate(model.data.label_names) if name in names]
        return np.isin(labels, wanted)


def _painted_hair(model: MorphableModel, place: Array, skin: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Vertices whose colour is that of hair: the crown, or the brows of a face without one."""
    crown = np.flatnonzero(skin & (place[:, 1] > 92) & (np.abs(place[:, 0]) < 50))
    if len(crown) or "brows" not in model.label_names:
        return crown if len(crown) else np.flatnonzero(skin)
    return np.flatnonzero(model.data.vertices_of("brows"))


def _origin(landmarks: Tensor) -> Tensor:
    eyes = landmarks[:, _LANDMARKS].mean(1)
    return eyes - eyes.new_tensor([0.0, 0.0, _EYES_DEPTH])


def _neck_directions(place: Array, skin: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Array]:
    """Which vertices tell how thick the neck is at each height and angle, and their weights: (N, k).

    Weights are 0 where the head has ended.
    """
    x, y, z = place.T
    across = np.hypot(x, z - NECK_DEPTH)
    turn = np.arctan2(x, z - NECK_DEPTH)
    low = np.flatnonzero(skin & (y < -122.0) & (y > -260.0))
    height, angle = (grid.ravel() for grid in np.meshgrid(NECK_HEIGHTS, azimuths(SECTORS // 2), indexing="ij"))
    if len(low) < _NEIGHBOURS:
        return np.zeros((len(height), 1), np.int64), np.zeros((len(height), 1))
    seen = np.stack([y, 60 * np.sin(turn), 60 * np.cos(turn)], -1)[low]
    # the cut of the neck is no side of it
    beside = cKDTree(seen).query_ball_point(seen, 14.0)
    low = low[across[low] > 0.9 * np.array([across[low[ids]].max() for ids in beside])]
    seen = np.stack([y, 60 * np.sin(turn), 60 * np.cos(turn)], -1)[low]
    gap, ids = cKDTree(seen).query(np.stack([height, 60 * np.sin(angle), 60 * np.cos(angle)], -1), _NEIGHBOURS)
    weights = 1 / (gap + 2.0) ** 2
    weights /= weights.sum(1, keepdims=True)
    return low[ids], weights * (gap.min(1, keepdims=True) < 16.0)


def _directions(place: Array, skin: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Array, Array]:
    """Which vertices tell how far the skin lies in each direction, their weights, and how far ears stand out."""
    centred = place - [0.0, _CENTRE_HEIGHT, 0.0]
    distance = np.linalg.norm(centred, axis=1)
    ways = centred / np.maximum(distance, 1e-6)[:, None]
    x, y, z = place.T
    level, turn = np.meshgrid(np.linspace(0, _LOWEST, _LEVELS), azimuths(SECTORS), indexing="ij")
    wanted = np.stack([np.sin(level) * np.sin(turn), np.cos(level), np.sin(level) * np.cos(turn)], -1).reshape(-1, 3)
    outer = np.flatnonzero(skin)
    near = cKDTree(ways[outer]).query_ball_point(wanted, 0.13)
    farthest = np.array([distance[outer[ids]].max() if ids else 0.0 for ids in near])
    # what lies behind another surface (pockets, mouth) is no outside; ears are put back by themselves
    ear = (np.abs(x) > np.where(z > -20, 55, 70)) & (y > -62) & (y < 16) & (z > -42) & (z < 10)
    bare = outer[~ear[outer]]
    beside = cKDTree(ways[bare]).query_ball_point(ways[bare], 0.1)
    hull = np.array([distance[bare[ids]].max() for ids in beside])
    free = bare[distance[bare] > 0.9 * hull]
    gap, ids = cKDTree(ways[free]).query(wanted, _NEIGHBOURS)
    weights = 1 / (gap + 0.01) ** 2
    weights /= weights.sum(1, keepdims=True)
    radius = (distance[free[ids]] * weights).sum(1)
    around = (np.abs(wanted[:, 0]) > 0.5) & (wanted[:, 1] < 0.15) & (np.abs(wanted[:, 2]) < 0.75)
    ears = np.where(around, np.clip(farthest - radius, 0, 30), 0)
    return free[ids], weights, ears.reshape(_LEVELS, SECTORS)
