"""The vector of numbers that R-Net gives for a face, cut into its parts and put together again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["GAMMA_BANDS", "Sizes", "join", "split"]

GAMMA_BANDS = 9
"""Spherical-harmonic numbers of light for each of red, green and blue."""


@dataclass(frozen=True)
class Sizes:
    """How many coefficients a face model has; the defaults are the paper's, for the Basel face model.

    Args:
        identity: Of the shape that does not change with the expression.
        expression: Of the expression.
        texture: Of the colour of the skin.
    """

    identity: int = 80
    expression: int = 64
    texture: int = 80

    @property
    def parts(self) -> dict[str, int]:
        """The parts in their official order, with the length of each."""
        return {
            "identity": self.identity,
            "expression": self.expression,
            "texture": self.texture,
            "angles": 3,
            "gamma": 3 * GAMMA_BANDS,
            "translation": 3,
        }

    @property
    def total(self) -> int:
        """The length of the whole vector: 257 for the paper's face model."""
        return sum(self.parts.values())


def split(coefficients: Tensor, sizes: Sizes) -> dict[str, Tensor]:
    """The parts of a vector of coefficients.

    Args:
        coefficients: (B,N) with N = ``sizes.total``.
        sizes: Of the face model.

    Returns:
        identity (B,I), expression (B,E), texture (B,T), angles (B,3) about x, y and z in radians, gamma (B,3,9) with
        the rows red, green, blue, translation (B,3) in decimetres.

    Raises:
        ValueError: The vector is of another length.
    """
    if coefficients.ndim != 2 or coefficients.shape[1] != sizes.total:
        raise ValueError(f"coefficients are {tuple(coefficients.shape)}, wanted are (B,{sizes.total}).")
    pieces = coefficients.split(list(sizes.parts.values()), dim=1)
    parts = dict(zip(sizes.parts, pieces, strict=True))
    parts["gamma"] = parts["gamma"].unflatten(1, (3, GAMMA_BANDS))
    return parts


def join(parts: Mapping[str, Tensor]) -> Tensor:
    """The vector of coefficients (B,N) of the parts that ``split`` gives; further keys do not matter."""
    return torch.cat([parts[name].flatten(1) for name in Sizes().parts], dim=1)
