"""Every kind of material by name, and the one function that colours points."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from datamodules.scenes.materials import ground, masonry, plain, plants, textile, wood
from datamodules.scenes.materials.surface import Material, Surface
from zoo.names import find_name

__all__ = ["DARKEST", "KINDS", "LIGHTEST", "albedo_of"]

DARKEST, LIGHTEST = 0.02, 0.95
"""Nothing outside reflects less or more of any colour."""

_PIECE = 8192

_FINEST = 0.001
"""Metres that a pixel covers where nobody says."""

KINDS: dict[str, Callable[[Surface], Tensor]] = {
    name: getattr(module, name) for module in (plain, wood, masonry, textile, plants, ground) for name in module.__all__
}
"""From the name of a kind to the function that gives (N,3) reflectances."""


def albedo_of(material: Material, points: Tensor, normals: Tensor, footprint: Tensor | None = None) -> Tensor:
    """Linear reflectance of a material at points of an object.

    A point's colour depends on that point alone, so any split into batches gives the same.

    Args:
        material: Of the object.
        points: (N,3) float32 metres in the object's own coordinates, y up.
        normals: (N,3) unit normals in the same coordinates.
        footprint: (N,) metres of the surface that a pixel covers; detail that is finer is averaged. By default a
            millimetre: everything shows.

    Returns:
        (N,3) linear RGB in [0.02, 0.95].

    Raises:
        UserError: No such kind.
    """
    paint = KINDS[find_name(material.kind, KINDS, kind="material", hint="datamodules.scenes.materials.KINDS has all")]
    if footprint is None:
        footprint = points.new_full((len(points),), _FINEST)
    if not len(points):
        return points.new_zeros(0, 3)
    # a CPU is faster with pieces that fit its cache
    size = _PIECE if points.device.type == "cpu" else len(points)
    pieces = zip(points.split(size), normals.split(size), footprint.split(size), strict=True)
    with torch.no_grad():
        return torch.cat([paint(Surface(material, *piece)).clamp(DARKEST, LIGHTEST) for piece in pieces])
