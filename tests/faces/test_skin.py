"""The probability of skin: the authors' attention, known values, and colours far from everything."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden import load_golden

from zoo.faces.skin import skin_probability


def colour(*rgb: float) -> torch.Tensor:
    return torch.tensor(rgb).view(1, 3, 1, 1) / 255


@pytest.mark.parametrize(
    ("rgb", "probability"),
    [
        ((220, 170, 140), 0.989022),
        ((120, 80, 60), 0.972537),
        ((128, 128, 128), 0.013651),
        ((255, 255, 255), 0.187622),
        ((40, 120, 200), 0.0),
    ],
)
def test_known_values(rgb: tuple[float, float, float], probability: float) -> None:
    assert abs(float(skin_probability(colour(*rgb))) - probability) < 2e-6


def test_is_the_authors_attention(shared: Path) -> None:
    golden = load_golden(shared, "deep3d_losses")
    image = torch.from_numpy(golden.arrays["in.skin_image"]).flip(-1).movedim(-1, 0)[None] / 255  # they have BGR
    theirs = torch.from_numpy(golden.arrays["out.skin_attention_0_255"])
    assert (255 * skin_probability(image)[0, 0] - theirs).abs().max() <= 0.5  # they round
    wrong = 255 * skin_probability(image.flip(1))[0, 0]
    assert (wrong - theirs).abs().max() > 100


def test_every_colour_has_a_probability() -> None:
    """Pure blue is so far from all Gaussians that their densities are 0 in single precision."""
    steps = torch.linspace(0, 1, 9)
    image = torch.cartesian_prod(steps, steps, steps).T.reshape(1, 3, 27, 27)
    probability = skin_probability(image)
    assert probability.shape == (1, 1, 27, 27)
    assert probability.isfinite().all()
    assert probability.min() >= 0
    assert probability.max() <= 1
    exact = skin_probability(image.double())
    assert exact.dtype == torch.float64
    assert (probability - exact).abs().max() < 1e-4


def test_pictures_of_a_batch_do_not_mix() -> None:
    image = torch.rand(3, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    together = skin_probability(image)
    torch.testing.assert_close(together, torch.cat([skin_probability(one[None]) for one in image]))
