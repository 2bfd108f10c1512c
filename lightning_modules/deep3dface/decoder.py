"""From coefficients to a face in front of the paper's camera: shape, pose, light, landmarks, picture.

World frame of the paper: decimetres, x right, y up, z to the viewer, the camera at (0, 0, 10) looking along -z. A
focal length of 1015 pixels for a picture of 224 belongs to it; other sizes are that picture drawn larger or smaller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from lightning_modules.deep3dface.coefficients import Sizes
from lightning_modules.deep3dface.colour import lit_colour
from lightning_modules.deep3dface.light import shading, to_light
from lightning_modules.deep3dface.normals import batch_normals
from lightning_modules.deep3dface.regions import face_regions
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb
from zoo.morphable import MorphableModel
from zoo.morphable.canonical import landmark_positions
from zoo.render import PerspectiveCamera, euler_to_matrix, interpolate, rasterize, vertex_normals
from zoo.render.normals import unit_normals

__all__ = ["CAMERA_DISTANCE", "FOCAL", "FaceDecoder"]

FOCAL, SIZE, CAMERA_DISTANCE = 1015.0, 224, 10.0
"""Focal length in pixels for a picture of 224, and where the camera stands, in decimetres."""

REFERENCE_MIDDLE = (-0.00042746, -0.04574394, 0.25288645)
"""The mean of the five points that faces are aligned to, in decimetres: a face there has no translation to learn."""


class FaceDecoder(nn.Module):
    """A face model, posed, lit and drawn as the paper does it.

    Args:
        model: The face model; it needs landmarks.
        size: Height and width of the picture in pixels.
        lighting: "encoded": colour = texture x shading in display-encoded values, as in the paper; "linear":
            colour = sRGB(albedo x shading), which is how light works, so that light can be compared with a true one;
            "auto": "encoded" for the Basel face model, "linear" for all others.
        front_only: Keep of the model only the face that a picture shows, its landmarks, and a rim that gives the
            border its normals. For training: what is left looks the same, and costs a fraction.

    Attributes:
        sizes: Numbers of coefficients.
        skin: (V,) bool, where the albedo should be smooth.
        triangles: (T,3) of what is drawn.
        front_triangles: (T',3), the face in ``triangles`` that the mask shows.
        vertex_ids: (V,) the full model's id of each vertex.

    Raises:
        UserError: The model has no landmarks, or there is no such lighting.
    """

    mean: Tensor
    basis: Tensor
    texture_mean: Tensor
    texture_basis: Tensor
    triangles: Tensor
    front_triangles: Tensor
    front_weight: Tensor
    skin: Tensor
    vertex_ids: Tensor
    centre: Tensor
    landmark_vertices: Tensor
    landmark_weights: Tensor

    def __init__(
        self,
        model: MorphableModel,
        size: int = SIZE,
        lighting: Literal["auto", "encoded", "linear"] = "auto",
        front_only: bool = False,
    ) -> None:
        super().__init__()
        if lighting not in ("auto", "encoded", "linear"):
            raise UserError(f"no lighting named '{lighting}'; there are auto, encoded and linear.")
        if size < 1:
            raise UserError(f"a picture of {size} pixels cannot be drawn; take a size of at least 1.")
        self.model, self.size, self.front_only = model, size, front_only
        self.lighting = ("encoded" if model.name == "bfm" else "linear") if lighting == "auto" else lighting
        self.sizes = Sizes(model.n_identity, model.n_expression, model.n_texture)
        self.decimetres_per_unit = 10.0 * model.metres_per_unit
        regions = face_regions(model.data)
        corners, weights = _landmarks(model)
        triangles, front = model.triangles.cpu(), torch.from_numpy(regions.front)
        ids = torch.arange(len(model.mean))
        if front_only:
            ids, triangles, front = _cut(triangles, front, corners, len(ids))
        new_id = torch.full((len(model.mean),), -1)
        new_id[ids] = torch.arange(len(ids))

        unit = self.decimetres_per_unit
        centre = _centre(model) * unit
        shape_basis = torch.cat((model.identity_basis, model.expression_basis), -1).cpu()[ids]
        texture_basis = model.albedo_basis.cpu()[ids]
        buffers = {
            "centre": centre,
            # x of all vertices, then y, then z: turning, lighting and colouring run over whole planes
            "mean": (model.mean.cpu()[ids] * unit - centre).T.flatten(),
            "basis": (shape_basis * unit).permute(2, 1, 0).flatten(1).contiguous(),
            "texture_mean": model.albedo_mean.cpu()[ids].T.flatten(),
            "texture_basis": texture_basis.permute(2, 1, 0).flatten(1).contiguous(),
            "triangles": new_id[triangles],
            "front_triangles": new_id[triangles[front]],
            "front_weight": torch.cat((front.float(), torch.zeros(1))),
            "skin": torch.from_numpy(np.ascontiguousarray(regions.skin))[ids],
            "vertex_ids": ids,
            "landmark_vertices": new_id[corners],
            "landmark_weights": weights,
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def cut(self) -> FaceDecoder:
        """The same decoder with ``front_only``, for training."""
        return FaceDecoder(self.model, self.size, self.lighting, front_only=True)

    @property
    def camera(self) -> PerspectiveCamera:
        """The paper's camera for a picture of ``size``, with the contract's pixels: the first one's centre is (0, 0).

        The authors' landmarks are S - 1 - v rows down, so that the axis meets the picture at (S/2, S/2 - 1).
        """
        middle = self.size / 2
        return PerspectiveCamera(FOCAL * self.size / SIZE, (middle, middle - 1), self.size, self.size)

    def forward(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Coefficients to a lit face.

        Args:
            parts: identity (B,I), expression (B,E), texture (B,T), angles (B,3) in radians, gamma (B,3,9) and
                translation (B,3) in decimetres, as ``coefficients.split`` gives them.

        Returns:
            What ``geometry`` gives, and
            normals (B,V,3) unit, of the posed face;
            texture (B,V,3) display-encoded, 0..1, not clamped;
            shading (B,V,3), not clamped either;
            colour (B,V,3) the lit colour, display-encoded.
        """
        decoded = self.geometry(parts)
        with self._exact():
            rotation = euler_to_matrix(self._number(parts["angles"]))
            # of the unposed face, as the paper has it, which is the same
            normals = turn(self._normals(decoded["shape"]), rotation)
            texture = self.texture(parts["texture"])
            lit = shading(normals, self._number(parts["gamma"]))
            colour = lit_colour(texture, lit) if self.lighting == "linear" else texture * lit
        return {**decoded, "normals": normals, "texture": texture, "shading": lit, "colour": colour}

    def geometry(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The part of ``forward`` that needs no light: for landmarks and ``contract``.

        Returns:
            shape (B,V,3) unposed, recentred, in decimetres;
            vertices (B,V,3) posed, in the paper's world frame, in decimetres;
            points (B,68,2) the authors' landmarks (u, v) in pixels of ``size``, v up;
            landmarks (B,68,2) the same in the contract's pixels, y down.
        """
        with self._exact():
            rotation = euler_to_matrix(self._number(parts["angles"]))
            shape = self.shape(parts["identity"], parts["expression"])
            vertices = turn(shape, rotation) + self._number(parts["translation"])[:, None]
            corners = vertices.mT.index_select(2, self.landmark_vertices.flatten()).unflatten(2, (68, -1))
            marks = (corners * self.landmark_weights).sum(-1).mT
            column, row, _ = self.camera.project(marks - self._camera_place()).unbind(-1)
        return {
            "shape": shape,
            "vertices": vertices,
            "points": torch.stack((column, self.size - 1 - row), -1),
            "landmarks": torch.stack((column, row), -1),
        }

    def shape(self, identity: Tensor, expression: Tensor) -> Tensor:
        """The unposed, recentred face (B,V,3) in decimetres, of identity (B,I) and expression (B,E)."""
        coefficients = torch.cat((self._number(identity), self._number(expression)), 1)
        with self._exact():
            # added last: a sum that runs from the mean on rounds so much that normals of small triangles move
            return (coefficients @ self.basis).add_(self.mean).unflatten(1, (3, -1)).mT

    def texture(self, texture: Tensor) -> Tensor:
        """Display-encoded colours (B,V,3) of the coefficients (B,T), not clamped."""
        with self._exact():
            raw = (self._number(texture) @ self.texture_basis).add_(self.texture_mean).unflatten(1, (3, -1)).mT
        return raw if self.model.albedo_encoding == "srgb" else linear_to_srgb(raw)

    def render(
        self, decoded: Mapping[str, Tensor], attributes: Tensor | None = None, normals: bool = False
    ) -> dict[str, Tensor]:
        """Draw a decoded face, consistently with its ``landmarks``.

        Args:
            decoded: What ``forward`` gave; "vertices" suffice where attributes are given and no normals wanted.
            attributes: (B,V,C) to draw instead of the lit colour.
            normals: Whether to draw the normals too.

        Returns:
            image (B,C,S,S); mask (B,1,S,S), 1 where the face (``front_triangles``) is seen, without gradient;
            depth (B,1,S,S) from the camera in decimetres; normal (B,3,S,S) unit, if wanted.
            All are 0 where there is nothing. Gradients reach vertices and attributes.
        """
        with self._exact():
            channels = decoded["colour"] if attributes is None else attributes
            count = channels.shape[-1]
            if normals:
                channels = torch.cat((channels, decoded["normals"]), -1)
            screen = self.camera.project(decoded["vertices"] - self._camera_place())
            face_ids = rasterize(screen, self.triangles, self.size, self.size)
            image, depth, _ = interpolate(screen, self.triangles, face_ids, channels)
            # where there is nothing the id is -1, the last entry
            mask = self.front_weight[face_ids][:, None]
        drawn = {"image": image[:, :count], "mask": mask, "depth": depth}
        if normals:
            drawn["normal"] = unit_normals(image[:, count:])
        return drawn

    def contract(self, parts: Mapping[str, Tensor], decoded: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The face under the keys of ``zoo.contract``.

        Args:
            parts: As for ``forward``.
            decoded: What ``forward`` or ``geometry`` gave for them.

        Returns:
            identity, expression and texture as they are; rotation (B,3), the angles; translation (B,3) and vertices
            (B,V,3) in units of the model, in the camera's frame (the camera at the origin), so that
            vertices = R model.shape(identity, expression) + translation; light (B,3,9); landmarks (B,68,2).
        """
        with self._exact():
            rotation = euler_to_matrix(self._number(parts["angles"]))
            moved = self._number(parts["translation"]) - self._camera_place() - (rotation @ self.centre)
            return {
                "identity": parts["identity"],
                "expression": parts["expression"],
                "texture": parts["texture"],
                "rotation": parts["angles"],
                "translation": moved / self.decimetres_per_unit,
                "light": to_light(parts["gamma"]),
                "vertices": (decoded["vertices"] - self._camera_place()) / self.decimetres_per_unit,
                "landmarks": decoded["landmarks"],
            }

    def _normals(self, shape: Tensor) -> Tensor:
        if len(shape) == 1 or torch.compiler.is_compiling():
            return vertex_normals(shape, self.triangles, weighting="equal")
        return batch_normals(shape, self.triangles)

    def _camera_place(self) -> Tensor:
        return self.centre.new_tensor([0.0, 0.0, CAMERA_DISTANCE])

    def _number(self, value: Tensor) -> Tensor:
        return value.to(self.mean.dtype)

    def _exact(self) -> torch.autocast:
        """Half precision would move vertices by a millimetre, and landmarks by a pixel."""
        return torch.autocast(self.mean.device.type, enabled=False)


def turn(points: Tensor, rotation: Tensor) -> Tensor:
    """Turn points (B,V,3) by matrices (B,3,3) acting on columns; planes in memory stay planes."""
    return (rotation @ points.mT).mT


def _landmarks(model: MorphableModel) -> tuple[Tensor, Tensor]:
    """Corners (68,3) and weights (68,3) of the landmarks; single vertices are corners of weight 1."""
    if model.landmark_vertices is not None and model.landmark_weights is not None:
        return model.landmark_vertices.cpu(), model.landmark_weights.cpu()
    if model.landmark_indices is None:
        raise UserError(f"The face model '{model.name}' has no landmarks, by which a face is found and fitted.")
    return model.landmark_indices.cpu()[:, None], torch.ones(68, 1)


def _centre(model: MorphableModel) -> Tensor:
    """What the decoder subtracts, in units of the model.

    The paper's model loses its mean vertex. Others have another mean vertex, because of the scalp and the neck: theirs
    is such that their five points have the mean of the reference.
    """
    if model.name == "bfm":
        return model.mean.mean(0).cpu()
    points = torch.from_numpy(landmark_positions(model.data)).float()
    eyes = torch.stack((points[36:42].mean(0), points[42:48].mean(0)))
    middle = torch.cat((eyes, points[[30, 48, 54]])).mean(0)
    return middle - torch.tensor(REFERENCE_MIDDLE) / (10.0 * model.metres_per_unit)


def _cut(triangles: Tensor, front: Tensor, landmarks: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Vertices, triangles and which of these are front, of the face with its landmarks and its rim."""
    used = torch.zeros(count, dtype=torch.bool)
    used[triangles[front]] = True
    rim = used[triangles].any(1)
    used[triangles[rim]] = True
    used[landmarks] = True
    kept = triangles[rim]
    return used.nonzero().squeeze(1), kept, front[rim]
