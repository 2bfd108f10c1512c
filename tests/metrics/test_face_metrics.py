"""Known answers and invariances of what is measured of faces, and what is said about input that cannot be measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics import Metric

from zoo.errors import UserError
from zoo.geometry import Similarity, Surface, fit_similarity, register_to_scan
from zoo.metrics import (
    NOW_LANDMARKS,
    IdentityCosine,
    Keyed,
    LandmarkNME,
    NowError,
    PhotometricError,
    ScanError,
    VertexError,
    face_of_scan,
    fit_micc,
    fit_now,
)

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
        (lambda: fit_similarity(torch.rand(4, 3), torch.rand(5, 3)), "needs its partner"),
        (lambda: fit_similarity(torch.full((4, 3), torch.nan), torch.rand(4, 3)), "not finite"),
        (lambda: Surface(torch.rand(3, 3), torch.tensor([[0, 1, 3]])), "a vertex that is not there"),
        (lambda: Surface(torch.rand(3, 3), torch.tensor([[0, 1, 1]])), "no surface"),
        (lambda: Surface(torch.rand(3, 3), torch.zeros(0, 3, dtype=torch.int64)), "no surface"),
        (lambda: Surface(torch.full((3, 3), torch.inf), torch.tensor([[0, 1, 2]])), "not all finite"),
        (lambda: Surface(torch.rand(1, 3, 3), torch.tensor([[0, 1, 2]])), "a mesh is"),
        (lambda: register_to_scan(bumpy(), torch.rand(6, 3), identity()), "at least 7 points"),
        (lambda: register_to_scan(bumpy(), torch.full((9, 3), torch.nan), identity()), "not all finite"),
        (lambda: ScanError().update(*micc(scan=[torch.rand(0, 3)])), "0 of the scan's 0 points"),
        (lambda: ScanError().update(*micc(scan=[torch.rand(99, 3) / 1000 + 200])), "Are both in millimetres"),
        (lambda: ScanError().update(*micc(scan=[torch.full((99, 3), torch.nan)])), "not all finite"),
        (lambda: face_of_scan(torch.rand(99, 3), torch.rand(0)), "no tip of the nose"),
        (lambda: ScanError().update(*micc(scan=[])), "1 of vertices, 0 of scan_points"),
        (lambda: ScanError().update(*micc(marks=torch.rand(1, 5, 3))), "5 landmarks of the mesh do not fit 7"),
        (lambda: NowError().update(*now(marks=torch.rand(1, 5, 3))), "or all 68 of iBUG"),
        (lambda: NowError().update(*now(marks=torch.full((1, 7, 3), torch.nan))), "not finite"),
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
    assert str(raised.value).endswith((".", "?"))
    assert "\n" not in str(raised.value)


# Meshes and scans.

LANDMARKS = torch.tensor(
    [[-45.0, 30, 0], [-15, 30, 0], [15, 30, 0], [45, 30, 0], [0, -10, 0], [-25, -40, 0], [25, -40, 0]]
)
"""NoW's seven points on the face below, whose middle is the tip of the nose at the origin."""


def height(points: Tensor) -> Tensor:
    """A bumpy surface z(x, y) in millimetres, no part of which looks like another."""
    x, y = points[..., 0], points[..., 1]
    face = -(x.square() + 0.6 * y.square()) / 150 - 20 * (1 - torch.exp(-(x.square() + y.square()) / 300))
    return face + 3 * torch.sin(x / 13) * torch.cos(y / 17) + 2 * torch.sin(y / 11)


def lifted(points: Tensor) -> Tensor:
    return torch.cat([points[..., :2], height(points)[..., None]], dim=-1)


def grid(half: float = 120.0, step: float = 4.0) -> tuple[Tensor, Tensor]:
    """A square of triangles in the plane z = 0."""
    line = torch.arange(-half, half + step / 2, step)
    y, x = torch.meshgrid(line, line, indexing="ij")
    numbers = torch.arange(len(line) ** 2).reshape(len(line), -1)
    a, b, c, d = (each.flatten() for each in (numbers[:-1, :-1], numbers[:-1, 1:], numbers[1:, :-1], numbers[1:, 1:]))
    triangles = torch.cat([torch.stack([a, b, c], 1), torch.stack([b, d, c], 1)])
    return torch.stack([x.flatten(), y.flatten(), torch.zeros_like(x).flatten()], dim=1), triangles


