"""Where head and camera stand, so that the picture is the crop that ``zoo.faces`` would cut from a photo."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from datamodules.sampling.camera import Framing
from zoo.faces import crop_box_from_landmarks
from zoo.render import euler_to_matrix

__all__ = ["Placed", "place"]


@dataclass(frozen=True)
class Placed:
    """A head before the camera.

    Args:
        vertices: (B,V,3) in the camera frame, model units.
        normals: (B,V,3) unit, camera frame.
        screen: (B,V,3) x and y in pixels of the crop, and depth.
        landmarks: (B,68,2) pixels of the crop.
        translation: (B,3) so that vertices = R head + translation.
        middle: (B,3) of the landmarks, camera frame.
        focal: (B,) focal length in pixels of the crop.
        principal: (B,2) where the optical axis meets the crop, in its pixels.
    """

    vertices: Tensor
    normals: Tensor
    screen: Tensor
    landmarks: Tensor
    translation: Tensor
    middle: Tensor
    focal: Tensor
    principal: Tensor

    def rays(self, size: int) -> Tensor:
        """(B,3,size,size) from the camera through each pixel's centre, of length 1 along the optical axis."""
        pixels = torch.arange(size, device=self.focal.device)
        x, y = ((pixels - self.principal[:, i, None]) / self.focal[:, None] for i in range(2))
        x, y = torch.broadcast_tensors(x[:, None, :], -y[:, :, None])
        return torch.stack((x, y, -torch.ones_like(x)), 1)


def place(head: dict[str, Tensor], rotation: Tensor, framing: Framing, size: int) -> Placed:
    """Turn a head, put it before the camera, and crop.

    The crop is not cut from a larger picture: a camera with the crop's window is the same and costs less.

    Args:
        head: vertices, normals and landmarks in the head frame, as ``MorphableModel`` gives them.
        rotation: (B,3) Euler angles.
        framing: Draws of field of view, place in the photo, and jitter of the crop.
        size: Height and width of the crop in pixels.
    """
    turn = euler_to_matrix(rotation).mT
    vertices, landmarks = head["vertices"] @ turn, head["landmarks"] @ turn
    fov, off_axis = framing.fov.to(vertices), framing.off_axis.to(vertices)
    middle = landmarks.mean(1)
    # as seen from very far the crop has a side in model units, which the field of view turns into a distance
    side = crop_box_from_landmarks(_downwards(landmarks[..., :2]))[:, 2]
    # but never so near that the head reaches behind the camera
    nearest = 1.3 * (vertices[..., 2].amax(1) - middle[:, 2])
    distance = torch.maximum(side / 2 / torch.tan(fov / 2), nearest)
    translation = torch.cat((off_axis * side[:, None], -distance[:, None]), -1) - middle
    vertices, landmarks = vertices + translation[:, None], landmarks + translation[:, None]

    # pictures of a camera with a focal length of 1, in which the crop is found as in a photo
    box = crop_box_from_landmarks(_picture(landmarks))
    centre, side = box[:, None, :2], box[:, None, 2:]
    centre = centre + framing.shift.to(side)[:, None] * side
    scale = size / (side * framing.scale.to(side)[:, None, None])

    def to_crop(points: Tensor) -> Tensor:
        return (_picture(points) - centre) * scale + (size - 1) / 2

    screen = torch.cat((to_crop(vertices), -vertices[..., 2:]), -1)
    focal = scale.flatten()
    principal = (size - 1) / 2 - centre[:, 0] * focal[:, None]
    normals, middle = head["normals"] @ turn, landmarks.mean(1)
    return Placed(vertices, normals, screen, to_crop(landmarks), translation, middle, focal, principal)


def _picture(points: Tensor) -> Tensor:
    return _downwards(points[..., :2] / -points[..., 2:])


def _downwards(points: Tensor) -> Tensor:
    return points * points.new_tensor([1, -1])
