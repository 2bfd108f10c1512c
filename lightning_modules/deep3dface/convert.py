"""The authors' R-Net to ours: ``epoch_20.pth`` of the PyTorch release, and the bare network that SGPN comes with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from lightning_modules.deep3dface.coefficients import Sizes
from lightning_modules.deep3dface.face_model import name_as_tensor
from zoo.errors import UserError

__all__ = ["convert", "detect"]

_WRAPPER = "net_recon."  # beside it are the optimiser's and the schedule's states, which we do not need
_NETWORK = ("backbone.", "final_layers.")
_HEADS = tuple(f"final_layers.{place}.weight" for place in range(7))


def detect(keys: Iterable[str]) -> bool:
    """Whether these names are those of the authors' R-Net: a ResNet as ``backbone`` and seven ``final_layers``."""
    names = {key.removeprefix(_WRAPPER) for key in keys}
    return {"backbone.conv1.weight", "backbone.layer4.2.conv3.weight", *_HEADS} <= names


def convert(state: Mapping[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Turn the authors' tensors into constructor arguments and a state dict of ``Deep3DFace``.

    Args:
        state: Tensors by the names of the file, with or without ``net_recon.`` before those of the network.

    Returns:
        Arguments (the Basel face model, ResNet-50, pictures of 224, no C-Net, and no recognition network, which only
        training needs) and tensors under the names of our module.

    Raises:
        UserError: The heads are not those of the Basel face model's coefficients, or a name is no layer of R-Net.
        KeyError: A head is missing.
    """
    wrapped = any(key.startswith(_WRAPPER) for key in state)
    tensors = {
        key.removeprefix(_WRAPPER): value for key, value in state.items() if not wrapped or key.startswith(_WRAPPER)
    }
    _check_heads(tensors)
    for key in tensors:
        if not key.startswith(_NETWORK):
            raise UserError(f"'{key}' is no layer of R-Net, which has backbone.… and final_layers.…; is this its file?")
    arguments = {
        "morphable": "bfm",
        "backbone": "resnet50",
        "size": 224,
        "confidence_channels": 0,
        "perception": "none",
    }
    return arguments, {
        **{f"network.{key}": value for key, value in tensors.items()},
        "face_model": name_as_tensor("bfm"),
    }


def _check_heads(tensors: Mapping[str, Tensor]) -> None:
    """All heads have the sizes of the 257 coefficients."""
    parts = Sizes().parts
    wanted = [*list(parts.values())[:-1], 2, 1]  # translation has two heads
    found = [tensors[key].shape[0] for key in _HEADS]
    if found != wanted:
        raise UserError(
            f"the heads of this R-Net give {', '.join(map(str, found))} coefficients, those of the Basel face model "
            f"are {', '.join(map(str, wanted))}."
        )
