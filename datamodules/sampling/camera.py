"""How near the camera stands, and how a face lies in its crop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datamodules.sampling.draws import Draws

__all__ = ["CameraRange", "Framing", "draw_framing"]


@dataclass(frozen=True)
class CameraRange:
    """Distributions of camera and crop.

    Args:
        fov: Least and greatest angle that the crop spans, in degrees: 10 is a telephoto portrait, 50 a selfie. Drawn
            evenly over the logarithm.
        off_axis: Standard deviation of the face's distance from the middle of the photo that it is cropped from,
            in sizes of the crop.
        shift: Standard deviation of the crop's shift, in sizes of the crop.
        scale: Standard deviation of the logarithm of the crop's size.
        careless: Share of crops that miss the face by three times as much, so that some of it lies outside.
        margin: Median size of the crop in sizes of the canonical one; above 1 the face has room around it, from which
            other crops can be cut.
    """

    fov: tuple[float, float] = (10.0, 50.0)
    off_axis: float = 0.3
    shift: float = 0.03
    scale: float = 0.06
    careless: float = 0.1
    margin: float = 1.0


@dataclass(frozen=True)
class Framing:
    """Draws: ``fov`` (B,) in radians, ``off_axis`` (B,2), and of the crop ``shift`` (B,2) and ``scale`` (B,)."""

    fov: Tensor
    off_axis: Tensor
    shift: Tensor
    scale: Tensor


def draw_framing(draws: Draws, camera: CameraRange) -> Framing:
    """The camera and the crop of each sample."""
    low, high = np.log(camera.fov[0]), np.log(camera.fov[1])
    fov = np.radians(np.exp(draws.between("fov", low, high)))
    careless = np.where(draws.chance("careless crop", camera.careless), 3.0, 1.0)
    values = (
        fov,
        camera.off_axis * draws.normal("off axis", 2, limit=2.5),
        camera.shift * draws.normal("crop shift", 2, limit=2.5) * careless[:, None],
        camera.margin * np.exp(camera.scale * draws.normal("crop scale", limit=2.5) * careless),
    )
    return Framing(*(torch.from_numpy(value).float() for value in values))
