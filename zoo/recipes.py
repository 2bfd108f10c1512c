"""Recipes and data descriptions under ``configs``: found by name, stages in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from zoo import cards
from zoo.errors import UserError
from zoo.names import find_name

__all__ = ["Recipe", "Stage", "find_data", "find_recipe", "list_data", "list_recipes"]

_STAGE = re.compile(r"\d+-(fit|validate|test|predict)-[\w.-]+")


@dataclass(frozen=True)
class Stage:
    """One step of a recipe: a verb and its configuration.

    Args:
        name: The file's name without its ending, such as ``1-fit-synthetic``; also its folder's name in a run.
        verb: ``fit``, ``validate``, ``test`` or ``predict``.
        file: The YAML file.
    """

    name: str
    verb: str
    file: Path


@dataclass(frozen=True)
class Recipe:
    """How a model is trained: one YAML file, or a folder of them that run in the order of their names.

    Args:
        model: The model's name.
        name: The recipe's name: ``quick``, ``paper``.
        stages: One or more; a single file is one stage of verb ``fit``.
        staged: Whether it is a folder of stages.
    """

    model: str
    name: str
    stages: tuple[Stage, ...]
    staged: bool

    @property
    def last_fit(self) -> Stage:
        """The stage that trains the final model: its file is what validate and test use."""
        return [stage for stage in self.stages if stage.verb == "fit"][-1]


def list_recipes(model: str, root: Path | None = None) -> list[str]:
    """The names of a model's recipes, ``quick`` first.

    Args:
        model: The model's name, exactly.
        root: The folder of configurations; by default the zoo's own.
    """
    folder = (root or cards.CONFIGS) / model
    names = {path.stem for path in folder.glob("*.yaml")}
    names |= {path.name for path in folder.glob("*") if path.is_dir() and any(path.glob("*.yaml"))}
    return sorted(names, key=lambda name: (name != "quick", name))


def find_recipe(model: str, name: str = "quick", root: Path | None = None) -> Recipe:
    """A model's recipe by name.

    Raises:
        UserError: There is no such recipe, or a stage's file has no verb in its name.
    """
    folder = (root or cards.CONFIGS) / model
    found = find_name(
        name, list_recipes(model, root), kind=f"recipe of {model}", hint=f"python -m zoo info {model} shows all"
    )
    single = folder / f"{found}.yaml"
    if single.is_file():
        return Recipe(model, found, (Stage(found, "fit", single),), staged=False)
    return Recipe(model, found, tuple(_stage(file) for file in sorted((folder / found).glob("*.yaml"))), staged=True)


def _stage(file: Path) -> Stage:
    match = _STAGE.fullmatch(file.stem)
    if not match:
        raise UserError(f"{file}: a stage is named like 1-fit-synthetic.yaml: number, verb (fit, predict, …), what.")
    return Stage(file.stem, match[1], file)


def list_data(root: Path | None = None) -> list[str]:
    """The names of the data that ``--data`` knows.

    Args:
        root: The folder of configurations; by default the zoo's own.
    """
    return sorted(path.stem for path in ((root or cards.CONFIGS) / "data").glob("*.yaml"))


def find_data(name: str, root: Path | None = None) -> Path:
    """The YAML file of some data by name.

    Raises:
        UserError: There is no such data; the message suggests the nearest one.
    """
    found = find_name(name, list_data(root), kind="data", hint="python -m zoo data list shows all")
    return (root or cards.CONFIGS) / "data" / f"{found}.yaml"
