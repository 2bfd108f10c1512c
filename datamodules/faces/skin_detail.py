"""What is finer on skin than a mesh can hold: freckles, moles, blotches, pores, stubble, and the strands of hair."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from datamodules.sampling.draws import Draws
from zoo.morphable import MorphableModel
from zoo.morphable.canonical import canonical_coordinates
from zoo.morphable.procedural.albedo import beard_weight
from zoo.morphable.procedural.mesh import brow_weight, hair_weight

__all__ = ["SkinDetail", "skin_detail"]

_CELLS = 48
"""Cells along an edge of the blocks of noise, which repeat."""
_PORE, _SPOT, _BLOTCH, _STRAND = 0.7, 1.1, 5.0, 0.9
"""Millimetres a cell: a pattern is full where a pixel covers less than a cell, and gone where it covers two."""
_ALONG = 6.0
"""How many times longer than wide strands are."""
_BARE = ("skin", "ear", "neck", "brows", "hair")
_TURN = torch.tensor([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
"""A rotation askew to all axes, so that the two sides of a face never show the same piece of a block."""
_FRECKLE, _BLUSH = (-0.75, -1.0, -1.1), (0.25, -1.0, -0.8)
"""Logarithms of red, green and blue for more melanin and for more blood."""


class SkinDetail:
    """Multiplies the albedo of pixels by detail that sticks to the skin.

    Args:
        model: A face model with landmarks.
    """

    def __init__(self, model: MorphableModel) -> None:
        place = canonical_coordinates(model.data).astype(np.float64)
        names = np.array(model.label_names or ("skin",))[0 if model.labels is None else model.data.labels]
        bare = np.broadcast_to(np.isin(names, _BARE), len(place)).astype(np.float64)
        cover = np.stack([bare, *(bare * weight(place) for weight in (beard_weight, brow_weight, hair_weight))], 1)
        attributes = np.concatenate([place, cover], 1)
        self._attributes = torch.from_numpy(attributes.T.copy()).float().to(model.mean.device)
        self._triangles = model.triangles

    def __call__(self, person: Draws, face_ids: Tensor, corners: Tensor) -> Tensor:
        """Factors on the albedo of each pixel.

        Args:
            person: Draws of the people in the pictures.
            face_ids: (B,h,w) triangles; what is not one of the model's is left alone.
            corners: (B,3,h,w) barycentric weights, as ``zoo.render.interpolate`` gives them.

        Returns:
            (B,3,h,w), 1 on average and off the skin.
        """
        own = (face_ids >= 0) & (face_ids < len(self._triangles))
        pixels = own.flatten().nonzero()[:, 0]
        face = face_ids.flatten().index_select(0, pixels)
        corner = torch.stack([ids.index_select(0, face) for ids in self._triangles.unbind(1)]).flatten()
        weights = corners.movedim(1, 0).flatten(1).index_select(1, pixels)
        maps = corners.new_zeros(len(self._attributes), own.numel())
        # one number after the other: rows of a few numbers each take several times longer
        for target, attribute in zip(maps, self._attributes, strict=True):
            target.index_copy_(0, pixels, (attribute.index_select(0, corner).view(3, -1) * weights).sum(0))
        place, cover = maps.unflatten(1, own.shape).movedim(0, 1).split((3, 4), 1)
        return skin_detail(person, place, cover)


def skin_detail(person: Draws, place: Tensor, cover: Tensor) -> Tensor:
    """Detail at given places of the procedural template: the same place of the same person has the same detail.

    Each pattern fades out where a pixel covers more than one of its cells, as it does in a photograph.

    Args:
        person: Draws of the people in the pictures.
        place: (B,3,h,w) template coordinates in millimetres.
        cover: (B,4,h,w) in [0,1]: how much of a pixel is skin, and how much of it may bear beard, brow and scalp hair.

    Returns:
        (B,3,h,w) factors on linear reflectance, 1 on average; 1 where nothing is skin.
    """
    shape = place.shape[:1] + place.shape[2:]
    size = _footprint(place, cover[:, 0] > 0)
    # from here on in vectors of the P pixels that show detail at all
    pixels = ((cover[:, 0] > 0) & (size < 2 * _BLOTCH)).flatten().nonzero()[:, 0]
    factors = place.new_ones(3, size.numel())
    person_of = pixels // size[0].numel()
    size, place, cover = (
        size.flatten()[pixels],
        place.movedim(1, 0).flatten(1).index_select(1, pixels),
        cover.movedim(1, 0).flatten(1).index_select(1, pixels),
    )
    factors.index_copy_(1, pixels, _logarithm(person, person_of, size, place, cover).exp())
    return factors.unflatten(1, shape).movedim(0, 1)


def _logarithm(person: Draws, person_of: Tensor, size: Tensor, place: Tensor, cover: Tensor) -> Tensor:
    """Logarithms (3,P) of the factors for P pixels: whose (P,), their sizes (P,), places (3,P) and covers (4,P)."""
    device = place.device
    strength = torch.from_numpy(person.uniform("strength of skin detail", 7).T.copy()).float().to(device)
    freckles, moles, blotch, pores, stubble, brows, hair = strength.index_select(1, person_of)
    shift = torch.from_numpy(person.uniform("place of skin detail", 3).T.copy()).float().to(device) * _CELLS * _BLOTCH
    shift = shift.index_select(1, person_of)
    points = _TURN.to(device) @ place + shift
    skin, beard, brow, scalp = cover
    bare = skin * (1 - torch.maximum(torch.maximum(beard * 0.5, brow), scalp))
    hairy = skin * (beard * (stubble > 0.5) + brow + scalp)

    smooth, spots = (block.to(device) for block in _blocks())
    fine = _pattern(smooth, points, size, _PORE, skin)[0]
    broad = _pattern(smooth, points, size, _BLOTCH, bare)[0]
    dots, lone = _pattern(spots, points, size, _SPOT, bare)
    # brow hairs lie across the face, all others along it
    along = torch.where(brow > 0.05, place.new_tensor([[_ALONG], [1], [1]]), place.new_tensor([[1], [_ALONG], [1]]))
    strands = _pattern(smooth, (place + shift) / along, size, _STRAND, hairy)[0]

    # freckles are where the sun is: on nose and cheeks
    sunny = 0.2 + 0.8 * torch.exp(-(((place[1] + 22) / 26) ** 2) - (place[0] / 60) ** 2)
    brown = bare * sunny * 0.75 * ((freckles - 0.6) / 0.4).clamp_min(0) * dots
    brown = brown + bare * 1.6 * (lone - 1.0 + 0.6 * moles).clamp_min(0)
    blood = bare * (0.012 + 0.02 * blotch) * broad
    grey = bare * (0.02 + 0.05 * pores) * fine
    grey = grey + skin * beard * 0.14 * ((stubble - 0.5) / 0.5).clamp_min(0) * (1.3 * fine + 0.4 * strands)
    grey = grey + skin * (brow * (0.15 + 0.2 * brows) + scalp * (0.12 + 0.2 * hair)) * strands
    tints = place.new_tensor([_FRECKLE, _BLUSH])
    return (grey + tints[0][:, None] * brown + tints[1][:, None] * blood).clamp(-1.5, 0.6)


def _footprint(place: Tensor, inside: Tensor) -> Tensor:
    """Millimetres of skin that a pixel covers in its longer direction: (B,h,w); large at the edge of what is skin."""
    away = torch.where(inside, 0.0, 1e3)[:, None]
    place = place + away
    across = (place[..., 1:] - place[..., :-1]).square_().sum(1)
    down = (place[:, :, 1:] - place[:, :, :-1]).square_().sum(1)
    across, down = F.pad(across, (0, 1), mode="replicate"), F.pad(down, (0, 0, 0, 1), mode="replicate")
    return torch.maximum(across, down).sqrt_()


def _pattern(block: Tensor, points: Tensor, size: Tensor, cell: float, cover: Tensor) -> Tensor:
    """A periodic (1,C,49,49,49) block at (3,P) points in millimetres; 0 where not wanted or too fine: (C,P)."""
    # from 1 for pixels of up to a cell to 0 for pixels of two
    fade = (2.0 - size / cell).clamp(0, 1)
    wanted = ((fade > 0) & (cover > 0)).nonzero()[:, 0]
    cells = points.index_select(1, wanted) / (cell * _CELLS)
    inside = (cells - cells.floor()).T * 2.0 - 1.0
    values = F.grid_sample(block, inside[None, None, None], align_corners=True)[0, :, 0, 0]
    result = size.new_zeros(block.shape[1], len(size))
    return result.index_copy_(1, wanted, values * fade.index_select(0, wanted))


@lru_cache(maxsize=1)
def _blocks() -> tuple[Tensor, Tensor]:
    """Noise of unit spread (1,1,n,n,n), and soft dots close together and far apart (1,2,n,n,n); n = cells + 1."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((_CELLS,) * 3).astype(np.float32)
    for axis in range(3):
        noise = 0.5 * noise + 0.25 * (np.roll(noise, 1, axis) + np.roll(noise, -1, axis))
    noise = (noise - noise.mean()) / noise.std()
    spots = np.stack([_dots(rng, 2200, 0.7, 1.3), _dots(rng, 90, 0.9, 1.7)])
    return _wrapped(noise[None]), _wrapped(spots)


def _dots(rng: np.random.Generator, count: int, smallest: float, largest: float) -> NDArray[np.float32]:
    """Soft balls of 0.3 to 1 in height at random places of a periodic block; radii in cells."""
    block = np.zeros((_CELLS,) * 3, np.float32)
    reach = np.arange(-3, 4)
    offset = np.stack(np.meshgrid(reach, reach, reach, indexing="ij"), -1).reshape(-1, 3)
    centre = rng.uniform(0, _CELLS, (count, 1, 3))
    radius, height = rng.uniform(smallest, largest, (count, 1)), rng.uniform(0.3, 1.0, (count, 1))
    cell = np.floor(centre).astype(np.int64) + offset
    value = height * np.exp(-0.5 * (((cell - centre) ** 2).sum(-1) / radius**2) ** 1.5)
    np.maximum.at(block, tuple((cell % _CELLS).reshape(-1, 3).T), value.astype(np.float32).ravel())
    return block


def _wrapped(block: NDArray[np.float32]) -> Tensor:
    """(C,n,n,n) with its first layers repeated at the end: (1,C,n+1,n+1,n+1)."""
    return torch.from_numpy(np.pad(block, [(0, 0)] + [(0, 1)] * 3, mode="wrap"))[None]
