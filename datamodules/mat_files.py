"""MATLAB's files of arrays, in the old format and in that of version 7.3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from zoo.errors import UserError

__all__ = ["read_mat", "read_mat_array"]


def read_mat(path: Path) -> dict[str, Any]:
    """The variables of a ``.mat`` file, with MATLAB's order of dimensions.

    Raises:
        UserError: The file is missing, damaged, or no ``.mat`` file.
    """
    try:
        if h5py.is_hdf5(path):  # version 7.3 is HDF5, which keeps dimensions in reverse order
            with h5py.File(path, "r") as file:
                content = {name: np.asarray(value).T for name, value in file.items() if isinstance(value, h5py.Dataset)}
        else:
            content = loadmat(path)
    except FileNotFoundError as problem:
        raise UserError(f"{path} does not exist. Copy it again, or take its sample out of the lists.") from problem
    except Exception as problem:  # readers raise nearly anything when a file is damaged
        raise UserError(f"{path} is damaged, or no MATLAB file. Copy it again.") from problem
    return {name: value for name, value in content.items() if not name.startswith(("__", "#"))}


def read_mat_array(path: Path, name: str) -> NDArray[Any]:
    """The array of numbers in a ``.mat`` file that holds one, or the one called ``name`` where it holds several.

    Raises:
        UserError: As ``read_mat``; or there is no such array, or it has values that are not finite.
    """
    arrays = {
        key: value
        for key, value in read_mat(path).items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.ndim >= 2
    }
    chosen = arrays.get(name) if len(arrays) != 1 else next(iter(arrays.values()))
    if chosen is None:
        raise UserError(f"{path} holds {len(arrays)} arrays, none of them called '{name}'. Copy it again.")
    if chosen.dtype.kind == "f" and not np.isfinite(chosen).all():
        raise UserError(f"{path} holds values that are not finite (NaN or infinity). Copy it again.")
    return chosen
