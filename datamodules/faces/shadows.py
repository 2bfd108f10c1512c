"""What keeps light away: the head's own shadow, crevices, and things outside the picture. Not in the truth."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.sampling.draws import Draws

__all__ = ["cast_shadow", "crevices", "dapples", "lamp_frame"]

_CELLS = 96  # of the lamp's view, along each side
_REACH = 165.0  # millimetres from the middle of the face to the border of that view
_TAPS = 8
_NOTHING = -1e4


def lamp_frame(direction: Tensor) -> Tensor:
    """Two axes across the light and one towards the lamp.

    Args:
        direction: (B,3) unit vectors towards the lamp.

    Returns:
        (B,3,3) orthonormal rows: right, up, towards the lamp.
    """
    # a helper axis far from the direction, so that the frame turns smoothly: lamps are seldom straight above
    up = torch.where(
        direction[:, 1:2].abs() < 0.95, direction.new_tensor([[0.0, 1, 0]]), direction.new_tensor([[0.0, 0, 1]])
    )
    right = F.normalize(torch.linalg.cross(up, direction), dim=-1)
    return torch.stack((right, torch.linalg.cross(direction, right), direction), 1)


def cast_shadow(
    vertices: Tensor, middle: Tensor, points: Tensor, normal: Tensor, frame: Tensor, width: Tensor
) -> Tensor:
    """How far other parts of the head stand between points and a lamp.

    The lamp's view of the head is a coarse height map, made of the vertices alone: no triangle is drawn, which is why
    it costs a tenth of a rasterised one. Points are lifted off their surface by as much as the map is coarse.

    Args:
        vertices: (B,V,3) in millimetres.
        middle: (B,3) of the face.
        points: (B,3,H,W) in the same frame.
        normal: (B,3,H,W) unit, of the surface at the points.
        frame: (B,3,3) from ``lamp_frame``.
        width: (B,) millimetres over which the edge of a shadow is soft.

    Returns:
        (B,1,H,W): 0 where the lamp is seen, 1 where it is not.
    """
    batch, _, rows, columns = points.shape
    cell = 2 * _REACH / _CELLS
    seen = (vertices - middle[:, None]) @ frame.mT
    heights = _height_map(seen, cell)

    width = width.clamp_min(cell).view(-1, 1, 1, 1)
    cosine = torch.einsum("bi,bihw->bhw", frame[:, 2], normal)[:, None]
    lift = 1.5 + (0.6 * width + 0.5 * cell) * (1 - cosine**2).clamp_min(0).sqrt()
    lifted = points - middle[..., None, None] + normal * lift
    place = torch.einsum("bji,bihw->bjhw", frame, lifted)
    angle = torch.arange(_TAPS, device=points.device) * (math.pi * (3 - math.sqrt(5)))
    radius = ((torch.arange(_TAPS, device=points.device) + 0.5) / _TAPS).sqrt()
    taps = torch.stack((angle.cos() * radius, angle.sin() * radius), -1).view(1, _TAPS, 1, 1, 2)
    grid = (place[:, None, :2].movedim(2, -1) + taps * width[..., None]) / _REACH
    found = F.grid_sample(
        heights, grid.reshape(batch, _TAPS * rows, columns, 2), align_corners=False, padding_mode="border"
    )
    above = found.view(batch, _TAPS, rows, columns) - place[:, 2:]
    return ((above - 1) / 3).clamp_(0, 1).mean(1, keepdim=True)


def _height_map(seen: Tensor, cell: float) -> Tensor:
    """Greatest height of the vertices in each cell, ``(B,1,_CELLS,_CELLS)``, closed over single cells."""
    batch = len(seen)
    index = ((seen[..., :2] + _REACH) / cell).floor().long()
    inside = ((index >= 0) & (index < _CELLS)).all(-1)
    flat = torch.where(inside, index[..., 1] * _CELLS + index[..., 0], _CELLS**2)
    heights = seen.new_full((batch, _CELLS**2 + 1), _NOTHING)
    heights.scatter_reduce_(1, flat, seen[..., 2], "amax")
    heights = heights[:, :-1].view(batch, 1, _CELLS, _CELLS)
    # cells between the vertices of a near surface are empty or show a far one: a closing fills them
    heights = -F.max_pool2d(-F.max_pool2d(heights, 3, 1, 1), 3, 1, 1)
    # what is still empty lies far below everything, but not so far that it drowns its neighbours in the interpolation
    return heights.clamp_min(-_REACH)


def crevices(depth: Tensor, cover: Tensor, normal: Tensor) -> Tensor:
    """How much of the surroundings' light is lost in nostrils, sockets, mouths and under chins.

    A pixel that lies deeper than the mean of its neighbours on the head is in a crevice.

    Args:
        depth: (B,1,H,W) millimetres, where covered.
        cover: (B,1,H,W) share of the pixel that the head covers.
        normal: (B,3,H,W) unit; what is seen in grazing view looks deep beside its outline, and is left alone.

    Returns:
        (B,1,H,W): 0 in the open, towards 1 deep down.
    """
    size = depth.shape[-1]
    half = F.avg_pool2d(torch.cat((depth * cover, cover), 1), 2) if size >= 64 else torch.cat((depth * cover, cover), 1)
    lost = torch.zeros_like(depth)
    for share, scale in ((0.05, 7.0), (0.14, 22.0)):
        reach = max(1, round(share * half.shape[-1] / 2))
        sides = 2 * reach + 1
        mean = F.avg_pool2d(half, (sides, 1), 1, (reach, 0))
        mean = F.avg_pool2d(mean, (1, sides), 1, (0, reach))
        mean = mean[:, :1] / mean[:, 1:].clamp_min(1e-3)
        if mean.shape != depth.shape:
            mean = F.interpolate(mean, size=(size, size), mode="bilinear", align_corners=False)
        lost += ((depth - mean) / scale - 0.08).clamp_min(0)
    return (1 - torch.exp(-lost * normal[:, 2:].clamp(0, 1) ** 2)) * (cover > 0)


def dapples(draws: Draws, across: Tensor) -> Tensor:
    """Light that falls through leaves, blinds or past a corner.

    Args:
        draws: The samples.
        across: (B,2,H,W) places across the light, in millimetres.

    Returns:
        (B,1,H,W) share of the main lamp's light that arrives.
    """
    angle = draws.between("dapple angle", 0, math.pi)
    period = np.exp(draws.between("dapple period", math.log(20), math.log(160)))
    blinds = draws.chance("dapples are blinds", 0.4)

    def put(values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(values)).to(across)[:, None, None, None]

    c, s = put(np.cos(angle)), put(np.sin(angle))
    along = torch.cat((c * across[:, :1] + s * across[:, 1:], c * across[:, 1:] - s * across[:, :1]), 1)
    phase = put(draws.between("dapple phase", 0, 2 * math.pi))
    stripes = torch.sin(along[:, :1] * (2 * math.pi / put(period)) + phase)
    lattice = torch.from_numpy(draws.normal("leaves", 1, 24, 24)).to(across)
    place = (along / put(period) / 4 + put(draws.uniform("leaf place"))) % 2 - 1
    leaves = F.grid_sample(lattice, place.movedim(1, -1), align_corners=False, padding_mode="reflection")
    pattern = torch.where(put(blinds) > 0, stripes, leaves + put(draws.between("leaf cover", -0.5, 0.7)))
    sharp = put(np.exp(draws.between("dapple sharpness", 0.3, 2.2)))
    return torch.sigmoid(2 * pattern * sharp)
