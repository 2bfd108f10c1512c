"""Arrays out of an old pickle, without executing anything that the pickle asks for.

A pickle is a program: it names functions and has them called. Here every name that it gives becomes an empty record
class made for this one file, so that a "call" only notes its arguments. Names outside a short list end the reading.
Afterwards the records of numpy arrays, scipy sparse matrices and chumpy arrays are turned into numpy arrays by our
own code from their raw bytes; numpy's, scipy's and chumpy's code for pickles is never run.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from zoo.errors import UserError

__all__ = ["read_object_npy", "read_pickle"]

_ALLOWED = re.compile(
    r"numpy\.(core|_core)\.multiarray\.(_reconstruct|scalar)"
    r"|numpy\.(core|_core)\.numeric\._frombuffer"
    r"|numpy\.(ndarray|dtype)"
    r"|scipy\.sparse\.([a-z_]+\.)?(csc|csr|coo)_(matrix|array)"
    r"|chumpy\.[A-Za-z_.]+"
    r"|(copy_reg|copyreg)\._reconstructor"
    r"|(__builtin__|builtins)\.(object|set|frozenset)"
    r"|_codecs\.encode"
)

_DAMAGE = (
    *(pickle.UnpicklingError, struct.error, EOFError, ValueError, TypeError, LookupError, AttributeError),
    *(OverflowError, MemoryError, RecursionError),
)
"""What the machine of a damaged pickle raises."""


class _Record:
    """What a pickle says about one object: the name of its maker, the arguments, the state."""

    name = ""
    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: Any) -> _Record:
        record = super().__new__(cls)
        object.__setattr__(record, "args", args)
        object.__setattr__(record, "state", None)
        return record

    def __setstate__(self, state: Any) -> None:
        object.__setattr__(self, "state", state)

    def __setattr__(self, name: str, value: Any) -> None:
        raise pickle.UnpicklingError("a record takes no attributes")


class _Reader(pickle.Unpickler):
    """Takes a pickle's program apart into records."""

    def __init__(self, file: io.BufferedIOBase, path: Path) -> None:
        super().__init__(file, encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if not _ALLOWED.fullmatch(full):
            raise UserError(
                f"'{self._path}' was refused: it is a pickle that asks for {full}, which no face model needs, "
                "and opening it the usual way could run someone's code. Get the file from its makers."
            )
        return type(name, (_Record,), {"name": full})


def read_pickle(path: Path, what: str) -> dict[str, Any]:
    """The entries of a pickled dict; numpy, sparse and chumpy arrays among them come as numpy arrays.

    Entries that are neither arrays nor plain values become None.

    Args:
        path: The file, written by Python 2 or 3.
        what: The kind of file, for messages.

    Raises:
        UserError: The pickle names anything but arrays, is damaged, or is no dict.
    """
    try:
        with path.open("rb") as file:
            content = _Reader(file, path).load()
            return _as_dict(content, path, what)
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    except _DAMAGE as error:
        raise UserError(_damaged(path, what)) from error


def read_object_npy(path: Path, what: str) -> dict[str, Any]:
    """The same for a .npy file that holds one pickled dict.

    Raises:
        UserError: As ``read_pickle``.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            if not header(file)[2].hasobject:
                raise UserError(f"'{path}' is not {what}: it holds plain numbers.")
            return _as_dict(_Reader(file, path).load(), path, what)
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    except _DAMAGE as error:
        raise UserError(_damaged(path, what)) from error


def _as_dict(content: Any, path: Path, what: str) -> dict[str, Any]:
    content = _plain(content) if isinstance(content, _Record) else content
    if not isinstance(content, dict):
        raise UserError(f"'{path}' is not {what}: it holds no dictionary.")
    return {str(key): _plain(value) for key, value in content.items()}


def _damaged(path: Path, what: str) -> str:
    return f"'{path}' cannot be read as {what}: it is damaged, cut off, or something else. Get the file again."


def _plain(value: Any) -> Any:
    """Our reading of one record; None for what is neither an array nor a plain value."""
    if isinstance(value, str | int | float | bool | bytes) or value is None:
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if not isinstance(value, _Record):
        return None
    maker = _maker(value)
    if maker.endswith(("._reconstruct", "ndarray")):
        return _array(value.state)
    if maker.endswith("._frombuffer"):
        data, dtype, shape, order = value.args
        return _from_bytes(data, _dtype(dtype), shape, order)
    if maker.endswith(".scalar"):
        dtype, data = value.args
        return _from_bytes(_bytes(data), _dtype(dtype), (), "C")[()]
    if maker.startswith("scipy.sparse."):
        return _sparse(maker, value.state)
    if maker.startswith("chumpy."):
        # a plain chumpy array keeps its numbers under x; computed ones do not, and no model needs those
        return _plain(value.state.get("x")) if isinstance(value.state, dict) else None
    return None


def _maker(record: _Record) -> str:
    """The class of an object, also when the old protocol goes through copy_reg._reconstructor(class, base, state)."""
    if record.name.endswith("._reconstructor"):
        made = record.args[0]
        return made.name if isinstance(made, type) and issubclass(made, _Record) else ""
    return record.name


def _array(state: Any) -> Any:
    _version, shape, dtype, fortran, data = state
    if isinstance(dtype, _Record) and dtype.args[:1] in (("O8",), ("O",)):
        return data[0] if len(data) == 1 and not shape else [_plain(item) for item in data]
    return _from_bytes(_bytes(data), _dtype(dtype), shape, "F" if fortran else "C")


def _from_bytes(data: Any, dtype: np.dtype[Any], shape: Any, order: str) -> NDArray[Any]:
    flat = np.frombuffer(bytes(data), dtype)
    return flat.reshape(tuple(int(size) for size in shape), order="F" if order == "F" else "C")


def _dtype(record: Any) -> np.dtype[Any]:
    """dtype('f8', False, True) with the byte order in its state; numbers only."""
    code = record.args[0] if isinstance(record, _Record) else record
    if not isinstance(code, str) or not re.fullmatch(r"[<>|=]?[biuf][1248]", code):
        raise ValueError(f"dtype {code!r}")
    dtype = np.dtype(code)
    order = record.state[1] if isinstance(record, _Record) and record.state else "="
    return dtype.newbyteorder(">") if order == ">" else dtype


def _bytes(data: Any) -> bytes:
    """Bytes as they are, as Python 2's strings, or as Python 3 writes them for Python 2: encode(text, 'latin1')."""
    if isinstance(data, _Record) and data.name == "_codecs.encode":
        data = data.args[0]
    return data.encode("latin1") if isinstance(data, str) else bytes(data)


def _sparse(maker: str, state: dict[str, Any]) -> NDArray[Any]:
    shape = tuple(int(_plain(size)) for size in state.get("_shape", state.get("shape")) or ())
    data = np.asarray(_plain(state["data"]))
    if "coo" in maker:
        coords = state.get("coords") or (state["row"], state["col"])
        return scipy.sparse.coo_array((data, tuple(_plain(axis) for axis in coords)), shape=shape).toarray()
    kind = scipy.sparse.csc_array if "csc" in maker else scipy.sparse.csr_array
    return kind((data, _plain(state["indices"]), _plain(state["indptr"])), shape=shape).toarray()
