"""PyTorch3D as the rasteriser, where it is installed: it supplies face ids, and the rest of the renderer is shared.

Its screen has x to the left and y up, the shorter side spans [-1, 1], and its face ids count through the batch.
"""

from __future__ import annotations

import functools
import importlib

import torch
from torch import Tensor

from zoo.errors import UserError
from zoo.render.corners import NEAR, check_mesh, facing

__all__ = ["rasterize", "require", "works_on"]


def require() -> None:
    """Raise a `UserError` unless PyTorch3D and its compiled part can be imported."""
    try:
        importlib.import_module("pytorch3d._C")
    except ImportError as error:  # not installed, or built for another torch
        raise UserError(
            f"PyTorch3D cannot be imported ({error}); install it, or use the renderer 'torch', which needs nothing."
        ) from error


@functools.cache
def works_on(device_type: str) -> bool:
    """Whether PyTorch3D is installed and its compiled part draws a triangle on that kind of device."""
    screen = torch.tensor([[[0.0, 0.0, 1.0], [0.0, 8.0, 1.0], [8.0, 0.0, 1.0]]], device=device_type)
    try:
        require()
        face_ids = rasterize(screen, torch.tensor([[0, 1, 2]], device=device_type), 4, 4)
    except (UserError, RuntimeError):  # missing, or built without GPU support
        return False
    return bool((face_ids[0, 1, 1] == 0).item())


@torch.no_grad()
def rasterize(
    screen: Tensor,
    triangles: Tensor,
    height: int,
    width: int,
    *,
    cull: bool = True,
    perspective: bool = True,
    near: float = NEAR,
) -> Tensor:
    """The face that each pixel's centre sees; arguments and result as in `zoo.render.rasterize.rasterize`.

    The one difference: PyTorch3D gives a centre exactly on an edge to nobody.
    """
    from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
    from pytorch3d.structures import Meshes

    check_mesh(screen, triangles)
    batch, faces = screen.shape[0], triangles.shape[0]
    scale = min(height, width) / 2
    x, y, z = screen.float().unbind(-1)
    ndc = torch.stack((((width - 1) / 2 - x) / scale, ((height - 1) / 2 - y) / scale, z), -1)
    # PyTorch3D would draw faces that reach behind the camera, inverted; they never get there.
    drawn = facing(screen.float(), triangles, near) != 0
    meshes = Meshes(list(ndc.nan_to_num()), [triangles[kept].long() for kept in drawn])
    packed, _, _, _ = rasterize_meshes(
        meshes,
        image_size=(height, width),
        blur_radius=0.0,
        faces_per_pixel=1,
        perspective_correct=perspective,
        cull_backfaces=cull,
    )
    packed = packed[..., 0]
    kept_ids = drawn.view(-1).nonzero().squeeze(1)
    if not kept_ids.numel():
        return torch.full((batch, height, width), -1, dtype=torch.int64, device=screen.device)
    return torch.where(packed < 0, -1, kept_ids[packed.clamp(min=0)] % faces)
