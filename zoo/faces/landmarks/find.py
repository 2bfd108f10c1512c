"""From a rough face to 68 points in the photo: two looks, each at the crop and its mirror image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from zoo.contract import LANDMARK_FLIP
from zoo.faces.crop import Crop
from zoo.faces.face import Face
from zoo.faces.framing import crop_box, crop_box_from_landmarks, five_points
from zoo.faces.landmarks.network import LandmarkNetwork
from zoo.faces.landmarks.weights import shipped_network

__all__ = ["find_landmarks", "find_landmarks_of_all"]


def find_landmarks(image: Tensor, face: Face, network: LandmarkNetwork | None = None) -> Face:
    """Find the 68 points of a face that is roughly known.

    The first look is at the crop that the face's landmarks or its box give; the second at the crop that the points of
    the first look give, upright in it. Each look averages the answers to the crop and to its mirror image.

    Args:
        image: (3, H, W), sRGB-encoded, in [0, 1].
        face: Its box may be off by 15 per cent of its side, 30 per cent in size and 30 degrees in roll.
        network: Which network to ask; by default the one whose weights are shipped.

    Returns:
        The same box, with landmarks (68, 2) in pixels of the photo on the CPU, roll from the line between the eyes,
        the network's own score in [0, 1], and the error that it expects.

    Raises:
        ValueError: The image is no picture.
        UserError: The shipped weights are damaged.
    """
    return find_landmarks_of_all(image, [face], network)[0]


@torch.inference_mode()
def find_landmarks_of_all(image: Tensor, faces: Sequence[Face], network: LandmarkNetwork | None = None) -> list[Face]:
    """The same for several faces of one photo at once; arguments, result and errors are those of ``find_landmarks``."""
    if image.ndim != 3 or image.shape[0] != 3 or not image.numel():
        raise ValueError(f"an image (3, H, W) is expected, not {tuple(image.shape)}.")
    if not faces:
        return []
    network = network or shipped_network()
    crops = []
    for face in faces:
        x, y, side = crop_box(face)
        crops.append(Crop((x, y), max(side, 1.0), network.size, face.roll))
    points, _, _ = _look(image, crops, network)
    crops = [_upright(own, network.size) for own in points]
    points, errors, logits = _look(image, crops, network)
    return [
        _told(face, own, error, logit) for face, own, error, logit in zip(faces, points, errors, logits, strict=True)
    ]


def _look(image: Tensor, crops: Sequence[Crop], network: LandmarkNetwork) -> tuple[list[Tensor], Tensor, Tensor]:
    """Points (68, 2) in the photo, expected errors (N, 68) in its pixels, and face logits (N,)."""
    device = next(network.parameters()).device
    pictures = torch.stack([crop.cut(image) for crop in crops]).to(device, torch.float32)
    answers, log_scales, logits = (value.cpu() for value in network(torch.cat((pictures, pictures.flip(-1)))))
    answers, mirrored = answers.chunk(2)
    flip = list(LANDMARK_FLIP)
    mirrored = mirrored[:, flip] * mirrored.new_tensor([-1, 1])
    log_scale, mirrored_scale = log_scales.chunk(2)
    # the mean distance of the density that the network is trained with is two scales
    scale = (log_scale.exp() + mirrored_scale[:, flip].exp()) / 2
    sides = torch.tensor([crop.side for crop in crops])
    middle = (answers + mirrored) / 2
    size = network.size
    points = [crop.to_photo((own * size + size - 1) / 2) for crop, own in zip(crops, middle, strict=True)]
    return points, 2 * scale * sides[:, None] / 2, torch.stack(logits.chunk(2)).mean(0)


def _upright(points: Tensor, size: int) -> Crop:
    x, y, side = crop_box_from_landmarks(points.double()).tolist()
    return Crop((x, y), max(side, 1.0), size, _roll(points))


def _roll(points: Tensor) -> float:
    left, right, *_ = five_points(points)
    return math.atan2(float(right[1] - left[1]), float(right[0] - left[0]))


def _told(face: Face, points: Tensor, error: Tensor, logit: Tensor) -> Face:
    left, right, *_ = five_points(points)
    eyes = float((right - left).norm())
    expected = 100 * float(error.mean()) / max(eyes, 1e-6)
    score = float(torch.sigmoid(logit))
    return replace(face, landmarks=points.float(), roll=_roll(points), score=score, error=expected)
