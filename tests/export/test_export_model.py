"""Exported files: names, free sizes, and a comparison that fails when it should."""

from __future__ import annotations

import dataclasses
import errno
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.cards import Export, ModelCard, Paper, Size
from zoo.commands import export as verb
from zoo.errors import UserError, ZooError
from zoo.export import export_model

KINDS = pytest.mark.parametrize("kind", ["onnx", "pt2"])


def card(**changes: object) -> ModelCard:
    values = {
        "name": "tiny",
        "class_path": "tests.Tiny",
        "task": "testing",
        "family": "tests",
        "summary": "A tiny model.",
        "paper": Paper("A tiny model", "none", 2024),
        "inputs": ["image"],
        "outputs": ["albedo", "light"],
        "status": "trains",
        "size": Size(train=64, min=16),
        "export": Export(["onnx", "pt2"], 1e-5),
    }
    return ModelCard(**{**values, **changes})


class Tiny(nn.Module):
    """What papers do: channel order, strided convolution and its way back, unit normals, light from pooling, sRGB."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8, affine=False)
        self.up = nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1, bias=False)
        self.light = nn.Linear(8, 27)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        features = F.relu(self.norm(self.down(image.flip(1))))
        raw = self.up(features)[..., : image.shape[2], : image.shape[3]]
        normal = F.normalize(2 * raw - 1, dim=1)
        light = self.light(features.mean((2, 3))).reshape(-1, 3, 9)
        x, y, z = normal.unbind(1)
        basis = torch.stack([torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], 1)
        shading = torch.einsum("bck,bkhw->bchw", light, basis).clamp(0, 1)
        encoded = torch.where(
            shading <= 0.0031308, 12.92 * shading, 1.055 * shading.clamp_min(1e-4) ** (1 / 2.4) - 0.055
        )
        return {"light": light, "albedo": encoded, "private": raw}


class Stretch(nn.Module):
    """Pads to a multiple of 16, works there, and crops."""

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        height, width = image.shape[-2:]
        padded = F.pad(image, (0, -width % 16, 0, -height % 16), mode="reflect")
        coarse = F.interpolate(F.avg_pool2d(padded, 16), size=padded.shape[-2:], mode="bilinear")
        return {"albedo": coarse[..., :height, :width]}


class Branch(nn.Module):
    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {"albedo": image * 2 if image.shape[-1] % 16 == 0 else image * 3}


class DataBranch(nn.Module):
    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {"albedo": image * 2 if image.mean() > 0.5 else image * 3}


class OneSize(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * 32 * 48, 27)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {"light": self.linear(image.flatten(1)).reshape(-1, 3, 9)}


class Labels(nn.Module):
    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {"segmentation": image.argmax(1)}


@KINDS
def test_names_order_and_free_sizes(kind: str, tmp_path: Path) -> None:
    module, path = Tiny().eval(), tmp_path / f"tiny.{kind}"
    parity = export_model(module, card(), kind, path)
    assert parity.passed
    assert list(parity.errors) == ["albedo", "light"]
    assert {batch for batch, _, _ in parity.cases} == {1, 3}
    image = torch.rand(5, 3, 33, 70)
    with torch.no_grad():
        expected = module(image)
    if kind == "onnx":
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        assert [(each.name, each.shape) for each in session.get_inputs()] == [
            ("image", ["batch", 3, "height", "width"])
        ]
        assert [each.name for each in session.get_outputs()] == ["albedo", "light"]
        assert "sRGB" in onnx.load(path).graph.input[0].doc_string
        found = dict(
            zip(["albedo", "light"], map(torch.from_numpy, session.run(None, {"image": image.numpy()})), strict=True)
        )
    else:
        found = torch.export.load(path).module()(image)
        assert list(found) == ["albedo", "light"]
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)


@KINDS
def test_padding_inside_forward_keeps_sizes_free(kind: str, tmp_path: Path) -> None:
    parity = export_model(Stretch().eval(), card(outputs=["albedo"]), kind, tmp_path / f"s.{kind}")
    assert parity.passed
    heights = {height for _, height, _ in parity.cases}
    assert any(height % 16 for height in heights)
    assert not all(height % 16 for height in heights)


@KINDS
def test_sizes_follow_the_multiple_on_the_card(kind: str, tmp_path: Path) -> None:
    size = Size(train=60, min=20, multiple=8)
    parity = export_model(Tiny().eval(), card(size=size), kind, tmp_path / f"m.{kind}")
    assert all(side % 8 == 0 and side >= 24 for case in parity.cases for side in case[1:])


@KINDS
def test_a_branch_on_the_size_is_found_out(kind: str, tmp_path: Path) -> None:
    parity = export_model(Branch().eval(), card(outputs=["albedo"]), kind, tmp_path / f"b.{kind}")
    assert not parity.passed
    assert parity.errors["albedo"] > 0.5


def test_a_branch_on_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="cannot be traced: Could not guard on data-dependent") as caught:
        export_model(DataBranch().eval(), card(outputs=["albedo"]), "onnx", tmp_path / "b.onnx")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_one_size_alone(tmp_path: Path) -> None:
    light = card(outputs=["light"])
    with pytest.raises(ZooError, match=r"takes one size only.*--size WIDTHxHEIGHT"):
        export_model(OneSize().eval(), light, "onnx", tmp_path / "o.onnx")
    for chosen, size in (
        (light, (32, 48)),
        (card(outputs=["light"], export=Export(["onnx"], 1e-5, sizes=[[32, 48]])), None),
    ):
        parity = export_model(OneSize().eval(), chosen, "onnx", tmp_path / "o.onnx", size=size)
        assert parity.passed
        assert parity.cases == ((1, 32, 48), (3, 32, 48))
    with pytest.raises(UserError, match="at least 16"):
        export_model(OneSize().eval(), light, "onnx", tmp_path / "o.onnx", size=(8, 48))


def test_whole_numbers_are_compared_by_share(tmp_path: Path) -> None:
    assert export_model(Labels().eval(), card(outputs=["segmentation"]), "onnx", tmp_path / "l.onnx").errors == {
        "segmentation": 0
    }


def test_inputs_with_open_sizes_come_from_the_card(tmp_path: Path) -> None:
    class Shift(nn.Module):
        def forward(self, image: Tensor, identity: Tensor) -> dict[str, Tensor]:
            return {"albedo": image * identity.mean(1)[:, None, None, None]}

    two = {"inputs": ["image", "identity"], "outputs": ["albedo"]}
    with pytest.raises(UserError, match=r"export.inputs: \{identity: \[B, 80\]\}"):
        export_model(Shift().eval(), card(**two), "onnx", tmp_path / "i.onnx")
    promised = Export(["onnx"], 1e-5, inputs={"identity": ["B", 7]})
    assert export_model(Shift().eval(), card(**two, export=promised), "onnx", tmp_path / "i.onnx").passed
    session = onnxruntime.InferenceSession(str(tmp_path / "i.onnx"), providers=["CPUExecutionProvider"])
    assert [each.shape for each in session.get_inputs()] == [["batch", 3, "height", "width"], ["batch", 7]]


def test_large_outputs_are_judged_by_their_scale(tmp_path: Path) -> None:
    class Far(nn.Module):
        def forward(self, image: Tensor) -> dict[str, Tensor]:
            return {"depth": 1e4 / (0.5 + image.cos().cumsum(3)[:, :1]).exp().log()}

    parity = export_model(Far().eval(), card(outputs=["depth"]), "onnx", tmp_path / "f.onnx")
    assert parity.passed
    assert f"of {parity.scales['depth']:.0f} at" in str(parity)
    off = dataclasses.replace(parity, errors={"depth": 2e-5 * parity.scales["depth"]})
    assert not off.passed


def test_missing_output_and_training_mode(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="forward does not give depth"):
        export_model(Tiny().eval(), card(outputs=["depth"]), "pt2", tmp_path / "t.pt2")
    with pytest.raises(UserError, match="evaluation mode"):
        export_model(Tiny().train(), card(), "pt2", tmp_path / "t.pt2")
    with pytest.raises(UserError, match="its card lists pt2"):
        export_model(Tiny().eval(), card(export=Export(["pt2"])), "onnx", tmp_path / "t.onnx")


def test_missing_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r'package onnxscript: pip install "prior-zoo\[export\]"'):
        export_model(Tiny().eval(), card(), "onnx", tmp_path / "t.onnx")


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.pt2"
    path.write_bytes(b"old")

    def full(self: Path, content: bytes) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="no space left"):
        export_model(Tiny().eval(), card(), "pt2", path)
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """``zoo export`` for the tiny models, without cards and weights on disk."""
    monkeypatch.chdir(tmp_path)

    def run(module: nn.Module, promised: ModelCard, *arguments: str) -> int:
        monkeypatch.setattr("zoo.cards.load_card", lambda name: promised)
        monkeypatch.setattr("zoo.hub.load", lambda name, **options: module)
        return verb.main(["--model", "tiny", *arguments])

    return run


def test_command_prints_one_line(
    command: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert command(Tiny().eval(), card(), "--format", "onnx") == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    assert out.startswith("wrote tiny.onnx (")
    assert "largest error against torch albedo " in out
    assert out.rstrip().endswith("at 64x64 batch 1 and 161x99 batch 3")
    assert command(Tiny().eval(), card(), "--format", "onnx", "--check") == 0
    assert capfd.readouterr().out.startswith("checked tiny.onnx")


def test_command_fails_above_the_tolerance_and_keeps_the_file(command: Callable[..., int], tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"b.pt2 is not the model: albedo \S+ is more than .* 1e-05"):
        command(Branch().eval(), card(outputs=["albedo"]), "--format", "pt2", "-o", "b.pt2")
    assert (tmp_path / "b.pt2").exists()
    with pytest.raises(ZooError, match="is not the model"):  # another module than the one that was written
        command(Stretch().eval(), card(outputs=["albedo"]), "--format", "pt2", "-o", "b.pt2", "--check")


def test_command_refuses_what_it_cannot_use(command: Callable[..., int], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file tiny.onnx to check"):
        command(Tiny().eval(), card(), "--format", "onnx", "--check")
    with pytest.raises(UserError, match="WIDTHxHEIGHT"):
        command(Tiny().eval(), card(), "--format", "onnx", "--size", "big")
    (tmp_path / "torn.onnx").write_bytes(b"torn")
    with pytest.raises(ZooError, match="cannot be opened by onnxruntime"):
        command(Tiny().eval(), card(), "--format", "onnx", "--check", "-o", "torn.onnx")
    (tmp_path / "torn.pt2").write_bytes(b"torn")
    with pytest.raises(ZooError, match="cannot be read back"):
        command(Tiny().eval(), card(), "--format", "pt2", "--check", "-o", "torn.pt2")


def test_nan_never_passes(tmp_path: Path) -> None:
    class Lost(nn.Module):
        def forward(self, image: Tensor) -> dict[str, Tensor]:
            return {"albedo": image.sum((2, 3)).sub(1e9).sqrt()}

    assert export_model(Lost().eval(), card(outputs=["albedo"]), "pt2", tmp_path / "n.pt2").errors["albedo"] == math.inf


def test_name_errors_load_no_torch() -> None:
    script = "import sys; from zoo.cli import main; code = main(['export', '--model', 'sfnset', '--format', 'onnx']); "
    script += "sys.exit(code if 'torch' not in sys.modules else 99)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert "Did you mean sfsnet?" in answer.stderr
