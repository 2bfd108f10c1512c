"""Head-like meshes of the sizes that face models have, made from a formula: the rasteriser's workload."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.render import PerspectiveCamera, euler_to_matrix


@dataclass(frozen=True)
class Workload:
    """What is drawn: a mesh of ``rows`` x ``columns`` vertices (and a pole), at some size, several times."""

    name: str
    rows: int
    columns: int
    size: int
    batch: int
    cap: bool = False

    @property
    def title(self) -> str:
        return f"{self.name} {self.size}, B={self.batch}"


def bfm(size: int, batch: int) -> Workload:
    """The size of the Basel face model: 35,7xx vertices and 71 thousand faces, a closed head."""
    return Workload("bfm", 190, 188, size, batch)


def bfm_face(size: int, batch: int) -> Workload:
    """The same size as an open front cap, almost all of whose faces show their front."""
    return Workload("bfmface", 190, 188, size, batch, cap=True)


def flame(size: int, batch: int) -> Workload:
    """The size of FLAME: 5,0xx vertices and 10 thousand faces, a closed head."""
    return Workload("5k", 71, 71, size, batch)


def head(rows: int, columns: int, cap: bool = False) -> tuple[Tensor, Tensor]:
    """An ellipsoid with nose, eye sockets and chin, and a neck hole (or its open front), faces shuffled.

    Returns:
        ``(V, 3)`` vertices, about 2 units high, x right, y up, z out of the face; ``(T, 3)`` triangles.
    """
    ring = torch.arange(1, rows + 1, dtype=torch.float64)[:, None] / rows
    turn = torch.arange(columns, dtype=torch.float64)[None] / columns * 2 * math.pi
    # The pole is the nose's tip for the cap, and the crown for the closed head, whose last ring is the neck.
    reach = ring * (0.52 if cap else 0.9) * math.pi
    along, across = torch.cos(reach).expand(rows, columns), torch.sin(reach)
    if cap:
        unit = torch.stack((across * torch.cos(turn), across * torch.sin(turn), along), -1).reshape(-1, 3)
        pole = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)
    else:
        unit = torch.stack((across * torch.sin(turn), along, across * torch.cos(turn)), -1).reshape(-1, 3)
        pole = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    unit = torch.cat((unit, pole))
    x, y, z = unit.unbind(1)
    front = (z > 0).double()

    def bump(cx: float, cy: float, sx: float, sy: float) -> Tensor:
        return front * torch.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2)

    relief = 0.3 * bump(0, -0.1, 0.1, 0.18) + 0.1 * bump(0, -0.65, 0.2, 0.12)
    relief = relief - 0.09 * (bump(-0.33, 0.18, 0.14, 0.09) + bump(0.33, 0.18, 0.14, 0.09))
    vertices = unit * torch.tensor([0.72, 1.0, 0.85], dtype=torch.float64) * (1 + relief)[:, None]

    first = torch.arange(rows - 1)[:, None] * columns + torch.arange(columns)
    beside = torch.arange(rows - 1)[:, None] * columns + (torch.arange(columns) + 1) % columns
    quads = torch.stack((first, beside, first + columns, beside + columns), -1).reshape(-1, 4)
    fan = torch.stack(
        (torch.full((columns,), rows * columns), torch.arange(columns), (torch.arange(columns) + 1) % columns), -1
    )
    triangles = torch.cat((fan, quads[:, [0, 2, 1]], quads[:, [1, 2, 3]]))
    shuffle = torch.randperm(len(triangles), generator=torch.Generator().manual_seed(0))
    return vertices.float(), triangles[shuffle]


def scene(workload: Workload, seed: int = 0) -> tuple[Tensor, Tensor, PerspectiveCamera]:
    """A batch of turned heads before a camera: ``(B, V, 3)`` vertices, triangles, camera."""
    vertices, triangles = head(workload.rows, workload.columns, workload.cap)
    random = torch.rand(workload.batch, 2, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    angles = torch.stack((random[:, 0] * 0.3, random[:, 1] * 0.6, torch.zeros(workload.batch)), 1)
    turned = vertices @ euler_to_matrix(angles).mT + torch.tensor([0.0, 0.0, -5.0])
    return turned.contiguous(), triangles, PerspectiveCamera.from_fov(25.0, workload.size, workload.size)
