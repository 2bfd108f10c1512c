"""Rendered faces: the physics holds, the truth is the truth, and a sample is the same everywhere."""

from __future__ import annotations

import pytest
import torch

from datamodules.faces import FACE_KEYS, FaceRenderer
from datamodules.sampling.camera import CameraRange
from datamodules.sampling.pose import PoseRange
from zoo.contract import IGNORE, check
from zoo.errors import UserError
from zoo.faces import FACE_CROP, crop_box_from_landmarks
from zoo.imaging import srgb_to_linear
from zoo.morphable import MorphableModel
from zoo.render import euler_to_matrix
from zoo.render.sh import shade

SIZE, COUNT = 40, 12
STEADY = CameraRange(shift=0.0, scale=0.0, careless=0.0)


@pytest.fixture(scope="module")
def batch(tiny_model: MorphableModel) -> dict[str, torch.Tensor]:
    return FaceRenderer(tiny_model, SIZE).render("train", range(COUNT))


def test_obeys_the_contract(batch: dict[str, torch.Tensor]) -> None:
    check(batch, FACE_KEYS)
    assert batch["image"].shape == (COUNT, 3, SIZE, SIZE)


def test_picture_is_albedo_times_shading(batch: dict[str, torch.Tensor]) -> None:
    error = (srgb_to_linear(batch["image"]) - batch["albedo"] * batch["shading"]).abs() * batch["mask"]
    assert error.max() < 1e-6
    assert (batch["mask"].mean((1, 2, 3)) > 0.1).all()


def test_shading_follows_from_normals_and_light(batch: dict[str, torch.Tensor]) -> None:
    expected = shade(batch["normal"], batch["light"]).clamp_min(0) * batch["mask"]
    torch.testing.assert_close(batch["shading"], expected)
    inside = batch["mask"].expand_as(batch["shading"]) > 0
    shading = batch["shading"][inside]
    assert ((shading > 0.05) & (shading < 3.8)).float().mean() > 0.9


def test_maps_are_unit_inside_and_nothing_outside(batch: dict[str, torch.Tensor]) -> None:
    inside = batch["mask"] > 0
    length = batch["normal"].norm(dim=1, keepdim=True)
    torch.testing.assert_close(length[inside], torch.ones_like(length[inside]))
    for key in ("albedo", "shading", "normal", "depth"):
        assert (batch[key] * ~inside).abs().max() == 0, key
    assert set(batch["mask"].unique().tolist()) == {0.0, 1.0}
    assert (batch["depth"][inside] > 0).all()


def test_visible_normals_face_the_camera(batch: dict[str, torch.Tensor]) -> None:
    """Seen along the ray of each pixel, not along the axis."""
    centre = batch["normal"][:, 2][batch["mask"][:, 0] > 0]
    assert (centre > -0.35).all()
    assert centre.mean() > 0.5


def test_normals_have_x_right_and_y_up(tiny_model: MorphableModel) -> None:
    """A ball's upper half looks up, and its right half (in the picture) to the right."""
    pose, camera = PoseRange(yaw=0, pitch=0, roll=0), CameraRange(off_axis=0, shift=0, scale=0, careless=0)
    batch = FaceRenderer(tiny_model, SIZE, pose=pose, camera=camera, occluders=0).render("train", range(4))
    half, normal = SIZE // 2, batch["normal"]
    assert (normal[:, 0, :, half:].mean((1, 2)) > 0.05).all()
    assert (normal[:, 0, :, :half].mean((1, 2)) < -0.05).all()
    assert (normal[:, 1, :half].mean((1, 2)) > 0.05).all()
    assert (normal[:, 1, half:].mean((1, 2)) < -0.05).all()


def test_landmarks_are_where_the_mesh_projects(tiny_model: MorphableModel, batch: dict[str, torch.Tensor]) -> None:
    head = tiny_model(batch["identity"], batch["expression"], batch["texture"])
    turned = head["vertices"] @ euler_to_matrix(batch["rotation"]).mT + batch["translation"][:, None]
    torch.testing.assert_close(turned, batch["vertices"], atol=1e-5, rtol=1e-5)
    tip = turned[:, tiny_model.landmark_indices]
    ray = tip[..., :2] / -tip[..., 2:] * torch.tensor([1.0, -1.0])
    # landmarks are an affine picture of the rays, the same for x and y
    for rays, points in zip(ray, batch["landmarks"], strict=True):
        scale = (points - points.mean(0)).norm() / (rays - rays.mean(0)).norm()
        torch.testing.assert_close(points - points.mean(0), (rays - rays.mean(0)) * scale, atol=1e-2, rtol=0)


def test_depth_is_that_of_the_landmarks(tiny_model: MorphableModel) -> None:
    pose = PoseRange(yaw=0, pitch=0, roll=0)
    batch = FaceRenderer(tiny_model, 64, pose=pose, camera=STEADY, occluders=0).render("train", range(4))
    x, y = batch["landmarks"][:, 30].round().long().unbind(-1)
    seen = batch["depth"][torch.arange(4), 0, y, x]
    expected = -batch["vertices"][:, tiny_model.landmark_indices[30], 2]
    torch.testing.assert_close(seen, expected, atol=0.02, rtol=0)


