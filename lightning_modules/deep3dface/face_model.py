"""The name of the face model that coefficients belong to, as weights carry it."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["name_as_tensor", "name_of"]

_BYTES = 16


def name_as_tensor(name: str) -> Tensor:
    """The name in ASCII, uint8 (16,), with zeros behind it.

    Raises:
        ValueError: The name is not ASCII or longer than 16 characters.

    Example:
        >>> name_of(name_as_tensor("bfm"))
        'bfm'
    """
    if not name.isascii() or len(name) > _BYTES:
        raise ValueError(f"the name of a face model has at most {_BYTES} ASCII characters, {name!r} does not.")
    return torch.tensor(list(name.encode("ascii").ljust(_BYTES, b"\0")), dtype=torch.uint8)


def name_of(tensor: Tensor) -> str:
    """The name that a tensor from ``name_as_tensor`` holds."""
    return bytes(tensor.tolist()).rstrip(b"\0").decode("ascii", errors="replace")
