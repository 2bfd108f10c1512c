"""The decoder: the authors' numbers, the paper's conventions, the contract's, and gradients through the renderer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden import Golden, load_golden
from scipy.io import savemat
from torch import Tensor

from lightning_modules.deep3dface.coefficients import Sizes, split
from lightning_modules.deep3dface.colour import lit_colour
from lightning_modules.deep3dface.decoder import FaceDecoder
from lightning_modules.deep3dface.light import harmonics, shading, to_gamma, to_light
from lightning_modules.deep3dface.losses import landmark_loss, photometric_loss
from lightning_modules.deep3dface.normals import batch_normals
from lightning_modules.deep3dface.regions import face_regions
from zoo.contract import check
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb, srgb_to_linear
from zoo.morphable import MorphableModel
from zoo.render import euler_to_matrix, vertex_normals
from zoo.render.sh import shade

GROUPS = ("identity", "expression", "texture", "angles", "gamma", "translation")


@pytest.fixture(scope="module")
def golden(shared: Path) -> Golden:
    return load_golden(shared, "deep3d_decoder")


@pytest.fixture(scope="module")
def bfm(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MorphableModel]:
    """The artificial model of the golden values, through the reader of the real one's file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(shared / "golden")
        from synthetic_bfm import synthetic_bfm

        file = tmp_path_factory.mktemp("bfm") / "BFM_model_front.mat"
        savemat(file, synthetic_bfm())
        yield MorphableModel.load(f"bfm:{file}")
        sys.modules.pop("rule", None)


@pytest.fixture(scope="module")
def procedural() -> MorphableModel:
    return MorphableModel.load("procedural")


@pytest.fixture(scope="module")
def flame(procedural: MorphableModel) -> MorphableModel:
    """The procedural head as FLAME has its own: metres, landmarks in triangles, no labels, no colours, normal prior."""
    data = procedural.data
    assert data.landmark_indices is not None
    corners = np.stack([data.triangles[(data.triangles == v).any(1).argmax()] for v in data.landmark_indices])
    return MorphableModel(
        replace(
            data,
            name="flame",
            mean=data.mean / 10 + np.float32([0.01, 0.02, -0.03]),
            identity_basis=data.identity_basis[..., :20] / 10,
            expression_basis=data.expression_basis[..., :10] / 20,
            albedo_mean=None,
            albedo_basis=None,
            labels=None,
            label_names=(),
            metres_per_unit=1.0,
            expression_prior="normal",
            expression_names=(),
            landmark_vertices=corners,
            landmark_weights=np.full((68, 3), 1 / 3, np.float32),
            extras={},
        )
    )


@pytest.fixture(scope="module")
def ict(shared: Path) -> MorphableModel:
    return MorphableModel.load(f"ict:{shared / 'data/ict_facekit/ict_facekit.npz'}")


@pytest.fixture(params=["procedural", "bfm", "flame", pytest.param("ict", marks=pytest.mark.slow)])
def model(request: pytest.FixtureRequest) -> MorphableModel:
    found: MorphableModel = request.getfixturevalue(request.param)
    return found


def some_parts(sizes: Sizes, batch: int = 2, seed: int = 0, **strength: float) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scale = {"expression": 0.1, "angles": 0.2, "gamma": 0.1, "translation": 0.1} | strength
    parts = split(torch.randn(batch, sizes.total, generator=generator), sizes)
    return {name: scale.get(name, 0.5) * value for name, value in parts.items()}


# --- the authors' numbers -------------------------------------------------------------------------------------------


