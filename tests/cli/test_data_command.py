"""zoo data: descriptions, making ready, a contact sheet."""

from __future__ import annotations

import pytest

from zoo.cards import CONFIGS, read_yaml
from zoo.imaging import read_image


def test_list_and_info_show_the_description(run):
    assert "noise" in run("data", "list")[1]
    out = run("data", "info", "NOISE")[1]
    for said in ("Do as you like.", "FOLDER/nothing", "--data.train 16", "--data noise"):
        assert said in out


def test_prepare_counts_samples(run):
    code, out, err = run("data", "prepare", "noise", "--data.batch_size", "4")
    assert code == 0, err
    assert "train 16 samples in 4 batches" in out


def test_preview_draws_a_batch_and_names_its_keys(toy, run):
    code, out, err = run("data", "preview", "noise", "-o", "sheet.png", "--split", "val")
    assert code == 0, err
    assert "(8,3,16,16)" in out
    assert "linear reflectance" in out
    assert read_image(toy / "sheet.png").shape[0] == 3


def test_preview_makes_what_it_shows_and_keeps_nothing(run, tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.cards.CONFIGS", CONFIGS)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    sizes = ("--data.height", "32", "--data.width", "48", "--data.batch_size", "2", "--data.lights", "2")
    code, out, err = run("data", "preview", "scenes", "-o", str(tmp_path / "sheet.png"), *sizes)
    assert code == 0, err
    assert "(2,1,3,32,48)" in out, "other lights"
    assert read_image(tmp_path / "sheet.png").shape[0] == 3
    assert not (tmp_path / "home" / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("preview", "which data? (python -m zoo data list shows all)"),
        ("preview nois", "no data named 'nois'. Did you mean noise?"),
        ("perview noise", "data has no verb 'perview'. Did you mean preview?"),
        ("preview noise --data.trian 3", "data has no option --data.trian. Did you mean --data.train?"),
        ("preview noise --data.train x", "--data.train takes a whole number, not 'x'"),
        ("preview noise --split all", "--split is train, val or test, not 'all'"),
        ("preview noise -o", "-o lacks its value"),
        ("list all", "'all' is one argument too many"),
    ],
)
def test_mistakes_exit_with_2(run, arguments, said):
    code, _, err = run("data", *arguments.split())
    assert code == 2
    assert said in err


@pytest.mark.parametrize("file", sorted((CONFIGS / "data").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_kind_of_data_is_described(file):
    content = read_yaml(file)
    assert set(content) == {"about", "data"}
    assert set(content["about"]) == {"title", "synthetic", "licence", "terms", "where", "layout"}
    assert content["data"]["class_path"]
