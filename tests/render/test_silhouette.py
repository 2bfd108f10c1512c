"""The soft mask: coverage against supersampling, and gradients against finite differences of the supersampled area."""

from __future__ import annotations

import pytest
import torch
from benchmarks.head_mesh import Workload, scene
from torch import Tensor
from torch.nn.functional import avg_pool2d

from zoo.render import expand, rasterize, soft_mask

FLAME_SIZE = Workload("5k", 71, 71, 96, 2)


def supersampled(screen: Tensor, triangles: Tensor, size: int, times: int = 8) -> Tensor:
    """Coverage (B, 1, H, W) by counting ``times`` x ``times`` centres in each pixel."""
    fine = torch.cat(((screen[..., :2] + 0.5) * times - 0.5, screen[..., 2:]), -1)
    covered = rasterize(fine, triangles, size * times, size * times) >= 0
    return avg_pool2d(covered[:, None].double(), times)


def polygon(points: list[tuple[float, float]]) -> tuple[Tensor, Tensor]:
    """A fan of triangles, counter-clockwise for the viewer."""
    screen = torch.tensor([[(x, y, 1.0) for x, y in points]], dtype=torch.float64)
    return screen, torch.tensor([[0, k, k + 1] for k in range(1, len(points) - 1)])


def test_coverage_of_a_head() -> None:
    vertices, triangles, camera = scene(FLAME_SIZE)
    screen = camera.project(vertices)
    face_ids = rasterize(screen, triangles, 96, 96)
    soft, true = soft_mask(screen, triangles, face_ids), supersampled(screen, triangles, 96)
    hard = (face_ids >= 0)[:, None].double()
    border = (true > 0) & (true < 1)
    error, hard_error = ((mask - true).abs()[border].mean() for mask in (soft, hard))
    assert float(error) < 0.03
    assert float(hard_error) > 0.15
    assert float(soft.sum() / true.sum()) == pytest.approx(1, abs=3e-4)
    far = ~border & ((soft == 0) | (soft == 1))
    assert float(far.double().mean()) > 0.94
    assert torch.equal(soft[far].double(), hard[far])


def test_gradient_of_the_area() -> None:
    """d(weighted area) by scale and shift of the picture, against central differences of the supersampled area."""
    vertices, triangles, camera = scene(FLAME_SIZE, seed=4)
    screen = camera.project(vertices).double()
    weight = torch.linspace(0.5, 1.5, 96).double()[None] * torch.linspace(1.2, 0.4, 96).double()[:, None]
    centre = torch.tensor([47.5, 47.5, 0.0], dtype=torch.float64)

    def moved(change: Tensor) -> Tensor:
        scale, shift = 1 + change[0], torch.cat((change[1:], change.new_zeros(1)))
        stretched = (screen - centre) * torch.stack((scale, scale, torch.ones_like(scale)))
        return stretched + centre + shift

    change = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    face_ids = rasterize(moved(change), triangles, 96, 96)
    (soft_mask(moved(change), triangles, face_ids) * weight).sum().backward()
    step = torch.tensor([0.01, 0.5, 0.5], dtype=torch.float64).diag()
    numeric = torch.stack(
        [
            (supersampled(moved(d), triangles, 96) - supersampled(moved(-d), triangles, 96)).mul(weight).sum()
            / 2
            / d.sum()
            for d in step
        ]
    )
    # In pixels: a scale of 1 % moves the border by about as much as a shift of 0.4 pixels.
    assert change.grad is not None
    difference = (change.grad - numeric).abs() / torch.tensor([1.0, 1 / 40, 1 / 40]) / numeric[0].abs()
    assert difference.max() < 0.02


def test_gradient_against_finite_differences() -> None:
    """On a general polygon each alpha is the distance to a moving edge: autograd and differences must agree exactly."""
    screen, triangles = polygon([(2.3, 1.7), (3.1, 10.4), (11.2, 13.9), (16.6, 4.2)])
    face_ids = rasterize(screen, triangles, 16, 20)

    def mask(screen: Tensor) -> Tensor:
        return soft_mask(screen, triangles, face_ids)

    assert torch.autograd.gradcheck(mask, screen.requires_grad_(), eps=1e-7, atol=1e-5)


