"""The network equals the authors' one under the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden import load_golden
from torch import Tensor

from lightning_modules.cgintrinsics.convert import convert, detect
from lightning_modules.cgintrinsics.network import CGIntrinsicsNetwork
from zoo.errors import UserError


def build(state: dict[str, Tensor]) -> CGIntrinsicsNetwork:
    arguments, tensors = convert(state)
    network = CGIntrinsicsNetwork(arguments["width"])
    network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items()}, strict=True)
    return network.eval()


@pytest.fixture(scope="module")
def small_state() -> dict[str, Tensor]:
    """The authors' names with a narrow network's tensors."""
    torch.manual_seed(0)
    network = CGIntrinsicsNetwork(2)
    theirs = {}
    for name, value in network.state_dict().items():
        part, level, rest = name.split(".", 2)
        depth = {"out": 0}.get(level, int(level[1]) - (part == "encoder")) if level != "out" else 0
        block = {"encoder": "downconv_model", "reflectance": "upconv_model_1", "shading": "upconv_model_2"}[part]
        theirs[f"model{'.submodule' * depth}.{block}.{rest}"] = value
    return theirs


def test_equals_the_authors_network(shared: Path) -> None:
    golden = load_golden(shared, "cgintrinsics")
    state = golden.state()
    assert detect(state)
    network = build(state)
    assert sum(p.numel() for p in network.parameters()) == golden.meta["numbers_in_parameters"] == 68_572_482
    image = golden.input((1, 3, 128, 256))
    with torch.inference_mode():
        features = network.encoder(image)
        reflectance, shading = network(image)
        golden.assert_close("e6", features[5])
        golden.assert_close("e7", features[6])
        golden.assert_close("d6_R", network.reflectance.get_submodule("d6")(features[6]))
        golden.assert_close("d6_S", network.shading.get_submodule("d6")(features[6]))
    golden.assert_close("log_reflectance", reflectance)
    golden.assert_close("log_shading", shading)
    with pytest.raises(AssertionError):  # the fixture can tell the decoders apart
        golden.assert_close("log_reflectance", shading)


def test_names_of_the_fixture_are_those_of_the_conversion(shared: Path, small_state: dict[str, Tensor]) -> None:
    assert set(load_golden(shared, "cgintrinsics").meta["state_dict"]) == set(small_state)


def test_a_file_of_old_or_parallel_pytorch_converts(small_state: dict[str, Tensor]) -> None:
    old = {f"module.{k}": v for k, v in small_state.items() if not k.endswith("num_batches_tracked")}
    assert detect(old)
    image = torch.rand(1, 3, 128, 128)
    with torch.inference_mode():
        torch.testing.assert_close(build(old)(image), build(small_state)(image))


def test_another_file_is_refused(small_state: dict[str, Tensor]) -> None:
    assert not detect(k for k in small_state if "submodule." * 6 not in k)
    for wrong in ("model.downconv_model.0.scale.x", "head.weight", f"model{'.submodule' * 7}.downconv_model.1.bias"):
        with pytest.raises(UserError, match="no name of CGIntrinsics"):
            convert({**small_state, wrong: torch.zeros(1)})


def test_a_missing_tensor_is_noticed(small_state: dict[str, Tensor]) -> None:
    less = {k: v for k, v in small_state.items() if k != "model.submodule.upconv_model_2.1.weight"}
    with pytest.raises(RuntimeError, match=r"shading\.d1\.1\.weight"):
        build(less)


def test_skips_are_not_rectified() -> None:
    """Features reach the decoders as they enter the next level: with their negative values."""
    features = CGIntrinsicsNetwork(4).eval().encoder(torch.rand(1, 3, 128, 128))
    assert [f.shape[1] for f in features] == [4, 8, 16, 32, 32, 32, 32]
    assert all(f.min() < 0 for f in features)


@pytest.mark.parametrize("backbone", ["resnet18", "convnext_atto"])
def test_a_backbone_takes_the_encoders_place(backbone: str) -> None:
    """One has maps of reduction 2 to 32, the other of 4 to 32; gradients reach all levels that are used."""
    network = CGIntrinsicsNetwork(4, backbone)
    reflectance, shading = network(torch.rand(2, 3, 128, 256))
    assert reflectance.shape == shading.shape == (2, 1, 128, 256)
    (reflectance + shading).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
    assert set(CGIntrinsicsNetwork(4).reflectance.state_dict()) == set(network.reflectance.state_dict())


def test_a_backbone_that_timm_does_not_have_is_told() -> None:
    with pytest.raises(UserError, match="resnet1818"):
        CGIntrinsicsNetwork(4, "resnet1818")
