"""Faces made by code: the renderer, and the data module around it."""

from __future__ import annotations

from datamodules.faces.module import DEFAULT_KEYS, ProceduralFaces
from datamodules.faces.renderer import FACE_KEYS, FaceRenderer

__all__ = ["DEFAULT_KEYS", "FACE_KEYS", "FaceRenderer", "ProceduralFaces"]
