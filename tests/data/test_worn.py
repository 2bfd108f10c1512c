"""What people wear: it sits where it belongs, stays the person's own, and no truth is told about it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from datamodules.faces import FaceRenderer
from datamodules.faces.worn import Worn, WornRange
from datamodules.faces.worn.worn import LABELS
from datamodules.sampling.camera import CameraRange
from datamodules.sampling.coefficients import draw_expression, draw_identity, draw_texture
from datamodules.sampling.draws import Draws
from datamodules.sampling.pose import PoseRange
from zoo.contract import IGNORE
from zoo.errors import UserError
from zoo.morphable import MorphableModel

ICT = Path(__file__).parents[3] / "shared" / "data" / "ict_facekit" / "ict_facekit.npz"
NOTHING = WornRange(hair=0, hats=0, glasses=0, hands=0, clothes=0, masks=0)
COUNT, SIZE = 20, 48


@pytest.fixture(scope="module", params=["procedural", "ict"])
def model(request: pytest.FixtureRequest) -> MorphableModel:
    if request.param == "procedural":
        return MorphableModel.load("procedural")
    if not ICT.is_file():
        pytest.skip("there is no ICT-FaceKit in ../shared")
    return MorphableModel.load(f"ict:{ICT}")


def dressed(model: MorphableModel, worn: WornRange, count: int = COUNT) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Heads, worn vertices in millimetres and their labels."""
    draws = Draws(3, "train", range(count))
    head = model(draw_identity(draws, model), draw_expression(draws, model))
    wear = Worn(model, worn)
    mesh = wear(draws, draws, head, head["albedo"])
    assert mesh.vertices.isfinite().all()
    assert mesh.normals.isfinite().all()
    assert mesh.albedo.min() >= 0
    assert mesh.albedo.max() <= 1
    return head, mesh.vertices * model.metres_per_unit * 1000, wear.labels


def part(points: Tensor, labels: Tensor, name: str) -> Tensor:
    return points[:, labels == LABELS.index(name)]


def test_sizes_stay_within_their_budgets(model: MorphableModel) -> None:
    counts = dict(zip(LABELS, Worn(model).labels.bincount().tolist(), strict=True))
    budget = {"hair": 2500, "hat": 1200, "glasses": 600, "hand": 900, "clothes": 500, "mask": 300}
    assert all(counts[name] <= budget[name] for name in LABELS), counts


def test_the_same_sample_is_the_same_in_any_batch(model: MorphableModel) -> None:
    everything = WornRange(1, 1, 1, 1, 1, 1)
    _, eight, _ = dressed(model, everything, 8)
    _, two, _ = dressed(model, everything, 2)
    torch.testing.assert_close(eight[:2], two, atol=1e-3, rtol=0)


def test_hair_is_the_persons_and_hats_are_the_pictures(model: MorphableModel) -> None:
    draws, person = Draws(0, "train", [4, 5]), Draws(0, "train", [2, 2])
    head = {key: value.expand(2, -1, -1) for key, value in model().items()}
    wear = Worn(model, WornRange(hair=1, hats=0, glasses=1, hands=1, clothes=1))
    mesh = wear(draws, person, head, head["albedo"])
    for name in ("hair", "glasses"):
        first, second = part(mesh.vertices, wear.labels, name)
        torch.testing.assert_close(first, second)
    first, second = part(mesh.vertices, wear.labels, "hand")
    assert (first - second).abs().max() > 0.001 / model.metres_per_unit


def test_glasses_sit_before_the_eyes(model: MorphableModel) -> None:
    """The frame's middle is level with the eyes, its plane 8 to 30 mm before the corners of the lids."""
    head, points, labels = dressed(model, WornRange(hair=0, hats=0, glasses=1, hands=0, clothes=0, masks=0))
    marks = head["landmarks"] * model.metres_per_unit * 1000
    frame = part(points, labels, "glasses")[:, : 2 * 25 * 6]
    for side, corners in enumerate(([36, 39], [42, 45])):
        eye, rim = marks[:, corners].mean(1), frame[:, side * 150 : (side + 1) * 150]
        middle = rim.mean(1)
        assert ((middle - eye)[:, :2].abs() < 9).all()
        before = middle[:, 2] - eye[:, 2]
        assert ((before > 8) & (before < 30)).all(), before
        assert (rim[..., 0].amin(1) < marks[:, corners, 0].amin(1) + 4).all()
        assert (rim[..., 0].amax(1) > marks[:, corners, 0].amax(1) - 4).all()


def test_glasses_do_not_cut_through_the_root_of_the_nose(model: MorphableModel) -> None:
    head, points, labels = dressed(model, WornRange(hair=0, hats=0, glasses=1, hands=0, clothes=0, masks=0))
    root = head["landmarks"][:, 27] * model.metres_per_unit * 1000
    bridge = part(points, labels, "glasses")[:, 300:336]
    assert (bridge[..., 2].amax(1) > root[:, 2]).all()


