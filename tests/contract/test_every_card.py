"""What every card promises, run for every card alike: there is no test by name here."""

from __future__ import annotations

import hashlib
import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import LightningDataModule, Trainer, seed_everything
from safetensors import safe_open

from zoo.cards import CONFIGS, ModelCard, list_cards, models_table
from zoo.contract import KEYS, check
from zoo.errors import UserError
from zoo.hub import load
from zoo.recipes import find_recipe, list_recipes

CARDS = list_cards()
ROOT = Path(__file__).parents[2]
every_card = pytest.mark.parametrize("card", CARDS, ids=[card.name for card in CARDS])


def small_model(card: ModelCard) -> torch.nn.Module:
    seed_everything(0, verbose=False)
    return card.import_class()(**card.test.model)


def small_data(card: ModelCard) -> LightningDataModule:
    return built(card.test.data)


def built(value: Any) -> Any:
    """An object from its class path and arguments, which may be objects, or lists of them, themselves."""
    if isinstance(value, list):
        return [built(each) for each in value]
    if not isinstance(value, dict) or "class_path" not in value:
        return value
    module, _, name = value["class_path"].rpartition(".")
    arguments = {key: built(each) for key, each in value.get("init_args", {}).items()}
    return getattr(importlib.import_module(module), name)(**arguments)


def trainer(folder: Path, **options: object) -> Trainer:
    defaults = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return Trainer(default_root_dir=folder, **{**defaults, "enable_checkpointing": False, **options})


@every_card
def test_card_is_complete(card: ModelCard) -> None:
    assert (CONFIGS / card.name / "quick.yaml").is_file()
    assert set(card.inputs) | set(card.outputs) <= set(KEYS)
    for result in card.results:
        assert result.paper is None or result.evidence, f"{result.metric}: a paper's number needs its evidence"
        assert result.ours is None or result.command, f"{result.metric}: our number needs the command that gave it"


@every_card
def test_recipes_and_the_files_that_commands_name_are_there(card: ModelCard) -> None:
    recipes = {name: find_recipe(card.name, name) for name in list_recipes(card.name)}  # a stage's name may be refused
    for command in [result.command for result in card.results] + [weights.command for weights in card.weights]:
        for file in re.findall(r"--config (\S+)", command):
            assert (ROOT / file).is_file(), command
        for name in re.findall(r"--recipe (\S+)", command):
            assert name in recipes, command


@every_card
def test_constructs_without_network_or_cuda(card: ModelCard) -> None:
    module = card.import_class()()
    assert module.card_name == card.name
    assert {p.device.type for p in module.parameters()} <= {"cpu"}


@every_card
def test_outputs_obey_the_contract(card: ModelCard) -> None:
    size = card.size.min
    check(small_model(card).eval()(torch.rand(2, 3, size, size + card.size.multiple * 4)), card.outputs)


@every_card
def test_fits_validates_tests_and_predicts(card: ModelCard, tmp_path: Path) -> None:
    model, data = small_model(card), small_data(card)
    run = trainer(tmp_path, max_steps=2, limit_val_batches=1, limit_test_batches=1, limit_predict_batches=1)
    if card.trainable:
        run.fit(model, data)
        assert torch.isfinite(run.callback_metrics["train/loss"])
    else:
        with pytest.raises(UserError, match="nothing to train"):
            run.fit(model, data)
    assert any(key.startswith("val/") and "loss" not in key for key in run.validate(model, data, verbose=False)[0])
    assert any(key.startswith("test/") and "loss" not in key for key in run.test(model, data, verbose=False)[0])
    data.setup("test")
    batch = next(iter(data.test_dataloader()))
    panels = model.panels(model.answer(batch), batch)
    for title, picture in panels.items():
        assert picture.shape[:2] == (len(batch["image"]), 3), title
        assert 0 <= picture.min() <= picture.max() <= 1, title


@every_card
def test_trains(card: ModelCard, tmp_path: Path) -> None:
    """The first rung of the ladder: a small version overfits four samples; what has no parameters begins above it."""
    if not card.trainable:
        assert card.status != "trains"
        assert not list(card.import_class()().parameters())
        assert not load(card.name).training
        pytest.skip("this card says that there is nothing to train")
    model, data = small_model(card), small_data(card)
    data.prepare_data()
    data.setup("fit")
    batch = {k: v[:4] for k, v in next(iter(data.val_dataloader())).items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(80):
        loss = model.total_loss(model.losses(model.answer(batch), batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) / 5 < 0.5 * losses[0], losses[::10]


@every_card
def test_code_parity_is_proved(card: ModelCard) -> None:
    """The second rung: who claims it has a test against the authors' network, or against what their code gave."""
    if card.status == "trains":
        pytest.skip("this card does not claim parity with the authors' code")
    tests = "".join(path.read_text() for path in (ROOT / "tests" / card.name).glob("test_*.py"))
    assert re.search(r"(load_golden\(shared, .*\)|authors_results\()[\s\S]*assert_close", tests)


@every_card
def test_paper_parity_is_proved(card: ModelCard) -> None:
    """The third rung: a row of results within two per cent of the paper's."""
    if card.status != "matches-paper":
        pytest.skip("this card does not claim the paper's figures")
    rows = [row for row in card.results if row.paper is not None and row.ours is not None]
    assert any(abs(row.ours - row.paper) <= 0.02 * abs(row.paper) for row in rows)


@every_card
def test_weights_travel(card: ModelCard, tmp_path: Path) -> None:
    model = small_model(card).eval()
    image = torch.rand(1, 3, card.size.train, card.size.train)
    path = model.save_pretrained(tmp_path / "weights.safetensors")
    again = type(model).from_pretrained(path)
    with torch.no_grad():
        before, after = model(image), again(image)
    for key in card.outputs:
        torch.testing.assert_close(after[key], before[key], rtol=5e-2, atol=2e-2)  # half precision on disk
    assert not again.training


@every_card
def test_shipped_weights_are_as_described(card: ModelCard) -> None:
    for weights in (each for each in card.weights if each.file):
        path = card.folder / weights.file
        assert path.stat().st_size == weights.bytes <= 8 * 2**20
        assert hashlib.sha256(path.read_bytes()).hexdigest() == weights.sha256
        assert weights.command, "who trained it, and how?"
        assert weights.metrics, "how good is it?"
        with safe_open(path, framework="pt") as file:
            assert "/" not in file.metadata()["hparams"], "a path of the machine that trained it"
        if weights.needs:
            with pytest.raises(UserError, match="|".join(f"--model.{name}" for name in weights.needs)):
                load(card.name, weights=weights.tag)
        else:
            assert not load(card.name, weights=weights.tag).training


@every_card
@pytest.mark.parametrize("kind", ["onnx", "pt2"])
def test_exports_what_it_computes(card: ModelCard, kind: str, tmp_path: Path) -> None:
    if kind not in card.export.formats:
        pytest.skip(f"the card does not promise {kind}")
    from zoo.export import export_model

    report = export_model(small_model(card).eval(), card, kind, tmp_path / f"model.{kind}")
    assert (tmp_path / f"model.{kind}").stat().st_size > 0
    assert set(report.errors) == set(card.outputs)
    assert max(report.errors.values()) <= card.export.tolerance


def test_readme_shows_the_cards() -> None:
    text = (ROOT / "README.md").read_text()
    shown = text.split("<!-- models -->")[1].split("<!-- /models -->")[0]
    assert shown.strip() == models_table().strip()