def test_every_step_equals_the_authors(golden: Golden, bfm: MorphableModel) -> None:
    decoder = FaceDecoder(bfm)
    assert decoder.lighting == "encoded"
    parts = split(torch.from_numpy(golden.arrays["in.coeff"]), decoder.sizes)
    decoded = decoder(parts)
    golden.assert_close("shape", decoded["shape"])
    golden.assert_close("shape_transformed", decoded["vertices"])
    golden.assert_close("normal_rotated", decoded["normals"])
    golden.assert_close("texture", decoded["texture"])
    golden.assert_close("shading", decoded["shading"])
    golden.assert_close("colour", decoded["colour"])
    golden.assert_close("landmark", decoded["points"])
    golden.assert_close("rotation", euler_to_matrix(parts["angles"]).mT)  # theirs multiplies rows from the right
    unposed = decoder({**parts, "angles": torch.zeros(2, 3)})
    golden.assert_close("normal", unposed["normals"])
    # z of their camera points away from the viewer
    camera = decoded["vertices"] * torch.tensor([1.0, 1.0, -1.0]) + torch.tensor([0.0, 0.0, 10.0])
    golden.assert_close("vertex_camera", camera)
    column, row, depth = decoder.camera.project(decoded["vertices"] - torch.tensor([0.0, 0.0, 10.0])).unbind(-1)
    golden.assert_close("projected_all", torch.stack((column, 223 - row), -1))
    np.testing.assert_allclose(depth, golden.arrays["out.vertex_camera"][..., 2], rtol=1e-5)
    np.testing.assert_array_equal(decoder.skin, golden.arrays["out.skin_mask_values"] > 0)


def test_the_crop_is_that_of_the_file(bfm: MorphableModel) -> None:
    decoder = FaceDecoder(bfm)
    theirs = {tuple(sorted(t)) for t in bfm.data.extras["front_triangles"].tolist()}
    assert {tuple(sorted(t)) for t in decoder.front_triangles.tolist()} == theirs
    assert len(decoder.front_triangles) == len(theirs)


def test_known_values_of_rotation_and_projection(bfm: MorphableModel) -> None:
    rotation = euler_to_matrix(torch.tensor([[0.1, 0.2, 0.3]]))[0]
    rows = [[0.936293, -0.275096, 0.218351], [0.289629, 0.956425, -0.036957], [-0.198669, 0.097843, 0.97517]]
    torch.testing.assert_close(rotation, torch.tensor(rows), rtol=0, atol=1e-6)
    point = rotation @ torch.tensor([0.1, 0.2, 0.3]) + torch.tensor([0.05, -0.02, 0.1])
    torch.testing.assert_close(point, torch.tensor([0.154115, 0.189161, 0.392253]), rtol=0, atol=1e-6)
    place = point - torch.tensor([0.0, 0.0, 10.0])
    pixel = FaceDecoder(bfm).camera.project(place[None, None])[0, 0, :2]
    torch.testing.assert_close(pixel, torch.tensor([128.2814, 91.0163]), rtol=0, atol=1e-4)


# --- light ----------------------------------------------------------------------------------------------------------


def test_known_values_of_the_harmonics() -> None:
    values = harmonics(F.normalize(torch.tensor([[0.2, -0.3, 0.9]]), dim=-1))[0]
    known = [0.886227, 0.548444, 1.645332, -0.365629, -0.154917, 0.697126, 1.110563, -0.464751, -0.064549]
    torch.testing.assert_close(values, torch.tensor(known), rtol=0, atol=2e-6)
    dark = shading(F.normalize(torch.randn(1, 9, 3), dim=-1), torch.zeros(1, 3, 9))
    torch.testing.assert_close(dark, torch.full_like(dark, 0.708982), rtol=0, atol=1e-6)


