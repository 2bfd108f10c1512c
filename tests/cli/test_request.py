"""The rewriting of arguments, before PyTorch is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import UserError
from zoo.request import read_request

CONFIGS = Path(__file__).parent / "toy" / "configs"


def arguments(*given: str, verb: str = "fit") -> list[str]:
    return read_request(verb, given).lightning_arguments()


def test_names_become_files_that_later_flags_override(toy):
    found = arguments("--trainer.max_steps", "5", "--data", "noise", "--model=TOY", "--model.lr", "1e-4")
    files = ["--config", str(CONFIGS / "toy/quick.yaml"), "--config", str(CONFIGS / "data/noise.yaml")]
    assert found == ["fit", *files, "--trainer.max_steps", "5", "--model.lr", "1e-4"]


def test_own_files_come_after_the_recipe(toy):
    (toy / "own.yaml").write_text("trainer: {max_steps: 1}")
    assert arguments("--config", "own.yaml", "--model", "toy")[-2:] == ["--config", "own.yaml"]


def test_class_paths_are_left_to_lightning(toy):
    request = read_request("fit", ["--model", "toy_models.Toy", "--data", "toy_models.ToyData"])
    assert request.lightning_arguments() == ["fit", "--model", "toy_models.Toy", "--data", "toy_models.ToyData"]
    assert request.model == "toy"


def test_the_model_is_found_in_an_own_file(toy):
    (toy / "own.yaml").write_text("model: {class_path: toy_models.Toy}")
    assert read_request("fit", ["--config", "own.yaml"]).card.name == "toy"
    (toy / "other.yaml").write_text("model: {class_path: somewhere.Else}")
    assert read_request("fit", ["--config=other.yaml"]).model == "else"


def test_help_of_a_class_may_be_asked_by_name(toy):
    assert arguments("--model", "toy", "--model.help")[-2:] == ["--model.help", "toy_models.Toy"]
    assert arguments("--model.help", "Toy")[-2:] == ["--model.help", "toy_models.Toy"]
    assert arguments("--model.help", "toy_models.Toy")[-2:] == ["--model.help", "toy_models.Toy"]


def test_a_staged_recipe_is_its_files_in_order_and_evaluates_its_last_fit(toy):
    request = read_request("test", ["--model", "toy", "--recipe", "paper"])
    assert [(stage.verb, stage.name) for stage in request.recipe.stages] == [
        ("fit", "1-fit-teacher"),
        ("predict", "2-predict-labels"),
        ("fit", "3-fit-joint"),
    ]
    assert request.lightning_arguments() == ["test", "--config", str(CONFIGS / "toy/paper/3-fit-joint.yaml")]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--model", "tyo"], "no model named 'tyo'. Did you mean toy? (python -m zoo list shows all)"),
        (["--model", "toy", "--data", "nois"], "no data named 'nois'. Did you mean noise? (python -m zoo data list"),
        (["--model", "toy", "--recipe", "papre"], "no recipe of toy named 'papre'. Did you mean paper?"),
        (["--model", "toy", "--logger", "wanbd"], "no logger named 'wanbd'. Did you mean wandb?"),
        (["--model"], "--model lacks its value"),
        (["--model", "--data", "noise"], "--model lacks its value"),
        ([], "which model? --model NAME"),
        (["--recipe", "paper"], "--recipe paper needs --model"),
        (["--config", "none.yaml"], "none.yaml cannot be read"),
        (["--model.help"], "--model.help of which model?"),
    ],
)
def test_mistakes_are_told_in_one_sentence(toy, given, said):
    with pytest.raises(UserError) as refused:
        read_request("fit", given)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
