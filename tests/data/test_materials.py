"""Materials: ranges, a point's colour depends on the point alone, known answers of patterns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.scenes.materials import DARKEST, KINDS, LIGHTEST, USES, Material, albedo_of, draw_material
from datamodules.scenes.materials.noise import cell_random, fbm, noise, worley
from datamodules.scenes.materials.surface import pulse
from zoo.errors import UserError

_UP, _FRONT = (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def _points(count: int, reach: float = 3.0) -> Tensor:
    return (torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1) * reach


def _facing(points: Tensor, normal: tuple[float, float, float]) -> Tensor:
    return points.new_tensor([normal]).expand_as(points)


def _normals(count: int) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(count, 3, generator=torch.Generator().manual_seed(1)), dim=1)


@pytest.mark.parametrize("use", USES)
def test_every_use_gives_plausible_reflectances(use: str) -> None:
    generator = np.random.default_rng(3)
    points, normals = _points(1500), _normals(1500)
    footprint = torch.rand(1500, generator=torch.Generator().manual_seed(2)) * 0.1
    for _ in range(8):
        albedo = albedo_of(draw_material(use, generator), points, normals, footprint)
        assert albedo.shape == (1500, 3)
        assert albedo.isfinite().all()
        assert albedo.min() >= DARKEST
        assert albedo.max() <= LIGHTEST
        assert albedo.mean() < 0.9


@pytest.mark.parametrize(
    ("use", "low", "high"),
    [("wood", 0.08, 0.5), ("grass", 0.05, 0.2), ("brick", 0.1, 0.35), ("dirt", 0.025, 0.15), ("foliage", 0.03, 0.2)],
)
def test_mean_reflectance_is_that_of_the_true_material(use: str, low: float, high: float) -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        mean = albedo_of(draw_material(use, generator), _points(4000), _facing(_points(4000), _UP)).mean()
        assert low < mean < high


@pytest.mark.parametrize("use", ["grass", "foliage", "tree", "topiary"])
def test_plants_are_green(use: str) -> None:
    generator = np.random.default_rng(1)
    for _ in range(10):
        red, green, blue = albedo_of(draw_material(use, generator), _points(3000), _normals(3000)).mean(0)
        assert green > red
        assert green > 1.2 * blue


@pytest.mark.parametrize("kind", KINDS)
def test_a_points_colour_does_not_depend_on_the_others(kind: str) -> None:
    colours = tuple((0.1 * k + 0.1, 0.3, 0.5 - 0.08 * k) for k in range(5))
    material = Material(kind, colours, 0.2, 77, 0.7, (1.4, 0.9))
    points, normals, footprint = _points(257), _normals(257), torch.linspace(0.0005, 0.2, 257)
    whole = albedo_of(material, points, normals, footprint)
    parts = [
        albedo_of(material, points[part], normals[part], footprint[part])
        for part in (slice(0, 1), slice(1, 64), slice(64, 257))
    ]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=2e-5)
    assert albedo_of(material, points[:0], normals[:0]).shape == (0, 3)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"glaze", "book", "rug"}))
def test_another_seed_is_another_pattern(kind: str) -> None:
    colours = tuple((0.1 * k + 0.1, 0.3, 0.5 - 0.08 * k) for k in range(5))
    points, normals = _points(500, 0.4), _facing(_points(500), _FRONT)
    one, two = (albedo_of(Material(kind, colours, 0.2, seed, 0.7), points, normals) for seed in (1, 2))
    assert (one - two).abs().max() > 0.005


def test_tiles_repeat_after_two_and_swap_colours_after_one() -> None:
    material = Material("tiles", ((0.8, 0.8, 0.8), (0.1, 0.1, 0.1), (0.4, 0.4, 0.4)), 0.3, 5, amount=0.0)
    points = torch.tensor([[0.15, 0.0, 0.15]]) + torch.tensor([[0.3 * k, 0.0, 0.0] for k in range(6)])
    grey = albedo_of(material, points, _facing(points, _UP))[:, 0]
    torch.testing.assert_close(grey[::2], torch.full((3,), float(grey[0])), atol=1e-3, rtol=0)
    torch.testing.assert_close(grey.sort().values, torch.tensor([0.1] * 3 + [0.8] * 3), atol=1e-3, rtol=0)
    diagonal = points[:1] + torch.tensor([[0.3, 0.0, 0.3]])
    torch.testing.assert_close(albedo_of(material, diagonal, _facing(diagonal, _UP))[:, 0], grey[:1], atol=1e-3, rtol=0)
    joint = torch.tensor([[0.301, 0.0, 0.15]])
    torch.testing.assert_close(
        albedo_of(material, joint, _facing(joint, _UP))[:, 0], torch.tensor([0.4]), atol=0.08, rtol=0
    )


def test_a_coarse_checker_is_the_mean_of_its_tiles() -> None:
    material = Material("tiles", ((0.8, 0.6, 0.4), (0.2, 0.2, 0.2), (0.5, 0.4, 0.3)), 0.3, 5, amount=0.0)
    points = _points(50)
    albedo = albedo_of(material, points, _facing(points, _UP), torch.full((50,), 60.0))
    torch.testing.assert_close(albedo, torch.tensor([[0.5, 0.4, 0.3]]).expand(50, 3), atol=0.01, rtol=0)


def test_bricks_lie_in_running_bond() -> None:
    material = Material("bricks", ((0.3, 0.1, 0.1), (0.3, 0.1, 0.1), (0.6, 0.6, 0.6)), 0.25, 9, amount=0.0)
    high, joint = 0.25 * 0.34, 0.25 * 0.048
    # the middle of an upright joint of row 0 is the middle of a brick in row 1
    middle = torch.tensor([[0.25 + joint / 2, 0.6 * high, 0.0], [0.25 + joint / 2, 1.6 * high, 0.0]])
    red, blue = albedo_of(material, middle, _facing(middle, _FRONT))[:, 0::2].unbind(1)
    assert blue[0] > 0.4
    assert red[1] > 2 * blue[1]


def test_the_same_board_is_one_tree_and_the_next_is_another() -> None:
    material = Material("planks", ((0.5, 0.3, 0.2), (0.5, 0.3, 0.2)), 0.15, 4, amount=1.0)
    # with both colours alike only the board's own shade is left, beside a few per cent of fibre
    along = torch.tensor([[0.03 * k, 0.0, 0.075] for k in range(200)])
    across = along + torch.tensor([[0.0, 0.0, 0.15]])
    coarse = torch.full((200,), 0.01)
    one, two = (albedo_of(material, p, _facing(p, _UP), coarse)[:, 0] for p in (along, across))
    steps = (one[1:] - one[:-1]).abs()
    # six metres hold four or five boards of 1.35 metres: four or five steps, and no others
    assert 4 <= int((steps > 0.01).sum()) <= 10
    assert steps.median() < 1e-4
    assert (one.mean() - two.mean()).abs() > 1e-3


def test_herringbone_blocks_are_five_times_as_long_as_wide() -> None:
    material = Material("parquet", ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), 0.1, 4, amount=1.0)
    grid = torch.arange(40) * 0.1 + 0.05
    v, u = torch.meshgrid(grid, grid, indexing="ij")
    points = torch.stack([u, torch.zeros_like(u), v], -1).reshape(-1, 3)
    shade = albedo_of(material, points, _facing(points, _UP), torch.full((1600,), 0.02))[:, 0].view(40, 40)
    joined = ((shade[:, 1:] - shade[:, :-1]).abs() < 1e-4).float().mean()
    # of five cells of a lying block four pairs are joined, of an upright one none: 4/10 of all pairs
    assert joined == pytest.approx(0.4, abs=0.05)


def test_walls_at_a_corner_show_bricks_at_one_height() -> None:
    material = Material("bricks", ((0.3, 0.1, 0.1), (0.3, 0.1, 0.1), (0.6, 0.6, 0.6)), 0.25, 9, amount=0.0)
    v = torch.arange(400) * 0.005
    front = torch.stack([torch.full_like(v, 0.07), v, torch.zeros_like(v)], 1)
    side = torch.stack([torch.zeros_like(v), v, torch.full_like(v, 0.07)], 1)
    one = albedo_of(material, front, _facing(front, _FRONT))
    two = albedo_of(material, side, _facing(side, (1.0, 0.0, 0.0)))
    torch.testing.assert_close(one, two)


def test_detail_fades_where_a_pixel_is_coarse() -> None:
    generator = np.random.default_rng(2)
    for use in ("gravel", "foliage", "brick", "woodchip"):
        material = draw_material(use, generator)
        points = _points(3000)
        normals = _facing(points, _FRONT if use == "brick" else _UP)
        fine = albedo_of(material, points, normals)
        coarse = albedo_of(material, points, normals, torch.full((3000,), 1.0))
        assert coarse.std(0).mean() < 0.4 * fine.std(0).mean()
        # the average of what is faded out stays
        assert (coarse.mean() / fine.mean()).log().abs() < 0.25


def test_noise_has_its_spread_and_no_period() -> None:
    for dimension in (2, 3):
        points = torch.rand(40000, dimension, generator=torch.Generator().manual_seed(0)) * 300
        values = noise(points, 3)
        assert abs(float(values.mean())) < 0.02
        assert float(values.std()) == pytest.approx(0.5, abs=0.03)
        for shift in (64.0, 256.0):
            again = noise(points + shift, 3)
            assert abs(float(torch.corrcoef(torch.stack([values, again]))[0, 1])) < 0.05
        whole = torch.randint(-50, 50, (100, dimension)).float()
        assert noise(whole, 3).abs().max() < 1e-6


def test_worley_finds_the_nearest_of_all_points() -> None:
    points = torch.rand(500, 2, generator=torch.Generator().manual_seed(0)) * 10
    near, second, name = worley(points, 7, jitter=0.8)
    assert (near <= second).all()
    # what is called by one name lies around one point
    for value in name.unique()[:20]:
        assert (points[name == value].amax(0) - points[name == value].amin(0)).max() < 2.2


def test_octaves_finer_than_the_pixel_are_left_out() -> None:
    points = _points(300)[:, :2].contiguous()
    fine = fbm(points, 0.4, 1, torch.full((300,), 0.001), octaves=1)
    coarse = fbm(points, 0.4, 1, torch.full((300,), 0.15), octaves=6)
    torch.testing.assert_close(fine, coarse - 0.5 * (2 - 1.5) * noise(points / 0.2 + 0.74, 102))
    assert fbm(points, 0.4, 1, torch.full((300,), 0.5)).abs().max() == 0


def test_cells_have_numbers_of_their_own() -> None:
    cells = torch.stack(torch.meshgrid(torch.arange(-50, 50), torch.arange(-50, 50), indexing="ij"), -1).reshape(-1, 2)
    values = cell_random(cells, 1, 2)
    assert values.min() >= 0
    assert values.max() < 1
    assert float(values.mean()) == pytest.approx(0.5, abs=0.01)
    assert abs(float(torch.corrcoef(values.T)[0, 1])) < 0.03
    torch.testing.assert_close(cell_random(cells[17:18], 1, 2), values[17:18])


def test_pulse_is_the_exact_share_of_a_pixel() -> None:
    x = torch.linspace(-2, 3, 41)
    for width in (0.05, 0.4, 1.0, 3.7):
        steps = (torch.arange(4000) + 0.5) / 4000 - 0.5
        inside = torch.remainder(x[:, None] + width * steps - 0.2, 1.0) < 0.3
        torch.testing.assert_close(
            pulse(x, 0.2, 0.5, torch.full_like(x, width)), inside.float().mean(1), atol=2e-3, rtol=0
        )


def test_unknown_names_are_told_the_nearest() -> None:
    with pytest.raises(UserError, match="bricks"):
        albedo_of(Material("brikcs", ((0.5, 0.5, 0.5),)), _points(2), _normals(2))
    with pytest.raises(UserError, match="gravel"):
        draw_material("gravle", np.random.default_rng(0))


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_gives_the_same(kind: str) -> None:
    material = Material(kind, tuple((0.1 * k + 0.1, 0.3, 0.2) for k in range(5)), 0.2, 77, 0.7)
    points, normals = _points(2000), _normals(2000)
    here, there = albedo_of(material, points, normals), albedo_of(material, points.cuda(), normals.cuda()).cpu()
    # a few points lie on an edge, where rounding decides
    assert ((here - there).abs().amax(1) > 1e-3).float().mean() < 0.01