def test_framing_is_that_of_the_crops_of_photos(tiny_model: MorphableModel) -> None:
    batch = FaceRenderer(tiny_model, SIZE, camera=STEADY).render("train", range(COUNT))
    x, y, side = crop_box_from_landmarks(batch["landmarks"]).unbind(-1)
    torch.testing.assert_close(side, torch.full_like(side, SIZE), atol=1e-2, rtol=0)
    for middle in (x, y):
        torch.testing.assert_close(middle, torch.full_like(middle, (SIZE - 1) / 2), atol=1e-2, rtol=0)
    assert FACE_CROP.side == 3.1, "another framing needs the weights trained anew"


def test_jitter_moves_the_crop(batch: dict[str, torch.Tensor]) -> None:
    x, _, side = crop_box_from_landmarks(batch["landmarks"]).unbind(-1)
    assert 0.2 < (x - (SIZE - 1) / 2).abs().max() < SIZE / 4
    assert side.std() > 0.5


def test_same_sample_in_any_batch(tiny_model: MorphableModel, batch: dict[str, torch.Tensor]) -> None:
    again = FaceRenderer(tiny_model, SIZE).render("train", [7, 3])
    for key, value in again.items():
        if key != "triangles":
            torch.testing.assert_close(value, batch[key][[7, 3]], atol=2e-5, rtol=1e-4, msg=key)


def test_size_changes_the_pixels_only(tiny_model: MorphableModel, batch: dict[str, torch.Tensor]) -> None:
    larger = FaceRenderer(tiny_model, 2 * SIZE).render("train", range(COUNT))
    torch.testing.assert_close(larger["light"], batch["light"])
    torch.testing.assert_close((larger["landmarks"] + 0.5) / 2 - 0.5, batch["landmarks"], atol=1e-3, rtol=1e-4)


def test_splits_show_other_people(tiny_model: MorphableModel) -> None:
    renderer = FaceRenderer(tiny_model, 16, keys=("identity",))
    splits = {split: renderer.render(split, range(50))["identity"] for split in ("train", "val", "test")}
    for a, b in (("train", "val"), ("train", "test"), ("val", "test")):
        assert torch.cdist(splits[a], splits[b]).min() > 1e-3


def test_several_pictures_of_a_person(tiny_model: MorphableModel) -> None:
    batch = FaceRenderer(tiny_model, 16, people=3).render("train", range(6))
    for key in ("identity", "texture"):
        assert (batch[key][0] == batch[key][2]).all()
        assert (batch[key][0] != batch[key][3]).all()
    assert (batch["expression"][0] != batch["expression"][1]).all()


def test_effects_touch_the_picture_alone(tiny_model: MorphableModel, batch: dict[str, torch.Tensor]) -> None:
    effects = FaceRenderer(tiny_model, SIZE, effects=("noise", "blur", "exposure")).render("train", range(COUNT))
    for key, value in batch.items():
        assert torch.equal(effects[key], value) == (key != "image"), key
    change = (effects["image"] - batch["image"]).abs().mean()
    assert 0.005 < change < 0.1


def test_things_in_front_leave_the_mask(tiny_model: MorphableModel) -> None:
    free, behind = (FaceRenderer(tiny_model, SIZE, occluders=share).render("val", range(COUNT)) for share in (0, 1))
    hidden = (free["mask"] > behind["mask"]) & (free["mask"] > 0)
    assert hidden.any()
    assert (free["mask"] >= behind["mask"]).all()
    assert (behind["segmentation"][hidden[:, 0]] == IGNORE).all()
    for key in ("albedo", "normal", "shading"):
        assert torch.equal(behind[key], free[key] * behind["mask"])


def test_segmentation_names_parts(tiny_model: MorphableModel, batch: dict[str, torch.Tensor]) -> None:
    parts = batch["segmentation"]
    assert set(parts.unique().tolist()) == {0, 1, 2, IGNORE}
    assert ((parts == 1) | (parts == 2))[batch["mask"][:, 0] > 0].all()
    assert (batch["mask"][:, 0][parts == 0] == 0).all()
    upper, lower = ((parts == part).float() for part in (2, 1))
    rows = torch.arange(SIZE).view(1, SIZE, 1)
    assert (upper * rows).sum() / upper.sum() < (lower * rows).sum() / lower.sum()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keys": ("image", "hair")}, "no key 'hair'"),
        ({"size": 4}, "too small"),
        ({"effects": ("snow",)}, "no effect named 'snow'; there are shadows, crevices"),
    ],
)
def test_wrong_arguments_are_told(tiny_model: MorphableModel, options: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        FaceRenderer(tiny_model, **options)


@pytest.mark.gpu
def test_gpu_makes_the_same_faces(tiny_model: MorphableModel, batch: dict[str, torch.Tensor]) -> None:
    other = FaceRenderer(tiny_model, SIZE, device="cuda").render("train", range(COUNT))
    tiny_model.cpu()
    for key, value in batch.items():
        assert other[key].device.type == "cuda"
        if value.is_floating_point():
            close = (other[key].cpu() - value).abs() < 1e-3
            assert close.float().mean() > 0.995, key  # a face id may differ where two triangles meet
