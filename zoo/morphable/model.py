"""A linear face model as a torch module: coefficients in, vertices, albedo, normals and landmarks out."""

from __future__ import annotations

from zoo.morphable.data import MorphableData, Rig

__all__ = ["MorphableData", "Rig"]
