"""Model cards: ``lightning_modules/<name>/card.yaml`` is the only place where a model is registered."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from zoo.errors import UserError, ZooError
from zoo.names import find_name

__all__ = ["CARDS", "CONFIGS", "ModelCard", "find_card", "list_cards", "load_card", "models_table", "read_yaml"]

HOUSE = Path(__file__).resolve().parents[1]
CARDS = HOUSE / "lightning_modules"
"""The folder whose sub-folders hold a ``card.yaml`` each."""
CONFIGS = HOUSE / "configs"
"""The folder of recipes, one sub-folder a model, and of ``data/*.yaml``."""

STATUSES = ("trains", "matches-code", "matches-paper")


@dataclass(frozen=True)
class Paper:
    """Where the method was published."""

    title: str
    venue: str
    year: int
    authors: str = ""
    url: str = ""


@dataclass(frozen=True)
class Code:
    """The authors' own code and its licence."""

    repository: str
    licence: str


@dataclass(frozen=True)
class Result:
    """One figure of the paper beside ours; None where there is none.

    Args:
        dataset: What was measured on.
        metric: What was measured.
        unit: Of both figures.
        better: Whether lower or higher values are better.
        paper: The paper's value.
        evidence: Where the paper's value was read.
        ours: Our value.
        command: The command that gave ours.
        weights: The tag of the weights that gave ours.
    """

    dataset: str
    metric: str
    better: Literal["lower", "higher"]
    unit: str = ""
    paper: float | None = None
    evidence: str = ""
    ours: float | None = None
    command: str = ""
    weights: str = ""


@dataclass(frozen=True)
class Weights:
    """A file of trained weights: beside the card (``file``) or to be downloaded (``url``).

    ``needs`` are constructor arguments that must be given with it, because they name files of the user's machine, such
    as a face model; each with what it should look like.
    """

    tag: str
    sha256: str
    bytes: int
    licence: str
    trained_on: str
    file: str = ""
    url: str = ""
    command: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    needs: dict[str, str] = field(default_factory=dict)
    default: bool = False


@dataclass(frozen=True)
class Size:
    """Side lengths in pixels: of training crops, the smallest accepted, and what sides must be a multiple of."""

    train: int = 128
    min: int = 64
    multiple: int = 1


@dataclass(frozen=True)
class Export:
    """What ``zoo export`` can write, how near it must come to PyTorch, and the sizes that are compared."""

    formats: list[str] = field(default_factory=list)
    tolerance: float = 1e-4
    inputs: dict[str, Any] = field(default_factory=dict)
    sizes: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Test:
    """A small version of the model and its data, for the tests that run every card."""

    model: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelCard:
    """Everything the zoo knows about a model without importing it.

    Args:
        name: The name on the command line and of the folder.
        class_path: Dotted path of the LightningModule; ``class`` in the file.
        task: What it is for, as a person would say it.
        family: Which branch of the zoo it belongs to.
        summary: One sentence.
        paper: Where it was published; None for a tool of the zoo's own.
        code: The authors' code.
        inputs: Contract keys that go in.
        outputs: Contract keys that come out.
        status: How far it has been proved: trains, matches-code, matches-paper.
        trainable: Whether there is anything to train; a method without parameters has no weights and needs none.
        faces: ``crop`` where pictures must be cut to the face first, ``align`` where by its landmarks, at the scale and
            place of Deep3DFaceRecon.
        size: Side lengths of pictures.
        results: The paper's figures beside ours.
        weights: What can be loaded.
        export: What can be exported.
        test: A small version for tests.
        notes: Every deviation from the paper.
        folder: Where the card lies.
    """

    name: str
    class_path: str
    task: str
    family: str
    summary: str
    inputs: list[str]
    outputs: list[str]
    status: Literal["trains", "matches-code", "matches-paper"]
    paper: Paper | None = None
    code: Code | None = None
    trainable: bool = True
    faces: Literal["crop", "align", "none"] = "none"
    size: Size = field(default_factory=Size)
    results: list[Result] = field(default_factory=list)
    weights: list[Weights] = field(default_factory=list)
    export: Export = field(default_factory=Export)
    test: Test = field(default_factory=Test)
    notes: list[str] = field(default_factory=list)
    folder: Path = field(default=Path(), compare=False)

    def require_trainable(self) -> None:
        """Refuse to train a method that has nothing to train.

        Raises:
            UserError: It is one; the message says what to do instead.
        """
        if not self.trainable:
            raise UserError(
                f"{self.name} has no parameters, so there is nothing to train: use it at once with python -m zoo "
                f"predict --model {self.name} photo.jpg -o out, or measure it with "
                f"python -m zoo test --model {self.name}."
            )

    @property
    def tags(self) -> list[str]:
        """What a list of models says about weights: their tags, or that there are none or no need of them."""
        return [each.tag for each in self.weights] or ["none" if self.trainable else "none needed"]

    @property
    def default_weights(self) -> Weights | None:
        """The weights that ``zoo.load(name)`` takes: the ones marked so, else the first."""
        marked = [each for each in self.weights if each.default]
        return next(iter(marked or self.weights), None)

    def import_class(self) -> Any:
        """The model's class; this is where its code, and PyTorch, are imported.

        Raises:
            ZooError: The class path on the card leads nowhere.
        """
        module, _, name = self.class_path.rpartition(".")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ZooError(
                f"{self.folder / 'card.yaml'}: class {self.class_path} cannot be imported: {error}"
            ) from error


def read_yaml(path: Path) -> Any:
    """The contents of a YAML file.

    Raises:
        UserError: It is missing or is not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{where} is not valid YAML: {getattr(error, 'problem', error)}.") from error


def list_cards(root: Path | None = None) -> list[ModelCard]:
    """All cards, by name.

    Args:
        root: The folder of model folders; by default the zoo's own.

    Raises:
        UserError: A card is not as it should be; the message names file and field.
    """
    return [_read_card(path) for path in sorted((root or CARDS).glob("*/card.yaml"))]


