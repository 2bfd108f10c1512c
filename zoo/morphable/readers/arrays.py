"""Arrays out of .npz and .mat files, with a sentence for every way in which a file can be wrong."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from zoo.errors import UserError

__all__ = ["find_file", "read_mat", "read_npz"]


def find_file(path: Path, names: Iterable[str], what: str) -> Path:
    """The path itself if it is a file, else the first of ``names`` inside the folder.

    Raises:
        UserError: Neither is there.
    """
    if path.is_file():
        return path
    names = list(names)
    for name in names:
        if (path / name).is_file():
            return path / name
    if path.is_dir():
        raise UserError(f"The folder '{path}' holds no {what}; {' or '.join(names)} is expected there.")
    raise UserError(f"There is no '{path}'. Give the path of {what}.")


def read_npz(path: Path, keys: Iterable[str], what: str) -> dict[str, NDArray[Any]]:
    """All arrays of an npz; none of them may be pickled objects.

    Args:
        path: The file.
        keys: Those that must be there.
        what: The kind of file, for messages.

    Raises:
        UserError: Unreadable, truncated, with pickled objects, or without one of ``keys``.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise UserError(f"'{path}' holds a single array, not {what}.")
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(_unreadable(path, what)) from error
    return _with_keys(arrays, keys, path, what)


def read_mat(path: Path, keys: Iterable[str], what: str) -> dict[str, NDArray[Any]]:
    """All variables of a MATLAB file up to version 7; as ``read_npz`` otherwise."""
    try:
        arrays = scipy.io.loadmat(path, struct_as_record=True)
    except NotImplementedError as error:
        raise UserError(f"'{path}' is a MATLAB 7.3 file; save it again in MATLAB with the option -v7.") from error
    except Exception as error:  # a file cut off in the middle raises anything here, from TypeError to zlib.error
        raise UserError(_unreadable(path, what)) from error
    return _with_keys({k: v for k, v in arrays.items() if not k.startswith("__")}, keys, path, what)


def _with_keys(arrays: dict[str, NDArray[Any]], keys: Iterable[str], path: Path, what: str) -> dict[str, NDArray[Any]]:
    missing = [key for key in keys if key not in arrays]
    if missing:
        found = ", ".join(sorted(arrays)[:12]) or "nothing"
        raise UserError(f"'{path}' is not {what}: it lacks {', '.join(missing)} and holds {found}.")
    return arrays


def _unreadable(path: Path, what: str) -> str:
    return f"'{path}' cannot be read as {what}: it is damaged, cut off, or something else. Get the file again."
