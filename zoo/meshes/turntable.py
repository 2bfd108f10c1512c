"""A mesh turned before the viewer."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zoo.imaging import BACKGROUND
from zoo.meshes.bake import look_up
from zoo.meshes.draw import draw_smoothly
from zoo.meshes.mesh import ColouredMesh
from zoo.render import PerspectiveCamera, euler_to_matrix

__all__ = ["picture_of", "turntable"]

_SAMPLES = 2
_FIELD = 18.0
"""Vertical angle of view in degrees: that of a portrait lens."""


def turntable(mesh: ColouredMesh, *, size: int = 256, frames: int = 30, reach: float = 50.0) -> list[Tensor]:
    """Pictures of a head that looks to one side, to the other, and back.

    Args:
        mesh: To be turned about its y axis; it looks along z.
        size: Height and width of the pictures.
        frames: Their number.
        reach: How far it turns to either side, in degrees.

    Returns:
        (3,size,size) each, sRGB in [0,1].
    """
    angles = [reach * math.sin(2 * math.pi * number / frames) for number in range(frames)]
    return [picture_of(mesh, angle, size=size) for angle in angles]


def picture_of(mesh: ColouredMesh, yaw: float = 0.0, pitch: float = 0.0, *, size: int = 256) -> Tensor:
    """A mesh as a viewer shows it, without further light: the colours hold that of the photo.

    Args:
        mesh: What to draw.
        yaw: Degrees about y; positive turns the face to the right of the picture.
        pitch: Degrees about x; positive turns it down.
        size: Height and width of the picture.

    Returns:
        (3,size,size) sRGB in [0,1].
    """
    vertices = torch.from_numpy(mesh.vertices)
    used = torch.from_numpy(mesh.triangles).unique()
    low, high = vertices[used].amin(0), vertices[used].amax(0)
    radius = float((high - low)[:2].max()) / 2 * 1.12
    distance = radius / math.tan(math.radians(_FIELD) / 2)
    turn = euler_to_matrix(torch.tensor([[math.radians(pitch), math.radians(yaw), 0.0]]))
    placed = (vertices - (low + high) / 2) @ turn[0].T - vertices.new_tensor([0.0, 0.0, distance])
    camera = PerspectiveCamera.from_fov(_FIELD, size, size)
    screen = camera.project(placed[None])[0]
    if mesh.texture is None or mesh.texture_map is None:
        assert mesh.colours is not None
        drawn, coverage = draw_smoothly(
            screen, torch.from_numpy(mesh.triangles), torch.from_numpy(mesh.colours), size, size, samples=_SAMPLES
        )
        return (drawn + (1 - coverage) * BACKGROUND).clamp(0, 1)
    layout = mesh.texture_map
    dense = PerspectiveCamera.from_fov(_FIELD, size * _SAMPLES, size * _SAMPLES)
    corners = dense.project(placed[torch.from_numpy(layout.corner_vertex)][None])[0]
    given = torch.from_numpy(layout.uv)
    uv, coverage = draw_smoothly(
        corners, torch.from_numpy(layout.triangles), given, size * _SAMPLES, size * _SAMPLES, samples=1
    )
    picture = look_up(mesh.texture, uv) * coverage + (1 - coverage) * BACKGROUND
    return torch.nn.functional.avg_pool2d(picture[None], _SAMPLES)[0]
