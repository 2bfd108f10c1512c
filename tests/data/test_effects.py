"""Each effect changes the picture and not the truth; shadows, highlights, white and JPEG against known answers."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from datamodules.effects.compression import jpeg
from datamodules.effects.sensor import monochrome, white_balance
from datamodules.faces import FACE_KEYS, FaceRenderer
from datamodules.faces.effects import EFFECTS, apply_effects, check_effects
from datamodules.faces.framing import place
from datamodules.faces.shadows import cast_shadow, crevices, lamp_frame
from datamodules.faces.specular import gloss_of_triangles, highlights
from datamodules.sampling.background import draw_background
from datamodules.sampling.camera import CameraRange, draw_framing
from datamodules.sampling.draws import Draws
from datamodules.sampling.light import Light, draw_light
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb, srgb_to_linear
from zoo.morphable import MorphableModel
from zoo.render import interpolate, rasterize
from zoo.render.normals import unit_normals

SIZE, COUNT = 40, 48


def render(model: MorphableModel, *effects: str) -> dict[str, torch.Tensor]:
    return FaceRenderer(model, SIZE, effects=effects).render("train", range(COUNT))


@pytest.fixture(scope="module")
def plain(tiny_model: MorphableModel) -> dict[str, torch.Tensor]:
    return render(tiny_model)


@pytest.mark.parametrize("effect", EFFECTS)
def test_each_changes_the_picture_and_not_the_truth(
    tiny_model: MorphableModel, plain: dict[str, torch.Tensor], effect: str
) -> None:
    batch = render(tiny_model, effect)
    for key in FACE_KEYS:
        if key != "image":
            assert torch.equal(batch[key], plain[key]), key
    assert (batch["image"] - plain["image"]).abs().max() > 0.02
    assert batch["image"].isfinite().all()


def test_all_of_them_are_the_same_in_any_batch(tiny_model: MorphableModel) -> None:
    renderer = FaceRenderer(tiny_model, SIZE, effects="all")
    assert renderer.effects == EFFECTS
    together, alone = renderer.render("train", range(COUNT))["image"], renderer.render("train", [11, 4])["image"]
    # rounding may carry a coefficient of a block across a half, and JPEG then shows it
    assert ((together[[11, 4]] - alone).abs() < 1e-3).float().mean() > 0.98


@pytest.mark.parametrize("missing", ["vignette", "white_balance", "noise"])
def test_leaving_one_out_changes_no_draw_of_another(missing: str) -> None:
    """After the effect that is left out, the others do to the picture what they did before."""
    draws = Draws(0, "train", range(8))
    linear = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    others = [name for name in ("vignette", "white_balance") if name != missing]
    gains = [apply_effects(linear * 0.2, draws, (*others, extra)) for extra in ("compression", "monochrome")]
    again = [apply_effects(linear * 0.2, draws, (extra, *others)) for extra in ("compression", "monochrome")]
    assert all(torch.equal(a, b) for a, b in zip(gains, again, strict=True)), "the order of names does not matter"
    ratio = [
        srgb_to_linear(apply_effects(linear * 0.2, draws, names))
        / srgb_to_linear(apply_effects(linear * 0.2, draws, [n for n in names if n != "exposure"]))
        for names in (["exposure"], ["exposure", *others])
    ]
    torch.testing.assert_close(ratio[0], ratio[1], rtol=1e-3, atol=1e-3)


def test_unknown_names_are_told() -> None:
    with pytest.raises(UserError, match=r"no effect named 'snow'; there are shadows, .*compression"):
        check_effects(["noise", "snow"])
    assert check_effects(["all"]) == EFFECTS
    assert check_effects(["noise"]) == ("noise",)


def lamp(*towards: float, softness: float = 0.0) -> Light:
    direction = F.normalize(torch.tensor([towards]), dim=-1)
    directions = torch.cat((direction, direction, direction)).view(1, 3, 3)
    colours = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1).expand(1, 3, 3)
    return Light(torch.zeros(1, 3, 3, 9), torch.zeros(1, 3, 9), directions, colours, torch.full((1, 3), softness))


def ball(size: int = 101) -> torch.Tensor:
    """Normals of a ball's front, which fills the picture; 0 outside."""
    line = torch.linspace(-1, 1, size)
    x, y = torch.meshgrid(line, -line, indexing="xy")
    z = (1 - x**2 - y**2).clamp_min(0).sqrt()
    return torch.stack((x, y, z))[None] * (z > 0)


