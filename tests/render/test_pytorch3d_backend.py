"""The torch rasteriser against PyTorch3D, where that is installed."""

from __future__ import annotations

import pytest
import torch
from benchmarks.head_mesh import Workload, scene
from render.brute_force import brute_force, soup
from torch import Tensor

from zoo.render import MeshRenderer, OrthographicCamera, PerspectiveCamera, interpolate, rasterize

pytest.importorskip("pytorch3d._C", reason="PyTorch3D is not installed: there is nothing to compare with")

from zoo.render import pytorch3d_backend as backend

HEAD = Workload("1k", 36, 36, 64, 3)


@pytest.mark.parametrize("cull", [True, False])
@pytest.mark.parametrize("perspective", [True, False])
@pytest.mark.parametrize("size", [(21, 30), (30, 21)])
def test_same_faces(size: tuple[int, int], perspective: bool, cull: bool) -> None:
    height, width = size
    screens = [soup(seed, height=height, width=width)[0] for seed in range(3)]
    triangles = soup(0)[1]
    ours, theirs = (
        draw(torch.cat(screens), triangles, height, width, cull=cull, perspective=perspective)
        for draw in (rasterize, backend.rasterize)
    )
    for item in range(3):
        clear = brute_force(screens[item][0], triangles, height, width, cull=cull, perspective=perspective)["clear"]
        assert torch.equal(ours[item][clear], theirs[item][clear])


def test_faces_that_are_not_drawn() -> None:
    """Behind the camera, degenerate, NaN; the ids of the others must not shift."""
    screen, triangles = soup(0)
    screen[0, 3, 2], screen[0, 6:9], screen[0, 12, 0] = -1.0, screen[0, 6].clone(), torch.nan
    both = torch.cat((screen, soup(1)[0]))
    ours, theirs = rasterize(both, triangles, 21, 30), backend.rasterize(both, triangles, 21, 30)
    assert (ours == theirs).float().mean() > 0.99
    assert not torch.isin(theirs[0], torch.tensor([1, 2, 4])).any()
    nothing = backend.rasterize(both * torch.tensor([1, 1, -1.0]), triangles, 21, 30)
    assert (nothing == -1).all()


@pytest.mark.parametrize("orthographic", [False, True])
def test_same_pictures_and_gradients(orthographic: bool) -> None:
    vertices, triangles, camera = scene(HEAD)
    view = (
        OrthographicCamera.centred(28.0, 48, 64) if orthographic else PerspectiveCamera(camera.focal, (31, 23), 48, 64)
    )
    results = []
    for name in ("torch", "pytorch3d"):
        points = vertices.clone().requires_grad_()
        out = MeshRenderer(name, soft=True)(points, triangles, points.detach(), view)  # type: ignore[arg-type]
        weight = torch.linspace(-1, 1, 48 * 64).view(48, 64)
        ((out["image"] * weight).sum() + (out["mask"] * weight).sum()).backward()
        results.append((out, points.grad))
    (ours, our_gradient), (theirs, their_gradient) = results
    assert (ours["face_ids"] == theirs["face_ids"]).float().mean() >= 0.9999
    torch.testing.assert_close(ours["image"], theirs["image"])
    torch.testing.assert_close(ours["mask"], theirs["mask"])
    torch.testing.assert_close(our_gradient, their_gradient)


def test_agreement_of_weights_depth_and_gradients() -> None:
    """PyTorch3D's own interpolation and backward pass, on the pixels where both see the same face."""
    from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
    from pytorch3d.structures import Meshes

    vertices, triangles, camera = scene(HEAD, seed=1)
    screen = camera.project(vertices)
    scale, middle = HEAD.size / 2, (HEAD.size - 1) / 2

    def theirs(points: Tensor) -> tuple[Tensor, ...]:
        ndc = torch.cat(((middle - points[..., :2]) / scale, points[..., 2:]), -1)
        ids, depth, weights, _ = rasterize_meshes(
            Meshes(ndc, triangles[None].expand(3, -1, -1)),
            HEAD.size,
            0.0,
            1,
            perspective_correct=True,
            cull_backfaces=True,
        )
        return ids[..., 0], depth.permute(0, 3, 1, 2), weights[..., 0, :].permute(0, 3, 1, 2)

    packed, their_depth, their_weights = theirs(their_points := screen.clone().requires_grad_())
    face_ids = rasterize(screen, triangles, HEAD.size, HEAD.size)
    unpacked = torch.where(packed < 0, -1, packed % len(triangles))
    assert torch.equal(unpacked < 0, face_ids < 0)
    same = (unpacked == face_ids) & (face_ids >= 0)
    assert same.sum() >= 0.9999 * (face_ids >= 0).sum()
    _, depth, weights = interpolate(our_points := screen.clone().requires_grad_(), triangles, face_ids, vertices)
    mask = same[:, None]
    assert ((depth - their_depth) * mask).abs().max() < 1e-4
    assert ((weights - their_weights) * mask).abs().max() < 5e-3
    random = torch.rand(4, *face_ids.shape, generator=torch.Generator().manual_seed(0))
    for d, w in ((depth, weights), (their_depth, their_weights)):
        ((d[:, 0] * random[0] + (w.transpose(0, 1) * random[1:]).sum(0)) * same).sum().backward()
    ours_g, theirs_g = our_points.grad, their_points.grad
    assert ours_g is not None
    assert theirs_g is not None
    assert (ours_g - theirs_g).norm() <= 2e-3 * theirs_g.norm()
    assert torch.cosine_similarity(ours_g.flatten(), theirs_g.flatten(), dim=0) >= 0.9999
