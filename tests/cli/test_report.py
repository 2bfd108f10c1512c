"""The table at the end of a training."""

from __future__ import annotations

import pytest

from zoo.training.report import print_metrics


def test_two_baselines_fit_a_narrow_screen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of metrics and figures stay in one piece, and the names of the baselines above their columns too."""
    monkeypatch.setenv("COLUMNS", "80")
    ours = {"shading_si_lmse": 0.0123456, "albedo_si_mse": 1.234e-05, "loss": 1.0}
    baselines = {"constant albedo": {"shading_si_lmse": 0.2}, "constant shading": {"shading_si_lmse": 0.0003456}}
    print_metrics("a model on the test data", ours, baselines, {"shading_si_lmse": False})
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    lines = [line.strip() for line in printed]
    assert max(len(line) for line in printed) <= 80
    heading, row, other = (
        next(line for line in lines if line.startswith(start))
        for start in ("metric", "shading_si_lmse", "albedo_si_mse")
    )
    assert heading.split() == ["metric", "model", "constant", "albedo", "constant", "shading", "better", "is"]
    assert row.split() == ["shading_si_lmse", "0.01235", "0.2", "0.0003456", "lower"]
    assert other.split() == ["albedo_si_mse", "1.234e-05", "-", "-"]