def find_card(name: str, root: Path | None = None) -> Path:
    """The card's file for a name, whatever its case and hyphens.

    Raises:
        UserError: There is no such model; the message suggests the nearest one.
    """
    root = root or CARDS
    names = sorted(path.parent.name for path in root.glob("*/card.yaml"))
    return root / find_name(name, names, kind="model", hint="python -m zoo list shows all") / "card.yaml"


def load_card(name: str, root: Path | None = None) -> ModelCard:
    """The card of one model.

    Args:
        name: The model's name; case, ``-`` and ``_`` do not matter.
        root: The folder of model folders; by default the zoo's own.

    Raises:
        UserError: There is no such model, or its card is not as it should be.
    """
    return _read_card(find_card(name, root))


@functools.lru_cache
def _read_card(path: Path) -> ModelCard:
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise UserError(f"{path}: a card is a mapping of fields; there is {_kind(values)}.")
    values = {("class_path" if key == "class" else key): value for key, value in values.items()}
    if "folder" in values:
        raise UserError(f"{path}: there is no field 'folder'.")
    card: ModelCard = dataclasses.replace(_build(ModelCard, values, path, ""), folder=path.parent)
    if card.name != path.parent.name:
        raise UserError(f"{path}: field 'name' is '{card.name}', but the folder is '{path.parent.name}'.")
    if "." not in card.class_path:
        raise UserError(f"{path}: field 'class' must be a dotted path such as lightning_modules.sfsnet.SfSNet.")
    if card.weights and not card.trainable:
        raise UserError(f"{path}: field 'weights' must be empty where 'trainable' is false.")
    for number, weights in enumerate(card.weights):
        if bool(weights.file) == bool(weights.url):
            raise UserError(f"{path}: field 'weights[{number}]' needs either 'file' or 'url'.")
        if len(weights.sha256) != 64:
            raise UserError(f"{path}: field 'weights[{number}].sha256' must have 64 hexadecimal digits.")
    return card


def _build(kind: type[Any], values: Any, path: Path, where: str) -> Any:
    """An instance of a card's dataclass from plain values, or one sentence about what is wrong with them."""
    if not isinstance(values, Mapping):
        raise UserError(f"{path}: field '{where}' must be a mapping, not {_kind(values)}.")
    fields = {each.name: each for each in dataclasses.fields(kind)}
    shown = {"class_path": "class"}
    for key in values:
        if key not in fields:
            raise UserError(f"{path}: there is no field '{where + '.' if where else ''}{key}'.")
    hints = typing.get_type_hints(kind)
    arguments = {}
    for name, each in fields.items():
        place = f"{where}.{name}" if where else shown.get(name, name)
        if name in values:
            arguments[name] = _value(hints[name], values[name], path, place)
        elif each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
            raise UserError(f"{path}: field '{place}' is missing.")
    return kind(**arguments)


def _value(hint: Any, value: Any, path: Path, where: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is types.UnionType:
        return None if value is None else _value(inner[0], value, path, where)
    if dataclasses.is_dataclass(hint):
        return _build(typing.cast("type[Any]", hint), value, path, where)
    if origin is Literal:
        if value not in inner:
            raise UserError(f"{path}: field '{where}' must be one of {', '.join(inner)}, not '{value}'.")
        return value
    if origin is list:
        if not isinstance(value, list):
            raise UserError(f"{path}: field '{where}' must be a list, not {_kind(value)}.")
        return [_value(inner[0], each, path, f"{where}[{number}]") for number, each in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise UserError(f"{path}: field '{where}' must be a mapping, not {_kind(value)}.")
        return {str(key): _value(inner[1], each, path, f"{where}.{key}") for key, each in value.items()}
    if hint is float and isinstance(value, str):  # YAML 1.1 reads 1e-4 as text
        try:
            return float(value)
        except ValueError:
            pass
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
        raise UserError(f"{path}: field '{where}' must be {names.get(hint, hint)}, not {_kind(value)}.")
    return value


def _kind(value: Any) -> str:
    names = {str: "text", int: "a number", float: "a number", bool: "a truth value", dict: "a mapping", list: "a list"}
    return "nothing" if value is None else names.get(type(value), type(value).__name__)


def models_table(root: Path | None = None) -> str:
    """The README's table of models in Markdown, one row a card.

    ``python -m zoo list --markdown`` prints it; the README has it between ``<!-- models -->`` and ``<!-- /models -->``.
    """
    lines = ["| model | paper | task | weights | status |", "|---|---|---|---|---|"]
    for card in list_cards(root):
        weights = ", ".join(card.tags)
        lines.append(f"| `{card.name}` | {_paper_cell(card.paper)} | {card.task} | {weights} | {card.status} |")
    return "\n".join(lines) + "\n"


def _paper_cell(paper: Paper | None) -> str:
    if paper is None:
        return "the zoo's own"
    title = f"[{paper.title}]({paper.url})" if paper.url else paper.title
    return f"{title}, {paper.venue} {paper.year}"
