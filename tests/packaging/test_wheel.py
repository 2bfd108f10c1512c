"""An installed wheel works in an empty folder: configs, cards and weights are found in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked where pip would put it; what it depends on is the test's own environment."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    (wheel,) = folder.glob("prior_zoo-*.whl")
    target = folder / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
        str(wheel),
    ]
    subprocess.run(pip, check=True, capture_output=True, timeout=300)
    return target


def zoo(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys, zoo.cli; assert sys.argv[1] in zoo.__file__, zoo.__file__; sys.exit(zoo.cli.main(sys.argv[2:]))"
    return subprocess.run(
        [sys.executable, "-c", code, str(installed), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def test_wheel_holds_what_it_needs(installed: Path) -> None:
    for path in (ROOT / "configs").rglob("*.yaml"):
        assert (installed / path.relative_to(ROOT)).is_file(), path
    weights = [*ROOT.glob("lightning_modules/*/weights/*.safetensors"), *ROOT.glob("zoo/faces/landmarks/*.safetensors")]
    assert weights
    for path in [*ROOT.glob("lightning_modules/*/card.yaml"), *weights]:
        assert (installed / path.relative_to(ROOT)).is_file(), path


def test_names_are_found_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    listed = zoo(installed, tmp_path, "list")
    assert listed.returncode == 0, listed.stderr
    assert "sfsnet" in listed.stdout
    wrong = zoo(installed, tmp_path, "info", "sfnset")
    assert wrong.returncode == 2
    assert "sfsnet" in wrong.stderr


@pytest.mark.slow
def test_it_trains_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    sizes = ["--data.size", "32", "--data.train", "16", "--data.val", "4", "--data.test", "4", "--data.batch_size", "4"]
    run = zoo(
        installed, tmp_path, "fit", "--model", "sfsnet", "--model.width", "4", *sizes, "--trainer.max_epochs", "1",
        "--logger", "csv",
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "mean face" in run.stdout
    assert list(tmp_path.glob("runs/sfsnet/*/checkpoints/best.ckpt"))
