"""The network equals the authors' one under the same weights, whichever file they come in."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden import load_golden
from torch import Tensor

from lightning_modules.sfsnet.convert import convert, detect
from lightning_modules.sfsnet.network import SfSNetNetwork, SkipNet
from zoo.errors import UserError


def build(state: dict[str, Tensor]) -> SfSNetNetwork:
    arguments, tensors = convert(state)
    network = SfSNetNetwork(arguments["width"], arguments["affine"])
    network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items()}, strict=True)
    return network.eval()


def to_caffe(state: dict[str, Tensor], scale: float) -> dict[str, Tensor]:
    """The blobs that Caffe would have written: no gains, statistics as sums with their scale factor."""
    blobs = {}
    for key, value in state.items():
        layer, leaf = key.rsplit(".", 1)
        block, _, part = layer.rpartition(".")
        if block:
            stream, i = block[0], block[-1]
            layer = f"{stream}{part.removesuffix('r')}{i}{'r' if part.endswith('r') else ''}"
        if f"{key.rsplit('.', 1)[0]}.running_mean" in state:
            if leaf in ("running_mean", "running_var"):
                blobs[f"data/{layer}/{0 if leaf == 'running_mean' else 1}"] = value * scale
                blobs[f"data/{layer}/2"] = torch.tensor([scale])
        else:
            blobs[f"data/{layer}/{0 if leaf == 'weight' else 1}"] = value
    taps = torch.tensor([0.25, 0.75, 0.75, 0.25])
    for layer in ("nup6", "aup6"):
        blobs[f"data/{layer}/0"] = torch.outer(taps, taps).expand(128, 1, 4, 4)
    return blobs


@pytest.mark.parametrize("name", ["sfsnet", "sfsnet_plain_bn"])
def test_equals_the_authors_network(shared: Path, name: str) -> None:
    golden = load_golden(shared, name)
    state = golden.state()
    assert detect(state)
    network = build(state)
    with torch.no_grad():
        normal, albedo, light = network(golden.input((1, 3, 128, 128)))
    step = 1 if name == "sfsnet" else 2
    golden.assert_close("normal_raw", normal[..., ::step, ::step])
    golden.assert_close("albedo_raw", albedo[..., ::step, ::step])
    golden.assert_close("light", light)


def test_plain_normalisation_is_recognised(shared: Path) -> None:
    assert convert(load_golden(shared, "sfsnet").state())[0]["affine"]
    assert not convert(load_golden(shared, "sfsnet_plain_bn").state())[0]["affine"]


def test_caffe_layout_gives_the_same_network(shared: Path) -> None:
    golden = load_golden(shared, "sfsnet_plain_bn")
    blobs = to_caffe(golden.state(), scale=1234.5)
    assert detect(blobs)
    with torch.no_grad():
        normal, _, light = build(blobs)(golden.input((1, 3, 128, 128)))
    golden.assert_close("normal_raw", normal[..., ::2, ::2])
    golden.assert_close("light", light)


def test_a_permuted_light_head_is_noticed(shared: Path) -> None:
    """The fixture can fail: one popular port concatenates the features in another order."""
    golden = load_golden(shared, "sfsnet_plain_bn")
    state = golden.state()
    state["lconv1.weight"] = state["lconv1.weight"].roll(128, dims=1)
    with torch.no_grad():
        light = build(state)(golden.input((1, 3, 128, 128)))[2]
    with pytest.raises(AssertionError):
        golden.assert_close("light", light)


def test_a_kernel_that_is_not_bilinear_is_refused(shared: Path) -> None:
    blobs = to_caffe(load_golden(shared, "sfsnet_plain_bn").state(), 1.0)
    blobs["data/nup6/0"] = torch.ones(128, 1, 4, 4)
    with pytest.raises(UserError, match="nup6"):
        convert(blobs)


def test_the_papers_size() -> None:
    """3,427,489 numbers with affine normalisation and the fixed upsampling counted."""
    network = SfSNetNetwork(affine=True)
    assert sum(p.numel() for p in network.parameters()) + 2 * 128 * 16 == 3_427_489


@pytest.mark.parametrize(("height", "width"), [(64, 96), (61, 75)])
def test_any_size_comes_out_as_it_went_in(height: int, width: int) -> None:
    normal, albedo, light = SfSNetNetwork(width=4).eval()(torch.rand(2, 3, height, width))
    assert normal.shape == albedo.shape == (2, 3, height, width)
    assert light.shape == (2, 27)


def test_upsampling_fades_at_the_border() -> None:
    """Zeros are padded in: the outermost row is 0.75 of interpolation, a corner 0.5625."""
    network = SfSNetNetwork(width=2)
    up = network.get_submodule("nup6")(torch.ones(1, 4, 5, 5))
    assert up[0, 0, 0, 0].item() == pytest.approx(0.5625)
    assert up[0, 0, 0, 5].item() == pytest.approx(0.75)
    assert up[0, 0, 5, 5].item() == pytest.approx(1.0)


def test_skipnet_shapes_and_size() -> None:
    normal, albedo, light = SkipNet(size=64, width=8)(torch.rand(2, 3, 64, 64))
    assert normal.shape == albedo.shape == (2, 3, 64, 64)
    assert light.shape == (2, 27)
    with pytest.raises(ValueError, match="multiple of 32"):
        SkipNet(size=100)
