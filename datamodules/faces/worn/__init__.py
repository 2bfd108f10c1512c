"""What people wear and hold before the face, as meshes on any head: hair, hats, glasses, hands, clothes."""

from __future__ import annotations

from datamodules.faces.worn.ranges import WornRange
from datamodules.faces.worn.worn import Worn, WornMesh

__all__ = ["Worn", "WornMesh", "WornRange"]
