"""CPU and CUDA draw the same: face ids exactly, values and gradients up to rounding."""

from __future__ import annotations

import pytest
import torch
from benchmarks.head_mesh import Workload, scene
from render.brute_force import soup
from torch import Tensor

from zoo.render import MeshRenderer, interpolate, rasterize, soft_mask, vertex_normals
from zoo.render.sh import directional_light, rotate_light, sfsnet_to_light, shade

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]

HEAD = Workload("1k", 36, 36, 96, 4)


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found.cpu() - expected).norm() / expected.norm())


@pytest.mark.parametrize("cull", [True, False])
@pytest.mark.parametrize("perspective", [True, False])
def test_same_faces(cull: bool, perspective: bool) -> None:
    for screen, triangles, size in ((*soup(0, faces=300), (21, 30)), (*_head_on_screen(), (96, 96))):
        here = rasterize(screen, triangles, *size, cull=cull, perspective=perspective)
        there = rasterize(screen.cuda(), triangles.cuda(), *size, cull=cull, perspective=perspective)
        # Division rounds alike on both, so that even ties and slivers agree.
        assert torch.equal(there.cpu(), here)
        again = rasterize(screen.cuda(), triangles.cuda(), *size, cull=cull, perspective=perspective, budget=500)
        assert torch.equal(again, there)


def _head_on_screen() -> tuple[Tensor, Tensor]:
    vertices, triangles, camera = scene(HEAD)
    return camera.project(vertices), triangles


def test_same_interpolation_and_gradients() -> None:
    screen, triangles = _head_on_screen()
    attributes = torch.rand(*screen.shape[:2], 5, generator=torch.Generator().manual_seed(0))
    face_ids = rasterize(screen, triangles, 96, 96)
    results = []
    for device in ("cpu", "cuda"):
        s, a = (v.to(device).requires_grad_() for v in (screen, attributes))
        image, depth, weights = interpolate(s, triangles.to(device), face_ids.to(device), a)
        mask = soft_mask(s, triangles.to(device), face_ids.to(device))
        ramp = torch.linspace(-1, 1, 96, device=device)
        sum((v * ramp).sum() for v in (image, depth, weights, mask)).backward()  # type: ignore[union-attr]
        results.append([image, depth, weights, mask, s.grad, a.grad])
    for here, there in zip(*results, strict=True):
        assert here is not None
        assert there is not None
        assert relative(there, here) < 1e-4


def test_same_renderer() -> None:
    vertices, triangles, camera = scene(HEAD)
    here, there = (
        MeshRenderer("torch", soft=True)(v, t, v, camera)
        for v, t in ((vertices, triangles), (vertices.cuda(), triangles.cuda()))
    )
    same = there["face_ids"].cpu() == here["face_ids"]
    assert same.float().mean() > 0.9999
    for name in ("image", "mask", "depth", "normal"):
        assert there[name].is_cuda
        torch.testing.assert_close(
            (there[name].cpu() * same[:, None]), (here[name] * same[:, None]), atol=1e-3, rtol=1e-4
        )


def test_light_and_normals_stay_on_the_device() -> None:
    vertices, triangles, _ = scene(HEAD)
    normals = vertex_normals(vertices.cuda(), triangles.cuda(), "equal")
    assert relative(normals, vertex_normals(vertices, triangles, "equal")) < 1e-5
    light = sfsnet_to_light(torch.rand(4, 27, device="cuda"))
    light = light + directional_light(torch.tensor([[0.0, 0, 1]], device="cuda"), torch.ones(1, 3, device="cuda"))
    turned = rotate_light(light, torch.eye(3, device="cuda").expand(4, 3, 3))
    assert relative(turned, light.cpu()) < 1e-5
    assert shade(normals.mT[..., None], turned).is_cuda