def bumpy_mesh() -> tuple[Tensor, Tensor]:
    vertices, triangles = grid()
    return lifted(vertices), triangles


def bumpy() -> Surface:
    return Surface(*bumpy_mesh())


def on_mesh(count: int = 3000, seed: int = 0) -> Tensor:
    """Points of the bumpy mesh's own triangles."""
    vertices, triangles = bumpy_mesh()
    generator = torch.Generator().manual_seed(seed)
    chosen = triangles[torch.randint(len(triangles), (count,), generator=generator)]
    shares = -torch.rand(count, 3, generator=generator).log()
    return (vertices[chosen] * (shares / shares.sum(1, keepdim=True))[..., None]).sum(1)


def identity() -> Similarity:
    return fit_similarity(torch.eye(3).double(), torch.eye(3).double())


def micc(scan: list[Tensor] | None = None, marks: Tensor | None = None) -> tuple[Any, ...]:
    vertices, triangles = bumpy_mesh()
    points = [on_mesh()] if scan is None else scan
    own = lifted(LANDMARKS)[None]
    return vertices[None], triangles, points, torch.zeros(1, 3), own if marks is None else marks, own


def now(marks: Tensor | None = None) -> tuple[Any, ...]:
    vertices, triangles, points, _, own, scan_marks = micc()
    return vertices, triangles, points, own if marks is None else marks, scan_marks


def similarity(seed: int, scale: float = 1.3, turn: float = 1.0, shift: float = 30.0) -> Similarity:
    generator = torch.Generator().manual_seed(seed)
    axis = torch.randn(3, generator=generator, dtype=torch.float64)
    x, y, z = (turn * axis / axis.norm()).tolist()
    skew = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
    offset = shift * torch.randn(3, generator=generator, dtype=torch.float64)
    return Similarity(torch.tensor(scale, dtype=torch.float64), torch.linalg.matrix_exp(skew), offset)


def test_distances_from_a_shifted_plane_are_exact() -> None:
    vertices, triangles = grid()
    surface = Surface(vertices, triangles)
    points = torch.rand(500, 3, generator=torch.Generator().manual_seed(0)) * 200 - 100
    points[:, 2] = 2.5
    found = surface.nearest(points)
    torch.testing.assert_close(found.distances, torch.full((500,), 2.5, dtype=torch.float64))
    torch.testing.assert_close(found.plane_distances(points), found.distances)
    torch.testing.assert_close(found.points[:, :2], points[:, :2].double())
    torch.testing.assert_close(found.normals, torch.tensor([[0.0, 0.0, 1.0]]).double().expand(500, -1))
    beside = torch.tensor([[124.0, 0.0, 3.0], [123.0, 124.0, 0.0]])
    torch.testing.assert_close(surface.nearest(beside).distances, torch.tensor([5.0, 5.0], dtype=torch.float64))
    torch.testing.assert_close(
        surface.nearest(beside).plane_distances(beside), torch.tensor([3.0, 0.0], dtype=torch.float64)
    )


