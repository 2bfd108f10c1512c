"""Cameras, spherical-harmonic light, and a differentiable mesh renderer in plain PyTorch."""

from __future__ import annotations

from zoo.render.camera import Camera, OrthographicCamera, PerspectiveCamera, euler_to_matrix
from zoo.render.interpolate import interpolate
from zoo.render.mesh import face_normals, vertex_normals
from zoo.render.rasterize import rasterize
from zoo.render.renderer import MeshRenderer
from zoo.render.silhouette import soft_mask

__all__ = [
    "Camera",
    "MeshRenderer",
    "OrthographicCamera",
    "PerspectiveCamera",
    "euler_to_matrix",
    "face_normals",
    "interpolate",
    "rasterize",
    "soft_mask",
    "vertex_normals",
]
