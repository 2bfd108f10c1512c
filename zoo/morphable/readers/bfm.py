"""The Deep3DFace cut of the Basel Face Model 2009: 35,709 vertices, 80 + 64 + 80 coefficients, decimetres.

A user makes ``BFM_model_front.mat`` from the registered download; SGPN calls its copy ``BFM09_model_info.mat``.
Source of keys and shapes: the Deep3DFaceRecon repositories.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import UserError
from zoo.morphable.data import MorphableData
from zoo.morphable.readers.arrays import find_file, read_mat

__all__ = ["read_bfm"]

NAMES = ("BFM_model_front.mat", "BFM09_model_info.mat")
KEYS = ("meanshape", "idBase", "exBase", "meantex", "texBase", "tri", "keypoints")
WHAT = "the Deep3DFace cut of BFM 2009 (BFM_model_front.mat)"
LICENCE = (
    "Basel Face Model 2009: registered users only, non-commercial research, no redistribution; "
    "expressions from FaceWarehouse, research only."
)


def read_bfm(path: str | Path) -> MorphableData:
    """Read the file, or the one of its two names that lies in a folder.

    Axes are the file's own (x right, y up, z out of the face) and so is the origin: recentring is part of the
    Deep3DFace paper's decoder. Colours are sRGB, divided by 255 (``albedo_encoding="srgb"``): ``MorphableModel`` adds
    mean and basis up as the authors do, which ``raw_texture`` returns, and turns the sum into linear reflectance with
    the sRGB curve. The scans were lit, so this is a reflectance up to their light.

    ``extras``, all 0-based, each if the file has it:
        point_buf (V,8): triangles at a vertex; padding is the number of triangles (a zero normal appended there).
        frontmask2_idx (N,): the full model's vertex for each vertex of the front subset.
        tri_mask2 (M,3): triangles INTO THAT SUBSET. As ids of the full model they are scrambled; use the next.
        front_triangles (M,3): frontmask2_idx[tri_mask2], the crop that belongs to the full model.
        skinmask (V,): bool, where the albedo should be smooth.

    Raises:
        UserError: No such file, or not this model.
    """
    file = find_file(Path(path), NAMES, WHAT)
    raw = read_mat(file, KEYS, WHAT)
    mean = _vertices(raw["meanshape"], "meanshape", file)
    count = len(mean)
    triangles = _zero_based(raw["tri"], "tri", file, count).reshape(-1, 3)
    return MorphableData(
        name="bfm",
        mean=mean,
        identity_basis=_basis(raw["idBase"], "idBase", count, file),
        expression_basis=_basis(raw["exBase"], "exBase", count, file),
        triangles=triangles,
        landmark_indices=_zero_based(raw["keypoints"], "keypoints", file, count).reshape(-1),
        albedo_mean=_vertices(raw["meantex"], "meantex", file) / np.float32(255),
        albedo_basis=_basis(raw["texBase"], "texBase", count, file) / np.float32(255),
        albedo_encoding="srgb",
        metres_per_unit=0.1,
        licence=LICENCE,
        extras=_extras(raw, count, len(triangles), file),
    )


def _extras(raw: dict[str, NDArray[Any]], count: int, faces: int, file: Path) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if "point_buf" in raw:
        extras["point_buf"] = _zero_based(raw["point_buf"], "point_buf", file, faces + 1).reshape(count, -1)
    if "frontmask2_idx" in raw:
        extras["frontmask2_idx"] = _zero_based(raw["frontmask2_idx"], "frontmask2_idx", file, count).reshape(-1)
        if "tri_mask2" in raw:
            subset = len(extras["frontmask2_idx"])
            extras["tri_mask2"] = _zero_based(raw["tri_mask2"], "tri_mask2", file, subset).reshape(-1, 3)
            extras["front_triangles"] = extras["frontmask2_idx"][extras["tri_mask2"]]
    if "skinmask" in raw:
        mask = raw["skinmask"].reshape(-1) > 0
        if len(mask) != count:
            raise UserError(f"'skinmask' of '{file}' has {len(mask)} entries for {count} vertices.")
        extras["skinmask"] = mask
    return extras


def _vertices(array: NDArray[Any], key: str, file: Path) -> NDArray[np.float32]:
    if array.dtype.kind not in "fiu" or array.size % 3 or not array.size:
        raise UserError(f"'{key}' of '{file}' has shape {array.shape}, but 3 numbers a vertex are expected.")
    return np.ascontiguousarray(array, np.float32).reshape(-1, 3)


def _basis(array: NDArray[Any], key: str, count: int, file: Path) -> NDArray[np.float32]:
    if array.dtype.kind not in "fiu" or array.ndim != 2 or len(array) != 3 * count:
        raise UserError(f"'{key}' of '{file}' has shape {array.shape}, but ({3 * count}, K) is expected.")
    return np.ascontiguousarray(array, np.float32).reshape(count, 3, -1)


def _zero_based(array: NDArray[Any], key: str, file: Path, count: int) -> NDArray[np.int64]:
    if array.dtype.kind not in "fiu" or not array.size:
        raise UserError(f"'{key}' of '{file}' holds no indices.")
    indices = array.astype(np.int64) - 1
    if int(indices.min()) < 0 or int(indices.max()) >= count:
        raise UserError(
            f"'{key}' of '{file}' runs from {array.min()} to {array.max()}, but indices from 1 to {count} are expected."
        )
    return indices
