"""The pinhole camera: from pixels to rays and back."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from datamodules.scenes.scene import Camera

__all__ = ["View"]


class View:
    """A camera with a picture size.

    Args:
        camera: Pose and field of view.
        height: Of the picture.
        width: Of the picture.
        device: Of the tensors.

    Attributes:
        axes: (3,3) rows: right, up and backwards (towards the viewer) in the world.
        position: (3,).
        pixel: Edge of a pixel on the plane at distance 1.
    """

    def __init__(self, camera: Camera, height: int, width: int, device: torch.device | str = "cpu") -> None:
        position, target = np.array(camera.position, dtype=np.float64), np.array(camera.target, dtype=np.float64)
        back = (position - target) / np.linalg.norm(position - target)
        right = np.cross((0.0, 1.0, 0.0), back)
        right /= np.linalg.norm(right)
        up = np.cross(back, right)
        c, s = math.cos(math.radians(camera.roll)), math.sin(math.radians(camera.roll))
        axes = np.stack([c * right + s * up, c * up - s * right, back])
        self.axes = torch.as_tensor(axes, dtype=torch.float32, device=device)
        self.position = torch.as_tensor(position, dtype=torch.float32, device=device)
        self.height, self.width = height, width
        self.pixel = 2 * math.tan(math.radians(camera.field_of_view) / 2) / width

    def slopes(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Of rays through picture points (pixels; the centre of the top-left one is (0, 0)): to the right and up."""
        return (x - (self.width - 1) / 2) * self.pixel, ((self.height - 1) / 2 - y) * self.pixel

    def directions(self, across: Tensor, up: Tensor) -> Tensor:
        """World directions of depth 1 for slopes (...): (...,3); a distance along them is a depth."""
        return across[..., None] * self.axes[0] + up[..., None] * self.axes[1] - self.axes[2]

    def project(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Picture x and y in pixels, and depth, of world points (...,3)."""
        right, up, back = ((points - self.position) @ self.axes.T).unbind(-1)
        depth = -back
        scale = 1 / (depth.clamp_min(1e-6) * self.pixel)
        return right * scale + (self.width - 1) / 2, (self.height - 1) / 2 - up * scale, depth
