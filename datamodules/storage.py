"""How samples lie on disk: small types there, the contract's tensors here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.render.normals import unit_normals
from zoo.render.sh import shade

__all__ = ["pack", "stored_keys", "unpack"]

_TYPES = {
    **dict.fromkeys(("image", "target", "relit", "mask", "segmentation", "shading_labels"), "u1"),
    **dict.fromkeys(("instances", "superpixels"), "u2"),
    **dict.fromkeys(("albedo", "normal", "shading", "relit_shading"), "f2"),
}
"""8 bits where the values have no more or are sRGB-encoded; half floats for albedo, normals and shading, whose relative
error is 5e-4 (a normal turns by 0.03 degrees at most); float32 for all else: half floats would give depth steps of a
millimetre. Ids have as many bits as there may be things of their kind."""

_IDS = ("segmentation", "shading_labels", "instances", "superpixels")


def stored_keys(keys: Sequence[str]) -> list[str]:
    """The keys that must lie on disk to read ``keys``: shading follows from normals and light, triangles are shared."""
    stored = [key for key in keys if key not in ("shading", "triangles")]
    if "shading" in keys:
        stored += [key for key in ("normal", "light", "mask") if key not in stored]
    return stored


def pack(batch: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """A batch as contiguous arrays of the types that lie on disk: safetensors writes memory as it lies."""
    packed = {}
    for key, value in batch.items():
        kind = _TYPES.get(key)
        if kind == "u1" and value.is_floating_point():
            value = (value.clamp(0, 1) * 255).round()
        array = value.cpu().numpy()
        packed[key] = np.ascontiguousarray(array, kind or array.dtype)
    return packed


def unpack(arrays: Mapping[str, NDArray[Any]], keys: Sequence[str]) -> dict[str, Tensor]:
    """Rows of such arrays as the contract's tensors.

    Normals get their unit length back, and shading is computed from them and the light, so that both agree exactly.

    Args:
        arrays: ``(B, ...)`` by key: what ``stored_keys(keys)`` names.
        keys: What to return, all but triangles.
    """
    batch: dict[str, Tensor] = {}
    for key, value in arrays.items():
        tensor = torch.from_numpy(np.ascontiguousarray(value, np.int64 if key in _IDS else value.dtype))
        if key in _IDS or tensor.dtype == torch.bool:
            batch[key] = tensor
        elif tensor.dtype == torch.uint8:
            batch[key] = tensor.float() / 255
        else:
            batch[key] = tensor.float()
    if "normal" in batch:
        batch["normal"] = unit_normals(batch["normal"])
    if "shading" in keys and "shading" not in batch:
        batch["shading"] = shade(batch["normal"], batch["light"]).clamp_min(0) * batch["mask"]
    return {key: batch[key] for key in keys if key != "triangles"}