def test_light_and_gamma_shade_alike() -> None:
    generator = torch.Generator().manual_seed(1)
    gamma = torch.randn(2, 3, 9, generator=generator)
    normals = F.normalize(torch.randn(2, 50, 3, generator=generator), dim=-1)
    contract = shade(normals.mT[..., None], to_light(gamma))[..., 0].mT
    torch.testing.assert_close(shading(normals, gamma), contract, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(to_gamma(to_light(gamma)), gamma)


def test_colours_are_lit_as_light_does_it() -> None:
    generator = torch.Generator().manual_seed(2)
    texture = (1.4 * torch.rand(4, 30, 3, generator=generator, dtype=torch.float64) - 0.2).requires_grad_()
    light = (1.6 * torch.rand(4, 30, 3, generator=generator, dtype=torch.float64) - 0.3).requires_grad_()
    plain = linear_to_srgb(srgb_to_linear(texture.clamp(0, 1)) * light.clamp_min(0))
    ours = lit_colour(texture, light)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-7)
    weights = torch.randn(4, 30, 3, generator=generator, dtype=torch.float64)
    for a, b in zip(
        torch.autograd.grad(ours, (texture, light), weights),
        torch.autograd.grad(plain, (texture, light), weights),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_linear_light_draws_what_the_contract_says(procedural: MorphableModel) -> None:
    """sRGB(albedo x shading), where albedo and shading come from the model and the contract's light."""
    decoder = FaceDecoder(procedural, 32)
    assert decoder.lighting == "linear"
    parts = some_parts(decoder.sizes, gamma=0.2)
    decoded = decoder(parts)
    light = decoder.contract(parts, decoded)["light"]
    lit = shade(decoded["normals"].mT[..., None], light)[..., 0].mT.clamp_min(0)
    expected = linear_to_srgb(procedural.albedo(parts["texture"]) * lit)
    torch.testing.assert_close(decoded["colour"], expected, rtol=1e-4, atol=1e-5)


# --- normals --------------------------------------------------------------------------------------------------------


def test_normals_of_batches_are_those_of_the_renderer(procedural: MorphableModel) -> None:
    decoder = FaceDecoder(deepcopy(procedural), front_only=True).double()
    parts = some_parts(decoder.sizes)
    shape = decoder.shape(parts["identity"], parts["expression"]).detach().requires_grad_()
    ours = batch_normals(shape, decoder.triangles)
    theirs = vertex_normals(shape, decoder.triangles, weighting="equal")
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)
    weights = torch.randn(shape.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    (a,), (b,) = torch.autograd.grad(ours, shape, weights), torch.autograd.grad(theirs, shape, weights)
    torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6 * float(b.abs().max()))


def test_normals_without_triangles_and_of_flat_ones_are_zero() -> None:
    points = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 5, 5]]]).repeat(2, 1, 1).requires_grad_()
    normals = batch_normals(points, torch.tensor([[0, 1, 2]]))
    assert (normals == 0).all()
    normals.sum().backward()
    assert points.grad is not None
    assert points.grad.isfinite().all()


# --- all face models ------------------------------------------------------------------------------------------------


def test_the_contract_holds(model: MorphableModel) -> None:
    decoder = FaceDecoder(model, size=96)
    parts = some_parts(decoder.sizes)
    decoded = decoder(parts)
    told = decoder.contract(parts, decoded)
    check(told)
    head = model.shape(parts["identity"], parts["expression"])
    posed = head @ euler_to_matrix(told["rotation"]).mT + told["translation"][:, None]
    extent = float(head.abs().max())
    torch.testing.assert_close(told["vertices"], posed, rtol=0, atol=2e-5 * extent)
    marks = model.landmarks(told["vertices"])
    assert marks is not None
    torch.testing.assert_close(decoder.camera.project(marks)[..., :2], told["landmarks"], rtol=0, atol=1e-3)
    # and back: the authors' v points up
    torch.testing.assert_close(told["landmarks"][..., 1], 95 - decoded["points"][..., 1])
    assert decoded["shape"].shape == decoded["colour"].shape == (2, len(model.mean), 3)


def test_only_the_geometry_is_the_same_geometry(procedural: MorphableModel) -> None:
    decoder = FaceDecoder(procedural, 48)
    parts = some_parts(decoder.sizes)
    whole, part = decoder(parts), decoder.geometry(parts)
    for name, value in part.items():
        torch.testing.assert_close(value, whole[name], rtol=0, atol=0)


def test_the_picture_agrees_with_the_landmarks(model: MorphableModel) -> None:
    """Vertices painted with their own place in the picture: each pixel must show its own place."""
    size = 128
    decoder = FaceDecoder(model, size)
    parts = some_parts(decoder.sizes)
    decoded = decoder(parts)
    camera_frame = decoder.contract(parts, decoded)["vertices"] * decoder.decimetres_per_unit
    depth = -camera_frame[..., 2]
    u = 1015 * size / 224 * camera_frame[..., 0] / depth + size / 2
    v = 1015 * size / 224 * camera_frame[..., 1] / depth + size / 2
    drawn = decoder.render(decoded, torch.stack((u, v), -1))
    column, row = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="xy")
    seen = drawn["mask"][:, 0] > 0
    assert seen.float().mean() > 0.1
    assert ((drawn["image"][:, 0] - column).abs() * seen).max() < 0.1
    assert ((size - 1 - drawn["image"][:, 1] - row).abs() * seen).max() < 0.1


