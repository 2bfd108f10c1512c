"""A slow rasteriser in double precision, every pixel against every face, and random triangles to try it on."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def soup(seed: int, faces: int = 40, height: int = 21, width: int = 30) -> tuple[Tensor, Tensor]:
    """Random overlapping triangles, some reaching out of the picture."""
    random = torch.Generator().manual_seed(seed)
    corners = torch.rand(1, 3 * faces, 3, generator=random) * torch.tensor([width + 10.0, height + 10.0, 3.0])
    return corners + torch.tensor([-5.0, -5.0, 1.0]), torch.arange(3 * faces).view(-1, 3)


def brute_force(
    screen: Tensor, triangles: Tensor, height: int, width: int, *, cull: bool = True, perspective: bool = True
) -> dict[str, Tensor]:
    """Face ids, depth and weights of one mesh (V, 3), and ``clear``: pixels that are no matter of rounding."""
    corners = screen.double()[triangles]  # (T, 3, 3)
    rows, columns = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    pixel = torch.stack((columns, rows), -1).view(-1, 1, 1, 2)
    to = corners[None, :, :, :2] - pixel  # (P, T, 3, 2)
    nxt, prev = to[:, :, [1, 2, 0]], to[:, :, [2, 0, 1]]
    edge = nxt[..., 1] * prev[..., 0] - nxt[..., 0] * prev[..., 1]
    area = edge.sum(-1)
    weight = edge / area[..., None]
    z = corners[None, :, :, 2]
    if perspective:
        depth = 1 / (weight / z).sum(-1)
        weight = weight / z * depth[..., None]
    else:
        depth = (weight * z).sum(-1)
    inside = (weight >= 0).all(-1) & (area.abs() > 1e-9) & (corners[:, :, 2].amin(-1) > 0)
    if cull:
        inside &= area > 0
    depth = torch.where(inside, depth, math.inf)
    nearest, face = depth.min(1)
    second = depth.topk(2, dim=1, largest=False).values[:, 1] if depth.shape[1] > 1 else torch.full_like(nearest, 1e9)
    near_an_edge = (edge.abs().amin(-1) < 1e-4 * (1 + to.abs().amax((-1, -2)))).any(1)
    hit = nearest.isfinite()
    chosen = weight[torch.arange(len(face)), face]
    return {
        "face_ids": torch.where(hit, face, -1).view(height, width),
        "depth": torch.where(hit, nearest, 0).view(height, width),
        "barycentrics": torch.where(hit[:, None], chosen, 0).t().reshape(3, height, width),
        "clear": (~near_an_edge & ~((second - nearest).abs() < 1e-4)).view(height, width),
    }
