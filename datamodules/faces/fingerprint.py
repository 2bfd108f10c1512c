"""What generated faces depend on beside their settings: the face model's arrays, and the code that draws them."""

from __future__ import annotations

import hashlib
from dataclasses import fields

import numpy as np

from datamodules.fingerprint import source_fingerprint
from zoo.morphable import MorphableModel

__all__ = ["code_fingerprint", "model_fingerprint"]

_SOURCES = (
    "datamodules/effects",
    "datamodules/faces",
    "datamodules/sampling",
    "zoo/render",
    "zoo/morphable/canonical.py",
    "zoo/faces/framing.py",
    "zoo/imaging/colour.py",
)


def code_fingerprint() -> str:
    """A hash of the source that decides what a sample looks like, so that no cache outlives a change of it."""
    return source_fingerprint(*_SOURCES)


def model_fingerprint(model: MorphableModel) -> str:
    """A hash of a face model's arrays as they are rendered: also of the colours that a model without any is given."""
    digest = hashlib.sha256()
    arrays = {field.name: getattr(model.data, field.name) for field in fields(model.data)}
    for name in ("albedo_mean", "albedo_basis"):
        arrays[name] = getattr(model, name).cpu().numpy()
    for name, value in arrays.items():
        if isinstance(value, np.ndarray):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(value).data)
    return digest.hexdigest()[:16]
