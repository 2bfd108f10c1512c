"""Cards: what is found, and what is refused with the file and the field."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from zoo.cards import list_cards, load_card, models_table
from zoo.contract import KEYS
from zoo.errors import UserError, ZooError
from zoo.meanings import key_meanings

CARD = Path(__file__).parent / "toy" / "cards" / "toy" / "card.yaml"
SHA = "0" * 64
WEIGHTS = {"tag": "a", "sha256": SHA, "bytes": 1, "licence": "CC0", "trained_on": "noise", "file": "a.safetensors"}


@pytest.fixture
def write(tmp_path):
    """Write the toy's card with changes, and give the folder of cards."""

    def write(**changes: object) -> Path:
        values = {**yaml.safe_load(CARD.read_text()), **changes}
        (tmp_path / "toy").mkdir(exist_ok=True)
        (tmp_path / "toy" / "card.yaml").write_text(yaml.safe_dump({k: v for k, v in values.items() if v != "GONE"}))
        return tmp_path

    return write


def test_a_card_is_read_as_written(write):
    card = load_card("toy", write(weights=[WEIGHTS, {**WEIGHTS, "tag": "b", "default": True}]))
    assert card.class_path == "toy_models.Toy"
    assert card.paper.year == 2026
    assert card.results[0].paper == 0.1
    assert card.export.tolerance == pytest.approx(1e-4)  # YAML reads 1e-4 as text
    assert card.default_weights.tag == "b"
    assert card.folder.name == "toy"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"summary": "GONE"}, "field 'summary' is missing"),
        ({"sumary": "x"}, "there is no field 'sumary'"),
        ({"folder": "x"}, "there is no field 'folder'"),
        ({"status": "works"}, "field 'status' must be one of trains, matches-code, matches-paper, not 'works'"),
        ({"inputs": "image"}, "field 'inputs' must be a list, not text"),
        ({"inputs": [1]}, "field 'inputs[0]' must be text, not a number"),
        (
            {"paper": {"title": "x", "venue": "y", "year": "MMXX"}},
            "field 'paper.year' must be a whole number, not text",
        ),
        ({"paper": "a paper"}, "field 'paper' must be a mapping, not text"),
        ({"size": None}, "field 'size' must be a mapping, not nothing"),
        ({"name": "other"}, "field 'name' is 'other', but the folder is 'toy'"),
        ({"class": "Toy"}, "field 'class' must be a dotted path"),
        ({"results": [{"dataset": "x", "metric": "y", "better": "worse"}]}, "field 'results[0].better' must be one of"),
        ({"weights": [{**WEIGHTS, "url": "https://example.org"}]}, "field 'weights[0]' needs either 'file' or 'url'"),
        ({"weights": [{**WEIGHTS, "sha256": "abc"}]}, "field 'weights[0].sha256' must have 64"),
        ({"test": {"model": []}}, "field 'test.model' must be a mapping, not a list"),
        ({"trainable": False, "weights": [WEIGHTS]}, "field 'weights' must be empty where 'trainable' is false"),
    ],
)
def test_a_wrong_card_is_refused_with_file_and_field(write, changes, said):
    with pytest.raises(UserError) as refused:
        list_cards(write(**changes))
    assert said in str(refused.value)
    assert "card.yaml" in str(refused.value)


def test_what_has_nothing_to_train_needs_no_weights(write):
    cards = write(trainable=False, weights=[])
    assert "| none needed |" in models_table(cards)
    with pytest.raises(UserError, match="there is nothing to train: use it at once with python -m zoo predict"):
        load_card("toy", cards).require_trainable()


def test_broken_yaml_names_the_line(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "card.yaml").write_text("name: toy\n  class: [")
    with pytest.raises(UserError, match=r"card\.yaml, line 2 is not valid YAML"):
        list_cards(tmp_path)


@pytest.mark.parametrize("name", ["jumble_net", "Jumble-Net", "JUMBLENET"])
def test_names_are_found_despite_case_and_hyphens(name):
    assert load_card(name, CARD.parents[1]).name == "jumble_net"


def test_a_class_that_cannot_be_imported_is_said(write):
    with pytest.raises(ZooError, match=r"nowhere\.Toy cannot be imported"):
        load_card("toy", write(**{"class": "nowhere.Toy"})).import_class()


def test_the_table_has_one_row_a_card():
    table = models_table(CARD.parents[1]).splitlines()
    assert len(table) == 2 + len(list_cards(CARD.parents[1]))
    assert any("`toy`" in row and "[Toys: a study](https://example.org), NOWHERE 2026" in row for row in table)


def test_a_tool_of_the_zoo_needs_no_paper(write):
    folder = write(paper=None)
    assert load_card("toy", folder).paper is None
    assert "| `toy` | the zoo's own |" in models_table(folder)


def test_meanings_are_those_of_the_contract():
    assert key_meanings() == {name: (f"({','.join(key.shape)})", key.meaning) for name, key in KEYS.items()}
