"""The one framing of face crops, the same for training data and for photos.

The measure of a face is s, the distance from the middle of the eyes to the middle of the mouth, or the distance between
the eyes where that is larger (a smile or a nod shortens the first, a turned head the second). The crop is a square of
side 3.1 s around the point 0.17 s above the middle between eyes and mouth: from the hairline to a little below
the chin, cheek to cheek.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.faces.face import Face

__all__ = ["FACE_CROP", "FaceCrop", "crop_box", "crop_box_from_landmarks", "five_points"]


@dataclass(frozen=True)
class FaceCrop:
    """The numbers of the framing, in units of the face's measure s.

    Args:
        side: Side of the square crop.
        lift: How far its centre lies above the middle between eyes and mouth, along that line.
        cascade_side: Side of the box that the LBP cascade draws. Median of ten portraits with known points: 2.63
            (1.9 to 2.9; the smallest for a head turned far aside). The box's centre lies where the crop's does: 0.17
            above the middle (0.10 to 0.23) and within 0.10 to either side.
    """

    side: float = 3.1
    lift: float = 0.17
    cascade_side: float = 2.63


FACE_CROP = FaceCrop()
"""The framing that every face model of the zoo is trained on and is given."""


def five_points(landmarks: Tensor) -> Tensor:
    """Reduce landmarks to left eye, right eye, nose tip, left and right mouth corner, as seen in the picture.

    Args:
        landmarks: (..., 68, 2) in iBUG order, or (..., 5, 2), which are returned as they are.

    Returns:
        (..., 5, 2); an eye's point is the mean of its six.

    Raises:
        ValueError: There are neither 5 nor 68 points.
    """
    if landmarks.shape[-2:] == (5, 2):
        return landmarks
    if landmarks.shape[-2:] != (68, 2):
        raise ValueError(f"landmarks must be (..., 5, 2) or (..., 68, 2), not {tuple(landmarks.shape)}.")
    eyes = [landmarks[..., eye, :].mean(dim=-2) for eye in (slice(36, 42), slice(42, 48))]
    return torch.stack([*eyes, landmarks[..., 30, :], landmarks[..., 48, :], landmarks[..., 54, :]], dim=-2)


def crop_box_from_landmarks(landmarks: Tensor) -> Tensor:
    """Give the canonical crop of a face from its landmarks.

    Args:
        landmarks: (..., 5, 2) or (..., 68, 2) in pixels.

    Returns:
        (..., 3): centre x, centre y and side of the crop in pixels; a single one unpacks as ``cx, cy, side``.

    Example:
        >>> points = torch.tensor([[40.0, 50.0], [80.0, 50.0], [60.0, 70.0], [45.0, 90.0], [75.0, 90.0]])
        >>> crop_box_from_landmarks(points)
        tensor([ 60.0000,  63.2000, 124.0000])
    """
    left_eye, right_eye, _, left_corner, right_corner = five_points(landmarks).unbind(dim=-2)
    eyes, mouth = (left_eye + right_eye) / 2, (left_corner + right_corner) / 2
    down = mouth - eyes
    length = down.norm(dim=-1, keepdim=True)
    size = torch.maximum(length, (right_eye - left_eye).norm(dim=-1, keepdim=True))
    centre = (eyes + mouth) / 2 - FACE_CROP.lift * size * down / length.clamp(min=1e-6)
    return torch.cat([centre, FACE_CROP.side * size], dim=-1)


def crop_box(face: Face) -> tuple[float, float, float]:
    """Give the canonical crop of a detected face: from its landmarks where there are some, else from its box.

    Returns:
        Centre x, centre y and side in pixels.
    """
    if face.landmarks is not None:
        x, y, side = crop_box_from_landmarks(face.landmarks.detach().double()).tolist()
        return x, y, side
    return (*face.centre, face.side if face.framed else face.side * FACE_CROP.side / FACE_CROP.cascade_side)
