"""Readers of scenes together, as CGIntrinsics is trained on them, and as a person meets them on the command line."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from scene_fakes import LANDSCAPE, PORTRAIT, write_cgi, write_iiw, write_saw

import datamodules
from datamodules import CGI, IIW, SAW, Interleaved
from datamodules.about import about
from zoo.cards import CONFIGS, read_yaml
from zoo.commands.data import main
from zoo.contract import check
from zoo.errors import UserError
from zoo.recipes import find_data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_cgi(tmp_path / "cgi")
    write_saw(tmp_path / "saw")
    write_iiw(tmp_path / "iiw", {str(i): LANDSCAPE if i % 3 else PORTRAIT for i in range(10, 30)})
    return tmp_path


@pytest.mark.parametrize("workers", [0, 1])
def test_a_semi_supervised_epoch_on_three_data_sets(folder: Path, workers: int) -> None:
    parts = [
        CGI(str(folder / "cgi"), height=48, width=64, batch_size=2, num_workers=0, split="community", val_share=0.25),
        IIW(str(folder / "iiw"), batch_size=2, num_workers=0, pictures=0, val_share=0.1),
        SAW(str(folder / "saw"), batch_size=2, num_workers=0),
    ]
    data = Interleaved(parts, num_workers=workers)
    data.prepare_data()
    batches = list(data.train_dataloader())
    assert len(batches) == 3 * len(parts[0].train_dataloader())
    for turn, batch in enumerate(batches):
        check(batch, ["image", "mask"])
        kind = ("albedo", "judgements", "shading_labels")[turn % 3]
        assert [key for key in ("albedo", "judgements", "shading_labels") if key in batch] == [kind]
        assert len(batch["name"]) == len(batch["image"]) == 2
    sizes = {tuple(batch["image"].shape[2:]) for batch in batches}
    assert (48, 64) in sizes
    assert sizes & {(256, 384), (384, 256)}
    assert len(next(iter(data.val_dataloader()))["albedo"]) > 0


def test_readers_are_found_at_the_top() -> None:
    names = {"IIW", "SAW", "CGI", "CGIRendered", "MITIntrinsic", "SintelIntrinsic", "NED", "Illuminations"}
    assert names <= set(datamodules.__all__)


def test_prepare_and_preview_on_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--data.folder", str(folder / "iiw"), "--data.pictures", "0", "--data.num_workers", "0"]
    assert main(["prepare", "iiw", *settings, "--data.val_share", "0.3"]) == 0
    assert "test  4 samples in 2 batches" in capsys.readouterr().out
    picture = folder / "saw.png"
    settings = ["--data.folder", str(folder / "saw"), "--data.num_workers", "0", "--data.batch_size", "2"]
    assert main(["preview", "saw", "-o", str(picture), *settings]) == 0
    assert "shading_labels" in capsys.readouterr().out
    assert picture.is_file()


@pytest.mark.parametrize("name", ["iiw", "saw", "cgi", "mit", "sintel", "ned", "illuminations"])
def test_the_command_line_says_what_is_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError) as told:
        main(["prepare", name, "--data.folder", str(tmp_path / "no")])
    words = about(name)
    for part in (str(tmp_path), words.title, words.terms, words.where, words.layout.splitlines()[0]):
        assert part in str(told.value)


@pytest.mark.parametrize("name", ["iiw", "saw", "cgi", "mit", "sintel", "ned", "illuminations"])
def test_settings_of_scenes_made_here_do_not_reach_a_data_set(name: str) -> None:
    """``--data NAME`` comes after a recipe whose data may have arguments of the same names, which would stay."""
    chosen = read_yaml(find_data(name))["data"]
    reader = getattr(datamodules, chosen["class_path"].rpartition(".")[2])
    taken = set(inspect.signature(reader).parameters) - {"batch_size", "num_workers", "seed", "flip"}
    for recipe in CONFIGS.glob("*/*.yaml"):
        data = read_yaml(recipe).get("data", {})
        if recipe.parent.name != "data" and data.get("class_path") == "datamodules.ProceduralScenes":
            left = taken & set(data["init_args"]) - set(chosen["init_args"])
            assert not left, f"{left} of {recipe}"
