"""The authors' CGIntrinsics weights to ours: nested blocks to levels by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from lightning_modules.cgintrinsics.network import LEVELS
from zoo.errors import UserError

__all__ = ["convert", "detect"]

_NAME = re.compile(r"^(?:module\.)?model((?:\.submodule)*)\.(downconv_model|upconv_model_1|upconv_model_2)\.(\d\.\w+)$")


def detect(keys: Iterable[str]) -> bool:
    """Whether these names are those of ``cgintrinsics_iiw_saw_final_net_G.pth``: seven blocks, one inside the other."""
    blocks = {(m[1].count("submodule"), m[2]) for k in keys if (m := _NAME.match(k))}
    return {
        (i, part) for i in range(LEVELS) for part in ("downconv_model", "upconv_model_1", "upconv_model_2")
    } <= blocks


def convert(state: Mapping[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Turn the authors' tensors into constructor arguments and a state dict of ``CGIntrinsics``.

    Args:
        state: Tensors by the names of the file. ``module.`` before them and missing ``num_batches_tracked`` (the
            release was written by PyTorch 0.2, which had none) do not matter.

    Returns:
        The width as an argument, and tensors under the names of our module.

    Raises:
        UserError: A name that the network does not have.
        KeyError: The first layer is missing.
    """
    tensors: dict[str, Tensor] = {}
    for key, value in state.items():
        match = _NAME.match(key)
        level = match[1].count("submodule") if match else LEVELS
        if match is None or level >= LEVELS:
            raise UserError(f"'{key}' is no name of CGIntrinsics' network; its file has names like model.submodule.….")
        tensors[f"network.{_ours(level, match[2])}.{match[3]}"] = value
    for key in [k for k in tensors if k.endswith(".running_mean")]:
        tensors.setdefault(key.replace("running_mean", "num_batches_tracked"), torch.tensor(0))
    return {"width": int(tensors["network.encoder.e1.0.weight"].shape[0])}, tensors


def _ours(level: int, part: str) -> str:
    """Block ``level`` (0 is the outermost) goes down to e1..e7, and comes up from the head and d1..d6."""
    if part == "downconv_model":
        return f"encoder.e{level + 1}"
    decoder = "reflectance" if part.endswith("1") else "shading"
    return f"{decoder}.d{level}" if level else f"{decoder}.out"
