"""ICT-FaceKit Light: 26,719 vertices, 100 identity modes, 53 blend shapes, centimetres, no colours.

Read from a clone of the repository (its folder FaceXModel of OBJ files), or from an npz compiled out of it.
Source of names and vertex ranges: ICT-VGL/ICT-FaceKit.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import UserError
from zoo.morphable.data import MorphableData
from zoo.morphable.paint import eye_parts, lips_and_brows
from zoo.morphable.readers.arrays import read_npz
from zoo.morphable.readers.obj import read_obj, read_obj_vertices

__all__ = ["compile_ict", "read_ict"]

NEUTRAL = "generic_neutral_mesh.obj"
INDICES = "vertex_indices.json"
N_IDENTITY = 100
KEYS = (
    *("vertices", "identity", "expression", "expression_names", "triangles", "uv", "uv_triangles"),
    *("triangle_material", "material_names", "landmarks68"),
)
WHAT = "a compiled ICT-FaceKit model"
LICENCE = "ICT-FaceKit, Copyright (c) 2020 USC Institute for Creative Technologies: MIT licence."

LABELS = ("skin", "lips", "brows", "mouth", "eye_socket", "gums", "teeth", "sclera", "iris", "pupil", "tears", "lashes")
MATERIAL_LABELS = {
    "M_Face": "skin",
    "M_BackHead": "skin",
    "M_GumsTongue": "gums",
    "M_Teeth": "teeth",
    "M_ScleraLeft": "sclera",
    "M_ScleraRight": "sclera",
    "M_IrisLeft": "iris",
    "M_IrisRight": "iris",
    "M_LacrimalFluid": "tears",
    "M_EyeBlend": "tears",
    "M_EyeOcclusion": "tears",
    "M_EyeLashes": "lashes",
}
OVERLAYS = ("M_IrisLeft", "M_IrisRight", "M_LacrimalFluid", "M_EyeBlend", "M_EyeOcclusion", "M_EyeLashes")
"""Shells that are meant to be seen through, cards with a texture's holes, and the balls inside the closed eyeballs."""

FULL_SIZE = 26719
MOUTH_SOCKET = slice(11248, 13294)
EYE_SOCKETS = slice(13294, 14062)
"""Parts of M_BackHead in the full model."""


def read_ict(path: str | Path, *, partial: bool = False, overlays: bool = False) -> MorphableData:
    """Read ICT-FaceKit Light.

    Expressions are blend shapes with coefficients in [0,1] (``expression_prior="unit"``). There is no colour model:
    labels say what each vertex is (from the materials; iris and pupil by angle on the eyeball, lips and brows inside
    the outline of their landmarks), and ``MorphableModel`` paints it by them and by its landmarks like the
    procedural face.

    ``uv`` is the first texture coordinate that the file uses at a vertex, which is wrong across seams; exact ones a
    corner are in ``extras``: uv_corners (U,2), uv_triangles (T,3), and triangle_material (T,) with material_names.

    Args:
        path: The clone, its folder FaceXModel, or a compiled npz.
        partial: Take a folder that lacks some of the 153 modes as a smaller model.
        overlays: Keep the triangles of tear film, eye occlusion, lashes and inner eyeballs, for renderers that know
            transparency. Their vertices stay in any case, so that vertex ids are those of the files.

    Raises:
        UserError: Nothing there, modes missing, or files that do not fit each other.
    """
    path = Path(path)
    raw = read_npz(path, KEYS, WHAT) if path.is_file() else _read_folder(_model_folder(path), partial)
    try:
        return _assemble(raw, overlays)
    except (IndexError, ValueError) as error:
        raise UserError(f"The arrays of '{path}' do not fit each other ({error}). Compile the model again.") from error


