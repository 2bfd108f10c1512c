"""The sRGB curve: known values, inverse, gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kornia.color import linear_rgb_to_rgb, rgb_to_linear_rgb

from zoo.imaging import linear_to_srgb, srgb_to_linear


@pytest.mark.parametrize(
    ("encoded", "linear"),
    [(0.0, 0.0), (0.04045, 0.0031308), (0.5, 0.21404114), (0.735357, 0.5), (1.0, 1.0), (10 / 255, 0.00303527)],
)
def test_known_values(encoded: float, linear: float):
    assert float(srgb_to_linear(torch.tensor(encoded))) == pytest.approx(linear, abs=1e-6)
    assert float(linear_to_srgb(torch.tensor(linear))) == pytest.approx(encoded, abs=1e-5)


@settings(deadline=None)
@given(st.floats(-1, 4))
def test_inverse(value: float):
    x = torch.tensor(value, dtype=torch.float64)
    torch.testing.assert_close(linear_to_srgb(srgb_to_linear(x)), x, atol=1e-6, rtol=1e-6)


def test_equals_kornia():
    x = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(srgb_to_linear(x), rgb_to_linear_rgb(x))
    torch.testing.assert_close(linear_to_srgb(x), linear_rgb_to_rgb(x))


@pytest.mark.parametrize("function", [srgb_to_linear, linear_to_srgb])
def test_gradients(function):
    x = torch.tensor([-2.0, -0.06, 0.0, 1e-8, 0.0031308, 0.04045, 1.0, 50.0], requires_grad=True)
    function(x).sum().backward()
    assert torch.isfinite(x.grad).all()
    assert (x.grad > 0).all()
    smooth = torch.tensor([-0.3, 0.001, 0.02, 0.2, 0.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, (smooth,))
