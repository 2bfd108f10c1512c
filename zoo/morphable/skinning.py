"""Linear blend skinning: turn the joints of a head, and the vertices with them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["axis_angle_to_matrix", "pose_joints", "skin"]


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """Rotation matrices of axis-angle vectors, with finite gradients at zero.

    Args:
        axis_angle: (...,3) axis times angle in radians.

    Returns:
        (...,3,3) matrices that rotate column vectors.
    """
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    # R = I + sin(a)/a K + (1 - cos(a))/a^2 K^2; the tiny number keeps the root's gradient finite at a = 0
    angle = (axis_angle.square().sum(-1)[..., None, None] + 1e-24).sqrt()
    first = torch.sinc(angle / math.pi)
    second = 0.5 * torch.sinc(angle / (2 * math.pi)).square()
    eye = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return eye + first * cross + second * (cross @ cross)


def pose_joints(rotations: Tensor, joints: Tensor, parents: list[int]) -> Tensor:
    """Where a chain of turned joints takes points that are given for the unposed head.

    Args:
        rotations: (B,J,3,3) of each joint relative to the joint above it.
        joints: (B,J,3) places of the joints in the unposed head.
        parents: J ids, each smaller than its own; -1 for the root.

    Returns:
        (B,J,3,4) maps: ``R p + t`` moves an unposed point p with the joint.
    """
    turns: list[Tensor] = []
    places: list[Tensor] = []
    for joint, parent in enumerate(parents):
        if parent < 0:
            turns.append(rotations[:, joint])
            places.append(joints[:, joint])
            continue
        offset = (joints[:, joint] - joints[:, parent])[..., None]
        places.append(places[parent] + (turns[parent] @ offset)[..., 0])
        turns.append(turns[parent] @ rotations[:, joint])
    turn, place = torch.stack(turns, 1), torch.stack(places, 1)
    return torch.cat([turn, (place[..., None] - turn @ joints[..., None])], -1)


def skin(vertices: Tensor, maps: Tensor, weights: Tensor) -> Tensor:
    """Blend the joints' maps at every vertex and apply them.

    Args:
        vertices: (B,V,3) of the unposed head.
        maps: (B,J,3,4) from ``pose_joints``.
        weights: (V,J), rows sum to one.

    Returns:
        (B,V,3).
    """
    blended = torch.einsum("vj,bjrc->bvrc", weights, maps)
    return (blended[..., :3] @ vertices[..., None])[..., 0] + blended[..., 3]
