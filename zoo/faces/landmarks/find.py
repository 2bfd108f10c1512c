"""From a rough face to 68 points in the photo: a look at the rough crop, and two at the one that it leads to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample

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
    the first look give, upright in it, and at its mirror image, whose answers are averaged.

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
    pictures = _cut(image, crops, network)
    crops = [
        _upright(crop.to_photo(own), network.size) for crop, own in zip(crops, _ask(network, pictures)[0], strict=True)
    ]
    pictures = _cut(image, crops, network)
    points, errors, logits = (value.chunk(2) for value in _ask(network, torch.cat((pictures, pictures.flip(-1)))))
    flip = list(LANDMARK_FLIP)
    mirrored = points[1][:, flip] * points[1].new_tensor([-1, 1]) + points[1].new_tensor([network.size - 1, 0])
    middle, error = (points[0] + mirrored) / 2, (errors[0] + errors[1][:, flip]) / 2
    logit = (logits[0] + logits[1]) / 2
    return [
        _told(face, crop.to_photo(middle[i]), error[i] * (crop.side / crop.size), logit[i])
        for i, (face, crop) in enumerate(zip(faces, crops, strict=True))
    ]


def _ask(network: LandmarkNetwork, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Points (N, 68, 2) and their expected errors (N, 68) in pixels of the crops, and face logits (N,), on the CPU."""
    points, log_scale, logit = (value.cpu() for value in network(pictures))
    size = network.size
    # the mean distance of the density that the network is trained with is two scales, and the crop is two units wide
    return (points * size + size - 1) / 2, log_scale.exp() * size, logit


def _cut(image: Tensor, crops: Sequence[Crop], network: LandmarkNetwork) -> Tensor:
    """The crops (N, 3, size, size), smoothed by whole pixels where they shrink; ``Crop.cut`` is finer, and slow."""
    device = next(network.parameters()).device
    return torch.stack([_quick_cut(image, crop) for crop in crops]).to(device)


def _quick_cut(image: Tensor, crop: Crop) -> Tensor:
    axis = torch.arange(crop.size, dtype=torch.float32)
    places = crop.to_photo(torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1))
    height, width = image.shape[-2:]
    limits = [(width, places[..., 0]), (height, places[..., 1])]
    (left, right), (top, bottom) = (
        (min(max(0, math.floor(float(v.min())) - 2), n - 1), max(1, min(n, math.ceil(float(v.max())) + 3)))
        for n, v in limits
    )
    factor = max(1, math.floor(crop.side / crop.size))
    window = image[:, top : max(bottom, top + 1), left : max(right, left + 1)].float().cpu()
    factor = min(factor, *window.shape[-2:])
    window = avg_pool2d(window[None], factor)
    extent = torch.tensor([window.shape[-1], window.shape[-2]], dtype=torch.float32) * factor
    grid = ((places - torch.tensor([left, top]) + 0.5) / extent * 2 - 1)[None]
    return grid_sample(window, grid, mode="bilinear", padding_mode="border", align_corners=False)[0]


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
