"""Face masks: a sheet over nose, mouth and chin."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from datamodules.faces.worn.site import SECTORS, Site
from datamodules.sampling.draws import Draws

__all__ = ["COUNT", "TRIANGLES", "mask_points"]

Array = NDArray[Any]

_ROWS, _HALF = 10, 13
_COLUMNS = 2 * _HALF + 1
COUNT = _ROWS * _COLUMNS


def _sheet() -> NDArray[np.int64]:
    row, column = (grid.ravel() for grid in np.meshgrid(np.arange(_ROWS - 1), np.arange(_COLUMNS - 1), indexing="ij"))
    a = row * _COLUMNS + column
    b, c, d = a + 1, a + _COLUMNS, a + _COLUMNS + 1
    return np.concatenate([np.stack([a, c, d], 1), np.stack([a, d, b], 1)])


TRIANGLES = _sheet()


def mask_points(site: Site, draws: Draws, share: float) -> tuple[Tensor, Tensor]:
    """A mask on some of the faces.

    Args:
        site: The heads.
        draws: The samples.
        share: How many of them wear one.

    Returns:
        Points (B, COUNT, 3) in the site's frame and linear albedo (B, COUNT, 3).
    """
    u = draws.uniform("worn mask", 10)

    def put(values: Array) -> Tensor:
        return torch.from_numpy(np.asarray(values, np.float32)).to(site.radius)

    turn = np.arange(-_HALF, _HALF + 1)
    aside = put(np.abs(turn) / _HALF)
    bridge = site.landmarks[:, 28, 1] - 6 + 8 * put(u[:, 1]) - 8 * put(u[:, 2])
    chin = site.landmarks[:, 8, 1] - 3
    top = bridge[:, None] - (30 - 12 * put(u[:, 3]))[:, None] * aside**0.7 * (1 - 0.4 * aside**3)
    bottom = chin[:, None] + 55 * aside**2.2
    share_down = torch.linspace(0, 1, _ROWS, device=top.device)[:, None]
    height = top[:, None] + (bottom - top)[:, None] * share_down
    columns = torch.from_numpy(turn % SECTORS).to(top.device)
    rows = []
    for k in range(_ROWS):
        full = height[:, k, :1].repeat(1, SECTORS)
        full[:, columns] = height[:, k]
        polar = site.polar_of(full)
        radius = site.at(polar[:, None])[:, 0]
        rows.append(torch.stack((radius, polar), 1)[:, :, columns])
    radius, polar = torch.stack(rows, 2).unbind(1)
    # cloth spans what is hollow, more so in the middle of the mask
    spanned = F.max_pool2d(radius[:, None], (3, 5), stride=1, padding=(1, 2))
    spanned = F.avg_pool2d(spanned, (3, 5), stride=1, padding=(1, 2), count_include_pad=False)[:, 0]
    inner = (1 - (2 * share_down - 1) ** 6) * (1 - aside**4)
    radius = torch.maximum(radius, torch.lerp(radius, spanned, inner)) + 1.5 + 5 * inner
    # the tip of the nose is narrower than the directions in which the skin is known
    tip = (site.landmarks[:, 30] - site.landmarks.new_tensor([0.0, 20.0, 0.0]))[:, None, None]
    near = torch.exp(-(((height - tip[..., 1] - 20) / 16) ** 2) - (4.5 * aside) ** 2)
    reach = tip.norm(dim=-1) + 4
    radius = radius + near * (reach - radius).clamp_min(0)
    angle = put(turn * (2 * np.pi / SECTORS))
    flat = radius * polar.sin()
    points = torch.stack((flat * angle.sin(), 20 + radius * polar.cos(), flat * angle.cos()), -1).flatten(1, 2)
    shown = torch.from_numpy(u[:, 0] < share).to(top.device)[:, None, None]
    points = torch.where(shown, points, points.new_tensor([0.0, 20.0, 0.0]))
    colour = np.where(
        u[:, 4, None] < 0.5, [0.42, 0.58, 0.66], np.where(u[:, 4, None] < 0.75, 0.02, u[:, 5:8] ** 1.5 * 0.7)
    )
    pleats = 1 - 0.12 * (torch.arange(_ROWS, device=top.device) % 3 == 1)[:, None].expand(-1, _COLUMNS).flatten()
    return points, put(colour)[:, None] * pleats[:, None]
