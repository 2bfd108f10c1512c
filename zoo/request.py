"""What a person asked of fit, validate or test: the zoo's own short options, turned into Lightning's.

``--model sfsnet`` becomes ``--config configs/sfsnet/quick.yaml`` and ``--data NAME`` becomes ``--config
configs/data/NAME.yaml``. They come before everything else, so that every flag and file of the person's own wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from zoo.cards import ModelCard, list_cards, load_card, read_yaml
from zoo.errors import UserError
from zoo.names import near_names
from zoo.recipes import Recipe, find_data, find_recipe

__all__ = ["Request", "model_of", "read_request"]

LOGGERS = ("wandb", "csv", "none")
_VALUED = ("--model", "--data", "--recipe", "--logger", "--resume", "--run")


@dataclass(frozen=True)
class Request:
    """A training command, understood but not yet parsed by Lightning.

    Args:
        verb: ``fit``, ``validate`` or ``test``.
        card: The model's card, where the command or its YAML file leads to one.
        model: The model's name for the run's folder.
        recipe: The recipe that ``--model`` stands for; None when the person brings class paths or files of their own.
        data: The YAML file of ``--data``.
        logger: ``wandb``, ``csv``, ``none``, or None where nothing was said.
        resume: What to go on with: a run's folder, or ``last``.
        run: A folder for the run in place of ``runs/<model>/<time>``.
        rest: Everything else, for Lightning.
    """

    verb: str
    card: ModelCard | None
    model: str
    recipe: Recipe | None
    data: Path | None
    logger: str | None
    resume: str | None
    run: Path | None
    rest: tuple[str, ...]

    def lightning_arguments(self, config: Path | None = None) -> list[str]:
        """The arguments for LightningCLI.

        Args:
            config: A stage's file in place of the recipe's own.
        """
        arguments = [self.verb]
        base = config or (self.recipe.last_fit.file if self.recipe else None)
        for file in (base, self.data):
            if file is not None:
                arguments += ["--config", str(file)]
        return [*arguments, *self.rest]


def read_request(verb: str, arguments: Sequence[str]) -> Request:
    """Understand a command, without importing PyTorch.

    Raises:
        UserError: A name is not known, an option lacks its value, or there is no model.
    """
    given: dict[str, str] = {}
    rest: list[str] = []
    for option, value in _options(verb, arguments):
        if option in _VALUED and not _is_path_of_class(option, value):
            given[option] = value
        else:
            rest += [option] if value == "" else [option, value]
    card = load_card(given["--model"]) if "--model" in given else _card_of(rest)
    rest = _name_helped_class(rest, card)
    recipe_name = given.get("--recipe", "quick")
    if "--recipe" in given and "--model" not in given:
        raise UserError(f"{verb}: --recipe {recipe_name} needs --model NAME. (python -m zoo list shows all)")
    named = card is not None and "--model" in given
    recipe = find_recipe(card.name, recipe_name) if card is not None and named else None
    config_given = bool({each.partition("=")[0] for each in rest} & {"--config", "-c", "--model", "--help-all"})
    if recipe is None and not config_given and "--resume" not in given and not _asks_for_class_help(rest):
        raise UserError(f"{verb}: which model? --model NAME, or --config FILE. (python -m zoo list shows all)")
    logger = given.get("--logger")
    if logger is not None and logger not in LOGGERS:
        near = near_names(logger, LOGGERS)
        raise UserError(f"no logger named '{logger}'.{f' Did you mean {near[0]}?' if near else ''} (wandb, csv, none)")
    return Request(
        verb=verb,
        card=card,
        model=card.name if card else model_of(rest),
        recipe=recipe,
        data=find_data(given["--data"]) if "--data" in given else None,
        logger=logger,
        resume=given.get("--resume"),
        run=Path(given["--run"]) if "--run" in given else None,
        rest=tuple(rest),
    )


def _options(verb: str, arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of our own options and their values; other arguments one by one with an empty value."""
    tokens = list(arguments)
    while tokens:
        token = tokens.pop(0)
        name, equals, value = token.partition("=")
        if name not in _VALUED:
            yield token, ""
        elif equals:
            yield name, value
        elif tokens and not tokens[0].startswith("--"):
            yield name, tokens.pop(0)
        else:
            raise UserError(f"{verb}: {name} lacks its value. (python -m zoo {verb} --help shows examples)")


def _is_path_of_class(option: str, value: str) -> bool:
    """Whether it is Lightning's own form: a class path, ``--model package.module.Class``."""
    is_file = "/" in value or value.endswith((".yaml", ".yml"))
    return option in ("--model", "--data") and "." in value and not is_file


def _asks_for_class_help(rest: Sequence[str]) -> bool:
    return any(each.startswith(("--model.help", "--data.help", "--trainer.callbacks.help")) for each in rest)


def _name_helped_class(rest: list[str], card: ModelCard | None) -> list[str]:
    """``--model.help``, alone or with a card's name, becomes ``--model.help CLASS``."""
    if "--model.help" not in rest:
        return rest
    place = rest.index("--model.help")
    following = rest[place + 1] if place + 1 < len(rest) else "--"
    if not following.startswith("-"):
        if "." in following:
            return rest
        return [*rest[: place + 1], load_card(following).class_path, *rest[place + 2 :]]
    if card is None:
        raise UserError("--model.help of which model? --model NAME --model.help (python -m zoo list shows all)")
    return [*rest[: place + 1], card.class_path, *rest[place + 1 :]]


def _class_path(rest: Sequence[str]) -> str | None:
    """The model's class path as the last flag or file gives it."""
    found = None
    for option, value in pairwise([*rest, ""]):
        option, equals, joined = option.partition("=")
        value = joined if equals else value
        if option == "--model":
            found = value
        elif option in ("--config", "-c"):
            content = read_yaml(Path(value))
            model = content.get("model") if isinstance(content, dict) else None
            if isinstance(model, dict) and isinstance(model.get("class_path"), str):
                found = model["class_path"]
    return found


def _card_of(rest: Sequence[str]) -> ModelCard | None:
    path = _class_path(rest)
    return next((card for card in list_cards() if card.class_path == path), None)


def model_of(rest: Sequence[str]) -> str:
    """The model's name as flags and files in Lightning's form give it: a card's, else the class's."""
    card = _card_of(rest)
    return card.name if card else (_class_path(rest) or "model").rpartition(".")[2].lower()
