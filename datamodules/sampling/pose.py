"""How a head is turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datamodules.sampling.draws import Draws

__all__ = ["PoseRange", "draw_rotation"]


@dataclass(frozen=True)
class PoseRange:
    """Normal distributions, cut off at a limit, in degrees.

    Args:
        yaw: Standard deviation of turning left and right.
        yaw_limit: The largest yaw.
        pitch: Standard deviation of nodding.
        pitch_limit: The largest pitch.
        roll: Standard deviation of leaning to a shoulder.
        roll_limit: The largest roll.
    """

    yaw: float = 25.0
    yaw_limit: float = 60.0
    pitch: float = 10.0
    pitch_limit: float = 30.0
    roll: float = 8.0
    roll_limit: float = 30.0


def draw_rotation(draws: Draws, pose: PoseRange) -> Tensor:
    """Draw Euler angles for ``zoo.render.euler_to_matrix``.

    Returns:
        (B,3) in radians about x (pitch, positive looks down), y (yaw, positive looks to the picture's right) and z
        (roll, positive leans counter-clockwise).
    """
    columns = [
        deviation * draws.normal(name, limit=limit / deviation) if deviation > 0 else np.zeros(len(draws))
        for name, deviation, limit in (
            ("pitch", pose.pitch, pose.pitch_limit),
            ("yaw", pose.yaw, pose.yaw_limit),
            ("roll", pose.roll, pose.roll_limit),
        )
    ]
    return torch.from_numpy(np.radians(np.stack(columns, -1))).float()
