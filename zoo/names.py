"""Finding what a person meant by a name: case and ``-``/``_`` do not matter, a near miss is suggested."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from zoo.errors import UserError

__all__ = ["find_name", "near_names", "plain"]


def plain(name: str) -> str:
    """The name without what people forget: case, hyphens, underscores.

    Example:
        >>> plain("Deep3D-Face")
        'deep3dface'
    """
    return name.lower().replace("-", "").replace("_", "")


def near_names(name: str, known: Iterable[str], count: int = 1) -> list[str]:
    """The known names that are most like this one, best first.

    Example:
        >>> near_names("sfnset", ["jiep", "sfsnet"])
        ['sfsnet']
    """
    by_plain = {plain(each): each for each in known}
    return [by_plain[each] for each in difflib.get_close_matches(plain(name), by_plain, count, cutoff=0.6)]


def find_name(name: str, known: Iterable[str], *, kind: str, hint: str) -> str:
    """The known name that is meant.

    Args:
        name: What was typed.
        known: The names there are.
        kind: What is named, for the message: "model", "data".
        hint: How to see all names, for the message.

    Raises:
        UserError: There is no such name; the message suggests the nearest one.

    Example:
        >>> find_name("SfS_Net", ["sfsnet"], kind="model", hint="python -m zoo list shows all")
        'sfsnet'
        >>> find_name("sfnset", ["sfsnet"], kind="model", hint="python -m zoo list shows all")
        Traceback (most recent call last):
        ...
        zoo.errors.UserError: no model named 'sfnset'. Did you mean sfsnet? (python -m zoo list shows all)
    """
    names = list(known)
    if name in names:
        return name
    for each in names:
        if plain(each) == plain(name):
            return each
    near = near_names(name, names)
    guess = f" Did you mean {near[0]}?" if near else f" There is {', '.join(names)}." if 0 < len(names) <= 6 else ""
    raise UserError(f"no {kind} named '{name}'.{guess} ({hint})")
