"""Which of a person's flags go to which stage of a recipe: each stage may train another class on other data."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import replace

from zoo.cards import read_yaml
from zoo.errors import UserError
from zoo.names import near_names
from zoo.recipes import Stage
from zoo.request import Request

__all__ = ["check_stage_options", "stage_arguments"]


def stage_arguments(request: Request, stage: Stage) -> list[str]:
    """Lightning's arguments for one stage.

    ``--model.NAME`` and ``--data.NAME`` go to the stages whose model or data take NAME, ``--weights`` to the first
    stage, everything else to all.
    """
    assert request.recipe is not None
    first = stage == request.recipe.stages[0]
    known = _known_options(stage)
    kept: list[str] = []
    for option, value in _pairs(request.rest):
        name = option.partition("=")[0]
        if (name == "--weights" and not first) or (_is_option_of_class(name) and _head(name) not in known):
            continue
        kept += [option, *value]
    return replace(request, verb=stage.verb, rest=tuple(kept)).lightning_arguments(stage.file)


def check_stage_options(request: Request) -> None:
    """Refuse what no stage takes.

    Raises:
        UserError: ``--data NAME`` with several stages, or an option that none of them has.
    """
    assert request.recipe is not None
    where = f"configs/{request.model}/{request.recipe.name}"
    if request.data is not None:
        raise UserError(
            f"the stages of {request.recipe.name} have data of their own, so --data cannot replace it. Set its "
            f"arguments (--data.batch_size 8), or copy the files of {where}."
        )
    known = {option for stage in request.recipe.stages for option in _known_options(stage)}
    for option, _ in _pairs(request.rest):
        name = option.partition("=")[0]
        if _is_option_of_class(name) and _head(name) not in known:
            near = near_names(name, known)
            guess = f" Did you mean {near[0]}?" if near else ""
            raise UserError(f"no stage of {request.recipe.name} has an option {name}.{guess} (the stages: {where})")


def _pairs(rest: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """Each option with the arguments that follow it."""
    tokens = list(rest)
    while tokens:
        option = tokens.pop(0)
        value = []
        while tokens and not tokens[0].startswith("--"):
            value.append(tokens.pop(0))
        yield option, value


def _is_option_of_class(name: str) -> bool:
    return name.startswith(("--model.", "--data."))


def _head(name: str) -> str:
    """``--data.synthetic.init_args.size`` -> ``--data.synthetic``; ``init_args`` right after the group is dropped."""
    return ".".join(name.replace(".init_args.", ".", 1).split(".")[:2]).removesuffix("+")


def _known_options(stage: Stage) -> set[str]:
    content = read_yaml(stage.file)
    known = set()
    for group in ("model", "data"):
        path = (content.get(group) or {}).get("class_path", "")
        module, _, name = path.rpartition(".")
        try:
            kind = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise UserError(f"{stage.file}: {group}.class_path {path} cannot be imported: {error}.") from error
        known |= {f"--{group}.{each}" for each in inspect.signature(kind).parameters}
    return known
