"""The table at the end of a training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zoo.runs import Run
from zoo.training.report import print_metrics, write_metrics


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


def test_what_the_data_does_not_tell_has_no_row(capsys: pytest.CaptureFixture[str]) -> None:
    nan = float("nan")
    ours = {"albedo_dssim": nan, "whdr_linear_10": 0.25, "saw_ap": nan}
    print_metrics("a model on photographs", ours, {"constant albedo": {"albedo_dssim": nan, "saw_ap": 50.0}}, {})
    table, _, below = capsys.readouterr().out.partition("not in this data:")
    assert "whdr_linear_10" in table
    assert "nan" in table.split("saw_ap")[1]  # the model alone has none: that is to be seen
    assert "albedo_dssim" not in table
    assert below.split() == ["albedo_dssim"]


def test_a_model_that_broke_down_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    print_metrics("a model on the test data", {"albedo_dssim": float("nan")}, {}, {})
    assert "nan" in capsys.readouterr().out


def test_kept_figures_are_json_as_others_read_it(tmp_path: Path) -> None:
    write_metrics(Run(tmp_path), {"a": float("nan"), "b": 0.5}, {"none": {"a": float("inf")}})
    kept = json.loads((tmp_path / "test.json").read_text(), parse_constant=pytest.fail)
    assert kept == {"model": {"a": None, "b": 0.5}, "baselines": {"none": {"a": None}}}