def test_hair_leaves_the_eyes_free(model: MorphableModel) -> None:
    """Seen from the front, no hair lies before the eyes' landmarks in more than one head in fifty."""
    head, points, labels = dressed(model, WornRange(hair=1, hats=0, glasses=0, hands=0, clothes=0, masks=0), 50)
    eyes = head["landmarks"][:, 36:48] * model.metres_per_unit * 1000
    hair = part(points, labels, "hair")
    near = (hair[:, :, None, :2] - eyes[:, None, :, :2]).norm(dim=-1) < 8
    before = hair[:, :, None, 2] > eyes[:, None, :, 2]
    assert (near & before).flatten(1).any(1).float().mean() <= 0.02


def test_hair_lies_outside_of_the_skull(model: MorphableModel) -> None:
    """On top of the head no skin is higher than the hair."""
    head, points, labels = dressed(model, WornRange(hair=1, hats=0, glasses=0, hands=0, clothes=0, masks=0))
    skin = head["vertices"] * model.metres_per_unit * 1000
    assert (part(points, labels, "hair")[..., 1].amax(1) > skin[..., 1].amax(1)).all()


def test_nothing_worn_is_the_same_as_no_worn(model: MorphableModel) -> None:
    keys = ("image", "mask", "segmentation", "landmarks", "vertices")
    plain = FaceRenderer(model, SIZE, keys=keys).render("train", range(3))
    bare = FaceRenderer(model, SIZE, keys=keys, worn=NOTHING).render("train", range(3))
    for key in keys:
        assert torch.equal(plain[key], bare[key]), key


def test_no_truth_is_told_about_what_is_worn(model: MorphableModel) -> None:
    """Worn pixels are out of the mask; the landmarks and the mesh stay those of the head."""
    pose, camera = PoseRange(yaw=0, pitch=0, roll=0), CameraRange(off_axis=0, shift=0, scale=0, careless=0)
    options = {"keys": ("image", "albedo", "mask", "segmentation", "landmarks", "vertices"), "occluders": 0.0}
    masked = WornRange(hair=0, hats=0, glasses=0, hands=0, clothes=0, masks=1)
    plain = FaceRenderer(model, SIZE, pose=pose, camera=camera, **options).render("train", range(4))
    worn = FaceRenderer(model, SIZE, pose=pose, camera=camera, worn=masked, **options).render("train", range(4))
    assert worn["vertices"].shape == (4, len(model.mean), 3)
    torch.testing.assert_close(plain["landmarks"], worn["landmarks"], atol=0.05, rtol=0)
    for sample in range(4):
        x, y = worn["landmarks"][sample, 57].round().long()  # the lower lip, under the mask
        assert plain["mask"][sample, 0, y - 1, x] == 1
        assert worn["mask"][sample, 0, y - 1, x] == 0
        assert worn["segmentation"][sample, y - 1, x] == IGNORE
        assert worn["albedo"][sample, :, y - 1, x].abs().max() == 0
        assert (plain["image"] - worn["image"])[sample, :, y - 1, x].abs().max() > 0


def test_hair_has_the_label_of_hair_where_the_model_has_one(model: MorphableModel) -> None:
    worn = WornRange(hair=1, hats=0, glasses=0, hands=0, clothes=0, masks=0)
    options = {"keys": ("mask", "segmentation"), "pose": PoseRange(yaw=0, pitch=0, roll=0), "occluders": 0.0}
    batch = FaceRenderer(model, SIZE, worn=worn, **options).render("train", range(4))
    if "hair" in model.label_names:
        hair = batch["segmentation"] == 1 + model.label_names.index("hair")
        assert hair.float().mean() > 0.02
    assert (batch["segmentation"] != IGNORE).float().mean() > 0.5


def test_painted_hair_takes_the_colour_of_the_worn(model: MorphableModel) -> None:
    """The crown of the head has the hue of the hair over it; the face keeps its own colours."""
    draws = Draws(1, "train", range(COUNT))
    head = model(draw_identity(draws, model), None, draw_texture(draws, model))
    wear = Worn(model, WornRange(hair=1, hats=0, glasses=0, hands=0, clothes=0, masks=0))
    mesh = wear(draws, draws, head, head["albedo"])
    crown = model.mean[:, 1] * model.metres_per_unit > (model.mean[:, 1] * model.metres_per_unit).max() - 0.01
    dyed = (head["albedo"] + mesh.repaint)[:, crown].mean(1)
    worn = part(mesh.albedo, wear.labels, "hair")[:, : 10 * 64].mean(1)
    before = (head["albedo"][:, crown].mean(1) - worn).abs().mean()
    assert (dyed - worn).abs().mean() < 0.6 * before
    tip = model.data.landmark_indices[30]
    assert mesh.repaint[:, tip].abs().max() == 0


def test_a_share_must_be_a_share() -> None:
    with pytest.raises(UserError, match="between 0 and 1"):
        WornRange(hats=1.2)
