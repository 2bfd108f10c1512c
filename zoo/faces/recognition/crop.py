"""The crop of 112 pixels on which face recognition is trained: five points brought to fixed places."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["TEMPLATE", "recognition_crop", "recognition_transform"]

TEMPLATE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""Where left eye, right eye, nose tip and the corners of the mouth lie in a crop of 112 pixels (insightface's)."""

_CORNERS = (36, 39, 42, 45, 30, 48, 54)
"""The iBUG points that give the five: an eye's is the middle between its two corners."""


def recognition_transform(points: Tensor, size: int = 112) -> Tensor:
    """The similarity, without a reflection, that brings five points nearest to the template.

    The least-squares solution (Umeyama, 1991), which in the plane is one division of complex numbers.

    Args:
        points: (B,5,2) or (B,68,2) in pixels, the centre of the top-left one at (0, 0).
        size: Height and width of the crop.

    Returns:
        (B,2,3): pixels of the picture to pixels of the crop, whose centres count alike. The identity where all points
        are one.
    """
    if points.shape[-2] == 68:
        inner, outer, inner_left, outer_left, *rest = points[:, list(_CORNERS)].unbind(1)
        points = torch.stack([(inner + outer) / 2, (inner_left + outer_left) / 2, *rest], 1)
    # pixel centres: a template of another size keeps its borders and not its first pixel in place
    target = (points.new_tensor(TEMPLATE) + 0.5) * (size / 112) - 0.5
    source_mean, target_mean = points.mean(1, keepdim=True), target.mean(0)
    source, target = points - source_mean, target - target_mean
    power = source.square().sum((1, 2))
    real = (source * target).sum((1, 2))
    imaginary = (source[..., 0] * target[..., 1] - source[..., 1] * target[..., 0]).sum(1)
    known = power > 1e-12
    power = power.clamp_min(1e-12)
    a, b = real / power, imaginary / power
    linear = torch.stack((torch.stack((a, -b), -1), torch.stack((b, a), -1)), 1)
    shift = target_mean - _turned(source_mean, linear)[:, 0]
    found = torch.cat((linear, shift.unsqueeze(-1)), -1)
    return torch.where(known.view(-1, 1, 1), found, torch.eye(2, 3).to(found))


def recognition_crop(image: Tensor, points: Tensor, size: int = 112) -> Tensor:
    """Cut out a face as recognition networks want it, black where the picture ends.

    Gradients reach the picture. They do not reach the points: moving the crop is no way to change who is in it, and the
    authors of Deep3DFace compute the transform outside of the graph, too.

    Args:
        image: (B,3,H,W), any range.
        points: (B,5,2) or (B,68,2), the contract's pixels: y down, the centre of the top-left one at (0, 0).
        size: Height and width of the crop.

    Returns:
        (B,3,size,size), sampled bilinearly.
    """
    matrix = recognition_transform(points.detach().to(image.dtype), size)
    a, b = matrix[:, 0, 0], matrix[:, 1, 0]
    scale = (a.square() + b.square()).clamp_min(1e-12)
    # crop pixels back to those of the picture: a similarity's inverse is its conjugate over its squared scale
    back = torch.stack((torch.stack((a, b), -1), torch.stack((-b, a), -1)), 1) / scale.view(-1, 1, 1)
    axis = torch.arange(size, device=image.device).to(image.dtype)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    places = _turned(torch.stack((x, y), -1).view(1, -1, 2) - matrix[:, None, :, 2], back)
    height, width = image.shape[-2:]  # apart, so that exported programs keep them free
    grid = torch.stack(((2 * places[..., 0] + 1) / width - 1, (2 * places[..., 1] + 1) / height - 1), -1)
    grid = grid.view(-1, size, size, 2)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _turned(points: Tensor, matrix: Tensor) -> Tensor:
    """Points (B,N,2) by matrices (B,2,2), number by number: autocast halves the precision of matrix products."""
    return (points[:, :, None] * matrix[:, None]).sum(-1)