def test_shapes_and_colours_by_themselves_are_exact_too(procedural: MorphableModel) -> None:
    """Metrics ask for them where a network around them runs in half precision."""
    decoder = FaceDecoder(procedural, 48)
    parts = some_parts(decoder.sizes)
    decoded = decoder(parts)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        shape, texture = decoder.shape(parts["identity"], parts["expression"]), decoder.texture(parts["texture"])
    torch.testing.assert_close(shape, decoded["shape"])
    torch.testing.assert_close(texture, decoded["texture"])


def test_sizes_are_the_same_picture(procedural: MorphableModel) -> None:
    decoders = [FaceDecoder(procedural, size) for size in (56, 224)]
    parts = some_parts(decoders[0].sizes)
    small, large = (decoder.geometry(parts)["points"] for decoder in decoders)
    torch.testing.assert_close(4 * small, large)


def test_mean_faces_stand_where_faces_are_aligned(model: MorphableModel) -> None:
    if model.name == "bfm":
        pytest.skip("the artificial model is no face")
    decoder = FaceDecoder(model)
    parts = {name: torch.zeros_like(value) for name, value in some_parts(decoder.sizes, 1).items()}
    points = decoder.geometry(parts)["points"][0]
    five = torch.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])
    # the reference's own five points under the same camera
    reference = torch.tensor([[80.0, 142.0], [144.0, 142.0], [112.3, 107.1], [85.8, 72.4], [137.8, 72.4]])
    assert (five - reference).norm(dim=-1).max() < 12
    assert (five.mean(0) - reference.mean(0)).norm() < 1.5


def test_training_draws_the_same_face(model: MorphableModel) -> None:
    whole = FaceDecoder(model, 96)
    face = whole.cut()
    parts = some_parts(whole.sizes)
    decoded, cut = whole(parts), face(parts)
    torch.testing.assert_close(cut["landmarks"], decoded["landmarks"], rtol=0, atol=1e-3)
    torch.testing.assert_close(cut["texture"], decoded["texture"][:, face.vertex_ids], rtol=0, atol=1e-5)
    on_face = face.front_triangles.unique()
    torch.testing.assert_close(
        cut["normals"][:, on_face], decoded["normals"][:, face.vertex_ids[on_face]], rtol=0, atol=1e-4
    )
    torch.testing.assert_close(face.skin, whole.skin[face.vertex_ids])
    share = {"procedural": 0.6, "ict": 0.35, "flame": 0.8, "bfm": 0.9}  # the third has no labels to know teeth by
    assert len(face.vertex_ids) < share[model.name] * len(whole.vertex_ids)
    if model.name != "bfm":  # its artificial surface is a heap of folds
        a, b = whole.render(decoded), face.render(cut)
        assert (a["mask"] - b["mask"]).abs().mean() < 2e-3
        both = a["mask"] * b["mask"]
        assert ((a["image"] - b["image"]).abs() * both).mean() < 1e-4


def test_there_is_nothing_behind_the_face(procedural: MorphableModel) -> None:
    decoder = FaceDecoder(procedural, 64)
    parts = some_parts(decoder.sizes)
    decoded = decoder(parts)
    drawn = decoder.render(decoded, normals=True)
    assert {k: tuple(v.shape) for k, v in drawn.items()} == {
        "image": (2, 3, 64, 64),
        "mask": (2, 1, 64, 64),
        "depth": (2, 1, 64, 64),
        "normal": (2, 3, 64, 64),
    }
    empty = drawn["depth"] == 0
    assert empty.any()
    for value in drawn.values():
        assert ((value == 0) | ~empty).all()
    assert set(drawn["mask"].unique().tolist()) == {0.0, 1.0}
    assert ((drawn["mask"] == 0) & ~empty).any()  # ears and neck are drawn, but they are not the face
    length = drawn["normal"].norm(dim=1, keepdim=True)
    torch.testing.assert_close(length[~empty], torch.ones_like(length[~empty]), rtol=0, atol=1e-4)


# --- regions --------------------------------------------------------------------------------------------------------