def compile_ict(folder: str | Path, target: str | Path, *, partial: bool = False) -> Path:
    """Turn the folder of OBJ files (400 MB of text) into one npz (25 MB or less).

    Modes are kept as float16 displacements, which rounds them by less than 0.01 mm; the mean face stays float32.

    Args:
        folder: The clone of ICT-FaceKit, or its folder FaceXModel.
        target: The file to write; it appears only when it is whole.
        partial: As in ``read_ict``.

    Returns:
        The path written.

    Raises:
        UserError: As ``read_ict``, or the target cannot be written.
    """
    raw = _read_folder(_model_folder(Path(folder)), partial)
    raw["identity"] = raw["identity"].astype(np.float16)
    raw["expression"] = raw["expression"].astype(np.float16)
    target = Path(target)
    target = target if target.suffix == ".npz" else target.with_name(target.name + ".npz")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=".npz.part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez_compressed(file, allow_pickle=False, **raw)
            os.replace(temporary, target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(f"'{target}' cannot be written: {error.strerror or error}.") from error
    return target


def _model_folder(path: Path) -> Path:
    for folder in (path, path / "FaceXModel"):
        if (folder / NEUTRAL).is_file():
            return folder
    if not path.exists():
        raise UserError(f"There is no '{path}'. Give the path of a clone of ICT-FaceKit, or of a compiled npz.")
    raise UserError(f"'{path}' is no ICT-FaceKit: neither it nor a folder FaceXModel inside holds {NEUTRAL}.")


def _read_folder(folder: Path, partial: bool) -> dict[str, NDArray[Any]]:
    """The arrays of a compiled npz, from OBJ files."""
    expressions, landmarks = _read_indices(folder / INDICES)
    identities = [f"identity{i:03d}" for i in range(N_IDENTITY)]
    missing = [name for name in (*identities, *expressions) if not (folder / f"{name}.obj").is_file()]
    if missing and not partial:
        total = len(identities) + len(expressions)
        raise UserError(
            f"'{folder}' lacks {len(missing)} of the {total} modes ({', '.join(missing[:3])}"
            f"{', ...' if len(missing) > 3 else ''}). Clone ICT-FaceKit again with its large files, "
            "or take what is there with read_ict(path, partial=True)."
        )
    lost = set(missing)
    identities = [name for name in identities if name not in lost]
    expressions = [name for name in expressions if name not in lost]
    neutral = read_obj(folder / NEUTRAL)

    def modes(names: list[str]) -> NDArray[np.float32]:
        result = np.zeros((len(names), *neutral.vertices.shape), np.float32)
        for row, name in zip(result, names, strict=True):
            file = folder / f"{name}.obj"
            vertices, polygons = read_obj_vertices(file)
            if vertices.shape != neutral.vertices.shape or polygons != neutral.polygons:
                raise UserError(
                    f"'{file}' has {len(vertices)} vertices and {polygons} faces, but {NEUTRAL} has "
                    f"{len(neutral.vertices)} and {neutral.polygons}: one of them is cut off. Get the files again."
                )
            row[:] = vertices - neutral.vertices
        return result

    return {
        "vertices": neutral.vertices,
        "identity": modes(identities),
        "expression": modes(expressions),
        "expression_names": np.array(expressions, str),
        "triangles": neutral.triangles.astype(np.int32),
        "uv": neutral.uv,
        "uv_triangles": neutral.uv_triangles.astype(np.int32),
        "triangle_material": neutral.triangle_material.astype(np.int8),
        "material_names": np.array(neutral.material_names, str),
        "landmarks68": np.array(landmarks, np.int32),
    }


def _read_indices(file: Path) -> tuple[list[str], list[int]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        expressions, landmarks = content["expressions"], content["idx_to_landmark_verts"]
    except OSError as error:
        raise UserError(f"'{file}' cannot be read: {error.strerror or error}. It belongs beside {NEUTRAL}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"'{file}' is damaged, or not ICT-FaceKit's list of vertices. Get the file again.") from error
    return [str(name) for name in expressions], [int(vertex) for vertex in landmarks]


def _assemble(raw: dict[str, NDArray[Any]], overlays: bool) -> MorphableData:
    mean = raw["vertices"].astype(np.float32)
    triangles, uv_triangles = raw["triangles"].astype(np.int64), raw["uv_triangles"].astype(np.int64)
    material = raw["triangle_material"].astype(np.int64)
    names = tuple(str(name) for name in raw["material_names"])
    landmarks = raw["landmarks68"].astype(np.int64)
    uv = np.zeros((len(mean), 2), np.float32)
    uv[triangles[::-1].reshape(-1)] = raw["uv"][uv_triangles[::-1].reshape(-1)]  # backwards: the first use stays
    labels = _labels(mean, triangles, material, names, landmarks)
    shown = np.ones(len(triangles), bool)
    if not overlays:
        shown = ~np.isin(material, [i for i, name in enumerate(names) if name in OVERLAYS])
    return MorphableData(
        name="ict",
        mean=mean,
        identity_basis=_basis(raw["identity"]),
        expression_basis=_basis(raw["expression"]),
        triangles=triangles[shown],
        landmark_indices=landmarks,
        uv=uv,
        labels=labels,
        label_names=LABELS,
        metres_per_unit=0.01,
        licence=LICENCE,
        expression_prior="unit",
        expression_names=tuple(str(name) for name in raw["expression_names"]),
        extras={
            "uv_corners": raw["uv"].astype(np.float32),
            "uv_triangles": uv_triangles[shown],
            "triangle_material": material[shown],
            "material_names": names,
        },
    )


def _basis(modes: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.moveaxis(modes.astype(np.float32), 0, -1))


def _labels(
    mean: NDArray[np.float32],
    triangles: NDArray[np.int64],
    material: NDArray[np.int64],
    names: tuple[str, ...],
    landmarks: NDArray[np.int64],
) -> NDArray[np.int64]:
    def vertices_of(*chosen: str) -> NDArray[np.int64]:
        return np.unique(triangles[np.isin(material, [i for i, name in enumerate(names) if name in chosen])])

    labels = np.zeros(len(mean), np.int64)
    for name in names:
        labels[vertices_of(name)] = LABELS.index(MATERIAL_LABELS.get(name, "skin"))
    if len(mean) == FULL_SIZE:
        labels[MOUTH_SOCKET] = LABELS.index("mouth")
        labels[EYE_SOCKETS] = LABELS.index("eye_socket")
    face = vertices_of("M_Face")
    lips, brows = lips_and_brows(mean[face], mean[landmarks])
    labels[face[lips]] = LABELS.index("lips")
    labels[face[brows]] = LABELS.index("brows")
    for side in ("M_ScleraLeft", "M_ScleraRight"):
        ball = vertices_of(side)
        if len(ball):
            iris, pupil = eye_parts(mean[ball])
            labels[ball[iris]] = LABELS.index("iris")
            labels[ball[pupil]] = LABELS.index("pupil")
    return labels
