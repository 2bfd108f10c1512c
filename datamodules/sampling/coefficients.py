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

Array = NDArray[np.float64]

_SMILE = {
    "mouthSmile": (1.0, 0.0), "cheekSquint": (0.6, 0.0), "eyeSquint": (0.3, 0.0), "mouthDimple": (0.2, 0.0),
    "mouthStretch": (0.0, 0.3), "mouthUpperUp": (0.0, 0.5), "mouthLowerDown": (0.0, 0.4), "jawOpen": (0.0, 0.3),
}  # fmt: skip
"""Blend shapes of a smile: weight at full strength, and what is added where the teeth show fully."""

_MOODS = (
    (0.17, {"jawOpen": 0.35, "mouthLowerDown": 0.35, "mouthUpperUp": 0.2}),
    (0.07, {"jawOpen": 0.25, "mouthFunnel": 0.6, "mouthPucker": 0.3}),
    (0.05, {"mouthStretch": 0.35, "jawOpen": 0.2, "mouthLowerDown": 0.5}),
    (0.08, {"browInnerUp": 0.8, "browOuterUp": 0.7, "eyeWide": 0.6, "jawOpen": 0.45, "mouthFunnel": 0.15}),
    (0.07, {"browDown": 0.8, "eyeSquint": 0.4, "mouthPress": 0.5, "noseSneer": 0.2, "mouthFrown": 0.2}),
    (0.04, {"browInnerUp": 0.7, "mouthFrown": 0.5, "mouthShrugLower": 0.3, "eyeSquint": 0.2}),
    (0.04, {"mouthPress": 0.6, "mouthDimple": 0.4, "mouthRollLower": 0.3}),
    (0.03, {"jawOpen": 0.9, "mouthLowerDown": 0.4, "browInnerUp": 0.3}),
)
"""Chances of moods other than a smile, and the blend shapes that make them: three of talk, surprise, anger, sorrow,
lips pressed together, a shout. Both halves of a pair are as strong."""

_GAZES = (("eyeLookUp_L", "eyeLookUp_R"), ("eyeLookDown_L", "eyeLookDown_R"),
          ("eyeLookIn_L", "eyeLookOut_R"), ("eyeLookOut_L", "eyeLookIn_R"))  # fmt: skip
"""Up, down, to one side and to the other: blend shapes that turn both eyes together."""


def draw_identity(draws: Draws, model: MorphableModel) -> Tensor:
    """Coefficients ``(B, n_identity)``, standard normal up to 2.5."""
    return _tensor(draws.normal("identity", model.n_identity, limit=2.5))


def draw_texture(draws: Draws, model: MorphableModel) -> Tensor:
    """Coefficients ``(B, n_texture)``, standard normal up to 2.5."""
    return _tensor(draws.normal("texture", model.n_texture, limit=2.5))


def draw_expression(draws: Draws, model: MorphableModel) -> Tensor:
    """Coefficients ``(B, n_expression)``: from a neutral face to a full one.

    Where the model has a normal prior: standard normal up to 2.5, times a strength of 0 to 1 of the whole face.
    Where it has blend shapes, faces do what people do in photographs: a third smiles at the camera, half of these with
    their teeth; others talk, are surprised, angry or sad, or rest; eyes look aside together, some are closed. Every
    shape is at work weakly in one face in ten besides, alike on both sides. One face in ten, and all faces of a model
    whose shapes have no names that are known here, draw each shape by itself, with a chance of one in eight.
    """
    strength = draws.uniform("expression strength")[:, None]
    if model.expression_prior != "unit":
        return _tensor(strength * draws.normal("expression", model.n_expression, limit=2.5))
    names = model.data.expression_names
    at_work = draws.chance("expression at work", 0.125, model.n_expression)
    size = draws.uniform("expression", model.n_expression) ** 1.5
    odd = draws.chance("odd expression", 0.1)[:, None] | (not set(names) & set(_GAZES[0]))
    habit = 0.35 * size * draws.chance("habit", 0.1, model.n_expression)
    mixed = np.where(odd, at_work * size * strength, np.maximum(_even(habit, names), _mood(draws, names)))
    looks = np.where(odd, 0.0, _eyes(draws, names))
    turned = [k for k, name in enumerate(names) if name.startswith("eyeLook")]
    # eyes that turn by chance, each by itself, squint inwards or apart
    mixed[:, turned] = np.where(odd, mixed[:, turned], 0.0)
    return _tensor(np.maximum(np.maximum(mixed, looks), _smile(draws, names)))


