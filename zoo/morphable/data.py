"""The one container that every reader fills and the procedural face returns: a face model as numpy arrays."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import UserError

__all__ = ["MorphableData", "Rig"]


@dataclass(frozen=True)
class Rig:
    """Joints that turn parts of a head: linear blend skinning with pose correctives.

    Args:
        parents: (J,) the joint above each joint; -1 for the root, which comes first.
        joint_regressor: (J,V) weights that place the joints between the vertices of the unposed head.
        skinning_weights: (V,J) how much each joint moves a vertex; rows sum to one.
        pose_basis: (V,3,9(J-1)) displacements for the entries of R - I of joints 1 to J-1, row by row.
        joint_names: J names.
    """

    parents: NDArray[np.int64]
    joint_regressor: NDArray[np.float32]
    skinning_weights: NDArray[np.float32]
    pose_basis: NDArray[np.float32]
    joint_names: tuple[str, ...]


@dataclass(frozen=True)
class MorphableData:
    """A linear face model: mean + bases, in the head frame and in the model's own unit.

    Head frame: x to the right of the picture when the face looks at the viewer (the person's left), y up, z out of the
    face. Bases are per standard deviation (or per unit of a blend shape, see ``expression_prior``).

    Args:
        name: What the model is called, without spaces.
        mean: (V,3) float32, the neutral mean face.
        identity_basis: (V,3,Ki) float32, displacement per coefficient.
        expression_basis: (V,3,Ke) float32, displacement per coefficient.
        triangles: (T,3) int64, 0-based, counter-clockwise seen from outside.
        landmark_indices: (68,) int64, the vertices nearest to the iBUG points, or None where the model has none.
        albedo_mean: (V,3) float32 LINEAR reflectance, or None: the model is then painted like the procedural face.
        albedo_basis: (V,3,Kt) float32, linear reflectance per coefficient, or None.
        albedo_encoding: "linear", or "srgb" where mean and basis are sRGB values in [0,1], as scanned models have them;
            ``MorphableModel`` adds them up as they are and converts the sum to linear reflectance.
        uv: (V,2) float32 in [0,1], origin at the lower left, or None.
        labels: (V,) int64 index into ``label_names``, or None.
        label_names: Names of the parts, such as skin, lips, eyeball, teeth.
        metres_per_unit: Length of the model's unit: 0.1 for decimetres, 0.01 for centimetres, 1.0 for metres.
        licence: What the user may do with the model, in one sentence.
        expression_prior: "normal" for coefficients ~ N(0,1); "unit" for blend shapes with coefficients in [0,1].
        expression_names: One name a coefficient, or empty.
        landmark_vertices: (68,3) int64 and ``landmark_weights`` (68,3) float32: landmarks inside triangles, where the
            model has better ones than single vertices; both or neither.
        landmark_weights: See ``landmark_vertices``.
        rig: Joints, or None.
        extras: What one format has beyond this, under the format's own names; its reader says what.

    Raises:
        UserError: Shapes do not fit each other, an index points outside, or values are not finite.
    """

    name: str
    mean: NDArray[np.float32]
    identity_basis: NDArray[np.float32]
    expression_basis: NDArray[np.float32]
    triangles: NDArray[np.int64]
    landmark_indices: NDArray[np.int64] | None
    albedo_mean: NDArray[np.float32] | None = None
    albedo_basis: NDArray[np.float32] | None = None
    albedo_encoding: str = "linear"
    uv: NDArray[np.float32] | None = None
    labels: NDArray[np.int64] | None = None
    label_names: tuple[str, ...] = ()
    metres_per_unit: float = 1.0
    licence: str = ""
    expression_prior: str = "normal"
    expression_names: tuple[str, ...] = ()
    landmark_vertices: NDArray[np.int64] | None = None
    landmark_weights: NDArray[np.float32] | None = None
    rig: Rig | None = None
    extras: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Hold every array against the others, so that a broken file is noticed here and not in a render."""
        count = len(self.mean)
        self._expect("mean", self.mean, (None, 3))
        self._expect("identity_basis", self.identity_basis, (count, 3, None))
        self._expect("expression_basis", self.expression_basis, (count, 3, None))
        self._expect("triangles", self.triangles, (None, 3), below=count)
        self._expect("landmark_indices", self.landmark_indices, (68,), below=count)
        self._expect("albedo_mean", self.albedo_mean, (count, 3))
        self._expect("albedo_basis", self.albedo_basis, (count, 3, None))
        self._expect("uv", self.uv, (count, 2))
        self._expect("labels", self.labels, (count,), below=len(self.label_names))
        self._expect("landmark_vertices", self.landmark_vertices, (68, 3), below=count)
        self._expect("landmark_weights", self.landmark_weights, (68, 3))
        if self.albedo_basis is not None and self.albedo_mean is None:
            raise UserError(f"The face model '{self.name}' has an albedo_basis but no albedo_mean.")
        if (self.landmark_vertices is None) != (self.landmark_weights is None):
            raise UserError(f"The face model '{self.name}' needs landmark_vertices and landmark_weights, or neither.")
        if self.expression_names and len(self.expression_names) != self.expression_basis.shape[-1]:
            raise UserError(
                f"The face model '{self.name}' names {len(self.expression_names)} expressions "
                f"but has {self.expression_basis.shape[-1]}."
            )
        if self.albedo_encoding not in ("linear", "srgb"):
            raise UserError(f"albedo_encoding is '{self.albedo_encoding}', but 'linear' or 'srgb' is expected.")
        if self.expression_prior not in ("normal", "unit"):
            raise UserError(f"expression_prior is '{self.expression_prior}', but 'normal' or 'unit' is expected.")

    def vertices_of(self, *names: str) -> NDArray[np.bool_]:
        """Which vertices carry one of the named labels, (V,) bool.

        Raises:
            UserError: The model has no labels, or none of that name.
        """
        unknown = [name for name in names if name not in self.label_names]
        if self.labels is None or unknown:
            has = f"there are {', '.join(self.label_names)}" if self.label_names else "it has no labels"
            raise UserError(f"The face model '{self.name}' has no part named {', '.join(unknown or names)}; {has}.")
        return np.isin(self.labels, [self.label_names.index(name) for name in names])

    def subset(self, vertices: NDArray[Any]) -> MorphableData:
        """The model cut down to some of its vertices, and to the triangles between them.

        Landmarks stay if all of their vertices do, and are None otherwise. ``extras`` is replaced by
        ``vertex_ids`` (N,), the full model's id of each vertex, because nobody knows which extras count vertices.

        Args:
            vertices: (V,) bool, or ids; ids are sorted, so that their order stays that of the full model.

        Raises:
            UserError: Nothing is left, an id does not exist, or the model has joints, which all vertices place:
                ``dataclasses.replace(data, rig=None)`` gives a model without joints.
        """
        if self.rig is not None:
            raise UserError(f"All vertices of '{self.name}' place its joints, so it cannot be cut; drop its rig first.")
        vertices = np.asarray(vertices)
        ids = np.flatnonzero(vertices) if vertices.dtype == bool else np.unique(vertices.astype(np.int64))
        wrong_mask = vertices.dtype == bool and vertices.shape != self.mean.shape[:1]
        if not ids.size or wrong_mask or ids[0] < 0 or ids[-1] >= len(self.mean):
            raise UserError(f"These vertices are no part of '{self.name}', which has {len(self.mean)}.")
        new_id = np.full(len(self.mean), -1, np.int64)
        new_id[ids] = np.arange(len(ids))
        triangles = new_id[self.triangles]

        def cut(array: NDArray[Any] | None) -> Any:
            return None if array is None else array[ids]

        def follow(indices: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
            return None if indices is None or (new_id[indices] < 0).any() else new_id[indices]

        inside = follow(self.landmark_vertices)
        return replace(
            self,
            mean=self.mean[ids],
            identity_basis=self.identity_basis[ids],
            expression_basis=self.expression_basis[ids],
            albedo_mean=cut(self.albedo_mean),
            albedo_basis=cut(self.albedo_basis),
            uv=cut(self.uv),
            labels=cut(self.labels),
            triangles=triangles[(triangles >= 0).all(1)],
            landmark_indices=follow(self.landmark_indices),
            landmark_vertices=inside,
            landmark_weights=None if inside is None else self.landmark_weights,
            extras={"vertex_ids": ids},
        )

    def _expect(
        self, field_name: str, value: NDArray[Any] | None, shape: tuple[int | None, ...], *, below: int | None = None
    ) -> None:
        if value is None:
            return
        fits = value.ndim == len(shape) and all(e in (None, s) for e, s in zip(shape, value.shape, strict=True))
        if not fits:
            wanted = ", ".join("any" if size is None else str(size) for size in shape)
            raise UserError(f"'{field_name}' of the face model '{self.name}' has shape {value.shape}, not ({wanted}).")
        if below is not None and value.size and (int(value.min()) < 0 or int(value.max()) >= below):
            raise UserError(
                f"'{field_name}' of the face model '{self.name}' runs from {value.min()} to {value.max()}, "
                f"but only 0 to {below - 1} exist."
            )
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise UserError(f"'{field_name}' of the face model '{self.name}' holds values that are not finite.")
