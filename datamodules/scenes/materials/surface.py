"""What a material is given to colour: points, normals, and how fine the picture looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from datamodules.scenes.materials.noise import fbm

__all__ = ["Material", "Surface", "mix", "pulse"]

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Material:
    """A procedural surface colour.

    Args:
        kind: One of ``KINDS``.
        colours: Linear RGB reflectances; how many and what for depends on the kind.
        scale: Metres of the pattern's unit (the width of a plank, the length of a brick, ...).
        seed: Of its randomness.
        amount: How strong the pattern is, 0 to 1.
        size: Metres from edge to edge, across and up (or along what lies), of a thing that is centred at its origin:
            for patterns that end somewhere (rugs, pictures, books).
    """

    kind: str
    colours: tuple[RGB, ...]
    scale: float = 1.0
    seed: int = 0
    amount: float = 0.5
    size: tuple[float, float] = (1.0, 1.0)


class Surface:
    """Points of one object and the material that colours them.

    Args:
        material: Of the object.
        points: (N,3) in the object's own metres, y up.
        normals: (N,3) likewise, unit.
        footprint: (N,) metres that a pixel covers there.
    """

    def __init__(self, material: Material, points: Tensor, normals: Tensor, footprint: Tensor) -> None:
        self.material, self.points, self.normals, self.footprint = material, points, normals, footprint
        self.scale, self.seed, self.amount = material.scale, material.seed, material.amount

    @cached_property
    def uv(self) -> Tensor:
        """(N,2) metres in the plane that the surface faces most: v is up on what stands, z on what lies."""
        x, y, z = self.points.unbind(-1)
        across, up, along = self.normals.abs().unbind(-1)
        # a little in favour of the axes in turn, so that rounding does not speckle a surface that leans at 45 degrees
        lies = up > torch.maximum(across, along) * 1.0001
        side = across > along * 1.0001
        return torch.stack([torch.where(side & ~lies, z, x), torch.where(lies, z, y)], -1)

    def colour(self, index: int) -> Tensor:
        """A colour of the material as (1,3); the last stands in for those it lacks."""
        colours = self.material.colours
        return self.points.new_tensor(colours[min(index, len(colours) - 1)])[None]

    def fbm(self, points: Tensor, cell: float, salt: int = 0, octaves: int = 4, gain: float = 0.5) -> Tensor:
        """Noise of this material at given (N,d) points; see ``noise.fbm``."""
        return fbm(points, cell, self.seed * 31 + salt, self.footprint, octaves, gain)


def mix(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """From ``first`` (N,3) where ``share`` (N,) is 0 to ``second`` where it is 1."""
    return torch.lerp(first.expand(len(share), 3), second.expand(len(share), 3), share.clamp(0, 1)[:, None])


def pulse(x: Tensor, low: float, high: float, width: Tensor) -> Tensor:
    """How much of a pixel lies between ``low`` and ``high`` of each period of 1.

    Args:
        x: (N,) periods.
        low: Begin in [0, 1).
        high: End, at most ``low`` + 1.
        width: (N,) what a pixel covers, in periods; the average over it is exact.

    Returns:
        (N,) in [0, 1].
    """
    width = width.clamp_min(1e-3)
    right, left = x - low + 0.5 * width, x - low - 0.5 * width
    share = high - low

    def until(place: Tensor) -> Tensor:
        whole = place.floor()
        return whole * share + (place - whole).clamp_max(share)

    return ((until(right) - until(left)) / width).clamp(0, 1)
