"""Two processes learn what one does: samples shared out by rank, gradients and metrics joined."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    results = []
    for devices in (1, 2):
        output = tmp_path / f"{devices}.pt"
        command = [sys.executable, str(Path(__file__).with_name("run_under_ddp.py")), str(devices), str(output)]
        run = subprocess.run(
            command,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert run.returncode == 0, run.stderr[-3000:]
        results.append(torch.load(output, weights_only=True))
    one, two = results
    assert one["steps"] == two["steps"] == 8
    for name, value in one["weights"].items():
        torch.testing.assert_close(
            two["weights"][name], value, rtol=1e-3, atol=1e-5, msg=lambda text, n=name: f"{n}: {text}"
        )
    for name, value in one["metrics"].items():
        assert two["metrics"][name] == pytest.approx(value, rel=1e-3), name
