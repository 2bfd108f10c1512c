"""The shipped weights of the landmark network: beside this file, verified before a byte of them is used."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from zoo.errors import UserError
from zoo.faces.landmarks.network import LandmarkNetwork
from zoo.files import sha256_of

__all__ = ["SHA256", "WEIGHTS", "load_network", "shipped_network"]

WEIGHTS = Path(__file__).with_name("weights.safetensors")
SHA256 = "5dbc2cf34397b36ecdb793c2ad63b7eaec958ed5435fc4d57591a221c9127a49"
"""Of the shipped file; the card of ``face_landmarks`` says who trained it and how."""


@lru_cache(maxsize=1)
def shipped_network() -> LandmarkNetwork:
    """The network with its shipped weights, on the CPU, in evaluation mode; read once.

    Raises:
        UserError: The file is missing, or is not the one that was shipped.
    """
    if not WEIGHTS.is_file():
        raise UserError(f"the landmark network's weights should be at {WEIGHTS}; install the package again.")
    if sha256_of(WEIGHTS) != SHA256:
        raise UserError(f"{WEIGHTS} is not the file that was shipped; install the package again.")
    return load_network(WEIGHTS)


def load_network(path: str | Path) -> LandmarkNetwork:
    """A network from weights that ``lightning_modules.face_landmarks`` wrote, on the CPU, in evaluation mode.

    Args:
        path: A safetensors file whose metadata hold the constructor arguments.

    Raises:
        UserError: The file is damaged or holds another network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            settings = json.loads((file.metadata() or {})["hparams"])
            state = {name.removeprefix("network."): file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        network = LandmarkNetwork(*(settings[name] for name in ("size", "widths", "rising", "hidden")))
        network.load_state_dict(state)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as problem:
        raise UserError(f"{path} holds no weights of the landmark network.") from problem
    return network.eval().to(memory_format=torch.channels_last)  # a fifth less time
