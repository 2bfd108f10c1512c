"""insightface's ArcFace weights to ours: the names are the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from zoo.errors import UserError

__all__ = ["convert", "detect"]

_BLOCKS = (3, 4, 14, 3)


def detect(keys: Iterable[str]) -> bool:
    """Whether these names are those of an IResNet of ``arcface_torch``, whatever its depth."""
    wanted = {"conv1.weight", "prelu.weight", "layer4.0.bn3.running_mean", "fc.weight", "features.running_var"}
    return wanted <= set(keys)


def convert(state: Mapping[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Turn the tensors of ``backbone.pth`` into constructor arguments and a state dict of ``FaceIdentity``.

    Args:
        state: Tensors by the names of the file; ``num_batches_tracked`` may be missing.

    Returns:
        Backbone and size of the embedding as arguments, and tensors under the names of our module.

    Raises:
        UserError: It is an IResNet of another depth.
        KeyError: A tensor is missing.
    """
    blocks = tuple(len({key.split(".")[1] for key in state if key.startswith(f"layer{i}.")}) for i in range(1, 5))
    if blocks != _BLOCKS:
        raise UserError(f"this IResNet has {blocks} blocks; the zoo takes r50, which has {_BLOCKS}.")
    tensors = {f"network.{key}": value for key, value in state.items()}
    for key in [key for key in tensors if key.endswith(".running_mean")]:
        tensors.setdefault(key.replace("running_mean", "num_batches_tracked"), torch.tensor(0))
    return {"backbone": "iresnet50", "embedding": int(state["fc.weight"].shape[0])}, tensors