@settings(max_examples=20, deadline=None)
@given(seeds, st.floats(0.1, 30))
def test_nearest_points_are_those_of_trimesh(seed: int, spread: float) -> None:
    """Triangles of all sizes, slivers among them, crossing each other."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(60, 1, 3, generator=generator)
    sizes = torch.exp(2 * torch.randn(60, 1, 1, generator=generator))
    vertices = (centres + sizes * torch.randn(60, 3, 3, generator=generator)).flatten(0, 1).double()
    triangles = torch.arange(180).reshape(60, 3)
    points = spread * torch.randn(40, 3, generator=generator).double()
    found = Surface(vertices, triangles).nearest(points)
    corners = vertices[triangles].numpy()
    for point, distance in zip(points, found.distances, strict=True):
        each = trimesh.triangles.closest_point(corners, point.expand(60, 3).numpy())
        assert distance.item() == pytest.approx((torch.from_numpy(each) - point).norm(dim=1).min().item(), rel=1e-6)


def test_triangles_without_an_area_are_passed_over() -> None:
    vertices, triangles = grid()
    with_none = torch.cat([triangles, torch.tensor([[0, 0, 5], [1, 2, 3]])])
    points = on_mesh(100)
    torch.testing.assert_close(
        Surface(vertices, with_none).nearest(points).distances, Surface(vertices, triangles).nearest(points).distances
    )


def test_similarities_can_be_undone_and_joined() -> None:
    one, other, points = similarity(0), similarity(1, scale=0.4), torch.rand(9, 3).double()
    torch.testing.assert_close(one.inverse()(one(points)), points)
    torch.testing.assert_close(one.after(other)(points), one(other(points)))


@pytest.mark.parametrize("seed", range(3))
def test_registration_recovers_a_known_similarity(seed: int) -> None:
    """The mesh is scaled by 1.3 and turned by a radian; the start is off by 9 %, 0.15 radians and 8 mm."""
    vertices, triangles = bumpy_mesh()
    true = similarity(seed)
    start = true.after(similarity(seed + 100, scale=0.91, turn=0.15, shift=5.0))
    points = on_mesh(seed=seed)
    points = points[points.norm(dim=1) < 80]
    found = register_to_scan(Surface(vertices, triangles), true(points.double()), start)
    torch.testing.assert_close(found.scale, true.scale, rtol=1e-6, atol=0)
    torch.testing.assert_close(found.rotation, true.rotation, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.translation, true.translation, rtol=0, atol=1e-4)


def test_registration_may_keep_the_scale() -> None:
    true = similarity(0, scale=1.0, turn=0.1, shift=3.0)
    scan = 1.05 * true(on_mesh().double())
    free, kept = (register_to_scan(bumpy(), scan, identity(), with_scale=each) for each in (True, False))
    assert free.scale.item() == pytest.approx(1.05, rel=1e-6)
    assert kept.scale.item() == 1
    nearest = [bumpy().nearest(each.inverse()(scan)).distances.mean() for each in (free, kept)]
    assert nearest[0] < 1e-4 < 0.3 < nearest[1]


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.02, 50))
def test_neither_pose_nor_unit_of_a_reconstruction_is_measured(seed: int, scale: float) -> None:
    moved = similarity(seed, scale)
    vertices, triangles, points, tip, own, scan_marks = micc()
    copy, marks = moved(vertices.double()), moved(own.double())
    metric = ScanError()
    metric.update(copy, triangles, points, tip, marks, scan_marks)
    assert metric.compute()["mean"].item() == pytest.approx(0, abs=1e-4)
    other = NowError()
    other.update(copy, triangles, points, marks, scan_marks)
    assert {name: round(each.item(), 3) for name, each in other.compute().items()} == dict.fromkeys(
        ("median", "mean", "std"), 0.0
    )


def test_scan_error_by_hand() -> None:
    """A scan half a millimetre before and behind a plane by turns: no motion makes it better."""
    vertices, triangles = grid()
    line = torch.arange(-60.0, 60, 2)
    y, x = torch.meshgrid(line, line, indexing="ij")
    signs = 1 - 2 * ((torch.arange(60)[:, None] + torch.arange(60)) % 2)
    error = ScanError()
    for size in (0.5, 1.5):
        scan = torch.stack([x, y, size * signs], dim=-1).reshape(1, -1, 3)
        error.update(vertices[None], triangles, scan, torch.zeros(1, 3), LANDMARKS[None], LANDMARKS[None])
    values = error.compute()
    assert values["mean"].item() == pytest.approx(1.0, rel=1e-3)
    assert values["std"].item() == pytest.approx(0.5, rel=1e-3)


def test_now_error_is_over_all_points_together() -> None:
    """Planes off by 0.5 mm at 120 x 60 points, and by 1.5 mm at half as many."""
    vertices, triangles = grid()
    error = NowError()
    for size, step in ((0.5, 1.0), (1.5, 2.0)):
        line = torch.arange(-60.0, 60, 2)
        y, x = torch.meshgrid(line, torch.arange(-60.0, 60, step), indexing="ij")
        signs = 1 - 2 * ((torch.arange(len(y))[:, None] + torch.arange(x.shape[1])) % 2)
        scan = torch.stack([x, y, size * signs], dim=-1).reshape(1, -1, 3)
        error.update(vertices[None], triangles, scan, LANDMARKS[None], LANDMARKS[None])
    values = error.compute()
    assert values["median"].item() == pytest.approx(0.5, rel=1e-2)
    assert values["mean"].item() == pytest.approx(5 / 6, rel=1e-2)
    assert values["std"].item() == pytest.approx(math.sqrt(2) / 3, rel=1e-2)


def test_scans_are_cut_as_the_protocols_say() -> None:
    points = torch.tensor([[0.0, y, 0.0] for y in range(-120, 121, 5)])
    assert face_of_scan(points, torch.zeros(3))[:, 1].abs().max() == 95
    face = face_of_scan(points, torch.zeros(3), forehead=60)
    assert (face[:, 1].min(), face[:, 1].max()) == (-95, 60)
    face = face_of_scan(points, torch.zeros(3), forehead=60, up=(0, -2, 0))
    assert (face[:, 1].min(), face[:, 1].max()) == (-60, 95)
    # NoW: eyes' middle 40 above the base of the nose at y = -10, outer corners 90 apart: a ball of 91 around y = 2.
    vertices, triangles = grid()
    scan = torch.cat([grid(half=120, step=1)[0]])
    kept = fit_now(vertices, triangles, scan, LANDMARKS, LANDMARKS).points
    assert (kept - torch.tensor([0.0, 2.0, 0.0])).norm(dim=1).max().item() == pytest.approx(91, abs=0.2)
    assert len(kept) == int(((scan - torch.tensor([0.0, 2.0, 0.0])).norm(dim=1) <= 91).sum())


def test_landmarks_are_taken_from_all_68() -> None:
    vertices, triangles, points, tip, own, scan_marks = micc()
    all_points = torch.rand(1, 68, 3)
    all_points[:, list(NOW_LANDMARKS)] = own
    one, other = NowError(), NowError()
    one.update(vertices, triangles, points, own, scan_marks)
    other.update(vertices, triangles, points, all_points, scan_marks)
    assert one.compute() == other.compute()
    by_seven, by_all = ScanError(), ScanError()
    by_seven.update(vertices, triangles, points, tip, own, scan_marks)
    by_all.update(vertices, triangles, points, tip, all_points, scan_marks)
    assert by_seven.compute() == by_all.compute()


def test_metrical_now_measures_the_size() -> None:
    vertices, triangles, points, own, scan_marks = now()
    larger = torch.tensor([1.05])
    free, metrical = NowError(), NowError(with_scale=False)
    for metric in (free, metrical):
        metric.update(larger * vertices, triangles, points, larger * own, scan_marks)
    assert free.compute()["mean"] < 1e-4 < 0.3 < metrical.compute()["mean"]


def test_a_fit_tells_the_distance_of_every_point() -> None:
    """In the scan's frame, wherever the mesh came from."""
    vertices, triangles, points, tip, own, scan_marks = micc()
    points[0] = points[0] + torch.randn(points[0].shape, generator=torch.Generator().manual_seed(1))
    moved = similarity(0, scale=0.01)
    fit = fit_micc(moved(vertices[0].double()), triangles, points[0], tip[0], moved(own[0].double()), scan_marks[0])
    plain = fit_micc(vertices[0], triangles, points[0], tip[0], own[0], scan_marks[0])
    assert len(fit.points) == len(fit.distances) == len(fit.plane_distances)
    assert fit.similarity.scale.item() == pytest.approx(100 * plain.similarity.scale.item(), rel=1e-4)
    torch.testing.assert_close(fit.distances, (fit.points - fit.nearest.points).norm(dim=1))
    torch.testing.assert_close(fit.distances, plain.distances, rtol=0, atol=1e-3)
    torch.testing.assert_close(fit.plane_distances, plain.plane_distances, rtol=0, atol=1e-3)
    assert bool((fit.plane_distances <= fit.distances + 1e-9).all())


def test_the_order_of_a_scan_does_not_matter() -> None:
    vertices, triangles, points, tip, own, scan_marks = micc()
    noisy = points[0] + torch.randn(points[0].shape, generator=torch.Generator().manual_seed(1))
    one, other = ScanError(), ScanError()
    one.update(vertices, triangles, [noisy], tip, own, scan_marks)
    other.update(vertices, triangles, [noisy[torch.randperm(len(noisy))]], tip, own, scan_marks)
    assert one.compute()["mean"].item() == pytest.approx(other.compute()["mean"].item(), rel=1e-3)
