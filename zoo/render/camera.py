"""Cameras: from points in the camera frame to pixels and depth.

Camera frame: x right, y up, z to the viewer; the camera sits at the origin and looks along -z, so what it sees has
``depth = -z > 0``. Screen: x right and y down in pixels, the centre of the top-left pixel at (0, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

__all__ = ["Camera", "OrthographicCamera", "PerspectiveCamera", "euler_to_matrix"]

SMALLEST_DEPTH = 1e-6
"""Nearer points (in model units) are projected as if here; the rasteriser leaves their faces out."""


@dataclass(frozen=True)
class PerspectiveCamera:
    """A pinhole with square pixels.

    Args:
        focal: Focal length in pixels, one number or a ``(B,)`` tensor.
        centre: Where the optical axis meets the picture, ``(x, y)`` in pixels, each a number or a ``(B,)`` tensor.
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
    """

    focal: Tensor | float
    centre: tuple[Tensor | float, Tensor | float]
    height: int
    width: int
    perspective: ClassVar[bool] = True

    @classmethod
    def from_fov(cls, fov_degrees: Tensor | float, height: int, width: int) -> PerspectiveCamera:
        """A camera whose axis meets the middle of the picture.

        Args:
            fov_degrees: Angle between the upper and the lower border of the picture, a number or a ``(B,)`` tensor.
            height: Height of the picture in pixels.
            width: Width of the picture in pixels.
        """
        if isinstance(fov_degrees, Tensor):
            focal: Tensor | float = height / 2 / torch.tan(torch.deg2rad(fov_degrees) / 2)
        else:
            focal = height / 2 / math.tan(math.radians(fov_degrees) / 2)
        return cls(focal, _middle(height, width), height, width)

    def project(self, points: Tensor) -> Tensor:
        """From ``(B, V, 3)`` points of the camera frame to ``(B, V, 3)`` screen x, y (pixels) and depth."""
        x, y, z = points.unbind(-1)
        depth = -z
        # A point on or behind the camera has no picture; a finite stand-in keeps its gradients finite.
        scale = _column(self.focal, points) / depth.clamp(min=SMALLEST_DEPTH)
        return _screen(x, y, depth, scale, self.centre)


@dataclass(frozen=True)
class OrthographicCamera:
    """Parallel rays: size in the picture does not depend on distance.

    The picture's plane is z = 0, and only what lies in front of it (z < 0) is drawn: move the mesh there.

    Args:
        scale: Pixels per model unit, one number or a ``(B,)`` tensor.
        centre: Where the frame's origin lies in the picture, ``(x, y)`` in pixels, each a number or a ``(B,)`` tensor.
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
    """

    scale: Tensor | float
    centre: tuple[Tensor | float, Tensor | float]
    height: int
    width: int
    perspective: ClassVar[bool] = False

    @classmethod
    def centred(cls, scale: Tensor | float, height: int, width: int) -> OrthographicCamera:
        """A camera with the frame's origin in the middle of the picture."""
        return cls(scale, _middle(height, width), height, width)

    def project(self, points: Tensor) -> Tensor:
        """From ``(B, V, 3)`` points of the camera frame to ``(B, V, 3)`` screen x, y (pixels) and depth."""
        x, y, z = points.unbind(-1)
        return _screen(x, y, -z, _column(self.scale, points), self.centre)


Camera = PerspectiveCamera | OrthographicCamera


def euler_to_matrix(rotation: Tensor) -> Tensor:
    """Rotation matrices from Euler angles: ``R = Rz Ry Rx``, right-handed, acting on columns.

    Args:
        rotation: ``(B, 3)`` angles about x, y and z in radians.

    Returns:
        ``(B, 3, 3)``. Rows of points are turned by ``points @ R.mT``.
    """
    (sx, sy, sz), (cx, cy, cz) = rotation.sin().unbind(-1), rotation.cos().unbind(-1)
    # Written out, because a matrix product would run in half precision under autocast.
    rows = (
        torch.stack((cy * cz, sx * sy * cz - cx * sz, cx * sy * cz + sx * sz), -1),
        torch.stack((cy * sz, sx * sy * sz + cx * cz, cx * sy * sz - sx * cz), -1),
        torch.stack((-sy, sx * cy, cx * cy), -1),
    )
    return torch.stack(rows, -2)


def _middle(height: int, width: int) -> tuple[float, float]:
    return (width - 1) / 2, (height - 1) / 2


def _column(value: Tensor | float, like: Tensor) -> Tensor | float:
    return value.to(like).reshape(-1, 1) if isinstance(value, Tensor) else value


def _screen(
    x: Tensor, y: Tensor, depth: Tensor, scale: Tensor | float, centre: tuple[Tensor | float, Tensor | float]
) -> Tensor:
    return torch.stack((_column(centre[0], x) + scale * x, _column(centre[1], x) - scale * y, depth), -1)
