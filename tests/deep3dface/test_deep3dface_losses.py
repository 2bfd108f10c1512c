"""Loss terms against the authors' code, and what they must do where the authors have nothing to compare with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden import Golden, load_golden
from torch import Tensor

from lightning_modules.deep3dface.losses import (
    coefficient_loss,
    gamma_loss,
    landmark_loss,
    perceptual_loss,
    photometric_loss,
    reflectance_loss,
)


@pytest.fixture(scope="module")
def golden(shared: Path) -> Golden:
    return load_golden(shared, "deep3d_losses")


def normal(golden: Golden, **shapes: tuple[int, ...]) -> list[Tensor]:
    state = golden.rule.golden_state(shapes, golden.meta["seed"], (), {"*": (0, 1)})
    return [torch.from_numpy(state[name]) for name in shapes]


def assert_value(golden: Golden, name: str, value: Tensor) -> None:
    torch.testing.assert_close(value, torch.from_numpy(golden.arrays[f"out.{name}"])[0], rtol=2e-6, atol=1e-6)


def test_photometric(golden: Golden) -> None:
    shape = (2, 3, 32, 40)
    mask = golden.input((2, 1, 32, 40), "mask") > 0.4
    value = photometric_loss(golden.input(shape, "imageA"), golden.input(shape, "imageB"), mask.float())
    assert_value(golden, "photo", value)


def test_landmark(golden: Golden) -> None:
    predicted, true = (224 * golden.input((2, 68, 2), name) for name in ("lm_pred", "lm_true"))
    assert_value(golden, "landmark", landmark_loss(predicted, true))
    torch.testing.assert_close(landmark_loss(predicted / 2, true / 2, size=112), landmark_loss(predicted, true))


def test_perceptual(golden: Golden) -> None:
    ours, theirs = normal(golden, fa=(2, 512), fb=(2, 512))
    assert_value(golden, "perceptual", perceptual_loss(ours, theirs))  # the authors' have length 1


def test_coefficient(golden: Golden) -> None:
    assert_value(golden, "coefficient", coefficient_loss(*normal(golden, id=(2, 80), exp=(2, 64), tex=(2, 80))))


def test_gamma(golden: Golden) -> None:
    (gamma,) = normal(golden, gamma=(2, 27))
    assert_value(golden, "gamma", gamma_loss(gamma.unflatten(1, (3, 9))))


def test_reflectance(golden: Golden) -> None:
    skin = golden.input((100,), "skin") > 0.3
    assert_value(golden, "reflectance", reflectance_loss(golden.input((2, 100, 3), "texture"), skin))


def test_nose_and_inner_lips_count_twenty_times() -> None:
    true = torch.zeros(1, 68, 2)

    def moved(index: int) -> float:
        predicted = true.clone()
        predicted[0, index, 0] = 3.0
        return float(landmark_loss(predicted, true)) * 68 / 9

    heavy = {28, 29, 30, *range(60, 68)}
    for index in range(68):
        assert moved(index) == pytest.approx(20.0 if index in heavy else 1.0)


def test_nothing_to_compare_costs_nothing() -> None:
    """A face outside the picture leaves an empty mask; a model without skin, no vertices."""
    a, b = torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4)
    assert photometric_loss(a, b, torch.zeros(1, 1, 4, 4)) == 0
    assert reflectance_loss(torch.rand(1, 5, 3), torch.zeros(5, dtype=torch.bool)) == 0


def test_equal_pictures_have_a_finite_gradient() -> None:
    image = torch.rand(1, 3, 4, 4)
    rendered = image.clone().requires_grad_()
    photometric_loss(rendered, image, torch.ones(1, 1, 4, 4)).backward()
    assert rendered.grad is not None
    assert rendered.grad.isfinite().all()


def test_the_mask_gets_no_gradient() -> None:
    """Else a face would shrink to have fewer pixels that differ."""
    mask = torch.rand(1, 1, 4, 4, requires_grad=True)
    rendered = torch.rand(1, 3, 4, 4, requires_grad=True)
    photometric_loss(rendered, torch.rand(1, 3, 4, 4), mask).backward()
    assert mask.grad is None


def test_blend_shapes_are_pulled_into_their_range() -> None:
    none = torch.zeros(1, 3)

    def cost(value: float) -> float:
        return float(coefficient_loss(none, torch.tensor([[value, 0.0]]), none, "unit"))

    assert cost(0.0) == 0
    assert cost(0.25) == pytest.approx(0.8)
    assert cost(-0.05) == pytest.approx(0.8 * (0.04 + 1.0))
    assert cost(1.1) == pytest.approx(0.8 * (4.4**2 + 4.0), rel=1e-5)
