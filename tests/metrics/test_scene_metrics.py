"""LMSE, si-LMSE, DSSIM and the measures of segmentation: answers by hand, loops, and what must not change them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import multiclass_jaccard_index

from zoo.metrics import (
    DSSIM,
    LMSE,
    ClassAccuracy,
    MeanIoU,
    PixelAccuracy,
    ScaleInvariantLMSE,
    ScaleInvariantMSE,
)

LOCAL: list[Callable[[], Metric]] = [lambda: LMSE(4), lambda: LMSE(4, "barron"), ScaleInvariantLMSE, DSSIM]


def value(metric: Metric, *arguments: Tensor) -> float:
    metric.update(*arguments)
    return float(metric.compute())


def layers(seed: int = 0, height: int = 23, width: int = 31) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, y = 0.05 + torch.rand(2, 2, 3, height, width, generator=generator)
    return x, y, (torch.rand(2, 1, height, width, generator=generator) > 0.3).float()


def best(x: np.ndarray, y: np.ndarray, floor: float = 0.0) -> np.ndarray:
    """x at its best scale."""
    return x * ((x * y).sum() / (x * x).sum() if (x * x).sum() > floor else 0.0)


def test_lmse_by_hand() -> None:
    """Two windows of two columns: flat truth is met exactly, the other leaves 3 of 24."""
    truth = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 3.0]]).reshape(1, 1, 2, 4)
    metric = LMSE(2)
    assert value(metric, torch.ones(1, 1, 2, 4), truth) == pytest.approx(3 / (4 + 4 + 12))  # three windows at step 1
    mask = torch.ones(1, 1, 2, 4)
    mask[..., 1, 3] = 0
    assert value(LMSE(2), torch.ones(1, 1, 2, 4), truth, mask) == pytest.approx(0)
    assert value(LMSE(2), torch.zeros(1, 1, 2, 4), truth) == pytest.approx(1)
    with pytest.raises(ValueError, match="no window"):
        LMSE().update(truth, truth)
    with pytest.raises(ValueError, match="variant"):
        LMSE(variant="other")  # type: ignore[arg-type]


def test_lmse_equals_a_loop() -> None:
    x, y, mask = layers()
    expected = []
    for b in range(2):
        m, p, t = mask[b, 0].double().numpy(), x[b].double().mean(0).numpy(), y[b].double().mean(0).numpy()
        error = energy = 0.0
        for i in range(0, 23 - 6 + 1, 3):
            for j in range(0, 31 - 6 + 1, 3):
                w = np.s_[i : i + 6, j : j + 6]
                error += ((best((m * p)[w], (m * t)[w], 1e-5) - (m * t)[w]) ** 2).sum()
                energy += ((m * t)[w] ** 2).sum()
        expected.append(error / energy)
    assert value(LMSE(6), x, y, mask) == pytest.approx(np.mean(expected), rel=1e-5)


def test_barrons_variant_equals_a_loop() -> None:
    x, y, mask = layers()
    expected = []
    for b in range(2):
        ratios = []
        for c in range(3):
            error = energy = 0.0
            p, t = (mask[b, 0] * x[b, c]).double().numpy(), (mask[b, 0] * y[b, c]).double().numpy()
            for top in (0, 2):
                for left in (0, 2):
                    for i in range(top, 23, 6):
                        for j in range(left, 31, 6):
                            w = np.s_[i : i + 6, j : j + 6]
                            error += ((best(p[w], t[w]) - t[w]) ** 2).sum()
                            energy += (t[w] ** 2).sum()
            ratios.append(error / energy)
        expected.append(np.mean(ratios))
    assert value(LMSE(6, "barron"), x, y, mask) == pytest.approx(math.sqrt(expected[0] * expected[1]), rel=1e-5)


def test_si_lmse_equals_a_loop() -> None:
    """31 pixels: windows of 3 at steps of 2 (1.5, halves up), starting before the last two rows and columns."""
    x, y, mask = layers()
    for clip in (None, 1.0):
        expected = []
        for b in range(2):
            errors = []
            for i in range(0, 23 - 2, 2):
                for j in range(0, 31 - 2, 2):
                    w = np.s_[:, i : i + 3, j : j + 3]
                    m = np.broadcast_to(mask[b].double().numpy(), (3, 23, 31))[w] > 0.5
                    p, t = x[b].double().numpy()[w][m], y[b].double().numpy()[w][m]
                    if m.any():
                        errors.append(((np.minimum(best(p, t), clip or math.inf) - t) ** 2).mean())
            expected.append(np.mean(errors))
        assert value(ScaleInvariantLMSE(clip), x, y, mask) == pytest.approx(np.mean(expected), rel=1e-5)


def test_si_lmse_by_hand() -> None:
    """One row of 20: windows of 2 at steps of 1; only the window over the jump has an error, 1 after alpha 2."""
    truth = torch.ones(1, 1, 1, 20)
    truth[..., 9:] = 3.0
    assert value(ScaleInvariantLMSE(), torch.ones_like(truth), truth) == pytest.approx(1 / 19)


def test_the_scaled_prediction_may_be_cut_off() -> None:
    """x = (1, 3), y = (0, 1): alpha is 0.3, which leaves 0.3 and -0.1; a limit of 0.5 makes the second -0.5."""
    x, y = (torch.tensor(v).reshape(1, 1, 1, 2) for v in ([1.0, 3.0], [0.0, 1.0]))
    assert value(ScaleInvariantMSE(), x, y) == pytest.approx((0.3**2 + 0.1**2) / 2)
    assert value(ScaleInvariantMSE(clip=0.5), x, y) == pytest.approx((0.3**2 + 0.5**2) / 2)


def test_dssim_by_hand() -> None:
    """Constant channels of 1 and 3 for a prediction of 1: alpha is 2, and only means differ, with c = 1e-4."""
    truth = torch.tensor([1.0, 3.0]).reshape(1, 2, 1, 1).expand(1, 2, 12, 12)
    one, three = (2 * 2 * 1 + 1e-4) / (4 + 1 + 1e-4), (2 * 2 * 3 + 1e-4) / (4 + 9 + 1e-4)
    assert value(DSSIM(), torch.ones_like(truth), truth) == pytest.approx((1 - (one + three) / 2) / 2, rel=1e-4)
    assert value(DSSIM(), 7 * truth, truth) == pytest.approx(0, abs=1e-6)
    for small in (truth[..., :8, :8], truth[..., :10]):
        with pytest.raises(ValueError, match="window"):
            DSSIM().update(small, small)


def test_dssim_equals_a_loop_over_whole_windows() -> None:
    x, y, _ = (v[:1].double() for v in layers(height=13, width=14))
    x = x * (x * y).sum() / x.square().sum()
    taps = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = torch.from_numpy(np.outer(taps, taps) / taps.sum() ** 2)
    found = []
    for c in range(3):
        for i in range(3):
            for j in range(4):
                p, t = x[0, c, i : i + 11, j : j + 11], y[0, c, i : i + 11, j : j + 11]
                mp, mt = (window * p).sum(), (window * t).sum()
                vp, vt = (window * p * p).sum() - mp**2, (window * t * t).sum() - mt**2
                both = (window * p * t).sum() - mp * mt
                means = (2 * mp * mt + 0.01**2) / (mp**2 + mt**2 + 0.01**2)
                found.append(float(means * (2 * both + 0.03**2) / (vp + vt + 0.03**2)))
    assert value(DSSIM(), x.float(), y.float()) == pytest.approx((1 - np.mean(found)) / 2, rel=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.1, 10), st.integers(0, 2**31), st.sampled_from(range(4)))
def test_brightness_does_not_matter(scale: float, seed: int, which: int) -> None:
    x, y, mask = layers(seed)
    assert value(LOCAL[which](), scale * x, y, mask) == pytest.approx(value(LOCAL[which](), x, y, mask), rel=1e-3)


@pytest.mark.parametrize("make", LOCAL)
def test_pictures_are_independent_and_what_is_masked_is_not_seen(make: Callable[[], Metric]) -> None:
    x, y, mask = layers()
    before = value(make(), x, y, mask)
    spoilt = torch.where(mask > 0.5, x, torch.rand_like(x))
    assert value(make(), spoilt, y, mask) == pytest.approx(before, rel=1e-4)
    metric = make()
    metric.update(x[:1], y[:1], mask[:1])
    metric.update(x[1:], y[1:], mask[1:])
    metric.update(x, y, torch.zeros_like(mask))
    assert float(metric.compute()) == pytest.approx(before, rel=1e-5)


@pytest.mark.parametrize("make", LOCAL)
def test_one_channel_stands_for_three(make: Callable[[], Metric]) -> None:
    x, y, mask = layers()
    wide = value(make(), x[:, :1].expand(-1, 3, -1, -1), y, mask)
    assert value(make(), x[:, :1], y, mask) == pytest.approx(wide, rel=1e-5)


def test_segmentation_by_hand() -> None:
    """Truth 0 0 0 1 1 2 and one to be ignored, prediction 0 0 1 1 3 2: class 3 is never true, class 4 never seen."""
    truth = torch.tensor([[[0, 0, 0, 1, 1, 2, 255]]])
    found = torch.tensor([[[0, 0, 1, 1, 3, 2, 0]]])
    assert value(PixelAccuracy(5), found, truth) == pytest.approx(4 / 6)
    assert value(ClassAccuracy(5), found, truth) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert value(MeanIoU(5), found, truth) == pytest.approx((2 / 3 + 1 / 3 + 1 + 0) / 4)
    mask = torch.ones(1, 1, 1, 7)
    mask[..., 2], mask[..., 4] = 0, 0
    for metric in (PixelAccuracy(5), ClassAccuracy(5), MeanIoU(5)):
        assert value(metric, found, truth, mask) == 1


def test_mean_iou_is_torchmetrics_own() -> None:
    generator = torch.Generator().manual_seed(0)
    truth, found = torch.randint(0, 6, (2, 3, 9, 9), generator=generator)
    truth[truth == 5] = 255
    expected = multiclass_jaccard_index(found, truth, 6, ignore_index=255)
    metric = MeanIoU(6)
    for i in range(3):
        metric.update(found[i : i + 1], truth[i : i + 1])
    torch.testing.assert_close(metric.compute(), expected)


def test_a_batch_with_nothing_to_see_changes_nothing() -> None:
    metric = PixelAccuracy(3)
    metric.update(torch.zeros(1, 2, 2, dtype=torch.int64), torch.full((1, 2, 2), 255))
    assert math.isnan(float(metric.compute()))
    metric.update(torch.zeros(1, 2, 2, dtype=torch.int64), torch.zeros(1, 2, 2, dtype=torch.int64))
    assert metric.compute() == 1
