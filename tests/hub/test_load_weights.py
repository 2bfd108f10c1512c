"""Weights in and out of modules: ours, Lightning's and the authors', and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import pytest
import torch
from pytorch_lightning import Trainer
from safetensors import safe_open
from safetensors.torch import save_file
from torch.utils.data import DataLoader, TensorDataset

import zoo
from zoo.cards import load_card
from zoo.errors import UserError
from zoo.hub import convert_file, load, save_weights

IMAGE = torch.rand(2, 3, 9, 9)


def refused(name: str, path: Path, words: str) -> str:
    with pytest.raises(UserError, match=words) as caught:
        load(name, weights=path)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def blur(tiny_zoo: Path) -> torch.nn.Module:
    torch.manual_seed(3)
    return zoo.create("blur", width=6).eval()


def test_weights_come_back_with_their_arguments(blur: torch.nn.Module, tmp_path: Path) -> None:
    path = save_weights(blur, tmp_path / "new folder" / "w.safetensors", dtype=torch.float32)
    again = load("Blur", weights=path)
    assert again.hparams["width"] == 6
    assert not again.training
    torch.testing.assert_close(again(IMAGE)["albedo"], blur(IMAGE)["albedo"], rtol=0, atol=0)


def test_half_precision_keeps_statistics_and_gives_float32(blur: torch.nn.Module, tmp_path: Path) -> None:
    blur.body[1].running_var.fill_(1e-7 / 3)
    blur.body[0].bias.data.fill_(1.0001)
    path = save_weights(blur, tmp_path / "w.safetensors")
    with safe_open(path, "pt") as file:
        assert file.get_tensor("body.0.weight").dtype == torch.float16
        assert not any(key.startswith("critic") for key in file.keys())  # noqa: SIM118
    again = load("blur", weights=path)
    assert {p.dtype for p in again.parameters()} == {torch.float32}
    assert torch.equal(again.body[1].running_var, blur.body[1].running_var)
    assert torch.equal(again.body[0].bias, blur.body[0].bias)


def test_overrides_win_over_stored_arguments(blur: torch.nn.Module, tmp_path: Path) -> None:
    path = save_weights(blur, tmp_path / "w.safetensors")
    assert load("blur", weights=path, depth=3).hparams["depth"] == 3
    with pytest.raises(UserError, match="shape"):
        load("blur", weights=path, width=4)


def test_lightning_checkpoint_of_a_real_run(blur: torch.nn.Module, tmp_path: Path) -> None:
    options = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    trainer = Trainer(max_steps=1, default_root_dir=tmp_path, enable_checkpointing=False, **options)
    trainer.fit(blur.train(), DataLoader(TensorDataset(IMAGE), 2))
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    again = load("blur", weights=tmp_path / "run.ckpt")
    assert again.hparams["width"] == 6
    torch.testing.assert_close(again(IMAGE)["albedo"], blur.eval()(IMAGE)["albedo"], rtol=0, atol=0)


def lightning_file(path: Path, module: torch.nn.Module, **hparams: object) -> Path:
    content = {"pytorch-lightning_version": "2.6", "state_dict": module.state_dict(), "hyper_parameters": hparams}
    torch.save(content, path)
    return path


def test_lightning_checkpoint_says_which_model_it_is(blur: torch.nn.Module, tmp_path: Path) -> None:
    class_path = load_card("bloom").class_path
    bloom = zoo.create("bloom")
    path = lightning_file(tmp_path / "b.ckpt", bloom, _class_path=class_path, _instantiator="x", width=4)
    assert type(load("bloom", weights=path)).__name__ == "Bloom"
    assert "use --model bloom" in refused("blur", path, "holds weights of bloom")
    stranger = lightning_file(tmp_path / "s.ckpt", bloom, _class_path="theirs.Net")
    refused("blur", stranger, r"theirs\.Net, which no card names")


def test_our_file_of_another_model(blur: torch.nn.Module, tmp_path: Path) -> None:
    path = save_weights(zoo.create("bloom"), tmp_path / "w.safetensors")
    refused("blur", path, "holds weights of bloom; use --model bloom, not of blur")


def caffe_file(path: Path, layer: str, weight: torch.Tensor) -> Path:
    with h5py.File(path, "w") as file:
        file[f"data/{layer}/0"] = weight.numpy()
        file[f"data/{layer}/1"] = weight.sum((1, 2, 3)).numpy()
    return path


@pytest.mark.parametrize("kind", ["h5", "pth", "wrapped", "parallel", "legacy", "safetensors"])
def test_authors_file(tiny_zoo: Path, tmp_path: Path, kind: str) -> None:
    weight = torch.rand(5, 3, 3, 3)
    state = {"soft.weight": weight, "soft.bias": weight.sum((1, 2, 3))}
    path = tmp_path / f"authors.{'h5' if kind == 'h5' else 'safetensors' if kind == 'safetensors' else 'pth'}"
    if kind == "h5":
        caffe_file(path, "soft", weight)
    elif kind == "safetensors":
        save_file(state, path)
    else:
        parallel = {f"module.{key}": value for key, value in state.items()}
        wrapped = {"epoch": 3, "state_dict": parallel, "optimizer": {"state": {0: {"step": torch.ones(1)}}}}
        content = {"wrapped": wrapped, "parallel": parallel}.get(kind, state)
        torch.save(content, path, _use_new_zipfile_serialization=kind != "legacy")
    module = load("blur", weights=path)
    assert module.hparams["width"] == 5
    assert torch.equal(module.body[0].weight, weight)


def test_authors_file_of_another_paper(tiny_zoo: Path, tmp_path: Path) -> None:
    path = caffe_file(tmp_path / "glow.h5", "glow", torch.rand(4, 3, 3, 3))
    refused("blur", path, "authors' file of bloom, not of blur; use --model bloom")


def test_authors_file_that_lacks_a_tensor(tiny_zoo: Path, tmp_path: Path) -> None:
    torch.save({"soft.weight": torch.rand(4, 3, 3, 3)}, tmp_path / "half.pth")
    refused("blur", tmp_path / "half.pth", r"lacks 'soft\.bias'")


def test_convert_writes_a_file_of_ours(tiny_zoo: Path, tmp_path: Path) -> None:
    weight = torch.rand(4, 3, 3, 3)
    path = convert_file("blur", caffe_file(tmp_path / "a.h5", "soft", weight), tmp_path / "ours")
    assert path.name == "ours.safetensors"
    assert torch.equal(load("blur", weights=path).body[0].weight, weight)


def test_bare_state_dict_of_ours(blur: torch.nn.Module, tmp_path: Path) -> None:
    torch.save(blur.state_dict(), tmp_path / "state.pth")
    assert torch.equal(load("blur", weights=tmp_path / "state.pth", width=6).body[0].weight, blur.body[0].weight)


def test_names_and_shapes_that_do_not_fit(blur: torch.nn.Module, tmp_path: Path) -> None:
    state = blur.state_dict()
    state["body.7.extra"] = torch.zeros(1)
    state["body.0.bias"] = torch.zeros(9)
    del state["body.1.running_mean"]
    torch.save(state, tmp_path / "state.pth")
    with pytest.raises(UserError) as caught:
        load("blur", weights=tmp_path / "state.pth", width=6)
    message = str(caught.value)
    assert "1 missing (body.1.running_mean)" in message
    assert "1 unexpected (body.7.extra)" in message
    assert "1 of another shape (body.0.bias is (9,), wanted is (6,))" in message


def test_training_only_parts_may_be_missing_but_are_loaded(blur: torch.nn.Module, tmp_path: Path) -> None:
    state = blur.state_dict()
    torch.save(state, tmp_path / "all.pth")
    assert torch.equal(load("blur", weights=tmp_path / "all.pth", width=6).critic.weight, blur.critic.weight)


def test_arguments_of_another_version(blur: torch.nn.Module, tmp_path: Path) -> None:
    blur.hparams["breadth"] = 3
    path = save_weights(blur, tmp_path / "w.safetensors")
    refused("blur", path, "written by another version of blur: .*breadth")


def test_weights_that_are_not_finite(blur: torch.nn.Module, tmp_path: Path) -> None:
    blur.body[0].weight.data[0, 0, 0, 0] = float("nan")
    torch.save(blur.state_dict(), tmp_path / "nan.pth")
    refused("blur", tmp_path / "nan.pth", r"NaN or infinity \(body\.0\.weight\)")
    with pytest.raises(UserError, match="NaN"):
        save_weights(blur, tmp_path / "nan.safetensors")
    assert not (tmp_path / "nan.safetensors").exists()


def test_no_weights_yet_and_unknown_tag(tiny_zoo: Path) -> None:
    with pytest.raises(UserError, match=re.escape("python -m zoo fit --model blur")):
        load("blur")
    with pytest.raises(UserError, match="no weights of blur named 'best'"):
        load("blur.best")


def test_unknown_device(blur: torch.nn.Module, tmp_path: Path) -> None:
    path = save_weights(blur, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match="device 'toaster' cannot be used"):
        load("blur", weights=path, device="toaster")