def _smile(draws: Draws, names: Sequence[str]) -> Array:
    """Weights ``(B, len(names))`` of a smile in a third of the samples; 0 in the others, and without names."""
    strength = draws.between("smile", 0.3, 1.0) * draws.chance("smiles", 0.35)
    teeth = draws.uniform("smile with teeth") * draws.chance("shows teeth", 0.5)
    uneven = 1 + 0.12 * draws.normal("uneven smile", 2, limit=2)
    weights = np.zeros((len(draws), len(names)))
    for index, name in enumerate(names):
        action, _, side = name.partition("_")
        share, opening = _SMILE.get(action, (0.0, 0.0))
        weights[:, index] = strength * (share + opening * teeth) * (uneven[:, int(side == "R")] if side else 1)
    return weights.clip(0, 1)


def _mood(draws: Draws, names: Sequence[str]) -> Array:
    """Weights ``(B, len(names))`` of one of ``_MOODS``, or of none; not where there is a smile."""
    chances = np.cumsum([0.0, *(chance for chance, _ in _MOODS)])
    pick = draws.uniform("mood")
    strength = draws.between("strength of the mood", 0.2, 1.0) * ~draws.chance("smiles", 0.35)
    # each shape takes part more or less, a little unevenly
    share = draws.between("share in the mood", 0.4, 1.2, len(names))
    uneven = 1 + 0.08 * draws.normal("uneven mood", len(names), limit=2)
    weights = np.zeros((len(draws), len(names)))
    for first, last, (_, shapes) in zip(chances[:-1], chances[1:], _MOODS, strict=True):
        here = (pick >= first) & (pick < last)
        full = np.array([shapes.get(name.partition("_")[0], 0.0) for name in names])
        weights += np.where(here, strength, 0.0)[:, None] * full
    return np.asarray((weights * _even(share, names) * uneven).clip(0, 1))


def _eyes(draws: Draws, names: Sequence[str]) -> Array:
    """Weights ``(B, len(names))``: half of the people look past the camera, one in fifteen blinks."""
    column = {name: k for k, name in enumerate(names)}
    weights = np.zeros((len(draws), len(names)))
    away = np.clip(0.35 * draws.normal("gaze", 2, limit=2.5), -1, 1) * draws.chance("looks away", 0.5)[:, None]
    sizes = (away[:, 0], -away[:, 0], away[:, 1], -away[:, 1])
    for pair, size in zip(_GAZES, sizes, strict=True):
        for name in pair:
            if name in column:
                weights[:, column[name]] = size.clip(0, 1)
    blink = draws.between("blink", 0.3, 1.0) * draws.chance("blinks", 0.065)
    for name in ("eyeBlink_L", "eyeBlink_R"):
        if name in column:
            weights[:, column[name]] = blink
    return weights


def _even(values: Array, names: Sequence[str]) -> Array:
    """Values ``(B, len(names))`` with those of each right half replaced by those of its left half."""
    column = {name: k for k, name in enumerate(names)}
    source = [column.get(f"{name[:-2]}_L", k) if name.endswith("_R") else k for k, name in enumerate(names)]
    return values[:, source] if names else values


def _tensor(values: Array) -> Tensor:
    return torch.from_numpy(values).float()
