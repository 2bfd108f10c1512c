"""From a mesh and a camera to pictures."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.render import pytorch3d_backend
from zoo.render.camera import Camera
from zoo.render.interpolate import interpolate
from zoo.render.mesh import vertex_normals
from zoo.render.normals import unit_normals
from zoo.render.rasterize import rasterize
from zoo.render.silhouette import soft_mask

__all__ = ["MeshRenderer"]

BACKENDS = ("auto", "torch", "pytorch3d")


class MeshRenderer(nn.Module):
    """Draws triangle meshes, differentiably in vertices and attributes.

    The backend only decides which face each pixel sees; everything else, and so every gradient, is the same.

    Args:
        backend: ``"torch"``, ``"pytorch3d"``, or ``"auto"``: PyTorch3D for meshes on a GPU where it is installed with
            GPU support, and torch otherwise. On a CPU PyTorch3D tests every face at every pixel, so that torch is
            hundreds to thousands of times faster there.
        cull: Leave out triangles that show their back.
        soft: Give the mask fractional values along the outline, differentiable in the vertices.

    Raises:
        UserError: There is no such backend, or it is not installed.

    Example:
        >>> from zoo.render import PerspectiveCamera
        >>> triangle = torch.tensor([[[-1.0, -1.0, -4.0], [1.0, -1.0, -4.0], [0.0, 1.0, -4.0]]])
        >>> camera = PerspectiveCamera.from_fov(40.0, height=32, width=48)
        >>> out = MeshRenderer()(triangle, torch.tensor([[0, 1, 2]]), torch.ones(1, 3, 3), camera)
        >>> out["image"].shape, round(float(out["depth"].max()), 3), out["normal"][0, :, 16, 24].tolist()
        (torch.Size([1, 3, 32, 48]), 4.0, [0.0, 0.0, 1.0])
    """

    def __init__(
        self, backend: Literal["auto", "torch", "pytorch3d"] = "auto", *, cull: bool = True, soft: bool = False
    ) -> None:
        super().__init__()
        if backend not in BACKENDS:
            raise UserError(f"no renderer named '{backend}'; there are {', '.join(BACKENDS)}.")
        if backend == "pytorch3d":
            pytorch3d_backend.require()
        self.backend, self.cull, self.soft = backend, cull, soft

    def forward(
        self,
        vertices: Tensor,
        triangles: Tensor,
        attributes: Tensor,
        camera: Camera,
        *,
        normals: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Draw a batch of meshes that share their triangles.

        Args:
            vertices: ``(B, V, 3)`` in the camera frame: x right, y up, z to the viewer, the camera at the origin.
            triangles: ``(T, 3)`` vertex ids, counter-clockwise seen from outside.
            attributes: ``(B, V, C)`` values to draw, colours for example.
            camera: The camera, which also holds the size of the picture.
            normals: ``(B, V, 3)`` unit normals to draw; by default those of the mesh, weighted by area.

        Returns:
            ``image`` (B, C, H, W), ``mask`` (B, 1, H, W), ``depth`` (B, 1, H, W), ``normal`` (B, 3, H, W) of unit
            length, ``face_ids`` (B, H, W) int64 with -1 where there is nothing, ``barycentrics`` (B, 3, H, W).
            Floats are 0 where there is nothing.
        """
        # bfloat16 has 8 bits: at 224 pixels that is an error of a whole pixel.
        with torch.autocast(vertices.device.type, enabled=False):
            vertices = vertices if vertices.dtype == torch.float64 else vertices.float()
            screen = camera.project(vertices)
            draw = pytorch3d_backend.rasterize if self._uses_pytorch3d(screen.device) else rasterize
            face_ids = draw(
                screen, triangles, camera.height, camera.width, cull=self.cull, perspective=camera.perspective
            )
            if normals is None:
                normals = vertex_normals(vertices, triangles)
            channels = torch.cat((attributes, normals), -1)
            image, depth, barycentrics = interpolate(
                screen, triangles, face_ids, channels, perspective=camera.perspective
            )
            if self.soft:
                mask = soft_mask(screen, triangles, face_ids, cull=self.cull)
            else:
                mask = (face_ids >= 0)[:, None].to(image.dtype)
        return {
            "image": image[:, :-3],
            "mask": mask,
            "depth": depth,
            "normal": unit_normals(image[:, -3:]),
            "face_ids": face_ids,
            "barycentrics": barycentrics,
        }

    def _uses_pytorch3d(self, device: torch.device) -> bool:
        if self.backend == "auto":
            return device.type == "cuda" and pytorch3d_backend.works_on(device.type)
        return self.backend == "pytorch3d"
