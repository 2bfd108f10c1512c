"""Vertex normals: a sphere's, both weightings by hand, and degenerate triangles."""

from __future__ import annotations

import pytest
import torch
import trimesh
from torch.nn.functional import normalize

from zoo.errors import UserError
from zoo.render import euler_to_matrix, expand, vertex_normals


@pytest.mark.parametrize("weighting", ["area", "equal"])
def test_sphere(weighting: str) -> None:
    sphere = trimesh.creation.icosphere(3)
    points, triangles = torch.tensor(sphere.vertices)[None], torch.tensor(sphere.faces.copy())
    normals = vertex_normals(torch.cat((points, points * 3 + 1)), triangles, weighting)  # type: ignore[arg-type]
    torch.testing.assert_close(normals[0], points[0], atol=0.012, rtol=0)
    torch.testing.assert_close(normals[1], normals[0])


def test_weightings_by_hand() -> None:
    """A corner of two faces, of area 2 facing z and of area 1/2 facing x."""
    points = torch.tensor([[[0.0, 0, 0], [-2, 0, 0], [0, -2, 0], [0, -1, 0], [0, 0, -1]]])
    triangles = torch.tensor([[0, 1, 2], [0, 3, 4]])
    area = vertex_normals(points, triangles)
    torch.testing.assert_close(area[0, 0], normalize(torch.tensor([1.0, 0, 4]), dim=0))
    equal = vertex_normals(points, triangles, "equal")
    torch.testing.assert_close(equal[0, 0], normalize(torch.tensor([1.0, 0, 1]), dim=0))
    torch.testing.assert_close(area[0, 1:], equal[0, 1:])


def test_batches_in_pieces_and_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    sphere = trimesh.creation.icosphere(1)
    points, triangles = torch.tensor(sphere.vertices).float(), torch.tensor(sphere.faces.copy())
    batch = points * torch.tensor([[1.0, 1, 1], [1, 2, 1], [3, 1, 1]])[:, None]
    whole = vertex_normals(batch, triangles)
    monkeypatch.setattr(expand, "BUDGET_CPU", 2 * len(triangles))
    assert torch.equal(vertex_normals(batch, triangles), whole)
    half = vertex_normals((batch * 1e-3).half(), triangles)
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), whole, atol=0.01, rtol=0)


def test_turn_with_the_mesh() -> None:
    points = torch.randn(1, 30, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    triangles = torch.randint(0, 30, (50, 3), generator=torch.Generator().manual_seed(1))
    rotation = euler_to_matrix(torch.tensor([[0.3, -1.2, 2.0]], dtype=torch.float64))
    turned = vertex_normals(points @ rotation.mT, triangles)
    torch.testing.assert_close(turned, vertex_normals(points, triangles) @ rotation.mT)


def test_small_and_degenerate_triangles_and_lone_vertices() -> None:
    points = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0, 0], [5, 5, 5]]]).mul(1e-6).requires_grad_()
    normals = vertex_normals(points, torch.tensor([[0, 1, 2], [0, 1, 3], [3, 3, 3]]))
    torch.testing.assert_close(normals[0, :3], torch.tensor([[0.0, 0, 1]]).expand(3, 3))
    assert not normals[0, 3:].any()
    normals[..., 2].sum().backward()
    assert points.grad is not None
    assert points.grad.isfinite().all()


def test_gradients() -> None:
    sphere = trimesh.creation.icosphere(1)
    noise = torch.randn(2, 42, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    points, triangles = torch.tensor(sphere.vertices) + 0.2 * noise, torch.tensor(sphere.faces.copy())
    for weighting in ("area", "equal"):
        assert torch.autograd.gradcheck(
            lambda p, w=weighting: vertex_normals(p, triangles, w)[:, ::7], points.requires_grad_()
        )


def test_unknown_weighting() -> None:
    with pytest.raises(UserError, match="no weighting named 'angle'"):
        vertex_normals(torch.zeros(1, 3, 3), torch.tensor([[0, 1, 2]]), "angle")  # type: ignore[arg-type]