@pytest.mark.parametrize("towards", [(-0.8, 0.3, 0.6), (0.5, 0.7, 0.7), (0.0, 0.0, 1.0)])
def test_highlight_peaks_at_the_half_way_vector(towards: tuple[float, float, float]) -> None:
    normal = ball()
    view = torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1).expand_as(normal)
    one, none = torch.ones_like(normal[:, :1]), torch.zeros_like(normal[:, :1])
    shine = highlights(normal, view, one, 200 * one, lamp(*towards), 0 * normal, none)[0, 0]
    row, column = divmod(int(shine.argmax()), 101)
    half = F.normalize(F.normalize(torch.tensor(towards), dim=0) + torch.tensor([0.0, 0, 1]), dim=0)
    assert torch.dot(normal[0, :, row, column], half) > 0.998
    soft = highlights(normal, view, one, 200 * one, lamp(*towards, softness=0.3), 0 * normal, none)[0, 0]
    assert soft.max() < 0.5 * shine.max(), "a wide lamp dims the highlight"
    assert (soft > soft.max() / 2).sum() > 2 * (shine > shine.max() / 2).sum(), "and widens it"
    hidden = highlights(normal, view, one, 200 * one, lamp(*towards), 0 * normal, one)
    assert hidden.abs().max() == 0, "what the lamp does not reach mirrors nothing of it"


def test_eyes_shine_more_sharply_than_skin() -> None:
    model = MorphableModel.load("procedural")
    gloss = gloss_of_triangles(model)
    assert gloss.shape == (len(model.triangles) + 1, 2)
    part = model.labels[model.triangles]
    eye, skin = ((part == model.label_names.index(name)).all(1) for name in ("sclera", "skin"))
    assert gloss[:-1][eye, 1].min() > 5 * gloss[:-1][skin, 1].max()
    tip = (model.triangles == model.landmark_indices[30]).any(1)
    assert gloss[:-1][tip, 0].mean() > 1.3 * gloss[:-1][skin, 0].median(), "an oily nose"