def test_the_face_has_no_ears_neck_hair_teeth(procedural: MorphableModel) -> None:
    data = procedural.data
    regions = face_regions(data)
    front = np.zeros(len(data.mean), bool)
    front[regions.front_triangles] = True
    assert not (front & data.vertices_of("ear", "neck", "hair", "mouth", "teeth", "gums", "tongue", "lashes")).any()
    assert front[data.landmark_indices[17:]].mean() > 0.9  # brows, nose, eyes, lips; the inner lips may be a border
    for part in ("brows", "lips"):
        assert (front & data.vertices_of(part)).sum() > 0.9 * data.vertices_of(part).sum()
    assert (front & data.vertices_of("iris")).any()
    others = [name for name in data.label_names if name != "skin"]
    assert not (regions.skin & data.vertices_of(*others)).any()
    assert not (regions.skin & (np.asarray(data.extras["nostril"]) > 0.5)).any()
    assert 0.3 < regions.skin.sum() / data.vertices_of("skin").sum() < 0.9
    mirror = np.asarray(data.extras["mirror"])
    assert (regions.skin == regions.skin[mirror]).mean() > 0.99


def test_a_model_without_labels_gets_nearly_the_same_face(procedural: MorphableModel, flame: MorphableModel) -> None:
    outside = procedural.data.vertices_of("skin", "ear", "neck", "hair", "brows", "lips")
    known, laid_over = face_regions(procedural.data), face_regions(flame.data)
    assert (known.skin == laid_over.skin)[outside].mean() > 0.97


def test_models_without_landmarks_are_refused(procedural: MorphableModel) -> None:
    data = replace(procedural.data, landmark_indices=None)
    with pytest.raises(UserError, match="no landmarks"):
        FaceDecoder(MorphableModel(data))
    with pytest.raises(UserError, match="no lighting named 'phong'"):
        FaceDecoder(procedural, lighting="phong")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="0 pixels"):
        FaceDecoder(procedural, 0)


# --- gradients ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lighting", ["encoded", "linear"])
@pytest.mark.parametrize("group", GROUPS)
def test_gradients_of_a_picture_are_those_of_finite_differences(
    procedural: MorphableModel, lighting: str, group: str
) -> None:
    size = 48
    own = deepcopy(procedural)  # else the tests after this one would have it in double precision
    decoder = FaceDecoder(own, size, lighting, front_only=True).double()  # type: ignore[arg-type]
    parts = {name: value.double() for name, value in some_parts(decoder.sizes, 1, seed=3).items()}
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        mask = decoder.render(decoder(parts))["mask"]
    inner = 1 - F.max_pool2d(1 - mask, 5, 1, 2)  # pixels that appear and disappear have no derivative
    goal = torch.rand(1, 3, size, size, dtype=torch.float64, generator=generator)

    def loss(moved: dict[str, Tensor]) -> Tensor:
        decoded = decoder(moved)
        drawn = decoder.render(decoded)["image"]
        return photometric_loss(drawn, goal, inner) + 1e-5 * landmark_loss(
            decoded["landmarks"], torch.zeros(1, 68, 2, dtype=torch.float64), size
        )

    value = parts[group].clone().requires_grad_()
    loss({**parts, group: value}).backward()
    assert value.grad is not None
    direction = torch.randn(value.shape, dtype=torch.float64, generator=generator)
    step = 1e-7
    ahead, behind = (loss({**parts, group: parts[group] + sign * step * direction}) for sign in (1, -1))
    numeric = float(ahead - behind) / (2 * step)
    analytic = float((value.grad * direction).sum())
    assert abs(numeric - analytic) < 1e-3 * max(abs(numeric), abs(analytic)) + 1e-7
    assert abs(analytic) > 1e-6


def test_the_picture_alone_moves_every_group(model: MorphableModel) -> None:
    """Each coefficient of each group has a gradient from the photometric loss, under autocast too."""
    decoder = FaceDecoder(model, 64).cut()
    parts = {name: value.requires_grad_() for name, value in some_parts(decoder.sizes).items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        drawn = decoder.render(decoder(parts))
    assert drawn["image"].dtype == torch.float32
    photometric_loss(drawn["image"], torch.rand(2, 3, 64, 64), drawn["mask"]).backward()
    for name in GROUPS:
        gradient = parts[name].grad
        assert gradient is not None
        assert gradient.isfinite().all()
        if name != "expression":  # looks and lashes of some blend shapes lie outside the picture of a face
            assert (gradient.abs().sum(0) > 0).all(), name
        assert (gradient.abs().sum(0) > 0).float().mean() > 0.7, name
