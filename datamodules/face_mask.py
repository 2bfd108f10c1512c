"""Which pixels of a real portrait are face: a polygon through 68 points, or an ellipse where there are none."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["ellipse_mask", "mask_from_landmarks", "polygon_mask"]


def mask_from_landmarks(landmarks: Tensor, height: int, width: int) -> Tensor:
    """The face inside the jaw line, closed over the brows.

    Args:
        landmarks: (B,68,2) iBUG points in pixels.
        height: Of the picture.
        width: Of the picture.

    Returns:
        (B,1,height,width): 1 inside, 0 outside.

    Source:
        SfSNet's release, in points counted from 1: (x of 1, y of 20), 1 to 17, (x of 17, y of 25), and points 25 and
        20 lifted by 0.3 of the distance between the inner eye corners, 40 and 43.
    """
    x, y = landmarks.unbind(-1)
    lift = 0.3 * (landmarks[:, 39] - landmarks[:, 42]).norm(dim=-1)
    polygon = torch.cat(
        (
            torch.stack((x[:, 0], y[:, 19]), -1)[:, None],
            landmarks[:, :17],
            torch.stack((x[:, 16], y[:, 24]), -1)[:, None],
            torch.stack((x[:, 24], y[:, 24] - lift), -1)[:, None],
            torch.stack((x[:, 19], y[:, 19] - lift), -1)[:, None],
        ),
        1,
    )
    return polygon_mask(polygon, height, width)[:, None].to(landmarks.dtype)


def ellipse_mask(size: int) -> Tensor:
    """Where the face lies in a crop of ``zoo.faces.FACE_CROP``, as far as one shape can tell: ``(1, size, size)``.

    From the middle of the forehead to the chin and cheek to cheek, so that it seldom holds background or hair.
    """
    line = (torch.arange(size) + 0.5) / size
    # in units of the crop, whose centre lies 0.17/3.1 above the middle between eyes and mouth
    x, y = (line[None, :] - 0.5) / 0.29, (line[:, None] - 0.56) / 0.36
    return (x * x + y * y <= 1).float()[None]


def polygon_mask(polygon: Tensor, height: int, width: int) -> Tensor:
    """Which pixels have their centres inside a polygon, by the even-odd rule.

    Args:
        polygon: (B,N,2) corners in pixels.
        height: Of the picture.
        width: Of the picture.

    Returns:
        (B,height,width) bools.
    """
    px = torch.arange(width, device=polygon.device, dtype=polygon.dtype)[None, None, :]
    py = torch.arange(height, device=polygon.device, dtype=polygon.dtype)[None, :, None]
    inside = torch.zeros(len(polygon), height, width, dtype=torch.bool, device=polygon.device)
    for (ax, ay), (bx, by) in zip(polygon.permute(1, 2, 0), polygon.roll(-1, 1).permute(1, 2, 0), strict=True):
        ax, ay, bx, by = (value[:, None, None] for value in (ax, ay, bx, by))
        crosses = (ay > py) != (by > py)
        at = ax + (py - ay) / torch.where(by == ay, 1, by - ay) * (bx - ax)
        inside ^= crosses & (px < at)
    return inside
