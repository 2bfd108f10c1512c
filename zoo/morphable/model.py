"""A linear face model as a torch module: coefficients in, vertices, albedo, normals and landmarks out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.imaging import srgb_to_linear
from zoo.morphable.data import MorphableData, Rig
from zoo.morphable.paint import painted_albedo
from zoo.morphable.skinning import axis_angle_to_matrix, pose_joints, skin
from zoo.render.mesh import vertex_normals

__all__ = ["MorphableData", "MorphableModel", "Rig"]


class MorphableModel(nn.Module):
    """S = mean + identity_basis a + expression_basis b; T = albedo_mean + albedo_basis t.

    The arrays are buffers, so that the model follows ``.to(...)``; they are not saved in a checkpoint: models are
    large, and the licences of most forbid to pass them on. Build the module from the same model again to load one.

    Args:
        data: The model's arrays.

    Attributes:
        name, metres_per_unit, licence, label_names, expression_prior, expression_names: As in ``MorphableData``.
        n_identity, n_expression, n_texture, n_joints: Numbers of coefficients and of joints that can be turned.
        albedo_encoding: "linear" or "srgb": in which of them colours are added up; ``albedo`` is linear in any case.
        has_albedo: False where the model is geometry alone and is painted: its colours and their 80 coefficients are
            those of the procedural face (``zoo.morphable.paint``), not the model's own.
        data: The arrays as the reader gave them, with ``data.extras``.
    """

    mean: Tensor
    identity_basis: Tensor
    expression_basis: Tensor
    albedo_mean: Tensor
    albedo_basis: Tensor
    triangles: Tensor
    uv: Tensor | None
    labels: Tensor | None
    landmark_indices: Tensor | None
    landmark_vertices: Tensor | None
    landmark_weights: Tensor | None
    joint_regressor: Tensor | None
    skinning_weights: Tensor
    pose_basis: Tensor

    def __init__(self, data: MorphableData) -> None:
        super().__init__()
        self.data = data
        self.name = data.name
        self.licence = data.licence
        self.label_names = data.label_names
        self.metres_per_unit = data.metres_per_unit
        self.expression_prior = data.expression_prior
        self.expression_names = data.expression_names
        self.albedo_encoding = data.albedo_encoding
        self.has_albedo = data.albedo_mean is not None
        self._parents = [] if data.rig is None else data.rig.parents.tolist()

        albedo, albedo_basis = data.albedo_mean, data.albedo_basis
        if albedo is None:
            albedo, albedo_basis, self.albedo_encoding = painted_albedo(data)
        elif albedo_basis is None:
            albedo_basis = np.zeros((*albedo.shape, 0), np.float32)
        rig = data.rig
        arrays: dict[str, NDArray[Any] | None] = {
            "mean": data.mean,
            "identity_basis": data.identity_basis,
            "expression_basis": data.expression_basis,
            "albedo_mean": albedo,
            "albedo_basis": albedo_basis,
            "triangles": data.triangles,
            "uv": data.uv,
            "labels": data.labels,
            "landmark_indices": data.landmark_indices,
            "landmark_vertices": data.landmark_vertices,
            "landmark_weights": data.landmark_weights,
            "joint_regressor": None if rig is None else rig.joint_regressor,
            "skinning_weights": None if rig is None else rig.skinning_weights,
            "pose_basis": None if rig is None else rig.pose_basis,
        }
        for name, array in arrays.items():
            self.register_buffer(name, None if array is None else _tensor(array), persistent=False)

    @classmethod
    def load(cls, spec: str) -> MorphableModel:
        """Read a model: "procedural", "bfm:PATH", "ict:PATH" or "flame:PATH".

        Args:
            spec: The kind, a colon, and the file or folder; ``zoo.morphable.load`` says what each kind reads.

        Raises:
            UserError: No such kind or file, or the file is not what its kind should be.
        """
        from zoo.morphable.load import load_data  # the readers need this module's container

        return cls(load_data(spec))

    @property
    def n_identity(self) -> int:
        """Number of identity coefficients."""
        return self.identity_basis.shape[-1]

    @property
    def n_expression(self) -> int:
        """Number of expression coefficients."""
        return self.expression_basis.shape[-1]

    @property
    def n_texture(self) -> int:
        """Number of texture coefficients; 80 where the model is painted, 0 where it has a mean albedo alone."""
        return self.albedo_basis.shape[-1]

    @property
    def n_joints(self) -> int:
        """Number of joints; 0 where the model has none."""
        return len(self._parents)

    def shape(self, identity: Tensor | None = None, expression: Tensor | None = None) -> Tensor:
        """Vertices before any joint is turned: mean + identity_basis a + expression_basis b.

        Args:
            identity: (B,k) with k <= n_identity; missing coefficients are 0.
            expression: (B,k) with k <= n_expression.

        Returns:
            (B,V,3) in the head frame and in model units.
        """
        moved = self._combine("identity", identity, self.identity_basis)
        return self.mean + moved + self._combine("expression", expression, self.expression_basis)

    def raw_texture(self, texture: Tensor | None = None) -> Tensor:
        """Colours in the model's own encoding (``albedo_encoding``), not clamped.

        Args:
            texture: (B,k) with k <= n_texture.

        Returns:
            (B,V,3); sRGB in [0,1] where ``albedo_encoding`` is "srgb", else linear reflectance.
        """
        return self.albedo_mean + self._combine("texture", texture, self.albedo_basis)

    def albedo(self, texture: Tensor | None = None) -> Tensor:
        """LINEAR reflectance in [0,1], (B,V,3); coefficients as in ``raw_texture``."""
        colour = self.raw_texture(texture).clamp(0, 1)
        return srgb_to_linear(colour) if self.albedo_encoding == "srgb" else colour

    def landmarks(self, vertices: Tensor) -> Tensor | None:
        """The 68 iBUG points of given vertices.

        Args:
            vertices: (B,V,3), in whatever frame; (B,V,2) works alike.

        Returns:
            (B,68,3), or None where the model has no landmarks.
        """
        if self.landmark_vertices is not None and self.landmark_weights is not None:
            weights = self.landmark_weights.to(vertices.dtype)
            return (vertices[:, self.landmark_vertices] * weights[..., None]).sum(-2)
        return None if self.landmark_indices is None else vertices[:, self.landmark_indices]

    def pose(self, vertices: Tensor, angles: Tensor) -> Tensor:
        """Turn the joints of a model that has some.

        Args:
            vertices: (B,V,3) from ``shape``.
            angles: (B,J,3) axis-angle in radians, in the order of ``data.rig.joint_names``; zeros change nothing.

        Returns:
            (B,V,3).

        Raises:
            UserError: The model has no joints, or another number of them.
        """
        if self.joint_regressor is None:
            raise UserError(f"The face model '{self.name}' has no joints to turn; leave out the pose.")
        if angles.ndim != 3 or angles.shape[1:] != (self.n_joints, 3):
            raise UserError(f"The pose has shape {tuple(angles.shape)}, but (B, {self.n_joints}, 3) is expected.")
        with torch.autocast(vertices.device.type, enabled=False):
            rotations = axis_angle_to_matrix(angles.to(vertices.dtype))
            joints = torch.einsum("jv,bvc->bjc", self.joint_regressor, vertices)
            eye = torch.eye(3, dtype=vertices.dtype, device=vertices.device)
            feature = (rotations[:, 1:] - eye).flatten(1)
            corrected = vertices + F.linear(feature, self.pose_basis.flatten(0, 1)).unflatten(-1, self.mean.shape)
            return skin(corrected, pose_joints(rotations, joints, self._parents), self.skinning_weights)

    def decode(
        self,
        identity: Tensor | None = None,
        expression: Tensor | None = None,
        texture: Tensor | None = None,
        *,
        pose: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Coefficients to a head.

        What is left out is 0, and fewer coefficients than the model has are its first ones. A batch of one is
        repeated to the size of the others.

        Args:
            identity: (B,k), k <= n_identity, in standard deviations.
            expression: (B,k), k <= n_expression, in standard deviations or, for blend shapes, in [0,1].
            texture: (B,k), k <= n_texture, in standard deviations.
            pose: (B,J,3) axis-angle of the joints, for models with joints.

        Returns:
            vertices (B,V,3) in the head frame and in model units, albedo (B,V,3) linear in [0,1],
            normals (B,V,3) unit, and landmarks (B,68,3) unless the model has none.

        Raises:
            UserError: Too many coefficients, or batch sizes that differ.
        """
        given = {"identity": identity, "expression": expression, "texture": texture, "pose": pose}
        batch = _batch_size({name: value for name, value in given.items() if value is not None})
        vertices = self.shape(identity, expression)
        if pose is not None:
            vertices = self.pose(vertices, pose)
        normals = vertex_normals(vertices, self.triangles)
        result = {"vertices": vertices, "albedo": self.albedo(texture), "normals": normals}
        landmarks = self.landmarks(vertices)
        if landmarks is not None:
            result["landmarks"] = landmarks
        return {key: value.expand(batch, -1, -1) for key, value in result.items()}

    def forward(
        self,
        identity: Tensor | None = None,
        expression: Tensor | None = None,
        texture: Tensor | None = None,
        *,
        pose: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The same as ``decode``."""
        return self.decode(identity, expression, texture, pose=pose)

    def extra_repr(self) -> str:
        """Sizes for print()."""
        return (
            f"{self.name}: {len(self.mean)} vertices, {len(self.triangles)} triangles, {self.n_identity} identity, "
            f"{self.n_expression} expression, {self.n_texture} texture, {self.n_joints} joints"
        )

    def _combine(self, name: str, coefficients: Tensor | None, basis: Tensor) -> Tensor:
        if coefficients is None:
            return basis.new_zeros(1, 1, 1)
        if coefficients.ndim != 2 or coefficients.shape[1] > basis.shape[-1]:
            raise UserError(
                f"'{name}' has shape {tuple(coefficients.shape)}, but (B, k) with k up to {basis.shape[-1]} "
                f"is what the face model '{self.name}' takes."
            )
        used = basis.flatten(0, 1)[:, : coefficients.shape[1]]
        # half precision would move vertices by a millimetre
        with torch.autocast(basis.device.type, enabled=False):
            return F.linear(coefficients.to(basis.dtype), used).unflatten(-1, basis.shape[:2])


def _tensor(array: np.ndarray) -> Tensor:
    """The array's own memory where its type and layout allow it: a scanned model has a hundred megabytes."""
    return torch.from_numpy(np.require(array, np.int64 if array.dtype.kind in "iub" else np.float32, ["C", "W"]))


def _batch_size(given: dict[str, Tensor]) -> int:
    batch = 1
    for value in given.values():
        size = value.shape[0]  # len() would fix the number when the model is exported
        if batch == 1:
            batch = size
        elif size not in (1, batch):
            told = ", ".join(f"{name} {value.shape[0]}" for name, value in given.items())
            raise UserError(f"The coefficients have different batch sizes: {told}.")
    return batch