def ridge() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A wall of 40 mm along y on a plane 1 m away: its vertices, and points and normals of the plane beside it."""
    line = torch.arange(-80.0, 81, 2)
    x, y = (v.flatten() for v in torch.meshgrid(line, line, indexing="xy"))
    plane = torch.stack((x, y, torch.full_like(x, -1000)), -1)
    height = torch.arange(0.0, 41, 2)
    wall = torch.cartesian_prod(torch.tensor([-2.0, 0.0, 2.0]), line, height - 1000)
    px, py = torch.meshgrid(torch.linspace(-70, 70, 57), torch.linspace(70, -70, 57), indexing="xy")
    points = torch.stack((px, py, torch.full_like(px, -1000)))[None]
    return torch.cat((plane, wall))[None], points, torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1).expand_as(points)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_shadow_falls_on_the_side_away_from_the_lamp(side: float) -> None:
    """A wall of 40 mm under a lamp at 45 degrees: 40 mm of shadow behind it, none before it."""
    vertices, points, normal = ridge()
    frame = lamp_frame(F.normalize(torch.tensor([[side, 0.0, 1.0]]), dim=-1))
    middle = torch.tensor([[0.0, 0.0, -1000.0]])
    shadow = cast_shadow(vertices, middle, points, normal, frame, torch.tensor([2.0]))[0, 0, 28]
    behind = -side * points[0, 0, 28]
    assert shadow[(behind > 8) & (behind < 28)].min() > 0.9
    assert shadow[(behind < -8) | (behind > 52)].max() < 0.1


def test_faces_own_shadows_follow_the_lamp() -> None:
    """A lamp from one side leaves the other side of the nose in shadow; one beside the camera leaves none."""
    model = MorphableModel.load("procedural")
    framing = draw_framing(Draws(0, "train", [0]), CameraRange(off_axis=0, shift=0, scale=0, careless=0))
    placed = place(model(identity=torch.zeros(1, model.n_identity)), torch.zeros(1, 3), framing, 96)
    ids = rasterize(placed.screen, model.triangles, 96, 96)
    normal, depth, _ = interpolate(placed.screen, model.triangles, ids, placed.normals)
    points = placed.rays(96) * depth * 100
    # beside the nose, between its wings and its middle in height, up to 12 mm away from them
    wings = placed.vertices[0, model.landmark_indices[[31, 35]]] * 100
    top = placed.vertices[0, model.landmark_indices[29], 1] * 100
    level = (points[:, 1] < top) & (points[:, 1] > wings[:, 1].mean())
    beside = {
        "left": level & (points[:, 0] < wings[0, 0] - 1) & (points[:, 0] > wings[0, 0] - 12),
        "right": level & (points[:, 0] > wings[1, 0] + 1) & (points[:, 0] < wings[1, 0] + 12),
    }
    seen = {}
    for name, towards in {"left": (-1.0, 0.0, 0.6), "right": (1.0, 0.0, 0.6), "front": (0.0, 0.1, 1.0)}.items():
        frame = lamp_frame(F.normalize(torch.tensor([towards]), dim=-1))
        middle, width = placed.middle * 100, torch.tensor([2.0])
        shadow = cast_shadow(placed.vertices * 100, middle, points, unit_normals(normal), frame, width)[:, 0]
        seen[name] = {side: shadow[where].mean().item() for side, where in beside.items()}
    assert seen["left"]["right"] > 0.5
    assert seen["right"]["left"] > 0.5
    assert max(seen["left"]["left"], seen["right"]["right"], *seen["front"].values()) < 0.15


def test_crevices_are_deep_places() -> None:
    depth = torch.full((1, 1, 64, 64), 1000.0)
    depth[..., 30:34, 30:34] += 15
    normal = torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    lost = crevices(depth, torch.ones_like(depth), normal)[0, 0]
    assert lost[31:33, 31:33].min() > 0.4
    assert lost[:10].max() < 0.01
    tilted = depth.clone()
    tilted[:] = 1000 + torch.arange(64.0) * 0.5
    assert crevices(tilted, torch.ones_like(depth), normal)[..., 16:48].max() < 0.01, "a slope is no crevice"


def test_lamps_are_those_of_the_shading() -> None:
    light = draw_light(Draws(0, "train", range(20)))
    torch.testing.assert_close(light.lamps.sum(1) + light.ambient, light.sh)
    torch.testing.assert_close((light * torch.full((20,), 2.0)).sh, 2 * light.sh)
    lobe = light.lamps[:, 0, 1][:, [3, 1, 2]]
    torch.testing.assert_close(F.normalize(lobe, dim=-1), light.directions[:, 0])


def test_white_balance_scales_channels() -> None:
    draws = Draws(0, "train", range(200))
    linear = torch.rand(200, 3, 4, 4, generator=torch.Generator().manual_seed(0)) + 0.1
    gains = white_balance(linear, draws) / linear
    torch.testing.assert_close(gains, gains[..., :1, :1].expand_as(gains))
    ratio = gains[:, 0, 0, 0] / gains[:, 2, 0, 0]
    assert ratio.max() > 1.3
    assert ratio.min() < 0.8


def test_one_in_twenty_is_black_and_white() -> None:
    srgb = torch.rand(600, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    toned = monochrome(srgb, Draws(0, "train", range(600)))
    changed = (toned != srgb).flatten(1).any(1)
    assert 0.02 < changed.float().mean() < 0.08
    grey = (toned[changed].amax(1) - toned[changed].amin(1)).flatten(1).amax(1)
    assert (grey < 1e-5).float().mean() > 0.5


def scenes() -> torch.Tensor:
    return draw_background(Draws(0, "train", range(8)), 64)


def by_pillow(srgb: torch.Tensor, quality: int) -> torch.Tensor:
    results = []
    for picture in srgb:
        buffer = io.BytesIO()
        pixels = (picture * 255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
        results.append(torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1) / 255)
    return torch.stack(results)


def test_jpeg_is_that_of_pillow() -> None:
    srgb = (scenes() * 255).round() / 255
    errors = []
    for quality in (95, 75, 50, 30, 10):
        ours, theirs = jpeg(srgb, torch.full((8,), float(quality))), by_pillow(srgb, quality)
        error, reference = ((pictures - srgb).pow(2).mean().sqrt().item() for pictures in (ours, theirs))
        assert error == pytest.approx(reference, rel=0.2)
        assert (ours - theirs).pow(2).mean().sqrt() < 0.35 * reference + 0.004
        errors.append(error)
    assert errors == sorted(errors)
    assert errors[0] < 0.02


def test_jpeg_takes_any_size_and_a_quality_for_each() -> None:
    srgb = scenes()[:2, :, :37, :51]
    low_and_high = jpeg(srgb, torch.tensor([10.0, 95.0]))
    assert low_and_high.shape == srgb.shape
    error = (low_and_high - srgb).pow(2).mean((1, 2, 3))
    assert error[0] > 3 * error[1]


def test_no_effect_is_the_picture_itself() -> None:
    linear = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(apply_effects(linear, Draws(0, "train", [0, 1]), ()), linear_to_srgb(linear))
