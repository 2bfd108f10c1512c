"""Coloured triangle meshes: baked from photos, written as files, and drawn for people."""

from __future__ import annotations

from zoo.meshes.bake import Seen, bake_texture, neighbours, see_in_photo, softened
from zoo.meshes.draw import clay, draw_smoothly
from zoo.meshes.glb import write_glb
from zoo.meshes.layout import texture_map
from zoo.meshes.mesh import ColouredMesh, TextureMap
from zoo.meshes.obj import write_obj
from zoo.meshes.turntable import picture_of, turntable
from zoo.meshes.wireframe import draw_edges, mesh_edges

__all__ = [
    "ColouredMesh",
    "Seen",
    "TextureMap",
    "bake_texture",
    "clay",
    "draw_edges",
    "draw_smoothly",
    "mesh_edges",
    "neighbours",
    "picture_of",
    "see_in_photo",
    "softened",
    "texture_map",
    "turntable",
    "write_glb",
    "write_obj",
]
