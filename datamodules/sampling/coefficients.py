"""Who is in the picture, and what the face does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.sampling.draws import Draws
from zoo.morphable import MorphableModel

__all__ = ["draw_expression", "draw_identity", "draw_texture"]

_SMILE = {
    "mouthSmile": (1.0, 0.0), "cheekSquint": (0.6, 0.0), "eyeSquint": (0.3, 0.0), "mouthDimple": (0.2, 0.0),
    "mouthStretch": (0.0, 0.3), "mouthUpperUp": (0.0, 0.5), "mouthLowerDown": (0.0, 0.4), "jawOpen": (0.0, 0.3),
}  # fmt: skip
"""Blend shapes of a smile: weight at full strength, and what is added where the teeth show fully."""


def draw_identity(draws: Draws, model: MorphableModel) -> Tensor:
    """Coefficients ``(B, n_identity)``, standard normal up to 2.5."""
    return _tensor(draws.normal("identity", model.n_identity, limit=2.5))


def draw_texture(draws: Draws, model: MorphableModel) -> Tensor:
    """Coefficients ``(B, n_texture)``, standard normal up to 2.5."""
    return _tensor(draws.normal("texture", model.n_texture, limit=2.5))


def draw_expression(draws: Draws, model: MorphableModel) -> Tensor:
    """Coefficients ``(B, n_expression)``: from a neutral face to a full one.

    Where the model has a normal prior: standard normal up to 2.5, times a strength of 0 to 1 of the whole face.
    Where it has blend shapes: each is at work with a chance of one in eight, mostly weakly; and every third face
    smiles at the camera besides, as people in photographs do, half of them with their teeth.
    """
    strength = draws.uniform("expression strength")[:, None]
    if model.expression_prior == "unit":
        at_work = draws.chance("expression at work", 0.125, model.n_expression)
        weights = np.where(at_work, draws.uniform("expression", model.n_expression) ** 1.5, 0.0) * strength
        return _tensor(np.maximum(weights, _smile(draws, model.data.expression_names)))
    return _tensor(strength * draws.normal("expression", model.n_expression, limit=2.5))


def _smile(draws: Draws, names: Sequence[str]) -> NDArray[np.float64]:
    """Weights ``(B, len(names))`` of a smile in a third of the samples; 0 in the others, and without names."""
    weights = np.zeros((len(draws), len(names)))
    strength = draws.between("smile", 0.3, 1.0) * draws.chance("smiles", 0.35)
    teeth = draws.uniform("smile with teeth") * draws.chance("shows teeth", 0.5)
    uneven = 1 + 0.12 * draws.normal("uneven smile", 2, limit=2)
    for index, name in enumerate(names):
        action, _, side = name.partition("_")
        share, opening = _SMILE.get(action, (0.0, 0.0))
        weights[:, index] = strength * (share + opening * teeth) * (uneven[:, int(side == "R")] if side else 1)
    return weights.clip(0, 1)


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values).float()
