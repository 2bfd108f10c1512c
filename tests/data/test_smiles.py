"""A third of the faces smile at the camera, where the face model has blend shapes with names."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from datamodules.sampling.coefficients import draw_expression
from datamodules.sampling.draws import Draws

NAMES = ("browDown_L", "mouthSmile_L", "mouthSmile_R", "mouthUpperUp_L", "jawOpen")


def model(names: tuple[str, ...] = NAMES) -> SimpleNamespace:
    data = SimpleNamespace(expression_names=names)
    return SimpleNamespace(expression_prior="unit", n_expression=5, data=data)


def test_a_third_smiles_on_both_sides() -> None:
    draws = Draws(0, "train", range(600))
    weights = draw_expression(draws, model())
    plain = draw_expression(draws, model(("a", "b", "c", "d", "e")))
    left, right = weights[:, 1], weights[:, 2]
    smiling = (left > 0.25) & (right > 0.25)
    assert 0.3 < smiling.float().mean() < 0.42
    assert float((left - right)[smiling].abs().mean()) < 0.15
    torch.testing.assert_close(weights[:, 0], plain[:, 0])  # a brow has no part in it
    assert bool((weights >= plain).all())
    assert weights.min() >= 0
    assert weights.max() <= 1


def test_some_show_their_teeth_and_some_do_not() -> None:
    weights = draw_expression(Draws(0, "train", range(600)), model())
    smiling = (weights[:, 1] > 0.25) & (weights[:, 2] > 0.25)
    teeth = weights[smiling, 3] > 0.05
    assert 0.3 < teeth.float().mean() < 0.7


def test_faces_are_mostly_even_and_their_eyes_turn_together() -> None:
    actions = ("browDown", "eyeBlink", "eyeLookUp", "eyeLookDown", "eyeLookIn", "eyeLookOut", "mouthLowerDown")
    names = (*(f"{action}_{side}" for action in actions for side in "LR"), "jawOpen")
    named = SimpleNamespace(
        expression_prior="unit", n_expression=len(names), data=SimpleNamespace(expression_names=names)
    )
    weights = draw_expression(Draws(0, "train", range(600)), named)
    left, right = weights[:, 0:-1:2], weights[:, 1:-1:2]
    halves = (left - right).abs()[:, [0, 1, 2, 3, 6]].amax(1)
    assert 0.85 < (halves < 0.2).float().mean() < 0.99  # and some faces are odd
    together = ((left[:, 4] - right[:, 5]).abs() + (left[:, 5] - right[:, 4]).abs()) < 1e-6
    assert together.float().mean() > 0.85
    for action in range(len(actions)):
        assert left[:, action].max() > 0.4  # all of them are at work at times
