"""R-Net equals the authors' under the same weights, and C-Net begins as a plain mean."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from golden import load_golden
from scipy.io import savemat
from torch import Tensor, nn

import zoo
from lightning_modules.deep3dface.coefficients import Sizes, join, split
from lightning_modules.deep3dface.convert import convert, detect
from lightning_modules.deep3dface.face_model import name_as_tensor
from lightning_modules.deep3dface.network import ConfidenceNet, ReconNet, aggregate
from zoo.checkpoints import read_checkpoint
from zoo.commands.convert import main as convert_command
from zoo.errors import UserError


def build(state: dict[str, Tensor]) -> ReconNet:
    arguments, tensors = convert(state)
    assert bytes(tensors.pop("face_model").tolist()) == b"bfm".ljust(16, b"\0")
    network = ReconNet(arguments["backbone"])
    network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items()}, strict=True)
    return network.eval()


@pytest.fixture(scope="module")
def heads_only() -> dict[str, Tensor]:
    """A state dict of R-Net with random heads, under the authors' names."""
    torch.manual_seed(0)
    state = ReconNet().state_dict()
    return {k: torch.randn_like(v) if k.startswith("final_layers") else v for k, v in state.items()}


def test_equals_the_authors_network(shared: Path) -> None:
    golden = load_golden(shared, "deep3d_rnet")
    state = golden.state()
    assert detect(state)
    network = build(state)
    assert set(network.state_dict()) == set(golden.meta["state_dict"])
    assert sum(p.numel() for p in network.parameters()) == golden.meta["numbers_in_parameters"] == 24_034_625
    picture = golden.input((2, 3, 224, 224))
    with torch.no_grad():
        shallow, pooled = network.features(picture)
        golden.assert_close("layer1_every_8th", shallow[:, ::8, ::8, ::8])
        golden.assert_close("pooled", pooled[..., None, None])
        golden.assert_close("coeff", network.heads(pooled))
        torch.testing.assert_close(network(picture), network.heads(pooled))


def test_the_fixture_notices_a_head_in_the_wrong_place(shared: Path) -> None:
    golden = load_golden(shared, "deep3d_rnet")
    network = build(golden.state())
    pooled = torch.from_numpy(golden.arrays["out.pooled"]).flatten(1)
    with torch.no_grad():
        golden.assert_close("coeff", network.heads(pooled))
        network.final_layers = nn.ModuleList([network.final_layers[i] for i in (2, 1, 0, 3, 4, 5, 6)])
        with pytest.raises(AssertionError, match="coeff"):
            golden.assert_close("coeff", network.heads(pooled))


def test_reads_the_release_with_its_optimiser(tmp_path: Path, heads_only: dict[str, Tensor]) -> None:
    weight = nn.Parameter(torch.ones(3))
    optimiser = torch.optim.Adam([weight])
    weight.sum().backward()
    optimiser.step()
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 10, 0.2)
    contents = {"net_recon": heads_only, "opt_00": optimiser.state_dict(), "sched_00": schedule.state_dict()}
    torch.save(contents, tmp_path / "epoch_20.pth")
    state = read_checkpoint(tmp_path / "epoch_20.pth").state
    assert detect(state)
    arguments, tensors = convert(state)
    assert arguments == {
        "morphable": "bfm",
        "backbone": "resnet50",
        "size": 224,
        "confidence_channels": 0,
        "perception": "none",
    }
    assert set(tensors) == {f"network.{key}" for key in heads_only} | {"face_model"}
    assert torch.equal(tensors["network.final_layers.4.weight"], heads_only["final_layers.4.weight"])


def test_the_command_converts_the_release_given_the_face_model(
    shared: Path, tmp_path: Path, heads_only: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(shared / "golden"))
    savemat(tmp_path / "BFM_model_front.mat", importlib.import_module("synthetic_bfm").synthetic_bfm())
    torch.save({"net_recon": heads_only}, tmp_path / "epoch_20.pth")
    asked = ["--model", "deep3dface", "--from", str(tmp_path / "epoch_20.pth"), "-o", str(tmp_path / "ours")]
    with pytest.raises(UserError, match="bfm:PATH"):
        convert_command(asked)
    face_model = f"bfm:{tmp_path}"
    assert convert_command([*asked, "--model.morphable", face_model]) == 0
    module = zoo.load("deep3dface", tmp_path / "ours.safetensors", morphable=face_model)
    state = module.state_dict()
    assert all(torch.equal(state[f"network.{key}"], value) for key, value in heads_only.items())
    with pytest.raises(UserError, match="'bfm', but this one is 'procedural'"):
        zoo.load("deep3dface", tmp_path / "epoch_20.pth", morphable="procedural")


def test_reads_the_bare_network_that_sgpn_comes_with(tmp_path: Path, heads_only: dict[str, Tensor]) -> None:
    torch.save(heads_only, tmp_path / "d3dfr.pth")
    state = read_checkpoint(tmp_path / "d3dfr.pth").state
    assert detect(state)
    assert set(convert(state)[1]) == {f"network.{key}" for key in heads_only} | {"face_model"}


