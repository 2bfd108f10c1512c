"""The network equals the authors' one under the same weights, in every variant of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden import Golden, load_golden
from torch import Tensor

from lightning_modules.intrinseg.convert import convert, detect
from lightning_modules.intrinseg.network import TARGETS, IntrinSegNetwork
from zoo.errors import UserError

SIZES = {"intrinseg": (96, 64), "intrinseg_deconv": (64, 64), "intrinseg_aligned": (64, 64)}
VARIANTS = [*SIZES, "intrinseg_intrinsics_only"]


def build(state: dict[str, Tensor], **overrides: object) -> IntrinSegNetwork:
    arguments, tensors = convert(state)
    network = IntrinSegNetwork(**{**arguments, **overrides})  # type: ignore[arg-type]
    network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items()}, strict=True)
    return network.eval()


def answer(golden: Golden, name: str, network: IntrinSegNetwork) -> dict[str, Tensor]:
    with torch.no_grad():
        return network(golden.input((1, 3, *SIZES.get(name, (64, 64)))))


@pytest.mark.parametrize("name", VARIANTS)
def test_equals_the_authors_network(shared: Path, name: str) -> None:
    golden = load_golden(shared, name)
    state = golden.state()
    assert detect(state)
    network = build(state, align_corners=name == "intrinseg_aligned")
    assert sum(p.numel() for p in network.parameters()) == golden.meta["numbers_in_parameters"]
    found = answer(golden, name, network)
    golden.assert_close("reflectance", found["reflectance"])
    golden.assert_close("shading", found["shading"])
    assert ("class" in found) == ("class_probability" in golden.meta["outputs"])
    if "class" in found:
        golden.assert_close("class_score_before_softmax", found["class"])
        golden.assert_close("class_probability", found["class"].softmax(1))


@pytest.mark.parametrize("name", ["intrinseg", "intrinseg_aligned"])
def test_the_other_alignment_is_noticed(shared: Path, name: str) -> None:
    golden = load_golden(shared, name)
    found = answer(golden, name, build(golden.state(), align_corners=name != "intrinseg_aligned"))
    for key in ("reflectance", "shading"):
        with pytest.raises(AssertionError):
            golden.assert_close(key, found[key])


def exchanged(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Reflectance and shading have changed places in the file."""
    names = {}
    for key in state:
        parts = key.split(".")
        if parts[0] in ("mid", "output") or parts[0].startswith("deconv"):
            parts[1] = {"0": "1", "1": "0"}.get(parts[1], parts[1])
        names[key] = ".".join(parts)
    return {key: state[name] for key, name in names.items()}


@pytest.mark.parametrize("name", VARIANTS)
def test_exchanged_heads_are_noticed(shared: Path, name: str) -> None:
    golden = load_golden(shared, name)
    found = answer(golden, name, build(exchanged(golden.state()), align_corners=name == "intrinseg_aligned"))
    for key, other in (("reflectance", "shading"), ("shading", "reflectance")):
        for value in (found[key], found[other]):  # each level reads the heads in their order
            with pytest.raises(AssertionError):
                golden.assert_close(key, value)


def test_file_of_an_old_pytorch(shared: Path) -> None:
    """PyTorch before 0.4 did not count batches."""
    golden = load_golden(shared, "intrinseg")
    state = {k: v for k, v in golden.state().items() if not k.endswith("num_batches_tracked")}
    golden.assert_close("shading", answer(golden, "intrinseg", build(state))["shading"])


SMALL = {
    "joint": {},
    "grey shading": {"shading_channels": 1},
    "learned upsampling": {"deconv": True},
    "raw class scores": {"class_relu": False},
    "fine-tuned to twelve classes": {"classes": 12},
    "intrinsics only": {"targets": ["reflectance", "shading"]},
    "grey intrinsics": {"targets": ["reflectance", "shading"], "shading_channels": 1},
    "segmentation only": {"targets": ["class"]},
    "segmentation of reflectance": {"targets": ["reflectance", "class"], "deconv": True},
}


@pytest.mark.parametrize("options", SMALL.values(), ids=SMALL)
def test_every_variant_is_known_by_its_file(options: dict[str, object]) -> None:
    network = IntrinSegNetwork(width=2, **options).eval()  # type: ignore[arg-type]
    image = torch.rand(1, 3, 32, 64)
    again = build(network.state_dict())(image)
    shapes = {"reflectance": 3, "shading": options.get("shading_channels", 3), "class": options.get("classes", 16)}
    expected = network(image)
    assert set(expected) == set(options.get("targets", TARGETS))  # type: ignore[call-overload]
    for key, value in expected.items():
        assert value.shape == (1, shapes[key], 32, 64)
        torch.testing.assert_close(again[key], value)


def test_a_file_with_other_heads_is_refused() -> None:
    state = IntrinSegNetwork(width=2).state_dict()
    state["output.0.3.weight"], state["output.2.3.weight"] = state["output.2.3.weight"], state["output.0.3.weight"]
    with pytest.raises(UserError, match="16, 3, 3 channels"):
        convert(state)


@pytest.mark.parametrize("targets", [[], ["albedo"], ["class", "class"]])
def test_unknown_tasks_are_refused(targets: list[str]) -> None:
    with pytest.raises(ValueError, match="targets"):
        IntrinSegNetwork(targets)


def test_every_head_sees_every_other() -> None:
    """At each level: a change in one decoder's first layer there reaches all outputs."""
    torch.manual_seed(0)
    network = IntrinSegNetwork(width=4).eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = network(image)
        for level in ("mid", *(f"deconv{k}" for k in range(5))):
            for i in range(3):
                gain = network.get_parameter(f"{level}.{i}.1.weight")
                gain.mul_(2)
                for key, value in network(image).items():
                    assert not torch.equal(value, before[key]), (level, i, key)
                gain.div_(2)
