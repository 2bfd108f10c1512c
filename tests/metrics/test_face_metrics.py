"""Known answers and invariances of what is measured of faces, and what is said about input that cannot be measured."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics import Metric

from zoo.errors import UserError
from zoo.metrics import IdentityCosine, Keyed, LandmarkNME, PhotometricError, VertexError

seeds = st.integers(0, 2**31)


def rotation(generator: torch.Generator) -> Tensor:
    """A random one (3,3), in float64."""
    q, r = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    q = q * torch.sign(torch.diagonal(r))
    return q * torch.sign(torch.linalg.det(q))


def face_points() -> Tensor:
    """68 points whose box is 90 x 160 pixels and whose outer eye corners are 50 pixels apart."""
    points = torch.rand(68, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([60.0, 120.0]) + 20
    points[0], points[1] = torch.tensor([10.0, 0.0]), torch.tensor([100.0, 160.0])
    points[36], points[45] = torch.tensor([30.0, 40.0]), torch.tensor([70.0, 70.0])
    return points[None]


def value(metric: Metric, *arguments: Tensor | None) -> float:
    metric.update(*arguments)
    return metric.compute().item()


def test_nme_of_a_constant_offset() -> None:
    """3-4-5 pixels over 50 and over sqrt(90 x 160) = 120."""
    truth = face_points()
    moved = truth + torch.tensor([3.0, 4.0])
    assert value(LandmarkNME("interocular"), moved, truth) == pytest.approx(100 * 5 / 50, rel=1e-5)
    assert value(LandmarkNME("box"), moved, truth) == pytest.approx(100 * 5 / 120, rel=1e-5)


def test_nme_passes_over_depth_and_hidden_points() -> None:
    truth = face_points()
    deep = torch.cat([truth, torch.rand(1, 68, 1)], dim=-1)
    moved = deep + torch.tensor([0.0, 5.0, 1000.0])
    assert value(LandmarkNME("interocular"), moved, deep) == pytest.approx(10, rel=1e-5)
    seen = torch.ones(1, 68)
    seen[0, 36:] = 0  # the corners of the eyes among them: the size of the face is that of the truth all the same
    moved[:, 36:] = torch.nan
    assert value(LandmarkNME("interocular"), moved, deep, seen) == pytest.approx(10, rel=1e-5)


def test_nme_is_a_mean_over_faces_of_a_bin() -> None:
    truth = face_points().expand(3, -1, -1)
    moved = truth + torch.tensor([1.0, 2.0, 40.0])[:, None, None] * torch.tensor([1.0, 0.0])
    in_bin = torch.tensor([1.0, 1.0, 0.0])
    assert value(LandmarkNME(), moved, truth, in_bin) == pytest.approx(3.0, rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(seeds, st.floats(0.1, 10), st.floats(-math.pi, math.pi))
def test_nme_does_not_depend_on_the_pictures_size_or_turn(seed: int, scale: float, angle: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    truth = face_points().double()
    found = truth + torch.randn(1, 68, 2, generator=generator)
    cos, sin = math.cos(angle), math.sin(angle)
    turn = scale * torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)
    expected = value(LandmarkNME(), found, truth)
    assert value(LandmarkNME(), found @ turn + 7, truth @ turn + 7) == pytest.approx(expected, rel=1e-4)


def test_vertex_error_counts_in_millimetres() -> None:
    truth = torch.rand(2, 30, 3)
    moved = truth + torch.tensor([0.03, 0.0, 0.04])
    assert value(VertexError(millimetres=100), moved, truth) == pytest.approx(5, rel=1e-4)
    for align in ("rigid", "similarity"):
        assert value(VertexError(align, millimetres=100), moved, truth) == pytest.approx(0, abs=1e-4)


def test_vertex_error_measures_the_vertices_that_are_named() -> None:
    truth = torch.zeros(1, 4, 3)
    off = torch.tensor([1.0, 2.0, 3.0, 10.0])
    found = torch.stack([off, 0 * off, 0 * off], dim=-1)[None]
    assert value(VertexError(), found, truth) == pytest.approx(4)
    assert value(VertexError(indices=[0, 2]), found, truth) == pytest.approx(2)
    assert value(VertexError(weights=[3.0, 1.0, 0.0, 0.0]), found, truth) == pytest.approx(1.25)
    assert value(VertexError(), found, truth, torch.tensor([[1.0, 1.0, 1.0, 0.0]])) == pytest.approx(2)
    assert value(VertexError(indices=[0, 1], weights=[1.0, 0.0, 0.0, 5.0]), found, truth) == pytest.approx(1)


@settings(max_examples=25, deadline=None)
@given(seeds, st.floats(0.1, 10))
def test_a_scaled_and_turned_copy_has_no_error(seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.rand(1, 40, 3, generator=generator).double()
    copy = scale * truth @ rotation(generator).T + torch.randn(3, generator=generator).double()
    assert value(VertexError("similarity"), copy, truth) == pytest.approx(0, abs=1e-6)
    assert value(VertexError("rigid"), copy / scale, truth) == pytest.approx(0, abs=1e-6)
    if abs(scale - 1) > 0.1:
        assert value(VertexError("rigid"), copy, truth) > 0.01


def test_a_mirrored_copy_is_another_shape() -> None:
    truth = torch.rand(1, 40, 3, generator=torch.Generator().manual_seed(0))
    assert value(VertexError("similarity"), truth * torch.tensor([-1.0, 1.0, 1.0]), truth) > 0.05


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_vertex_error_has_no_order(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    found, truth = torch.rand(2, 3, 20, 3, generator=generator)
    order = torch.randperm(20, generator=generator)
    for align in ("none", "rigid", "similarity"):
        expected = value(VertexError(align), found, truth)
        assert value(VertexError(align), found[:, order], truth[:, order]) == pytest.approx(expected, rel=1e-5)


def test_similarity_alignment_never_adds_error_in_squares() -> None:
    """It is the least squares over what ``none`` and ``rigid`` may choose."""
    found, truth = torch.rand(2, 1, 50, 3, generator=torch.Generator().manual_seed(3))
    found = 1.3 * found
    errors = [value(VertexError(align), found, truth) for align in ("none", "rigid", "similarity")]
    assert errors[0] > errors[1] > errors[2]


def test_photometric_error_by_hand() -> None:
    """Distances 0.5 and sqrt(3), weights 1 and 0.5."""
    target = torch.zeros(1, 3, 1, 3)
    preds = torch.zeros(1, 3, 1, 3)
    preds[0, :, 0, 0] = torch.tensor([0.3, 0.4, 0.0])
    preds[0, :, 0, 1] = 1
    preds[0, :, 0, 2] = torch.nan
    mask = torch.tensor([1.0, 0.5, 0.0]).reshape(1, 1, 1, 3)
    expected = (0.5 + 0.5 * math.sqrt(3)) / 1.5
    assert value(PhotometricError(), preds, target, mask) == pytest.approx(expected, rel=1e-5)


def test_photometric_error_is_a_mean_over_pictures() -> None:
    target = torch.zeros(3, 3, 2, 2)
    preds = torch.tensor([0.1, 0.3, 0.9])[:, None, None, None].expand(-1, 3, 2, 2)
    mask = torch.ones(3, 1, 2, 2)
    mask[1, :, 0], mask[2] = 0, 0
    assert value(PhotometricError(), preds, target, mask) == pytest.approx(0.2 * math.sqrt(3), rel=1e-5)


def test_identity_cosine_by_hand() -> None:
    preds = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    target = torch.tensor([[5.0, 0.0], [3.0, -3.0], [1.0, 0.0]])
    assert value(IdentityCosine(), preds[:2], target[:2]) == pytest.approx((1 - math.sqrt(0.5)) / 2)
    assert value(IdentityCosine(), preds, target, torch.tensor([1.0, 0.0, 1.0])) == pytest.approx(0.5)


def test_face_metrics_join_batches_and_find_their_keys() -> None:
    truth = face_points()
    metric = Keyed(LandmarkNME(), "landmarks", mask="is_face", optional=True)
    for offset in (1.0, 3.0):
        metric.update({"landmarks": truth + torch.tensor([offset, 0])}, {"landmarks": truth, "is_face": torch.ones(1)})
    assert metric.compute().item() == pytest.approx(4, rel=1e-5)


@pytest.mark.parametrize("metric", [LandmarkNME, VertexError, PhotometricError, IdentityCosine])
@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_nothing_to_measure_is_no_number(metric: type[Metric]) -> None:
    assert math.isnan(metric().compute().item())


def test_answers_that_are_not_finite_are_not_passed_over() -> None:
    """A network that has diverged must not be averaged away."""
    truth = torch.rand(2, 68, 3)
    found = truth.clone()
    found[0, 0] = torch.nan
    assert math.isnan(value(LandmarkNME(), found, truth))
    for align in ("none", "rigid", "similarity"):
        assert math.isnan(value(VertexError(align), found, truth))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: LandmarkNME().update(torch.rand(1, 5, 2), torch.rand(1, 68, 2)), "landmarks must be"),
        (lambda: LandmarkNME().update(torch.rand(2, 68, 2), torch.rand(1, 68, 2)), "2 faces"),
        (lambda: LandmarkNME().update(torch.rand(1, 68, 2), torch.zeros(1, 68, 2)), "no size"),
        (lambda: VertexError().update(torch.rand(1, 9, 3), torch.rand(1, 8, 3)), "of one face model"),
        (lambda: VertexError("rigid").update(torch.rand(1, 2, 3), torch.rand(1, 2, 3)), "2 points are too few"),
        (lambda: VertexError("rigid").update(torch.zeros(1, 9, 3), torch.rand(1, 9, 3)), "all in one place"),
        (lambda: VertexError(weights=[1.0]).update(torch.rand(1, 9, 3), torch.rand(1, 9, 3)), "1 weights do not fit"),
        (lambda: VertexError(indices=[]), "no vertices"),
        (lambda: PhotometricError().update(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 5, 4)), "picture of shape"),
        (lambda: IdentityCosine().update(torch.rand(1, 8), torch.rand(1, 9)), "of one network"),
    ],
)
def test_what_cannot_be_measured_is_told_in_a_sentence(call: Callable[[], object], said: str) -> None:
    with pytest.raises(UserError, match=said) as raised:
        call()
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)
