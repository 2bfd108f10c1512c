"""The losses of the paper against answers by hand."""

from __future__ import annotations

import math

import pytest
import torch

from lightning_modules.intrinseg.losses import class_loss, layer_loss, least_squares_scale
from zoo.contract import IGNORE

MASK = torch.ones(1, 1, 1, 2)


def layer(*values: float) -> torch.Tensor:
    """One picture of one row in one channel."""
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, -1)


def test_known_answer() -> None:
    """J = (1, 2), J^ = (2, 2): alpha = 6/5, the rest is (0.64 + 0.16) / 2 with it and 1 / 2 without."""
    value, target = layer(1, 2), layer(2, 2)
    assert least_squares_scale(value, target, MASK).item() == pytest.approx(1.2)
    assert layer_loss(value, target, MASK).item() == pytest.approx(0.95 * 0.4 + 0.05 * 0.5)
    assert layer_loss(value, target, MASK, gamma_smse=0, gamma_mse=2).item() == pytest.approx(1)


def test_channels_are_summed_and_pixels_averaged() -> None:
    """Three channels that are off by 0.1 on both of two pixels: 3 x 0.01 each."""
    target = torch.rand(1, 3, 1, 2)
    assert layer_loss(target + 0.1, target, MASK, 0, 1).item() == pytest.approx(0.03)


def test_scale_is_of_each_picture_and_channel() -> None:
    target = torch.rand(2, 3, 4, 4) + 0.1
    factors = torch.tensor([[0.2, 1, 4], [5, 0.5, 2]]).reshape(2, 3, 1, 1)
    mask = torch.ones(2, 1, 4, 4)
    torch.testing.assert_close(least_squares_scale(target / factors, target, mask), factors)
    assert layer_loss(target / factors, target, mask, 1, 0).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("value", "scale"), [(1e-3, 10.0), (1e3, 0.1), (0.0, 1.0), (-1.0, 0.1)])
def test_limits_of_the_scale(value: float, scale: float) -> None:
    """0 everywhere has no best scale; the release of the base network takes 1."""
    assert least_squares_scale(layer(value, value), layer(1, 1), MASK).item() == pytest.approx(scale)


def test_only_the_mask_counts() -> None:
    value, target = layer(1, 2, 9), layer(2, 2, -7)
    mask = layer(1, 1, 0)
    assert layer_loss(value, target, mask).item() == pytest.approx(layer_loss(layer(1, 2), layer(2, 2), MASK).item())
    assert layer_loss(value, target, 0 * mask).item() == 0


def test_grey_and_coloured_shading() -> None:
    grey, coloured = layer(2, 4), torch.tensor([[[[1.0, 3]], [[2, 4]], [[3, 5]]]])
    assert layer_loss(grey, coloured, MASK).item() == pytest.approx(0)  # the mean of the colours
    assert layer_loss(coloured, grey, MASK, 0, 1).item() == pytest.approx(2)  # 1 + 0 + 1 on each pixel


def test_gradient_ignores_the_scale_rightly() -> None:
    """The scale is held fixed in the gradient, and still it is the loss's own, as differences show."""
    torch.manual_seed(0)
    target, mask = torch.rand(1, 2, 3, 3).double(), torch.ones(1, 1, 3, 3).double()
    value = torch.rand(1, 2, 3, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: layer_loss(x, target, mask), value)


def test_cross_entropy() -> None:
    score = torch.zeros(1, 4, 1, 3)
    score[0, 2, 0, 0] = math.log(3)  # p = 3 / 6
    labels = torch.tensor([[[2, 1, IGNORE]]])
    assert class_loss(score, labels).item() == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert class_loss(score, torch.full_like(labels, IGNORE)).item() == 0
