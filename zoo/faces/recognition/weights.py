"""Frozen recognition networks: the zoo's own with its shipped weights, or ArcFace from a user's file."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.errors import UserError
from zoo.faces.recognition.network import IdentityNetwork
from zoo.files import sha256_of
from zoo.nn.iresnet import IResNet

__all__ = ["SHA256", "WEIGHTS", "RecognitionNet", "load_network", "load_recognition"]

WEIGHTS = Path(__file__).with_name("weights.safetensors")
SHA256 = "ddd992a0181fdae2b7484f2f7536dabf73a37d76054c87536729810056f0931b"
"""Of the shipped file; the card of ``face_identity`` says who trained it and how."""


class RecognitionNet(nn.Module):
    """A frozen network that gives each aligned crop a direction, which is near for one person and far for two.

    It stays in evaluation mode whatever is asked of a module around it, and no gradient reaches its weights; gradients
    do reach the crops.

    Args:
        network: Crops from -1 to 1 to embeddings.

    Shapes:
        crops (B,3,112,112), sRGB in [0, 1] (see ``recognition_crop``) -> (B,K) of unit length.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> RecognitionNet:
        """Stay in evaluation mode."""
        super().train(False)
        return self

    def forward(self, crops: Tensor) -> Tensor:
        """See the class for shapes."""
        return F.normalize(self.network(2 * crops - 1).float(), dim=-1)


def load_recognition(spec: str = "embedded") -> RecognitionNet:
    """A frozen recognition network on the CPU.

    Args:
        spec: ``embedded`` for the zoo's own small network, trained on rendered faces; ``arcface:PATH`` for ArcFace's
            r50, from insightface's ``backbone.pth`` or from what ``zoo convert --model face_identity`` made of it.

    Raises:
        UserError: Another spec, or weights that are missing, damaged, or another network's.
    """
    kind, _, path = spec.partition(":")
    if kind == "arcface" and path:
        return RecognitionNet(_arcface(path))
    if spec != "embedded":
        raise UserError(f"there is no recognition network '{spec}'; take embedded or arcface:PATH.")
    if not WEIGHTS.is_file() or not SHA256:
        raise UserError(
            f"the recognition network's weights should be at {WEIGHTS}; install the package again, or use arcface:PATH."
        )
    if sha256_of(WEIGHTS) != SHA256:
        raise UserError(f"{WEIGHTS} is not the file that was shipped; install the package again.")
    return RecognitionNet(load_network(WEIGHTS))


def load_network(path: str | Path) -> IdentityNetwork:
    """The small network from weights that ``lightning_modules.face_identity`` wrote, on the CPU, in evaluation mode.

    Args:
        path: A safetensors file whose metadata hold the constructor arguments.

    Raises:
        UserError: The file is damaged or holds another network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            settings = json.loads((file.metadata() or {})["hparams"])
            state = {name.removeprefix("network."): file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        network = IdentityNetwork(*(settings[name] for name in ("widths", "depths", "embedding")))
        network.load_state_dict(state)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as problem:
        raise UserError(f"{path} holds no weights of the zoo's recognition network.") from problem
    return network.eval().to(memory_format=torch.channels_last)


def _arcface(path: str) -> IResNet:
    from zoo.checkpoints import read_checkpoint

    state = {name.removeprefix("network."): value for name, value in read_checkpoint(path).state.items()}
    network = IResNet()
    for name, value in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, value)
    try:
        network.load_state_dict(state)
    except RuntimeError as problem:
        raise UserError(f"{path} does not hold ArcFace's r50 (insightface's backbone.pth).") from problem
    return network.eval()
