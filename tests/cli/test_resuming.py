"""Ctrl-C, kills and resuming: of a run, and of a recipe at its stage."""

from __future__ import annotations

import csv
import signal
import time
from pathlib import Path

import pytest
import torch

SLOW = ("--model.pause", "0.1", "--logger", "csv")


def wait_for(path: Path, process, seconds: float = 90) -> None:
    """Until the file is there."""
    for _ in range(int(seconds * 20)):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    pytest.fail(f"{path} did not come")


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


@pytest.mark.slow
def test_a_killed_run_resumes_as_if_it_had_never_stopped(toy, run, start):
    assert run("fit", "--model", "toy", "--logger", "csv", "--run", "whole")[0] == 0
    process = start("fit", "--model", "toy", "--run", "killed", *SLOW)
    wait_for(toy / "killed/checkpoints/last.ckpt", process)
    time.sleep(0.2)  # into the next epoch
    process.send_signal(signal.SIGKILL)
    process.communicate()
    code, out, err = run("fit", "--resume", "killed", "--model.pause", "0")
    assert code == 0, err
    assert "use it" in out
    whole, killed = (weights(toy / name / "checkpoints/last.ckpt") for name in ("whole", "killed"))
    for key, value in whole.items():
        torch.testing.assert_close(killed[key], value, rtol=0, atol=0)
    tables = [list(csv.DictReader((toy / name / "metrics.csv").open())) for name in ("whole", "killed")]
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_ctrl_c_saves_and_says_how_to_resume(toy, run, start):
    process = start("fit", "--model", "toy", "--run", "stopped", "--data.num_workers", "1", *SLOW)
    wait_for(toy / "stopped/checkpoints/last.ckpt", process)
    time.sleep(0.15)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Go on with: python -m zoo fit --resume stopped" in err
    assert "Traceback" not in err
    stopped_at = torch.load(toy / "stopped/checkpoints/last.ckpt", weights_only=True)["global_step"]
    assert 4 < stopped_at < 12
    code, _, err = run("fit", "--resume", "stopped", "--model.pause", "0", "--data.num_workers", "0")
    assert code == 0, err
    assert torch.load(toy / "stopped/checkpoints/last.ckpt", weights_only=True)["global_step"] == 12


@pytest.mark.slow
def test_a_killed_recipe_resumes_at_its_stage(toy, run, start):
    process = start("fit", "--model", "toy", "--recipe", "paper", "--run", "recipe", *SLOW)
    wait_for(toy / "recipe/3-fit-joint/checkpoints/last.ckpt", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (toy / "recipe/1-fit-teacher/done").exists()
    assert not (toy / "recipe/3-fit-joint/done").exists()
    first = (toy / "recipe/1-fit-teacher/checkpoints/best.ckpt").stat().st_mtime_ns
    code, out, err = run("fit", "--resume", "recipe", "--model.pause", "0")
    assert code == 0, err
    assert "stage 3 of 3: 3-fit-joint" in out
    assert "1-fit-teacher" not in out.replace("runs", "")
    assert (toy / "recipe/1-fit-teacher/checkpoints/best.ckpt").stat().st_mtime_ns == first
    assert (toy / "recipe/3-fit-joint/done").exists()
    code, _, err = run("fit", "--resume", "recipe")
    assert code == 2
    assert "all stages of recipe have ended" in err


def test_each_fit_starts_from_the_one_before_and_finds_its_outputs(toy, run):
    still = ("--model.lr", "0", "--trainer.max_epochs", "1", "--logger", "none")
    code, out, err = run("fit", "--model", "toy", "--recipe", "paper", "--run", "recipe", *still)
    assert code == 0, err
    assert list((toy / "recipe/labels").glob("*.pt"))
    first = weights(toy / "recipe/1-fit-teacher/checkpoints/best.ckpt")
    last = weights(toy / "recipe/3-fit-joint/checkpoints/last.ckpt")
    torch.testing.assert_close(last["net.0.weight"], first["net.0.weight"])
    assert out.count("on the test data") == 1  # only the last fit is reported


def test_a_run_is_not_overwritten(toy, run):
    still = ("--trainer.max_steps", "1", "--logger", "none", "--run", "mine")
    assert run("fit", "--model", "toy", *still)[0] == 0
    code, _, err = run("fit", "--model", "toy", *still)
    assert code == 2
    assert "mine holds a run already; go on with it by --resume mine" in err
