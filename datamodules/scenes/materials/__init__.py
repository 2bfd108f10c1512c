"""Procedural surface colours: functions of points and normals in an object's own metres."""

from __future__ import annotations

from datamodules.scenes.materials.draw import USES, draw_material
from datamodules.scenes.materials.kinds import DARKEST, KINDS, LIGHTEST, albedo_of
from datamodules.scenes.materials.surface import Material

__all__ = ["DARKEST", "KINDS", "LIGHTEST", "USES", "Material", "albedo_of", "draw_material"]
