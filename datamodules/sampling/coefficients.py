"""Who is in the picture, and what the face does."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.sampling.draws import Draws
from zoo.morphable import MorphableModel

__all__ = ["draw_expression", "draw_identity", "draw_texture"]


def draw_identity(draws: Draws, model: MorphableModel) -> Tensor:
    """Coefficients ``(B, n_identity)``, standard normal up to 2.5."""
    return _tensor(draws.normal("identity", model.n_identity, limit=2.5))


def draw_texture(draws: Draws, model: MorphableModel) -> Tensor:
    """Coefficients ``(B, n_texture)``, standard normal up to 2.5."""
    return _tensor(draws.normal("texture", model.n_texture, limit=2.5))


def draw_expression(draws: Draws, model: MorphableModel) -> Tensor:
    """Coefficients ``(B, n_expression)``: from a neutral face to a full one.

    Where the model has a normal prior: standard normal up to 2.5, times a strength of 0 to 1 of the whole face.
    Where it has blend shapes: each is at work with a chance of one in eight, mostly weakly.
    """
    strength = draws.uniform("expression strength")[:, None]
    if model.expression_prior == "unit":
        at_work = draws.chance("expression at work", 0.125, model.n_expression)
        return _tensor(np.where(at_work, draws.uniform("expression", model.n_expression) ** 1.5, 0.0) * strength)
    return _tensor(strength * draws.normal("expression", model.n_expression, limit=2.5))


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values).float()
