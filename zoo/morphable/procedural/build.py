"""The procedural face as a morphable model, made on demand and kept in the zoo's home."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from zoo.files import written_whole
from zoo.home import zoo_home
from zoo.morphable.data import MorphableData
from zoo.morphable.procedural import eye
from zoo.morphable.procedural.albedo import albedo_basis
from zoo.morphable.procedural.expression import expression_basis
from zoo.morphable.procedural.identity import identity_basis
from zoo.morphable.procedural.landmarks import landmark_indices
from zoo.morphable.procedural.mesh import LABELS, PARTS, build_head

_MM_PER_UNIT = 100.0
"""The model's unit is the decimetre, as in the Deep3DFace cut of the Basel model."""

_ARRAYS = (
    "mean", "identity_basis", "expression_basis", "triangles", "landmark_indices", "albedo_mean", "albedo_basis", "uv",
    "labels", "nostril", "part", "mirror", "eye_centres", "identity_variance", "albedo_variance", "expression_names",
)  # fmt: skip


def build_face(seed: int = 0) -> MorphableData:
    """A morphable model of human heads made in code: no file, no data of other models.

    The head looks along z; x to the person's left, y up; unit decimetres; the origin lies between the pupils in height
    and near the ears in depth. 80 identity and 80 albedo coefficients ~ N(0,1); 64 named blend shapes with coefficients
    in [0,1] (``expression_prior`` "unit"). Made in a few seconds, then read from ``zoo_home()/morphable``.

    Args:
        seed: Of the draws behind the albedo's principal axes; shape and expression do not depend on it.

    Returns:
        The model. ``extras``: "part" (V,) and "part_names" (closed parts), "mirror" (V,) the vertex on the other side,
        "nostril" (V,) from 0 to 1 how deep a vertex lies in one,
        "eye_centres" (2,3) left then right and "eye_radius" in the model's unit, "identity_variance" (80,) and
        "albedo_variance" (80,) the share of the variance that each component explains.

    Raises:
        UserError: The zoo's home cannot be written to.
    """
    path = zoo_home() / "morphable" / f"procedural-{_version()}-{seed}.npz"
    arrays = _read(path)
    if arrays is None:
        arrays = _make(seed)
        with written_whole(path) as part, part.open("wb") as file:
            np.savez(file, **arrays)
    return MorphableData(
        name="procedural",
        mean=arrays["mean"],
        identity_basis=arrays["identity_basis"],
        expression_basis=arrays["expression_basis"],
        triangles=arrays["triangles"],
        landmark_indices=arrays["landmark_indices"],
        albedo_mean=arrays["albedo_mean"],
        albedo_basis=arrays["albedo_basis"],
        albedo_encoding="srgb",
        uv=arrays["uv"],
        labels=arrays["labels"],
        label_names=LABELS,
        metres_per_unit=_MM_PER_UNIT / 1000.0,
        licence="Apache-2.0",
        expression_prior="unit",
        expression_names=tuple(arrays["expression_names"].tolist()),
        extras={
            "part": arrays["part"],
            "part_names": PARTS,
            "mirror": arrays["mirror"],
            "nostril": arrays["nostril"],
            "eye_centres": arrays["eye_centres"],
            "eye_radius": eye.RADIUS / _MM_PER_UNIT,
            "identity_variance": arrays["identity_variance"],
            "albedo_variance": arrays["albedo_variance"],
        },
    )


def _make(seed: int) -> dict[str, Any]:
    head = build_head()
    identity, identity_share = identity_basis(head)
    expression, names = expression_basis(head)
    albedo_mean, albedo, albedo_share = albedo_basis(head, seed)
    return {
        "mean": (head.points / _MM_PER_UNIT).astype(np.float32),
        "identity_basis": (identity / _MM_PER_UNIT).astype(np.float32),
        "expression_basis": (expression / _MM_PER_UNIT).astype(np.float32),
        "triangles": head.triangles.astype(np.int64),
        "landmark_indices": landmark_indices(head).astype(np.int64),
        "albedo_mean": albedo_mean.astype(np.float32),
        "albedo_basis": albedo.astype(np.float32),
        "uv": head.uv.astype(np.float32),
        "labels": head.labels.astype(np.int64),
        "nostril": head.nostril.astype(np.float32),
        "part": head.part.astype(np.int64),
        "mirror": head.mirror.astype(np.int64),
        "eye_centres": (np.stack([eye.CENTRE, eye.CENTRE * [-1, 1, 1]]) / _MM_PER_UNIT).astype(np.float32),
        "identity_variance": identity_share.astype(np.float32),
        "albedo_variance": albedo_share.astype(np.float32),
        "expression_names": np.array(names),
    }


def _read(path: Path) -> dict[str, Any] | None:
    """The arrays of a cached model, or None where there is none that can be read whole."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in _ARRAYS}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def _version() -> str:
    """A digest of the sources that make the face, so that a change of them makes it anew."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]