def test_what_stands_beside_the_network_is_left_out(heads_only: dict[str, Tensor]) -> None:
    state = {f"net_recon.{key}": value for key, value in heads_only.items()}
    state["opt_00.step"] = torch.tensor(1.0)
    assert detect(state)
    assert set(convert(state)[1]) == {f"network.{key}" for key in heads_only} | {"face_model"}


def test_other_networks_are_not_taken_for_it(heads_only: dict[str, Tensor]) -> None:
    assert not detect(ReconNet("mobilenetv3_small_050").state_dict())
    assert not detect(key for key in heads_only if not key.startswith("final_layers.6"))


def test_heads_of_another_face_model_are_refused(heads_only: dict[str, Tensor]) -> None:
    with pytest.raises(UserError, match="Basel"):
        convert({**heads_only, "final_layers.0.weight": torch.zeros(100, 2048, 1, 1)})


def test_an_unknown_layer_is_refused(heads_only: dict[str, Tensor]) -> None:
    with pytest.raises(UserError, match=r"'neck\.weight'"):
        convert({**heads_only, "neck.weight": torch.zeros(1)})


def test_a_long_face_model_name_is_refused() -> None:
    with pytest.raises(ValueError, match="16 ASCII"):
        name_as_tensor("a" * 17)


@pytest.mark.parametrize("backbone", ["mobilenetv3_small_050", "resnet10t"])
def test_any_backbone_begins_at_the_mean_face(backbone: str) -> None:
    sizes = Sizes(identity=10, expression=5, texture=7)
    network = ReconNet(backbone, sizes.identity, sizes.expression, sizes.texture).eval()
    picture = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        shallow, pooled = network.features(picture)
        coefficients = network(picture)
    assert shallow.shape == (2, network.shallow_channels, 16, 16)
    assert pooled.shape == (2, network.deep_channels)
    assert torch.equal(coefficients, torch.zeros(2, sizes.total))
    confidence = ConfidenceNet(network.shallow_channels, network.deep_channels, sizes.identity, channels=8)
    assert torch.equal(confidence(shallow, pooled), torch.full((2, sizes.identity), 0.5))


@pytest.mark.parametrize("backbone", ["resnet51", "hf-hub:somebody/something", "vit_tiny_patch16_224"])
def test_a_backbone_that_cannot_be_is_one_sentence(backbone: str) -> None:
    with pytest.raises(UserError, match=f"'{backbone}'") as caught:
        ReconNet(backbone)
    assert "\n" not in str(caught.value)


def test_parts_are_in_the_official_order() -> None:
    coefficients = torch.arange(257.0)[None].repeat(2, 1)
    parts = split(coefficients, Sizes())
    starts = {name: int(value.flatten(1)[0, 0]) for name, value in parts.items()}
    assert starts == {
        "identity": 0,
        "expression": 80,
        "texture": 144,
        "angles": 224,
        "gamma": 227,
        "translation": 254,
    }
    assert parts["gamma"].shape == (2, 3, 9)
    assert parts["gamma"][0, 1].tolist() == list(range(236, 245))  # the second row is green
    assert torch.equal(join(dict(reversed(parts.items()))), coefficients)
    with pytest.raises(ValueError, match="257"):
        split(coefficients[:, 1:], Sizes())


def test_c_net_has_the_size_that_the_paper_says() -> None:
    network = ConfidenceNet(256, 2048)
    assert sum(p.numel() for p in network.parameters()) == 2_991_440
    torch.manual_seed(0)
    for parameter in network.last.parameters():
        nn.init.normal_(parameter)
    confidence = network(torch.rand(2, 256, 56, 56), torch.rand(2, 2048))
    assert confidence.shape == (2, 80)
    assert 0 < confidence.min() < confidence.max() < 1


def test_c_net_sees_both_its_inputs() -> None:
    torch.manual_seed(0)
    network = ConfidenceNet(4, 6, n_identity=3, channels=8)
    nn.init.normal_(network.last.weight)
    shallow, pooled = (torch.rand(2, 4, 16, 16, requires_grad=True), torch.rand(2, 6, requires_grad=True))
    network(shallow, pooled).sum().backward()
    for value in (shallow, pooled):
        assert value.grad is not None
        assert float(value.grad.abs().max()) > 0


def test_c_net_begins_as_the_plain_mean_and_learns_from_there() -> None:
    torch.manual_seed(0)
    network = ConfidenceNet(4, 6, n_identity=3, channels=8)
    identity = torch.randn(2, 5, 3)
    confidence = network(torch.rand(10, 4, 16, 16), torch.rand(10, 6)).reshape(2, 5, 3)
    together = aggregate(identity, confidence)
    torch.testing.assert_close(together, identity.mean(1))
    together.square().sum().backward()
    assert network.last.weight.grad is not None
    assert float(network.last.weight.grad.abs().max()) > 0


def test_aggregation_weighs_each_coefficient_by_itself() -> None:
    identity = torch.tensor([[[1.0, 10.0], [4.0, 20.0], [7.0, 60.0]]])
    confidence = torch.tensor([[[0.2, 0.1], [0.6, 0.3], [0.2, 0.6]]])
    torch.testing.assert_close(aggregate(identity, confidence), torch.tensor([[4.0, 43.0]]))
    torch.testing.assert_close(aggregate(identity, 0.5 * confidence), torch.tensor([[4.0, 43.0]]))
