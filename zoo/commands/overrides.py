"""``--model.NAME VALUE`` outside of training: constructor arguments in place of those stored with the weights."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Sequence
from typing import Any

from zoo.cards import ModelCard
from zoo.errors import UserError
from zoo.names import near_names

__all__ = ["read_overrides", "split_overrides"]

_PREFIX = "--model."


def split_overrides(verb: str, arguments: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Take ``--model.NAME VALUE`` and ``--model.NAME=VALUE`` out of a command's arguments.

    Args:
        verb: Of the command, for messages.
        arguments: What was given.

    Returns:
        Names with values, and everything else.

    Raises:
        UserError: A name lacks its value.

    Example:
        >>> split_overrides("predict", ["--model", "toy", "--model.width", "8", "a.png", "--model.pause=0.5"])
        ([('width', '8'), ('pause', '0.5')], ['--model', 'toy', 'a.png'])
    """
    found, rest = [], []
    tokens = list(arguments)
    while tokens:
        token = tokens.pop(0)
        if not token.startswith(_PREFIX):
            rest.append(token)
            continue
        option, equals, value = token.partition("=")
        if not equals:
            if not tokens or tokens[0].startswith("--"):
                raise UserError(f"{verb}: {option} lacks its value. (python -m zoo {verb} --help shows examples)")
            value = tokens.pop(0)
        found.append((option.removeprefix(_PREFIX), value))
    return found, rest


def read_overrides(verb: str, card: ModelCard, given: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Values of constructor arguments, in the types that the constructor wants.

    Args:
        verb: Of the command, for messages.
        card: Of the model.
        given: Names with values, as ``split_overrides`` finds them; of a repeated name the last counts.

    Raises:
        UserError: The model has no such argument (the nearest is named), or the value has another type.
    """
    if not given:
        return {}
    kind = card.import_class()
    known = [name for name in inspect.signature(kind).parameters if name != "self"]
    for name, _ in given:
        if name.partition(".")[0] not in known:
            near = near_names(name, known)
            guess = f" Did you mean {_PREFIX}{near[0]}?" if near else f" {card.name} takes {', '.join(known)}."
            raise UserError(f"{verb} has no option {_PREFIX}{name}.{guess}")
    import jsonargparse

    from zoo.training.messages import plain_complaint

    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, "model", fail_untyped=False)
    typed = [f"{_PREFIX}{name}={value}" for name, value in given]
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            values = parser.parse_args(typed).model
    except (jsonargparse.ArgumentError, ValueError, TypeError) as error:
        raise UserError(plain_complaint(str(error), [verb, *typed], [], {"model": card.class_path})) from error
    return {name: values[name] for name in dict.fromkeys(name.partition(".")[0] for name, _ in given)}
