"""FLAME: 5,023 vertices, up to 300 identity and 100 expression coefficients, five joints, metres, no colours.

Read from an npz, or from the original pickle without executing what is in it. Source of keys and of the forward
model: the FLAME_PyTorch repository.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import UserError
from zoo.morphable.data import MorphableData, Rig
from zoo.morphable.paint import eye_parts, lips_and_brows
from zoo.morphable.readers.arrays import find_file, read_npz
from zoo.morphable.readers.pickled import read_object_npy, read_pickle

__all__ = ["read_flame"]

STEMS = ("flame2023_Open", "flame2023", "flame2023_no_jaw", "flame2020", "generic_model")
NAMES = tuple(f"{stem}{suffix}" for stem in STEMS for suffix in (".npz", ".pkl"))
KEYS = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "kintree_table", "weights")
WHAT = "a FLAME model"
JOINTS = ("global", "neck", "jaw", "left_eye", "right_eye")
N_IDENTITY = 300
LABELS = ("skin", "lips", "brows", "sclera", "iris", "pupil")
STATIC = "flame_static_embedding.pkl"
DYNAMIC = "flame_dynamic_embedding.npy"
LICENCE = (
    "FLAME: see the licence beside your file. FLAME 2023 Open is CC-BY-4.0 (Li et al. 2017); "
    "take the others as research only."
)


def read_flame(path: str | Path, *, n_identity: int | None = None) -> MorphableData:
    """Read a FLAME model.

    The first 300 shape components are identity, what follows is expression. Joints are in ``rig``; turn them through
    ``decode(pose=...)``, axis-angle for global, neck, jaw, left eye, right eye.

    Landmarks come from ``flame_static_embedding.pkl`` (51 inner points) and ``flame_dynamic_embedding.npy`` (17 points
    of the contour) if both lie beside the model: the contour of the frontal view, since the head frame is frontal; the
    whole table by yaw is in ``extras`` as contour_vertices (79,17,3) and contour_weights (79,17,3). Without them the
    model has no landmarks, and ``decode`` returns none.

    Labels come from the skinning (the eyeballs turn with the eye joints) and, where there are landmarks, from their
    outlines of lips and brows.

    Args:
        path: A file, or a folder that holds one under a usual name.
        n_identity: How many shape components are identity, where a cut model has another number than 300.

    Raises:
        UserError: No such file, not FLAME, damaged, or a pickle that asks for anything but arrays.
    """
    file = find_file(Path(path), NAMES, WHAT)
    raw = read_npz(file, KEYS, WHAT) if _is_zip(file) else read_pickle(file, WHAT)
    missing = [key for key in KEYS if raw.get(key) is None]
    if missing:
        raise UserError(f"'{file}' is not {WHAT}: it lacks {', '.join(missing)} as arrays.")
    try:
        return _assemble(raw, file, n_identity)
    except (IndexError, ValueError, TypeError) as error:
        raise UserError(f"The arrays of '{file}' do not fit each other ({error}). Get the file again.") from error


def _is_zip(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(2) == b"PK" or file.suffix == ".npz"


def _assemble(raw: dict[str, Any], file: Path, n_identity: int | None) -> MorphableData:
    mean = np.ascontiguousarray(raw["v_template"], np.float32)
    triangles = np.asarray(raw["f"]).astype(np.int64)
    count = len(mean)
    shapes = np.asarray(raw["shapedirs"], np.float32).reshape(count, 3, -1)
    split = min(N_IDENTITY if n_identity is None else n_identity, shapes.shape[-1])
    rig = _rig(raw, count)
    landmark_vertices, landmark_weights, extras = _landmarks(file.parent, triangles)
    return MorphableData(
        name="flame",
        mean=mean,
        identity_basis=np.ascontiguousarray(shapes[..., :split]),
        expression_basis=np.ascontiguousarray(shapes[..., split:]),
        triangles=triangles,
        landmark_indices=_nearest(landmark_vertices, landmark_weights),
        labels=_labels(mean, rig, landmark_vertices, landmark_weights),
        label_names=LABELS,
        metres_per_unit=1.0,
        licence=LICENCE,
        landmark_vertices=landmark_vertices,
        landmark_weights=landmark_weights,
        rig=rig,
        extras=extras,
    )


def _rig(raw: dict[str, Any], count: int) -> Rig:
    parents = np.asarray(raw["kintree_table"])[0].astype(np.int64)
    parents[0] = -1  # the files have 2^32 - 1 there
    joints = len(parents)
    if any(not 0 <= parent < joint for joint, parent in enumerate(parents[1:].tolist(), 1)):
        raise ValueError(f"kintree_table has the parents {parents.tolist()}")
    regressor = np.asarray(raw["J_regressor"], np.float32)
    weights = np.asarray(raw["weights"], np.float32)
    pose = np.asarray(raw["posedirs"], np.float32).reshape(count, 3, -1)
    if regressor.shape != (joints, count) or weights.shape != (count, joints) or pose.shape[-1] != 9 * (joints - 1):
        raise ValueError(f"J_regressor {regressor.shape}, weights {weights.shape}, posedirs {pose.shape}")
    names = JOINTS if joints == len(JOINTS) else tuple(f"joint{i}" for i in range(joints))
    return Rig(parents, regressor, weights, np.ascontiguousarray(pose), names)


def _landmarks(
    folder: Path, triangles: NDArray[np.int64]
) -> tuple[NDArray[np.int64] | None, NDArray[np.float32] | None, dict[str, Any]]:
    if not ((folder / STATIC).is_file() and (folder / DYNAMIC).is_file()):
        return None, None, {}
    inner = read_pickle(folder / STATIC, "FLAME's static landmarks")
    contour = read_object_npy(folder / DYNAMIC, "FLAME's contour landmarks")
    inner_vertices, inner_weights = _embedding(inner, triangles, folder / STATIC)
    contour_vertices, contour_weights = _embedding(contour, triangles, folder / DYNAMIC)
    if inner_vertices.shape != (51, 3) or contour_vertices.shape[1:] != (17, 3):
        raise UserError(f"The landmark files in '{folder}' are not FLAME's 51 inner and 17 contour points.")
    return (
        np.concatenate([contour_vertices[0], inner_vertices]),
        np.concatenate([contour_weights[0], inner_weights]),
        {"contour_vertices": contour_vertices, "contour_weights": contour_weights},
    )


def _embedding(
    content: dict[str, Any], triangles: NDArray[np.int64], file: Path
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    faces, weights = content.get("lmk_face_idx"), content.get("lmk_b_coords")
    if faces is None or weights is None:
        raise UserError(f"'{file}' lacks lmk_face_idx or lmk_b_coords; it is not one of FLAME's landmark files.")
    return triangles[np.asarray(faces).astype(np.int64)], np.asarray(weights, np.float32)


def _nearest(vertices: NDArray[np.int64] | None, weights: NDArray[np.float32] | None) -> NDArray[np.int64] | None:
    if vertices is None or weights is None:
        return None
    return np.take_along_axis(vertices, weights.argmax(1)[:, None], 1)[:, 0]


def _labels(
    mean: NDArray[np.float32],
    rig: Rig,
    landmark_vertices: NDArray[np.int64] | None,
    landmark_weights: NDArray[np.float32] | None,
) -> NDArray[np.int64]:
    labels = np.zeros(len(mean), np.int64)
    balls = [
        np.flatnonzero(rig.skinning_weights[:, joint] > 0.99)
        for joint, name in enumerate(rig.joint_names)
        if name.endswith("_eye")
    ]
    if landmark_vertices is not None and landmark_weights is not None:
        skin = np.setdiff1d(np.arange(len(mean)), np.concatenate([*balls, np.zeros(0, np.int64)]))
        points = (mean[landmark_vertices] * landmark_weights[..., None]).sum(1)
        lips, brows = lips_and_brows(mean[skin], points)
        labels[skin[lips]] = LABELS.index("lips")
        labels[skin[brows]] = LABELS.index("brows")
    for ball in balls:
        if len(ball):
            labels[ball] = LABELS.index("sclera")
            iris, pupil = eye_parts(mean[ball])
            labels[ball[iris]] = LABELS.index("iris")
            labels[ball[pupil]] = LABELS.index("pupil")
    return labels