def test_edges_on_pixel_centres_still_have_gradients() -> None:
    """A square with its corners on pixel centres: alpha is 0.5 there, and falls as its right side moves left."""
    screen, triangles = polygon([(3, 3), (3, 9), (9, 9), (9, 3)])
    screen.requires_grad_()
    mask = soft_mask(screen, triangles, rasterize(screen, triangles, 13, 13))
    assert torch.equal(mask[0, 0, 4:9, 9], torch.full((5,), 0.5, dtype=torch.float64))
    assert mask[0, 0, 6].tolist() == [0, 0, 0, 0.5, 1, 1, 1, 1, 1, 0.5, 0, 0, 0]
    mask[0, 0, 4:9, 9].sum().backward()
    assert screen.grad is not None
    assert float(screen.grad[0, 2:, 0].sum()) == pytest.approx(5)
    assert not screen.grad[0, :2].any()


def test_inner_edges_are_not_in_the_mask() -> None:
    """Two separate sheets, one before the other: only what borders the background is soft."""
    near, triangles = polygon([(4.25, 4.25), (4.25, 8.25), (8.25, 8.25), (8.25, 4.25)])
    far = polygon([(1.25, 1.25), (1.25, 11.25), (11.25, 11.25), (11.25, 1.25)])[0] + torch.tensor([0, 0, 1.0])
    screen, both = torch.cat((near, far), 1), torch.cat((triangles, triangles + 4))
    mask = soft_mask(screen, both, rasterize(screen, both, 13, 13))
    alone = soft_mask(far, triangles, rasterize(far, triangles, 13, 13))
    assert torch.equal(mask, alone)


def test_back_faces_that_were_left_out_have_no_outline() -> None:
    """A culled sheet that reaches a pixel beyond the visible one must not soften its border; drawn, it must."""
    front, triangles = polygon([(2, 2), (2, 8), (8, 8), (8, 2)])
    back = polygon([(0.6, 0.6), (9.4, 0.6), (9.4, 9.4), (0.6, 9.4)])[0]
    screen, both = torch.cat((front, back), 1), torch.cat((triangles, triangles + 4))
    culled = soft_mask(screen, both, rasterize(screen, both, 11, 11))
    assert torch.equal(culled, soft_mask(front, triangles, rasterize(front, triangles, 11, 11)))
    drawn = soft_mask(screen, both, rasterize(screen, both, 11, 11, cull=False), cull=False)
    torch.testing.assert_close(drawn[0, 0, 5, 8:].tolist(), [1.0, 0.9, 0.0], atol=1e-6, rtol=0)


def test_long_edges_are_worked_through_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, triangles = polygon([(2.3, 1.7), (3.1, 90.4), (91.2, 93.9), (96.6, 4.2)])
    face_ids = rasterize(screen, triangles, 100, 100)
    whole = soft_mask(screen, triangles, face_ids)
    monkeypatch.setattr(expand, "BUDGET_CPU", 100)
    assert torch.equal(soft_mask(screen, triangles, face_ids), whole)


def test_a_mask_that_fills_or_misses_the_picture() -> None:
    screen, triangles = polygon([(-9, -9), (-9, 40), (40, 40), (40, -9)])
    assert (soft_mask(screen, triangles, rasterize(screen, triangles, 8, 8)) == 1).all()
    away = screen + 100
    assert (soft_mask(away, triangles, rasterize(away, triangles, 8, 8)) == 0).all()


def test_edges_follow_triangles_changed_in_place() -> None:
    screen, triangles = polygon([(2.3, 1.7), (3.1, 10.4), (11.2, 13.9), (16.6, 4.2)])
    soft_mask(screen, triangles, rasterize(screen, triangles, 16, 20))
    triangles[1] = torch.tensor([0, 0, 0])
    changed = soft_mask(screen, triangles, rasterize(screen, triangles, 16, 20))
    assert torch.equal(changed, soft_mask(screen, triangles.clone(), rasterize(screen, triangles, 16, 20)))
