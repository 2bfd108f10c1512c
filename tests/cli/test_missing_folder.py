"""A folder of one's own that is not there is told before anything is made."""

from __future__ import annotations

import time
from pathlib import Path

from zoo.cli import main


def test_the_papers_recipe_looks_for_the_portraits_first(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZOO_RUN", raising=False)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    begun = time.monotonic()
    code = main(["fit", "--model", "sfsnet", "--recipe", "paper", "--data.folder", "nope"])
    monkeypatch.delenv("ZOO_RUN", raising=False)
    assert code == 2
    assert "there is no folder nope; --data.folder FOLDER names it." in capsys.readouterr().err
    assert time.monotonic() - begun < 60
    assert not (tmp_path / "home").exists()
