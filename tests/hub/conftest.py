"""A zoo of two tiny models in a folder of its own."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

import zoo.cards

CARD = """
name: {name}
class: {package}.{name}.module.{kind}
task: testing
family: tests
summary: A {name}.
paper: {{title: A {name}, venue: none, year: 2024}}
inputs: [image]
outputs: [albedo]
status: trains
export: {{formats: [onnx, pt2], tolerance: 1.0e-4}}
weights: []
"""

MODULE = """
from pytorch_lightning import LightningModule
from torch import nn


class {kind}(LightningModule):
    card_name = "{name}"
    training_only = ("critic",)

    def __init__(self, width: int = 4, depth: int = 1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.{layer} = nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width))
        self.critic = nn.Linear(width, 1)

    def forward(self, image):
        return {{"albedo": self.{layer}(image)}}

    def training_step(self, batch, batch_idx):
        return self(batch[0])["albedo"].square().mean()

    def configure_optimizers(self):
        import torch

        return torch.optim.Adam(self.parameters())
"""

CONVERT = """
def detect(keys):
    return any(key.endswith("{authors}/0") or "{authors}.weight" in key for key in keys)


def convert(state):
    caffe = "data/{authors}/0" in state
    weight = state["data/{authors}/0"] if caffe else state["{authors}.weight"]
    bias = state["data/{authors}/1"] if caffe else state["{authors}.bias"]
    width = weight.shape[0]
    norm = {{"weight": weight.new_ones(width), "bias": weight.new_zeros(width),
            "running_mean": weight.new_zeros(width), "running_var": weight.new_ones(width)}}
    ours = {{"{layer}.0.weight": weight, "{layer}.0.bias": bias}}
    return {{"width": width}}, ours | {{"{layer}.1." + k: v for k, v in norm.items()}}
"""


@pytest.fixture
def tiny_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of cards of ``blur`` and ``bloom``; the zoo sees no others."""
    package = f"tiny_{abs(hash(tmp_path)):x}"
    root = tmp_path / package
    for name, kind, layer, authors in (("blur", "Blur", "body", "soft"), ("bloom", "Bloom", "head", "glow")):
        folder = root / name
        folder.mkdir(parents=True)
        values = {"name": name, "kind": kind, "layer": layer, "authors": authors, "package": package}
        (folder / "__init__.py").write_text("")
        (folder / "card.yaml").write_text(CARD.format(**values))
        (folder / "module.py").write_text(textwrap.dedent(MODULE.format(**values)))
        (folder / "convert.py").write_text(CONVERT.format(**values))
    (root / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(zoo.cards, "CARDS", root)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    yield root
    for module in [each for each in sys.modules if each.partition(".")[0] == package]:
        del sys.modules[module]
