"""The rasteriser: against brute force in double precision, and at each place where rasterisers go wrong."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from benchmarks.head_mesh import head
from hypothesis import given, settings
from hypothesis import strategies as st
from render.brute_force import brute_force, soup
from torch import Tensor

from zoo.errors import UserError
from zoo.render import PerspectiveCamera, euler_to_matrix, rasterize
from zoo.render.expand import pieces


def grid(columns: int, rows: int, step: float = 1.0) -> tuple[Tensor, Tensor]:
    """A flat sheet of triangles with its front to the viewer, its vertices on multiples of ``step``."""
    x, y = torch.meshgrid(torch.arange(columns) * step, torch.arange(rows) * step, indexing="xy")
    screen = torch.stack((x, y, torch.full_like(x, 2.0)), -1).reshape(1, -1, 3)
    first = (torch.arange(rows - 1)[:, None] * columns + torch.arange(columns - 1)).reshape(-1)
    below = first + columns
    triangles = torch.cat((torch.stack((first, below, first + 1), 1), torch.stack((first + 1, below, below + 1), 1)))
    return screen, triangles


def holes(face_ids: Tensor) -> int:
    """Background pixels whose four neighbours are all covered."""
    covered = face_ids >= 0
    inner = covered[:, 1:-1, 1:-1]
    around = covered[:, :-2, 1:-1] & covered[:, 2:, 1:-1] & covered[:, 1:-1, :-2] & covered[:, 1:-1, 2:]
    return int((~inner & around).sum())


@pytest.mark.parametrize("cull", [True, False])
@pytest.mark.parametrize("perspective", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_brute_force(seed: int, cull: bool, perspective: bool) -> None:
    screen, triangles = soup(seed)
    found = rasterize(screen, triangles, 21, 30, cull=cull, perspective=perspective)[0]
    expected = brute_force(screen[0], triangles, 21, 30, cull=cull, perspective=perspective)
    clear = expected["clear"]
    assert clear.float().mean() > 0.9
    assert torch.equal(found[clear], expected["face_ids"][clear])
    assert 0.3 < (found >= 0).float().mean() <= 1.0


@pytest.mark.parametrize("cull", [True, False])
def test_budget_does_not_change_the_result(cull: bool) -> None:
    screen, triangles = soup(5, faces=200)
    whole = rasterize(screen, triangles, 21, 30, cull=cull)
    for budget in (1, 37, 1000):
        assert torch.equal(rasterize(screen, triangles, 21, 30, cull=cull, budget=budget), whole)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(1, 100))
def test_pieces_cover_everything_once_and_stay_small(counts: list[int], budget: int) -> None:
    found = list(pieces(torch.tensor(counts), budget))
    assert [pairs for _, _, pairs in found] == [sum(counts[first:last]) for first, last, _ in found]
    assert sum(pairs for _, _, pairs in found) == sum(counts)
    assert all(0 < pairs <= budget + max(counts) for _, _, pairs in found)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(found))


def test_items_of_a_batch_are_independent() -> None:
    screens = [soup(seed)[0] for seed in range(3)]
    triangles = soup(0)[1]
    together = rasterize(torch.cat(screens), triangles, 21, 30)
    assert torch.equal(rasterize(torch.cat(screens), triangles, 21, 30, budget=90), together)
    for item, screen in enumerate(screens):
        assert torch.equal(together[item : item + 1], rasterize(screen, triangles, 21, 30))


def test_double_precision_and_threads_give_the_same_faces() -> None:
    screen, triangles = soup(2)
    found = rasterize(screen, triangles, 21, 30)
    clear = brute_force(screen[0], triangles, 21, 30)["clear"]
    assert torch.equal(rasterize(screen.double(), triangles, 21, 30)[0, clear], found[0, clear])
    assert torch.equal(rasterize(screen, triangles.int(), 21, 30), found)
    assert found.dtype == torch.int64


def test_only_the_front_is_drawn() -> None:
    """Counter-clockwise for the viewer: left, bottom, right on a screen whose y points down."""
    screen = torch.tensor([[[0.0, 0, 1], [0, 9, 1], [9, 0, 1]]])
    front, back = torch.tensor([[0, 1, 2]]), torch.tensor([[0, 2, 1]])
    drawn = rasterize(screen, front, 10, 10)
    assert (drawn == 0).sum() == 55
    assert (rasterize(screen, back, 10, 10) == -1).all()
    assert torch.equal(rasterize(screen, back, 10, 10, cull=False), drawn)


def test_picture_is_upright_and_not_mirrored() -> None:
    """An L in the camera frame: a long bar on the left, a short one at the bottom; the picture is not square."""
    points = torch.tensor([[-2.0, 2], [-2, -2], [-1, 2], [-1, -1], [1, -1], [1, -2]])
    vertices = torch.cat((points, torch.full((6, 1), -4.0)), 1)[None]
    triangles = torch.tensor([[0, 1, 2], [2, 1, 3], [3, 1, 4], [4, 1, 5]])
    camera = PerspectiveCamera(10.0, (9.5, 7.5), 16, 20)
    covered = rasterize(camera.project(vertices), triangles, 16, 20)[0] >= 0
    rows, columns = covered.nonzero().unbind(1)
    assert (int(rows.min()), int(rows.max())) == (3, 12)
    assert (int(columns.min()), int(columns.max())) == (5, 12)
    assert covered[3:13, 5:7].all()
    assert covered[10:13, 5:12].all()
    assert not covered[3:9, 8:].any()


@pytest.mark.parametrize("step", [1.0, 0.5, 0.25, 2.0])
def test_no_holes_with_vertices_on_pixel_centres(step: float) -> None:
    screen, triangles = grid(33, 25, step)
    size = (int(24 * step) + 1, int(32 * step) + 1)
    assert (rasterize(screen, triangles, *size) >= 0).all()


@pytest.mark.parametrize("cull", [True, False])
def test_no_holes_in_a_head_snapped_to_quarter_pixels(cull: bool) -> None:
    vertices, triangles = head(90, 90)
    angles = torch.tensor([[0.1, -0.5, 0.0], [-0.2, 0.3, 0.1]])
    turned = vertices @ euler_to_matrix(angles).mT + torch.tensor([0.0, 0.0, -5.0])
    screen = PerspectiveCamera.from_fov(25.0, 112, 112).project(turned)
    for xy in (screen[..., :2], (screen[..., :2] * 4).round() / 4):
        face_ids = rasterize(torch.cat((xy, screen[..., 2:]), -1), triangles, 112, 112, cull=cull)
        assert holes(face_ids) == 0
        assert (face_ids >= 0).float().mean() > 0.4


def test_ties_go_to_the_lower_face() -> None:
    screen, triangles = grid(9, 7)
    count = len(triangles)
    doubled = torch.cat((triangles, triangles))
    assert int(rasterize(screen, doubled, 7, 9).max()) < count
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    shuffled = rasterize(screen, triangles[order], 7, 9)
    # Whoever of the faces around a vertex comes first in the list gets the pixel on it.
    touching = (triangles[order][None] == torch.arange(63)[:, None, None]).any(-1)
    assert torch.equal(shuffled.view(-1), touching.float().argmax(1))


def test_nearer_faces_win() -> None:
    screen, triangles = grid(9, 7)
    behind = screen.clone()
    behind[..., 2] += 1e-4
    both = torch.cat((behind, screen), 1)
    face_ids = rasterize(both, torch.cat((triangles, triangles + 63)), 7, 9)
    assert int(face_ids.min()) >= len(triangles)


def test_faces_reaching_behind_the_camera_are_not_drawn() -> None:
    vertices = torch.tensor([[[-1.0, -1, -3], [1, -1, -3], [0, 1, 1.0]]])
    triangles = torch.tensor([[0, 1, 2]])
    camera = PerspectiveCamera.from_fov(60.0, 32, 32)
    for cull in (True, False):
        assert (rasterize(camera.project(vertices), triangles, 32, 32, cull=cull) == -1).all()
    screen = camera.project(vertices - torch.tensor([0, 0, 3.0]))
    assert (rasterize(screen, triangles, 32, 32) == 0).any()
    assert (rasterize(screen, triangles, 32, 32, near=2.5) == -1).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e9, -1e9, 1e30])
@pytest.mark.parametrize("column", range(3))
@pytest.mark.parametrize("cull", [True, False])
def test_bad_coordinates_leave_the_rest_alone(bad: float, column: int, cull: bool) -> None:
    screen, triangles = grid(9, 7)
    stray = torch.tensor([[[1.0, 1, 1], [1, 5, 1], [5, 1, 1]]])
    stray[0, 2, column] = bad
    both = torch.cat((screen, stray), 1)
    face_ids = rasterize(both, torch.cat((triangles, torch.tensor([[63, 64, 65]]))), 7, 9, cull=cull)
    rest = rasterize(screen, triangles, 7, 9, cull=cull)
    if math.isnan(bad):
        assert torch.equal(face_ids, rest)
    assert (face_ids >= 0).all()
    assert torch.equal(face_ids[face_ids != len(triangles)], rest[face_ids != len(triangles)])


def test_degenerate_triangles_are_left_out() -> None:
    screen = torch.tensor([[[0.0, 0, 1], [0, 8, 1], [8, 0, 1], [4, 4, 1], [2, 2, 1]]])
    degenerate = torch.tensor([[0, 0, 1], [1, 1, 1], [1, 2, 3], [0, 4, 3], [2, 1, 2]])
    for cull in (True, False):
        assert (rasterize(screen, degenerate, 9, 9, cull=cull) == -1).all()


def test_nothing_to_draw() -> None:
    screen, triangles = soup(0)
    assert (rasterize(screen, triangles[:0], 4, 5) == -1).all()
    assert (rasterize(screen + 1000, triangles, 4, 5) == -1).all()
    assert rasterize(screen[:0], triangles, 4, 5).shape == (0, 4, 5)


def test_a_picture_too_large_for_float_counting() -> None:
    """One triangle over 12 million pixels: single precision would lose count."""
    screen = torch.tensor([[[0.0, 0.0, 1], [0, 5999, 1], [1999, 0, 1]]])
    face_ids = rasterize(screen, torch.tensor([[0, 1, 2]]), 6000, 2000)[0]
    rows = torch.arange(6000)
    expected = (1999 * (5999 - rows)).div(5999, rounding_mode="floor") + 1
    assert torch.equal((face_ids == 0).sum(1), expected)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(-7, 7), st.integers(-7, 7))
def test_moving_the_mesh_moves_the_picture(seed: int, right: int, down: int) -> None:
    screen, triangles = soup(seed, faces=12)
    screen = (screen * 64).round() / 64  # exact sums, so that not one pixel may differ
    face_ids = rasterize(screen, triangles, 40, 40)
    moved = rasterize(screen + torch.tensor([right, down, 0.0]), triangles, 40, 40)
    middle = face_ids[:, 8:32, 8:32]
    assert torch.equal(moved[:, 8 + down : 32 + down, 8 + right : 32 + right], middle)


def test_bad_shapes_get_one_sentence() -> None:
    screen, triangles = soup(0)
    with pytest.raises(UserError, match=r"screen must be a float tensor \(B, V, 3\)"):
        rasterize(screen[0], triangles, 4, 4)
    with pytest.raises(UserError, match=r"triangles must be an integer tensor \(T, 3\)"):
        rasterize(screen, triangles.float(), 4, 4)
