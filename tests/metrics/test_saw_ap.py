"""SAW's average precision against a loop over thresholds and pixels, and against answers by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor

from zoo.metrics import SAWAveragePrecision


def precision_area(shading: Tensor, labels: Tensor, image: Tensor | None = None, **options: Any) -> float:
    metric = SAWAveragePrecision(challenge=image is not None, **options)
    metric.update(shading, labels, image)
    return metric.compute().item()


def step(ratio: float) -> tuple[Tensor, Tensor]:
    """Light of 1 on the left and 1 / ratio on the right, 40 pixels; 4 labelled columns at the edge, 2 smooth ones."""
    shading, labels = torch.ones(1, 1, 20, 40), torch.full((1, 20, 40), 255)
    shading[..., 20:] = 1 / ratio
    labels[..., 18:22], labels[..., 2:4] = 1, 2
    return shading, labels


def test_a_step_is_found_by_hand() -> None:
    """The labelled edge lies wholly within the filter's reach of the step, and smooth pixels have no gradient.

    Recall is 1 (but for 1e-5 of weight 2) at all thresholds; precision is 1 below the gradient and 2/3 above it. The
    area is that of (0, p1) to (1, p1) and then, at recall 1, a fall to 0.5.
    """
    assert precision_area(*step(20.0)) == pytest.approx(100, abs=0.01)


def test_flat_light_calls_everything_smooth() -> None:
    """Weights 1 (shadow edge) and 2 (smooth): precision is 2/3 everywhere, label 0 has no pixel."""
    _, labels = step(1.0)
    assert precision_area(torch.ones(1, 1, 20, 40), labels) == pytest.approx(200 / 3, abs=0.01)
    labels[:, :, 30] = 0
    assert precision_area(torch.ones(1, 1, 20, 40), labels) == pytest.approx(50, abs=0.01)


def test_smooth_pixels_are_judged_by_their_own_gradient_and_edges_by_the_largest_near_them() -> None:
    """Three pixels from a step of shading nothing changes: smooth is right there, and so is an edge."""
    shading, labels = step(20.0)
    labels[:] = 255
    labels[:, :, 16], labels[:, :, 23] = 2, 1
    assert precision_area(shading, labels) == pytest.approx(100, abs=0.01)
    labels[:, :, 12] = 0  # beyond the reach of the 10 x 10 filter, which looks 5 pixels to the left and 4 to the right
    assert precision_area(shading, labels) < 70


def test_where_nothing_is_labelled_there_is_no_figure() -> None:
    shading, labels = step(20.0)
    metric = SAWAveragePrecision()
    metric.update(shading, torch.full_like(labels, 255))
    assert math.isnan(metric.compute().item())
    metric.update(shading, labels)
    assert metric.compute().item() == pytest.approx(precision_area(shading, labels))


def random_case(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shading = torch.rand(2, 1, 14, 17, generator=generator).mul(2).exp()
    shading[..., :11] = 2.0
    labels = torch.randint(0, 4, (2, 14, 17), generator=generator)
    labels[labels == 3] = 255
    return shading, labels, torch.rand(2, 3, 14, 17, generator=generator)


def by_loops(shading: Tensor, labels: Tensor, image: Tensor | None) -> float:
    """The protocol written down as slowly as it reads."""
    thresholds = sorted([*np.linspace(1.001, 1.5, 200), *np.linspace(1.501, 64, 200)])
    counts = np.zeros((400, 3, 2), dtype=int)
    for b in range(len(shading)):
        log = np.log(np.maximum(shading[b, 0].double().numpy() ** (1 / 2.2), 1e-4))
        g = np.hypot(ndimage.sobel(log, 0), ndimage.sobel(log, 1))
        padded = np.pad(g, 5, mode="symmetric")
        g_max = np.array([[padded[y : y + 10, x : x + 10].max() for x in range(17)] for y in range(14)])
        truth = labels[b].numpy()
        weight = np.ones_like(g)
        if image is not None:
            grey = image[b].double().numpy().mean(0)
            slope = np.hypot(ndimage.sobel(grey, 0), ndimage.sobel(grey, 1))
            regions, number = ndimage.label(truth == 2)
            for region in range(1, number + 1):
                weight[regions == region] = slope[regions == region].mean()
        for i, t in enumerate(np.log(thresholds)):
            for label in range(3):
                smooth = (g if label == 2 else g_max)[truth == label] < t
                w = weight[truth == label] if label == 2 else np.ones(len(smooth))
                counts[i, label] += [int(w[~smooth].sum()), int(w[smooth].sum())]
    weighted = counts * (np.array([1, 1, 2]) / (counts.sum(2) + 1e-5))[..., None]
    precision = weighted[:, 2, 1] / (weighted[:, :, 1].sum(1) + 1e-5)
    recall = weighted[:, 2, 1] / (weighted[:, 2].sum(1) + 1e-5)
    xs, ys = [0, *recall, 1], [precision[0], *precision, 0.5]
    return 100 * sum((xs[i + 1] - xs[i]) * (ys[i] + ys[i + 1]) / 2 for i in range(len(xs) - 1))


@pytest.mark.parametrize("challenge", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_equal_to_a_loop(seed: int, challenge: bool) -> None:
    shading, labels, image = random_case(seed)
    expected = by_loops(shading, labels, image if challenge else None)
    assert 40 < expected < 90
    assert precision_area(shading, labels, image if challenge else None) == pytest.approx(expected, rel=1e-4)


def test_the_challenge_cuts_its_sums_off() -> None:
    """A smooth region of 10 pixels whose mean gradient is 0.05 weighs half a pixel, which is none."""
    shading, labels = step(20.0)
    labels[labels == 2] = 255
    labels[0, 5:15, 3] = 2
    ramp = (torch.arange(40) * 0.05 / 8).expand(1, 3, 20, 40)  # Sobel's weights along x sum to 8
    weak = SAWAveragePrecision(challenge=True)
    weak.update(shading, labels, ramp)
    assert weak.counts[:, 2].sum() == 0
    weak.update(shading, labels, 2.5 * ramp)  # 10 pixels of 0.125
    assert weak.counts[:, 2].sum(1).unique().tolist() == [1]
    with pytest.raises(ValueError, match="image"):
        SAWAveragePrecision(challenge=True).update(shading, labels)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.5, 10), st.integers(0, 2**31))
def test_brightness_does_not_matter(scale: float, seed: int) -> None:
    shading, labels, _ = random_case(seed)
    assert precision_area(scale * shading, labels) == pytest.approx(precision_area(shading, labels), rel=1e-3)


def test_small_predictions_are_resized_and_colours_are_averaged() -> None:
    shading, labels = step(20.0)
    assert precision_area(shading[..., ::2, ::2], labels) == pytest.approx(100, abs=0.1)
    assert precision_area(shading.expand(-1, 3, -1, -1), labels) == pytest.approx(precision_area(shading, labels))
    with pytest.raises(ValueError, match="space"):
        precision_area(shading, labels, space="srgb")


@pytest.mark.parametrize("challenge", [False, True])
def test_labels_of_several_sizes_are_a_list(challenge: bool) -> None:
    """Each prediction is resized to its own labels, as one by one."""
    shading, labels, image = random_case(7)
    small, large = ([value[:1, ..., :10, :12] for value in (labels, image)], [labels[1:], image[1:]])
    alone, together = (SAWAveragePrecision(challenge=challenge) for _ in range(2))
    for i, (own, picture) in enumerate((small, large)):
        alone.update(shading[i : i + 1], own, picture)
    together.update(shading, [small[0][0], large[0][0]], [small[1][0], large[1][0]])
    assert torch.equal(alone.counts, together.counts)
    assert alone.counts.any()
