"""What the MATLAB files of 3DDFA's data sets say of a face: landmarks and pose, in the contract's terms."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.mat_files import read_mat
from zoo.errors import UserError

__all__ = ["absolute_yaw", "landmarks_of", "pose_of", "read_face_mat", "rotation_from_3ddfa"]


def read_face_mat(path: Path, *names: str) -> dict[str, Any]:
    """The variables of a file, all those named among them.

    Raises:
        UserError: The file is missing, damaged, or lacks a variable.
    """
    content = read_mat(path)
    lacking = [name for name in names if name not in content]
    if lacking:
        there = ", ".join(sorted(content)) or "nothing"
        raise UserError(f"{path} lacks {' and '.join(lacking)}; it holds {there}. Copy it again.")
    return content


def landmarks_of(values: Any, name: str, path: Path) -> Tensor:
    """Landmarks in the contract's pixels.

    Args:
        values: (68,2), (68,3), (2,68) or (3,68), pixels as MATLAB counts them: the first one is 1. Depth is dropped.
        name: Of the variable, for the message.
        path: Of the file, for the message.

    Returns:
        (68,2) float32; the centre of the top-left pixel is (0,0).

    Raises:
        UserError: There are other than 68 points, or values that are not finite.
    """
    points = np.asarray(values)
    if points.ndim == 2 and points.shape[0] in (2, 3) and points.shape[1] not in (2, 3):
        points = points.T
    if points.ndim != 2 or points.shape[1] not in (2, 3) or points.dtype.kind not in "iuf":
        raise UserError(f"{name} of {path} has the shape {np.shape(values)}, and no points of x and y. Copy it again.")
    if len(points) != 68:
        raise UserError(f"{name} of {path} holds {len(points)} points, and 68 are needed. Copy it again.")
    if not np.isfinite(points).all():
        raise UserError(f"{name} of {path} holds values that are not finite (NaN or infinity). Copy it again.")
    return torch.from_numpy(points[:, :2].astype(np.float32) - 1)


def pose_of(values: Any, path: Path) -> Tensor:
    """The angles of ``Pose_Para``: pitch, yaw, roll, then a translation and a scale, which are left out.

    Returns:
        (3,) float32 radians, still in 3DDFA's convention.

    Raises:
        UserError: There are fewer than three numbers, or some that are not finite.
    """
    numbers = np.asarray(values).ravel()
    if numbers.dtype.kind not in "iuf" or len(numbers) < 3 or not np.isfinite(numbers[:3]).all():
        raise UserError(f"Pose_Para of {path} does not hold pitch, yaw and roll. Copy it again.")
    return torch.from_numpy(numbers[:3].astype(np.float32))


def rotation_from_3ddfa(angles: Tensor) -> Tensor:
    """Turn 3DDFA's pitch, yaw and roll into the contract's Euler angles.

    3DDFA turns a head (x right, y up, z to the viewer, as the contract's camera frame) by ``R = Rx Ry Rz``, each factor
    the transpose of the usual right-handed matrix: positive pitch looks up, positive yaw to the left of the picture,
    positive roll leans clockwise. The contract has ``R = Rz Ry Rx`` of right-handed factors. Both are the same matrix.

    Args:
        angles: (...,3) pitch, yaw, roll in radians.

    Returns:
        (...,3) angles about x, y and z in radians for ``zoo.render.euler_to_matrix``.

    Source: Zhu et al., Face Alignment Across Large Poses, CVPR 2016, and the code that comes with 300W-LP.

    Example:
        >>> rotation_from_3ddfa(torch.tensor([0.0, 0.5, 0.0]))
        tensor([ 0.0000, -0.5000,  0.0000])
    """
    (sp, sy, sr), (cp, cy, cr) = angles.double().sin().unbind(-1), angles.double().cos().unbind(-1)
    # the entries of Rx(-p) Ry(-y) Rz(-r) that Rz Ry Rx shows its angles in
    r00, r10, r20 = cy * cr, -cp * sr + sp * sy * cr, sp * sr + cp * sy * cr
    r21, r22 = -sp * cr + cp * sy * sr, cp * cy
    x, y, z = torch.atan2(r21, r22), -torch.asin(r20.clamp(-1, 1)), torch.atan2(r10, r00)
    return (torch.stack((x, y, z), -1) + 0.0).to(angles.dtype)  # + 0.0: no negative zeros


def absolute_yaw(angles: Tensor) -> float:
    """How far 3DDFA's pose is turned aside, in degrees."""
    return abs(math.degrees(float(angles[1])))
