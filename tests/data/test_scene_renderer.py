"""Scenes: rays, light and truth against what geometry says."""

from __future__ import annotations

import math

import pytest
import torch

from datamodules.scenes.lighting import Area, Ball, Distant
from datamodules.scenes.materials import Material
from datamodules.scenes.primitives import Solids
from datamodules.scenes.renderer import SCENE_KEYS, SceneRenderer, render_scene
from datamodules.scenes.scene import AreaLight, BallLight, Camera, Lighting, Scene, Sky, Solid, Sun, rotation, yaw
from datamodules.scenes.tracing import Pairs, first_hit
from zoo.contract import check
from zoo.errors import UserError
from zoo.imaging import srgb_to_linear
from zoo.scene_classes import SCENE_CLASSES

GREY = Material("paint", ((0.5, 0.5, 0.5),), amount=0.0)


def everything(group) -> Pairs:
    count = len(group.ids)
    return torch.zeros(count, dtype=torch.long), torch.arange(count)


def trace(solid: Solid, origins: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Distances of (K,3) rays to one solid."""
    distance, _ = first_hit(Solids([solid]).groups, everything, origins.T[None], directions.T[None])
    return distance[0]


def aimed(count: int, reach: float = 0.9) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    origins = torch.randn(count, 3, generator=generator)
    origins = 5 * origins / origins.norm(dim=1, keepdim=True)
    ends = reach * (2 * torch.rand(count, 3, generator=generator) - 1)
    return origins, ends - origins


def test_sphere_is_met_where_the_quadratic_says():
    origins, directions = aimed(64, 1.5)
    distance = trace(Solid("ellipsoid", (0, 0, 0), (1, 1, 1), GREY, "ball", 1), origins, directions)
    a, b, c = directions.square().sum(1), (origins * directions).sum(1), origins.square().sum(1) - 1
    root = b * b - a * c
    expected = torch.where(root > 0, (-b - root.clamp_min(0).sqrt()) / a, math.inf)
    assert expected.isfinite().any()
    assert expected.isinf().any()
    assert torch.allclose(distance, expected, atol=1e-5)


def test_turned_box_is_met_on_its_planes():
    origins, directions = aimed(64, 0.3)
    turn = rotation(20, 35, -10)
    solid = Solid("box", (0.2, -0.1, 0.3), (0.7, 0.5, 0.9), GREY, "thing", 1, turn=turn)
    distance = trace(solid, origins, directions)
    assert distance.isfinite().all()
    points = origins + distance[:, None] * directions
    own = (points - torch.tensor(solid.centre)) @ torch.tensor(turn).float()
    ratio = own.abs() / torch.tensor(solid.size)
    assert torch.allclose(ratio.amax(1), torch.ones(64), atol=1e-4)


@pytest.mark.parametrize(("shape", "top"), [("cylinder", 1.0), ("frustum", 0.3), ("frustum", 0.0), ("frustum", 1.6)])
def test_round_solids_are_met_on_mantle_or_caps(shape, top):
    origins, directions = aimed(256, 0.4)
    solid = Solid(shape, (0, 0, 0), (0.6, 0.8, 0.6), GREY, "thing", 1, top=top)
    distance = trace(solid, origins, directions)
    points = origins + distance[:, None] * directions
    hit = distance.isfinite()
    assert hit.float().mean() > 0.6
    x, y, z = points[hit].unbind(-1)
    radius = 0.6 * (1 + (top if shape == "frustum" else 1.0)) / 2 + 0.6 * (top - 1) / 2 * y / 0.8
    on_mantle = ((x * x + z * z).sqrt() - radius).abs() < 1e-4
    on_cap = (y.abs() - 0.8).abs() < 1e-4
    assert (on_mantle | on_cap).all()
    assert (y.abs() < 0.8001).all()
    # and nothing of it lies before: halfway to the hit every ray is outside still
    before = origins[hit] + 0.999 * distance[hit][:, None] * directions[hit]
    bx, by, bz = before.unbind(-1)
    inside = (by.abs() < 0.8) & ((bx * bx + bz * bz).sqrt() < 0.6 * (1 + (top - 1) * (by / 0.8 + 1) / 2))
    assert not inside.any()


def test_dome_ends_at_its_rim():
    down = torch.tensor([[0.0, -1.0, 0.0]] * 2)
    dome = Solid("ellipsoid", (0, 0, 0), (1, 1, 1), GREY, "thing", 1, lower=-1.0, upper=0.0)
    distance = trace(dome, torch.tensor([[0.0, 3.0, 0.0], [0.9, 3.0, 0.9]]), down)
    assert distance[0].item() == pytest.approx(3.0)
    assert distance[1].isinf()


def test_normals_of_solids_are_unit_and_point_out():
    turn = yaw(30)
    solids = [
        Solid(shape, (0, 0, 0), (0.5, 0.7, 0.5), GREY, "thing", 1, turn=turn, top=0.5)
        for shape in ("box", "ellipsoid", "cylinder", "frustum")
    ]
    for solid in solids:
        origins, directions = aimed(64, 0.2)
        distance = trace(solid, origins, directions)
        packed = Solids([solid])
        _, normal, _ = packed.surface(torch.zeros(64, dtype=torch.long), origins + distance[:, None] * directions)
        assert torch.allclose(normal.norm(dim=1), torch.ones(64), atol=1e-4)
        assert ((normal * directions).sum(1) < 0).all()


def ground(half: float = 20.0) -> Solid:
    return Solid("box", (0, -0.5, 0), (half, 0.5, half), GREY, "ground", 1)


def seen_from_above(*solids: Solid, lightings: list[Lighting], height: float = 4.0, size: int = 64):
    camera = Camera((0, height, 1e-3), (0, 0, 0), field_of_view=90.0)
    return render_scene(Scene([ground(), *solids], camera, lightings), size, size)


def on_ground(size: int = 64, height: float = 4.0) -> tuple[torch.Tensor, torch.Tensor]:
    """World x and z of the pixels of ``seen_from_above``."""
    step = 2 * height / size
    place = (torch.arange(size) - (size - 1) / 2) * step
    return place[None].expand(size, size), place[:, None].expand(size, size)


def test_plane_under_the_sun_has_the_cosine_and_nothing_else():
    towards = (0.6, 0.8, 0.0)
    sun = Sun(towards, (1.0, 0.5, 0.25), radius=0.005)
    result = seen_from_above(lightings=[Lighting(sun=sun)])
    shading = result["shading"]
    assert torch.allclose(shading / shading[:1], torch.tensor([1.0, 0.5, 0.25])[:, None, None].expand_as(shading))
    assert shading.std(dim=(1, 2)).max() < 1e-5
    points, normal = torch.zeros(1, 3), torch.tensor([[0.0, 1.0, 0.0]])
    assert Distant(sun).unblocked(points, normal).item() == pytest.approx(0.8)


def test_panel_and_ball_give_what_their_form_factors_are():
    points, up = torch.zeros(1, 3), torch.tensor([[0.0, 1.0, 0.0]])
    panel = Area(AreaLight((0, 1.0, 0), (0, 0, 0.5), (0.5, 0, 0), (1, 1, 1)))
    # a square of edge 1 at distance 1, opposite its middle: 4 / pi times a corner's factor with X = Y = 0.5
    x = 0.5 / math.sqrt(1.25)
    factor = 4 * x * math.atan(x) / math.pi
    shining_down = Area(AreaLight((0, 1.0, 0), (0.5, 0, 0), (0, 0, 0.5), (1, 1, 1)))
    values = (panel.unblocked(points, up).item(), shining_down.unblocked(points, up).item())
    assert max(values) == pytest.approx(factor, rel=1e-4)
    assert min(values) == 0.0
    ball = Ball(BallLight((0, 2.0, 0), 0.1, (1, 1, 1)))
    assert ball.unblocked(points, up).item() == pytest.approx(0.0025, rel=1e-4)


def test_panel_cut_by_the_horizon_equals_its_upper_half():
    normal = torch.tensor([[0.0, 1.0, 0.0]])
    points = torch.zeros(1, 3)
    whole = Area(AreaLight((0, 0, -1.0), (1, 0, 0), (0, 1, 0), (1, 1, 1)))
    upper = Area(AreaLight((0, 0.5, -1.0), (1, 0, 0), (0, 0.5, 0), (1, 1, 1)))
    assert upper.unblocked(points, normal).item() > 0.05
    assert whole.unblocked(points, normal).item() == pytest.approx(upper.unblocked(points, normal).item(), rel=1e-4)


def test_shadow_of_a_sphere_lies_where_the_sun_throws_it():
    towards = torch.tensor([0.8, 0.6, 0.0])
    ball = Solid("ellipsoid", (0, 1.0, 0), (0.6, 0.6, 0.6), GREY, "ball", 2)
    sun = Lighting(sun=Sun(tuple(towards.tolist()), (1.0, 1.0, 1.0), radius=0.004))
    result = seen_from_above(ball, lightings=[sun], size=128)
    x, z = on_ground(128)
    relative = torch.stack([x, torch.zeros_like(x), z], -1) - torch.tensor([0.0, 1.0, 0.0])
    gap = torch.linalg.cross(relative, towards.expand_as(relative)).norm(dim=-1) - 0.6
    # away from the outline of the ball, where a pixel shows both
    others = torch.nn.functional.max_pool2d((result["instances"] != 1).float()[None], 3, 1, 1)[0]
    floor = others == 0
    shading = result["shading"].mean(0)
    bright = shading[floor].median()
    dark, lit = floor & (gap < -0.2), floor & (gap > 0.2)
    assert dark.sum() > 30
    assert (shading[dark] < 0.35 * bright).all()
    assert (shading[lit] > 0.8 * bright).all()
    edges = result["shadow_edges"]
    assert edges.any()
    assert (gap[edges & floor].abs() < 0.4).all()


def test_wide_suns_have_soft_shadows_without_grain():
    board = Solid("box", (-30.0, 2.0, 0), (30.0, 0.02, 30.0), GREY, "thing", 2)
    sun = Sun((0.0, 1.0, 0.0), (1.0, 1.0, 1.0), radius=0.05)
    camera = Camera((1.5, 1.5, 3.0), (0.0, 0.0, 0.0), field_of_view=60.0)
    result = render_scene(Scene([ground(), board], camera, [Lighting(sun=sun)]), 64, 64)
    floor = result["instances"] == 1
    shading = result["shading"].mean(0)
    middle = floor & (shading > 0.4 * shading.max()) & (shading < 0.8 * shading.max())
    assert middle.any()
    rows = [shading[r][floor[r]] for r in range(64) if floor[r].all()]
    assert len(rows) > 10
    steps = torch.cat([row.diff() for row in rows])
    # light only grows from the shade to the open, up to a hundredth
    assert (steps > -0.02 * shading.max()).float().mean() > 0.97


def test_what_the_sky_sends_is_less_under_a_table():
    sky = Lighting(sky=Sky((1.0, 1.0, 1.0), (1.0, 1.0, 1.0)))
    black = Material("paint", ((0.02, 0.02, 0.02),), amount=0.0)
    table = Solid("box", (0, 0.5, 0), (1.0, 0.02, 1.0), black, "table", 2)
    camera = Camera((0, 1.5, 5.0), (0, 0.2, 0), field_of_view=50.0)
    result = render_scene(Scene([ground(), table], camera, [sky]), 64, 96)
    floor = (result["instances"] == 1) & (result["depth"][0] < 20)
    x = torch.arange(96)[None].expand(64, 96)
    under = floor & ((x - 47.5).abs() < 6) & ((result["depth"][0] - 5.1).abs() < 0.3)
    beside = floor & (x < 10) & ((result["depth"][0] - 5.1).abs() < 0.3)
    shading = result["shading"].mean(0)
    assert under.any()
    assert beside.any()
    assert shading[under].mean() < 0.5 * shading[beside].mean()


@pytest.fixture(scope="module")
def rendered():
    return SceneRenderer(64, 96, seed=1, lights=3).render("train", range(4))


def test_samples_keep_the_contract(rendered):
    check({k: v for k, v in rendered.items() if k != "shadow_edges"})
    assert set(rendered) == set(SCENE_KEYS)
    assert rendered["shading"].shape == (4, 3, 64, 96)
    assert rendered["relit"].shape == (4, 2, 3, 64, 96)
    assert rendered["shadow_edges"].dtype == torch.bool
    assert rendered["segmentation"].max() < len(SCENE_CLASSES)
    assert rendered["mask"].mean() > 0.5


def test_image_is_albedo_times_shading(rendered):
    mask = rendered["mask"]
    linear = srgb_to_linear(rendered["image"])
    assert ((rendered["albedo"] * rendered["shading"] - linear) * mask).abs().max() < 1e-5
    for k in range(2):
        product = rendered["albedo"] * rendered["relit_shading"][:, k]
        assert ((product - srgb_to_linear(rendered["relit"][:, k])) * mask).abs().max() < 1e-5
    lit = rendered["albedo"].amin(1, keepdim=True)[mask > 0]
    assert lit.min() > 0.01
    assert not torch.allclose(rendered["relit"][:, 0], rendered["relit"][:, 1], atol=0.02)


def test_a_sample_is_the_same_in_any_batch_and_under_any_number_of_lights(rendered):
    alone = SceneRenderer(64, 96, seed=1).render("train", [2])
    # the mask of a scene with other lights leaves out what is burnt out in any of them
    for key in ("image", "albedo", "shading", "normal", "depth", "segmentation", "instances"):
        assert torch.equal(alone[key][0], rendered[key][2]), key
    other = SceneRenderer(64, 96, seed=2).render("train", [2])
    assert not torch.equal(other["image"], alone["image"])


def test_normals_agree_with_depth():
    camera = Camera((0.3, 2.0, 3.0), (0, 0.2, 0), field_of_view=60.0)
    ball = Solid("ellipsoid", (0, 0.8, 0), (0.8, 0.8, 0.8), GREY, "ball", 2)
    result = render_scene(Scene([ground(), ball], camera, [Lighting(sky=Sky((1, 1, 1), (1, 1, 1)))]), 96, 96)
    depth, normal, things = result["depth"][0], result["normal"], result["instances"]
    pixel = 2 * math.tan(math.radians(30)) / 96
    place = (torch.arange(96) - 47.5) * pixel
    points = torch.stack([place[None] * depth, -place[:, None] * depth, -depth])
    right, down = points[:, 1:-1, 2:] - points[:, 1:-1, :-2], points[:, 2:, 1:-1] - points[:, :-2, 1:-1]
    from_depth = torch.nn.functional.normalize(torch.linalg.cross(down, right, dim=0), dim=0)
    agree = (from_depth * normal[:, 1:-1, 1:-1]).sum(0)
    near = depth[1:-1, 1:-1]
    alike = (things[1:-1, 2:] == things[1:-1, :-2]) & (things[2:, 1:-1] == things[:-2, 1:-1]) & (near > 0) & (near < 8)
    assert alike.float().mean() > 0.5
    assert agree[alike].quantile(0.02) > 0.98
    assert (normal.norm(dim=0)[things > 0] - 1).abs().max() < 1e-4


def test_nothing_of_a_room_floats_far_outside_of_it():
    for index in range(6):
        scene = SceneRenderer(32, 32, kind="rooms").scene("val", index)
        walls = [s for s in scene.solids if s.label in ("floor", "ceiling")]
        x, z = walls[0].size[0], walls[0].size[2]
        top = walls[1].centre[1]
        for solid in scene.solids:
            assert abs(solid.centre[0]) <= x + 0.01
            assert abs(solid.centre[2]) <= z + 0.01
            assert -0.2 <= solid.centre[1] <= top + 0.01
        assert len(scene.lightings) == 1


def test_mistakes_are_said_in_a_sentence():
    with pytest.raises(UserError, match="no key 'light'"):
        SceneRenderer(keys=["light"])
    with pytest.raises(UserError, match="several lights"):
        SceneRenderer(keys=["relit"])
    with pytest.raises(UserError, match="no scenes of kind"):
        SceneRenderer(kind="caves")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="too small"):
        SceneRenderer(height=8)
    with pytest.raises(UserError, match="needs a light"):
        SceneRenderer(lights=0)


@pytest.mark.gpu
def test_a_gpu_renders_the_same_scenes(rendered):
    there = SceneRenderer(64, 96, seed=1, lights=3, device="cuda").render("train", range(4))
    for key in ("image", "albedo", "normal"):
        difference = (there[key].cpu() - rendered[key]).abs()
        assert difference.median() < 1e-4, key
        assert difference.mean() < 5e-3, key
