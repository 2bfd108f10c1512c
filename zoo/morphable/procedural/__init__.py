"""A morphable model of the human head made in code alone."""

from __future__ import annotations

from zoo.morphable.procedural.build import build_face

__all__ = ["build_face"]
