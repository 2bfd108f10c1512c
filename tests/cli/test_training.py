"""fit, validate and test on the toy: the run's folder, overrides, the table, loggers, full disks."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
import yaml

from zoo.errors import ZooError
from zoo.training.checkpointing import WholeFiles


def only_run(folder: Path) -> Path:
    (run,) = (folder / "runs" / "toy").iterdir()
    return run


def test_fit_leaves_a_whole_run_and_says_where(toy, run):
    code, out, _ = run("fit", "--model", "TOY", "--logger", "csv", "--model.width", "6", "--data.batch_size", "4")
    assert code == 0
    folder = only_run(toy)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["model"]["init_args"]["width"] == 6
    assert config["data"]["init_args"] == {"train": 32, "batch_size": 4, "num_workers": 0}
    for name in ("checkpoints/best.ckpt", "checkpoints/last.ckpt", "panels/test.png", "panels/val-0000024.png"):
        assert (folder / name).is_file()
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"step", "train/loss_albedo", "val/loss", "val/albedo_error", "test/albedo_error"} <= set(rows[0])
    figures = json.loads((folder / "test.json").read_text())
    assert list(figures["baselines"]) == ["grey", "dark grey"]
    assert figures["baselines"]["grey"]["albedo_error"] == pytest.approx(0.125, abs=0.01)
    assert figures["baselines"]["dark grey"]["albedo_error"] == pytest.approx(0.17, abs=0.02)
    heading = next(line for line in out.splitlines() if line.lstrip().startswith("metric "))
    assert heading.split() == ["metric", "model", "grey", "dark", "grey", "better", "is"]
    assert "albedo_error" in out
    assert f"{figures['model']['albedo_error']:.4g}" in out
    place = folder.relative_to(toy)
    assert f"panel       {place}/panels/test.png" in out
    assert f"use it      python -m zoo predict --model toy --weights {place}/checkpoints/best.ckpt photo.jpg" in out


def test_the_written_configuration_trains_again(toy, run):
    run("fit", "--model", "toy", "--logger", "none", "--trainer.max_steps", "2")
    config = only_run(toy) / "config.yaml"
    code, _, err = run("fit", "--config", str(config), "--run", "again", "--logger", "csv")
    assert code == 0, err
    assert yaml.safe_load((toy / "again" / "config.yaml").read_text()) == yaml.safe_load(config.read_text())


def test_print_config_is_yaml_and_makes_nothing(toy, run):
    code, out, _ = run("fit", "--model", "toy", "--data", "noise", "--print_config")
    assert code == 0
    config = yaml.safe_load(out)
    assert config["model"]["class_path"] == "toy_models.Toy"
    assert config["data"]["init_args"]["train"] == 16  # of configs/data/noise.yaml, which comes after quick.yaml
    assert list(toy.iterdir()) == []


def test_interpolation_follows_overrides(toy, run):
    (toy / "own.yaml").write_text("data:\n  init_args:\n    batch_size: ${model.init_args.width}\n")
    _, out, _ = run("fit", "--model", "toy", "--config", "own.yaml", "--model.width", "7", "--print_config")
    assert "${model.init_args.width}" in out or yaml.safe_load(out)["data"]["init_args"]["batch_size"] == 7
    code, _, err = run("fit", "--model", "toy", "--config", "own.yaml", "--model.width", "7", "--logger", "none")
    assert code == 0, err
    assert yaml.safe_load((only_run(toy) / "config.yaml").read_text())["data"]["init_args"]["batch_size"] == 7


def test_model_help_lists_its_arguments(run):
    code, out, _ = run("fit", "--model", "toy", "--model.help")
    assert code == 0
    assert "--model.width WIDTH" in out
    assert "Channels." in out


def test_validate_and_test_take_a_checkpoint_and_its_arguments(toy, run):
    run("fit", "--model", "toy", "--logger", "none", "--model.width", "6")
    figures = json.loads((only_run(toy) / "test.json").read_text())["model"]
    code, out, err = run("test", "--model", "toy", "--ckpt_path", "best")
    assert code == 0, err
    assert f"{figures['albedo_error']:.4g}" in out
    code, out, err = run("validate", "--model", "toy", "--weights", str(next(toy.rglob("best.ckpt"))))
    assert code == 0, err
    assert f"{figures['albedo_error']:.4g}" in out  # the toy's validation and test data are the same


def test_fit_starts_from_weights(toy, run):
    run("fit", "--model", "toy", "--logger", "none", "--run", "first")
    last = str(toy / "first" / "checkpoints" / "last.ckpt")
    steps = ("--trainer.max_steps", "1", "--model.lr", "0")
    code, _, err = run("fit", "--model", "toy", "--logger", "none", "--weights", last, "--run", "second", *steps)
    assert code == 0, err
    first, second = (torch.load(f"{each}/checkpoints/last.ckpt", weights_only=True) for each in ("first", "second"))
    torch.testing.assert_close(second["state_dict"], first["state_dict"])
    code, _, err = run("fit", "--model", "toy", "--weights", last, "--model.width", "9", "--logger", "none")
    assert code == 2
    assert "do not fit toy" in err


def test_weights_and_biases_is_offline_and_holds_everything(toy, start):
    pytest.importorskip("wandb")
    process = start("fit", "--model", "toy", WANDB_MODE="", WANDB_API_KEY="", NETRC=str(toy / "netrc"))
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    (file,) = only_run(toy).glob("wandb/offline-run-*/*.wandb")
    content = file.read_bytes()
    for name in (
        "train/loss_albedo",
        "val/albedo_error",
        "test/albedo_error",
        "baseline/grey/albedo_error",
        "baseline/dark grey/albedo_error",
        "toy_models.Toy",
    ):
        assert name.encode() in content
    panels = file.parent.glob("files/media/images/panels/*.png")
    assert {path.name.split("_")[0] for path in panels} == {"val", "test"}


def test_no_logger_leaves_no_figures(toy, run):
    run("fit", "--model", "toy", "--logger", "none", "--trainer.max_steps", "1")
    assert not list(toy.rglob("metrics.csv"))
    assert not list(toy.rglob("wandb"))


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    WholeFiles().save_checkpoint({"state": torch.zeros(10)}, path)
    full = open("/dev/full", "wb")  # noqa: SIM115 - the code under test closes it
    monkeypatch.setattr(Path, "open", lambda *_: full)
    with pytest.raises(ZooError, match=r"earlier ones are intact: no space left for .*last\.ckpt"):
        WholeFiles().save_checkpoint({"state": torch.ones(100_000)}, path)
    monkeypatch.undo()
    assert torch.load(path, weights_only=True)["state"].sum() == 0
    assert list(tmp_path.iterdir()) == [path]
