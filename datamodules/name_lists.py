"""Lists of names in the ways that data sets ship them: text, NumPy arrays, pickles of old."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import UserError

__all__ = ["read_npy_names", "read_pickled_names", "read_text_names"]


class _PlainReader(pickle.Unpickler):
    """Reads lists and strings, which need no names of classes or functions: whatever asks for one is refused."""

    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file, encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        raise UserError(
            f"{self._path} was refused: it is a pickle that asks for {module}.{name}, which no list of names needs, "
            "and opening it the usual way could run someone's code. Get the file from its makers."
        )


def read_pickled_names(path: Path) -> list[str]:
    """The names in a pickled list, also one of lists, without executing anything that the pickle asks for.

    Args:
        path: A file of Python 2 or 3.

    Returns:
        The names, in order.

    Raises:
        UserError: The pickle asks for a class or function, is damaged, or holds anything but lists of strings.
    """
    try:
        with path.open("rb") as file:
            content = _PlainReader(file, path).load()
    except OSError as problem:
        raise UserError(f"{path} cannot be read ({(problem.strerror or str(problem)).lower()}).") from problem
    except UserError:
        raise
    except Exception as problem:  # the machine of a damaged pickle raises nearly anything
        raise UserError(f"{path} is damaged, cut off, or no pickle. Copy it again.") from problem
    names = _flat(content)
    if not names or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path} holds no list of names. Copy it again.")
    return names


def _flat(content: Any) -> list[Any]:
    if isinstance(content, list | tuple):
        return [name for part in content for name in _flat(part)]
    return [content]


def read_npy_names(path: Path) -> list[str]:
    """The ids in a ``.npy`` file of numbers or strings, as strings.

    Raises:
        UserError: The file is damaged, holds pickled objects, or no list.
    """
    try:
        ids = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise UserError(f"{path} is damaged, or holds objects in place of ids. Copy it again.") from problem
    if not isinstance(ids, np.ndarray) or ids.ndim != 1 or ids.dtype.kind not in "iuUS":
        raise UserError(f"{path} holds no list of ids. Copy it again.")
    return [i.decode("ascii", "replace") if isinstance(i, bytes) else str(i) for i in ids.tolist()]


def read_text_names(path: Path) -> list[str]:
    """The first word of each line that has one; a comma ends a word too.

    Raises:
        UserError: The file cannot be read, or lists nothing.
    """
    try:
        words = [line.replace(",", " ").split() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as problem:
        raise UserError(f"{path} cannot be read as text. Copy it again.") from problem
    names = [first for first, *_ in filter(None, words)]
    if not names:
        raise UserError(f"{path} lists nothing. Copy it again.")
    return names
