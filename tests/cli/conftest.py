"""The command line run on the toy: in this process where that is enough, else as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import zoo.cards
from zoo.cli import main

HERE = Path(__file__).parent


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The toy's cards and configurations, in an empty working folder, which is returned."""
    monkeypatch.setattr(zoo.cards, "CARDS", HERE / "toy" / "cards")
    monkeypatch.setattr(zoo.cards, "CONFIGS", HERE / "toy" / "configs")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("ZOO_RUN", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(toy: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process; gives exit code, output and errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        os.environ.pop("ZOO_RUN", None)
        return code, captured.out, captured.err

    return call


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a command on the toy as a process of its own, in the working folder."""

    def begin(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        paths = os.pathsep.join([str(HERE), str(HERE.parents[1])])
        return subprocess.Popen(
            [sys.executable, str(HERE / "toy_zoo.py"), *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": paths, "COLUMNS": "200", "OMP_NUM_THREADS": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin
