"""The parser's complaints, which fill a screen, as one sentence with the nearest name."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

from zoo.names import near_names

__all__ = ["plain_complaint"]

_GROUPS = ("model", "data")


def plain_complaint(message: str, arguments: Sequence[str], options: Iterable[str], classes: dict[str, str]) -> str:
    """One sentence about what is wrong with the arguments.

    Args:
        message: The parser's message.
        arguments: What was given.
        options: All options that the parser knows, such as ``--trainer.max_steps``.
        classes: The class paths of ``model`` and ``data``, where they are known.
    """
    verb = arguments[0] if arguments else ""
    unknown = re.search(r"unrecognized arguments: (\S+)", message)
    if unknown:
        return _unknown_option(unknown[1], verb, [*options, *_init_options(classes)])
    refused = re.search(r"Option '([\w.]+)' is not accepted", message)
    if refused:
        return _unknown_option(_as_given(refused[1], arguments), verb, _init_options(classes))
    required = re.search(r"required: (?:\w+\.)?(model|data)\b", message)
    if required:
        return f"{verb}: which {required[1]}? --{required[1]} NAME. (python -m zoo {verb} --help shows examples)"
    missing = re.search(r"required: ([\w.]+)", message)
    if missing:
        return f"{_option_of_class(missing[1], classes)} VALUE is missing."
    lacks = re.search(r"argument (\S+): expected .*argument", message)
    if lacks:
        return f"{lacks[1]} lacks its value."
    value = re.search(r"Expected an? (?P<type>.+?)\.? Got value: (?P<value>.+)", message)
    key = re.search(r"Parser key \"([\w.]+)\"", message)
    if value and key and "Union" not in message:
        option = _as_given(key[1], arguments)
        return f"{option} takes {_type_name(value['type'])}, not '{value['value'].strip()}'."
    if "no such file" in message.lower() or "File does not exist" in message:
        path = re.search(r"'([^']+)'", message)
        return f"there is no file {path[1] if path else message}."
    problem = re.search(r"Problem with given class_path '([^']+)':\s*\n?\s*(.+)", message)
    if problem:
        inner = re.search(r"Option '([\w.]+)' is not accepted", message)
        if inner:
            group = key[1] if key else "model"
            return _unknown_option(f"--{group}.{inner[1]}", verb, _init_options({**classes, group: problem[1]}))
        return f"{key[1] if key else 'class'} {problem[1]}: {problem[2].strip()}."
    union = re.search(r"Union subtypes\s+Subtypes: \[(.+?)\] Errors", " ".join(message.split()))
    if union and key:
        kinds = [_type_name(each) for each in re.split(r", (?![^\[]*\])", union[1]) if "NoneType" not in each]
        return f"{_as_given(key[1], arguments)} takes {' or '.join(kinds)}, not '{_given_value(message)}'."
    if value and key:
        return f"{_as_given(key[1], arguments)} takes {_type_name(value['type'])}, not '{_given_value(message)}'."
    return _shortened(message)


def _unknown_option(option: str, verb: str, known: Iterable[str]) -> str:
    name = option.partition("=")[0]
    if not name.startswith("-"):
        return f"'{name}' is one argument too many. (python -m zoo {verb} --help shows examples)"
    near = near_names(name.lstrip("-"), sorted({each.lstrip("-") for each in known}))
    if not near:  # the right name in the wrong group, or with no group at all
        last = name.rpartition(".")[2].lstrip("-")
        ends = {each.rpartition(".")[2]: each.lstrip("-") for each in known}
        near = [ends[each] for each in near_names(last, ends)]
    guess = f" Did you mean --{near[0]}?" if near else ""
    group = name.lstrip("-").partition(".")[0]
    more = f"python -m zoo {verb} --help-all shows all"
    if group in _GROUPS:
        more = f"python -m zoo {verb} --help shows how to see all" if verb == "data" else f"--{group}.help shows all"
    return f"{verb} has no option {name}.{guess} ({more})"


def _init_options(classes: dict[str, str]) -> list[str]:
    options = []
    for group, path in classes.items():
        module, _, name = path.rpartition(".")
        try:
            parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters
        except (ImportError, AttributeError, ValueError, TypeError):
            continue
        options += [f"--{group}.{each}" for each in parameters]
    return options


def _option_of_class(name: str, classes: dict[str, str]) -> str:
    """The option for a constructor argument whose class the parser did not say."""
    last = name.rpartition(".")[2]
    own = [each for each in _init_options(classes) if each.endswith(f".{last}")]
    return own[0] if own else f"--{name}"


def _as_given(key: str, arguments: Sequence[str]) -> str:
    """The option as it was typed: the parser names only the last part of it."""
    for each in arguments:
        name = each.partition("=")[0]
        if name.startswith("--") and (name[2:] == key or name.endswith(f".{key}")):
            return name
    return f"'{key}'" if "." in key else f"--{key}"


def _type_name(text: str) -> str:
    plain = {
        "<class 'int'>": "a whole number",
        "<class 'float'>": "a number",
        "<class 'bool'>": "true or false",
        "<class 'str'>": "text",
    }
    if text in plain:
        return plain[text]
    literal = re.search(r"Literal\[(.+)\]", text)
    if literal:
        return "one of " + literal[1].replace("'", "")
    return text.replace("typing.", "").removeprefix("<class '").removesuffix("'>")


def _given_value(message: str) -> str:
    found = re.search(r"Given value: (.+)", message)
    return found[1].strip().rstrip(".") if found else "what was given"


def _shortened(message: str, limit: int = 300) -> str:
    text: Any = " ".join(message.split())
    return f"{text[:limit]}…" if len(text) > limit else f"{text}."
