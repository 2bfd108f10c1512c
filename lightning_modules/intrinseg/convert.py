"""The authors' IntrinSeg weights to ours: names are the same; what was built is read from the shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from zoo.errors import UserError

__all__ = ["convert", "detect"]

_VARIANTS = (
    ["reflectance", "shading", "class"],
    ["reflectance", "shading"],
    ["reflectance", "class"],
    ["shading", "class"],
    ["reflectance"],
    ["shading"],
    ["class"],
)


def detect(keys: Iterable[str]) -> bool:
    """Whether these names are those of an IntrinSeg checkpoint, whatever its heads."""
    wanted = {"conv0.0.weight", "conv5.1.running_mean", "mid.0.9.weight", "deconv0.0.0.weight", "output.0.3.weight"}
    return wanted <= set(keys)


def convert(state: Mapping[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Turn the authors' tensors into constructor arguments and a state dict of ``IntrinSeg``.

    Args:
        state: Tensors by the names of the file; ``num_batches_tracked`` may be missing, as PyTorch before 0.4 had none.

    Returns:
        Arguments (tasks, width, classes, channels of the shading, learned upsampling) and tensors under the names of
        our module. A head of 1 channel is shading, one of more than 3 the classes; heads of 3 channels are
        reflectance, then shading.

    Raises:
        KeyError: A tensor is missing.
        UserError: The heads are not those of any variant of the paper.
    """
    heads: list[int] = []
    while f"output.{len(heads)}.3.weight" in state:
        heads.append(int(state[f"output.{len(heads)}.3.weight"].shape[0]))
    targets = _targets(heads)
    arguments: dict[str, Any] = {
        "targets": targets,
        "width": int(state["conv0.0.weight"].shape[0]),
        "deconv": any(f"deconv0.{i}.3.weight" in state for i in range(len(heads))),
        "class_relu": "class" not in targets or f"output.{len(heads) - 1}.4.weight" in state,
    }
    if "class" in targets:
        arguments["classes"] = heads[-1]
    if "shading" in targets:
        arguments["shading_channels"] = heads[targets.index("shading")]
    tensors = {f"network.{k}": v for k, v in state.items()}
    for key in [k for k in tensors if k.endswith(".running_mean")]:
        tensors.setdefault(key.replace("running_mean", "num_batches_tracked"), torch.tensor(0))
    return arguments, tensors


def _targets(heads: list[int]) -> list[str]:
    """The tasks of heads with these channels, which stand in the order reflectance, shading, class."""
    names: list[str] = []
    for channels in heads:
        if channels > 3:
            names.append("class")
        elif channels == 3 and "reflectance" not in names:
            names.append("reflectance")
        else:
            names.append("shading")
    if names not in _VARIANTS:
        raise UserError(
            f"heads of {', '.join(map(str, heads)) or 'no'} channels are no variant of IntrinSeg, whose heads are "
            "reflectance (3), shading (3 or 1) and classes (more than 3), in this order."
        )
    return names
