"""WHDR: answers by hand, the authors' figures, and what must not change it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from golden import load_golden
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from zoo.metrics import WHDR, Keyed


def row(*values: float) -> Tensor:
    """One grey picture of one row."""
    return torch.tensor(values).reshape(1, 1, 1, -1)


def judged(*judgements: tuple[float, float, float, float]) -> Tensor:
    """Judgements (x1, x2, darker, weight) on one row."""
    return torch.tensor([[(x1, 0.5, x2, 0.5, darker, weight) for x1, x2, darker, weight in judgements]])


def whdr(albedo: Tensor, judgements: Tensor, **options: Any) -> float:
    metric = WHDR(**options)
    metric.update(albedo, judgements)
    return metric.compute().item()


def test_whdr_by_hand() -> None:
    """Pixels 0.1, 0.2, 0.2: of weights 1, 2, 4, 8 the prediction contradicts the second and the last."""
    judgements = judged((0.1, 0.5, 1, 1.0), (0.1, 0.5, 2, 2.0), (0.5, 0.9, 0, 4.0), (0.9, 0.1, 0, 8.0))
    assert whdr(row(0.1, 0.2, 0.2), judgements) == pytest.approx(10 / 15)
    assert whdr(row(0.1, 0.2, 0.2), judgements, only="equal") == pytest.approx(8 / 12)
    assert whdr(row(0.1, 0.2, 0.2), judgements, only="unequal") == pytest.approx(2 / 3)


def test_the_space_is_part_of_the_figure_and_of_the_name() -> None:
    """A ratio of 1.2 in linear light is 1.086 after gamma 2.2: at a delta of 10 % only linear light sees it."""
    judgements = judged((0.1, 0.9, 1, 1.0))
    expected_by_space: dict[Literal["linear", "gamma", "srgb"], int] = {"linear": 0, "gamma": 1, "srgb": 1}
    for space, expected in expected_by_space.items():
        assert whdr(row(0.5, 0.6), judgements, space=space) == expected
        assert WHDR(0.1, space).name == f"whdr_{space}_10"
    assert whdr(row(0.5, 0.6), judgements, delta=0.25) == 1
    assert WHDR(0.2, "linear", only="equal").name == "whdr_equal_linear_20"
    for key, value in (("space", "log"), ("only", "both")):
        with pytest.raises(ValueError, match="must be"):
            whdr(row(0.5), judgements, **{key: value})


def test_encoding_comes_before_the_mean_over_channels() -> None:
    """Linear means are equal, 0.5; the means after gamma are 0.5^(1/2.2) = 0.73 and 0.5."""
    albedo = torch.tensor([[0.5, 1.0], [0.5, 0.0]]).reshape(1, 2, 1, 2)
    assert whdr(albedo, judged((0.1, 0.9, 0, 1.0))) == 0
    assert whdr(albedo, judged((0.1, 0.9, 2, 1.0)), space="gamma") == 0


def test_coordinates_are_cut_off_not_rounded() -> None:
    """0.74 of four pixels is 2.96: pixel 2; a point on the far edge lies in the last pixel."""
    assert whdr(row(0.1, 0.1, 0.1, 0.9), judged((0.0, 0.74, 0, 1.0))) == 0
    assert whdr(row(0.1, 0.1, 0.1, 0.9), judged((0.0, 0.75, 1, 1.0))) == 0
    assert whdr(row(0.1, 0.1, 0.1, 0.9), judged((0.0, 1.0, 1, 1.0))) == 0


def test_black_has_an_order_too() -> None:
    assert whdr(row(0.0, 0.0), judged((0.1, 0.9, 0, 1.0))) == 0
    assert whdr(row(0.0, 1e-3), judged((0.1, 0.9, 1, 1.0))) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_prediction_that_is_no_number_has_no_figure(value: float) -> None:
    """Compared with anything, NaN would pass for equal."""
    equal, elsewhere, nothing = (0.1, 0.9, 0, 1.0), (0.1, 0.5, 0, 1.0), (0.1, 0.9, 0, 0.0)
    assert np.isnan(whdr(row(0.5, 0.5, value), judged(equal)))
    assert whdr(row(0.5, 0.5, value), judged(elsewhere, nothing)) == 0


def test_pictures_count_alike_and_those_without_weight_do_not() -> None:
    """Disagreement 1/10 and 1/1: the plain mean is 0.55, whatever the weights; the third has none."""
    right, wrong = (0.1, 0.9, 1, 9.0), (0.1, 0.9, 2, 1.0)
    nothing = (0.1, 0.9, 2, 0.0)
    judgements = torch.cat([judged(right, wrong), judged(wrong, nothing), judged(nothing, nothing)])
    assert whdr(row(0.1, 0.9).expand(3, -1, -1, -1), judgements) == pytest.approx(0.55)
    assert np.isnan(whdr(row(0.1, 0.9), judged(nothing)))


def test_the_original_size_comes_first() -> None:
    """Two pixels become four: 0.2, 0.35, 0.65, 0.8; a point at 0.3 then sees 0.35, and 0.2 before."""
    albedo, judgements = row(0.2, 0.8), judged((0.1, 0.3, 0, 1.0))
    assert whdr(albedo, judgements) == 0
    metric = Keyed(WHDR(), "albedo", target="judgements", mask="original_size")
    metric.update({"albedo": albedo}, {"judgements": judgements, "original_size": torch.tensor([[1, 4]])})
    assert metric.compute() == 1


@settings(max_examples=25, deadline=None)
@given(st.floats(0.05, 20), st.integers(0, 2**31), st.sampled_from(["linear", "gamma"]))
def test_brightness_does_not_matter(scale: float, seed: int, space: str) -> None:
    """It does on the sRGB curve, which is no power."""
    generator = torch.Generator().manual_seed(seed)
    albedo = 0.01 + torch.rand(1, 3, 4, 5, generator=generator)
    judgements = torch.rand(1, 20, 6, generator=generator)
    judgements[..., 4] = (3 * judgements[..., 4]).floor()
    assert whdr(scale * albedo, judgements, space=space) == pytest.approx(whdr(albedo, judgements, space=space))


def test_equal_to_the_authors(shared: Path) -> None:
    """CGIntrinsics' evaluation of the fixture, whose judgements its description spells out."""
    golden = load_golden(shared, "cgintrinsics_losses")
    shape = [2, 1, 32, 48]
    state = golden.rule.golden_state({"logR": shape, "logS": shape}, 1, [], golden.meta["overrides"])
    albedo = torch.from_numpy(np.asarray(state["logR"])[:1]).exp()
    points = golden.input((12, 2), "whdr_points").double()
    rows = []
    for k, (one, two, score) in enumerate(golden.input((30, 3), "whdr_comparisons").double()):
        first, second = int(12 * one), int(12 * two)
        opaque = 3 not in (first, second)
        rows.append([*points[first], *points[second], (1, 2, 0)[k % 3], score * opaque])
    judgements = torch.tensor(rows, dtype=torch.float64)[None]
    found = [whdr(albedo, judgements, space="gamma", only=only) for only in (None, "equal", "unequal")]
    golden.assert_close("whdr_all_equal_unequal", np.array(found))
