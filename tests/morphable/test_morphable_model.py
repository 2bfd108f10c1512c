"""The face model itself, on a small one made here: sums, shapes, batches, types, and its complaints."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import UserError
from zoo.morphable import MorphableData, MorphableModel

KI, KE, KT = 5, 4, 3


def ball_data(**changes: object) -> MorphableData:
    """A ball of 10 x 14 vertices with random bases."""
    rng = np.random.default_rng(0)
    rows, columns = 10, 14
    lat, lon = np.meshgrid(np.linspace(1.4, -1.4, rows), np.arange(columns) * 2 * np.pi / columns, indexing="ij")
    mean = np.stack([np.sin(lon) * np.cos(lat), np.sin(lat), np.cos(lon) * np.cos(lat)], -1).reshape(-1, 3)
    r, c = (x.reshape(-1) for x in np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij"))
    a, b = r * columns + c, r * columns + (c + 1) % columns
    triangles = np.concatenate([np.stack([a, a + columns, b], 1), np.stack([b, a + columns, b + columns], 1)])
    values: dict[str, object] = {
        "name": "ball",
        "mean": mean.astype(np.float32),
        "identity_basis": rng.normal(0, 0.02, (len(mean), 3, KI)).astype(np.float32),
        "expression_basis": rng.normal(0, 0.02, (len(mean), 3, KE)).astype(np.float32),
        "albedo_mean": rng.uniform(0.3, 0.5, (len(mean), 3)).astype(np.float32),
        "albedo_basis": rng.normal(0, 0.02, (len(mean), 3, KT)).astype(np.float32),
        "triangles": triangles.astype(np.int64),
        "landmark_indices": np.arange(68) * 2,
        "labels": (mean[:, 1] > 0).astype(np.int64),
        "label_names": ("skin", "teeth"),
        "metres_per_unit": 0.1,
        "licence": "ours",
    }
    return MorphableData(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return MorphableModel(ball_data())


def test_nothing_given_is_the_mean(model: MorphableModel) -> None:
    out = model()
    data = model.data
    torch.testing.assert_close(out["vertices"][0], torch.from_numpy(data.mean), rtol=0, atol=0)
    torch.testing.assert_close(out["albedo"][0], torch.from_numpy(data.albedo_mean), rtol=0, atol=0)
    torch.testing.assert_close(out["landmarks"][0], torch.from_numpy(data.mean[data.landmark_indices]))
    zeros = model.decode(torch.zeros(1, KI), torch.zeros(1, KE), torch.zeros(1, KT))
    for key, value in zeros.items():
        torch.testing.assert_close(value, out[key], rtol=0, atol=0)


def test_normals_point_out_of_the_ball(model: MorphableModel) -> None:
    out = model()
    inside = slice(14, -14)  # the first and the last ring have triangles on one side only
    cosine = (out["normals"] * out["vertices"]).sum(-1)[:, inside]
    assert cosine.min() > 0.95
    torch.testing.assert_close(out["normals"].norm(dim=-1), torch.ones(1, len(model.mean)))


def test_each_coefficient_adds_its_own_column(model: MorphableModel) -> None:
    for k in range(KE):
        moved = model.shape(expression=torch.eye(KE)[k : k + 1]) - model.mean
        torch.testing.assert_close(moved[0], torch.from_numpy(model.data.expression_basis[..., k]), atol=1e-6, rtol=0)


coefficients = st.lists(st.floats(-3, 3, width=32), min_size=KI, max_size=KI)


@settings(max_examples=30, deadline=None)
@given(coefficients, coefficients, st.floats(-2, 2, width=32))
def test_shape_is_linear_in_its_coefficients(a: list[float], b: list[float], factor: float) -> None:
    model = MorphableModel(ball_data()).double()
    one, two = (torch.tensor([x], dtype=torch.float64) for x in (a, b))
    together = model.shape(one + factor * two) - model.mean
    apart = (model.shape(one) - model.mean) + factor * (model.shape(two) - model.mean)
    torch.testing.assert_close(together, apart, atol=1e-12, rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-100, 100, width=32), min_size=KT, max_size=KT))
def test_albedo_is_a_reflectance_whatever_the_coefficients(texture: list[float]) -> None:
    albedo = MorphableModel(ball_data()).albedo(torch.tensor([texture]))
    assert albedo.min() >= 0
    assert albedo.max() <= 1


def test_a_batch_equals_its_samples_and_ones_are_repeated(model: MorphableModel) -> None:
    torch.manual_seed(0)
    identity, expression, texture = torch.randn(3, KI), torch.randn(1, KE), torch.randn(3, KT)
    batch = model(identity, expression, texture)
    assert {key: tuple(value.shape) for key, value in batch.items()} == {
        "vertices": (3, 140, 3),
        "albedo": (3, 140, 3),
        "normals": (3, 140, 3),
        "landmarks": (3, 68, 3),
    }
    for i in range(3):
        single = model(identity[i : i + 1], expression, texture[i : i + 1])
        for key, value in single.items():
            torch.testing.assert_close(value[0], batch[key][i])


def test_leading_coefficients_are_enough(model: MorphableModel) -> None:
    few = torch.randn(2, 2)
    full = torch.cat([few, torch.zeros(2, KI - 2)], 1)
    torch.testing.assert_close(model(few)["vertices"], model(full)["vertices"])


def test_gradients_reach_every_coefficient(model: MorphableModel) -> None:
    leaves = [torch.zeros(2, k, requires_grad=True) for k in (KI, KE, KT)]
    out = model(*leaves)
    sum((value * torch.randn_like(value)).sum() for value in out.values()).backward()
    assert all((leaf.grad is not None and leaf.grad.abs().min() > 0) for leaf in leaves)


def test_the_models_type_decides(model: MorphableModel) -> None:
    double = MorphableModel(ball_data()).double()
    assert double(torch.randn(1, KI))["vertices"].dtype == torch.float64
    assert double.triangles.dtype == torch.int64
    assert model(torch.randn(1, KI, dtype=torch.float64))["vertices"].dtype == torch.float32


def test_autocast_keeps_the_geometry_exact(model: MorphableModel) -> None:
    identity = torch.randn(2, KI)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = model(identity)["vertices"]
    torch.testing.assert_close(inside, model(identity)["vertices"], rtol=0, atol=0)


def test_a_checkpoint_holds_nothing_of_the_model(model: MorphableModel) -> None:
    assert not model.state_dict()
    assert not list(model.parameters())


@pytest.mark.gpu
def test_cuda_gives_the_same(model: MorphableModel) -> None:
    identity, expression, texture = torch.randn(3, KI), torch.randn(3, KE), torch.randn(3, KT)
    here = model(identity, expression, texture)
    there = MorphableModel(ball_data()).cuda()(identity.cuda(), expression.cuda(), texture.cuda())
    for key, value in there.items():
        assert value.is_cuda
        torch.testing.assert_close(value.cpu(), here[key], atol=1e-5, rtol=1e-5)


def test_srgb_colours_are_added_up_before_they_become_linear() -> None:
    model = MorphableModel(ball_data(albedo_encoding="srgb"))
    texture = torch.randn(1, KT)
    raw = model.raw_texture(texture).numpy()
    expected = np.where(raw <= 0.04045, raw / 12.92, ((raw + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(model.albedo(texture), expected, atol=1e-6)


def test_geometry_alone_is_painted_by_part() -> None:
    model = MorphableModel(ball_data(albedo_mean=None, albedo_basis=None))
    assert not model.has_albedo
    assert model.n_texture == 80
    albedo = model()["albedo"][0]
    skin, teeth = albedo[-1], albedo[0]
    assert skin[0] > skin[1] > skin[2]
    assert (teeth > 0.3).all()
    without_labels = MorphableModel(ball_data(albedo_mean=None, albedo_basis=None, labels=None, label_names=()))
    assert without_labels()["albedo"][0, 0].max() < 0.35


def test_landmarks_inside_triangles_come_before_single_vertices() -> None:
    data = ball_data()
    corners = data.triangles[:68]
    weights = np.tile(np.float32([0.5, 0.25, 0.25]), (68, 1))
    model = MorphableModel(ball_data(landmark_vertices=corners, landmark_weights=weights))
    expected = (data.mean[corners] * weights[..., None]).sum(1)
    np.testing.assert_allclose(model()["landmarks"][0], expected, atol=1e-6)


def test_no_landmarks_means_no_key() -> None:
    assert "landmarks" not in MorphableModel(ball_data(landmark_indices=None))()


def test_a_part_moves_as_it_does_in_the_whole(model: MorphableModel) -> None:
    data = model.data
    upper = data.subset(data.vertices_of("teeth"))
    ids = upper.extras["vertex_ids"]
    assert 0 < len(ids) < len(data.mean)
    assert upper.landmark_indices is None  # some of them lie below
    coefficients = torch.randn(2, KI), torch.randn(2, KE), torch.randn(2, KT)
    part, whole = MorphableModel(upper)(*coefficients), model(*coefficients)
    torch.testing.assert_close(part["vertices"], whole["vertices"][:, ids])
    torch.testing.assert_close(part["albedo"], whole["albedo"][:, ids])
    # the same triangles, in the full model's ids
    kept = {tuple(t) for t in data.triangles.tolist() if set(t) <= set(ids.tolist())}
    assert {tuple(ids[t]) for t in upper.triangles} == kept


def test_a_part_with_all_landmarks_keeps_them() -> None:
    data = ball_data(landmark_indices=np.full(68, 7))
    assert (data.subset(np.arange(5, 60)).landmark_indices == 2).all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: m(torch.zeros(1, KI + 1)), "'identity' has shape"),
        (lambda m: m(torch.zeros(KI)), "'identity' has shape"),
        (lambda m: m(torch.zeros(2, KI), torch.zeros(3, KE)), "identity 2, expression 3"),
        (lambda m: m(pose=torch.zeros(1, 5, 3)), "no joints"),
        (lambda m: m.data.subset(np.array([140])), "no part of 'ball'"),
        (lambda m: m.data.subset(np.ones(3, bool)), "no part of 'ball'"),
        (lambda m: m.data.vertices_of("beard"), "no part named beard; there are skin, teeth"),
    ],
)
def test_wrong_use_gets_a_sentence(model: MorphableModel, call: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        call(model)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mean": np.zeros((140, 2), np.float32)}, "'mean'"),
        ({"mean": np.full((140, 3), np.nan, np.float32)}, "not finite"),
        ({"identity_basis": np.zeros((139, 3, 2), np.float32)}, "'identity_basis'"),
        ({"triangles": np.array([[0, 1, 140]])}, "only 0 to 139"),
        ({"landmark_indices": np.arange(51)}, "'landmark_indices'"),
        ({"labels": np.full(140, 2)}, "'labels'"),
        ({"albedo_mean": None}, "albedo_basis but no albedo_mean"),
        ({"albedo_encoding": "gamma"}, "albedo_encoding"),
        ({"expression_names": ("smile",)}, "names 1 expressions but has 4"),
        ({"expression_prior": "uniform"}, "expression_prior"),
    ],
)
def test_arrays_that_do_not_fit_are_noticed(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        ball_data(**changes)


def test_data_cannot_be_changed_by_accident(model: MorphableModel) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.data.name = "other"  # type: ignore[misc]


def test_it_exports_with_any_batch(model: MorphableModel) -> None:
    example = torch.randn(2, KI), torch.randn(2, KE), torch.randn(2, KT)
    batch = {0: torch.export.Dim("batch")}
    exported = torch.export.export(model, example, dynamic_shapes=(batch, batch, batch)).module()
    inputs = torch.randn(5, KI), torch.randn(5, KE), torch.randn(5, KT)
    for key, value in model(*inputs).items():
        torch.testing.assert_close(exported(*inputs)[key], value)
