"""Face models: coefficients to vertices, albedo, normals and landmarks; readers for BFM, ICT-FaceKit and FLAME."""

from __future__ import annotations

from zoo.morphable.data import MorphableData, Rig
from zoo.morphable.model import MorphableModel

__all__ = ["MorphableData", "MorphableModel", "Rig"]
