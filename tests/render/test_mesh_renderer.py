"""MeshRenderer: what its pictures mean, the physics of a sphere, and its gradients."""

from __future__ import annotations

import sys

import pytest
import torch
import trimesh
from torch import Tensor

from zoo.errors import UserError
from zoo.render import MeshRenderer, OrthographicCamera, PerspectiveCamera, euler_to_matrix
from zoo.render.pytorch3d_backend import works_on
from zoo.render.sh import directional_light, shade


def sphere(subdivisions: int = 4, x: float = 0.0, z: float = -5.0) -> tuple[Tensor, Tensor]:
    mesh = trimesh.creation.icosphere(subdivisions)
    vertices = torch.tensor(mesh.vertices, dtype=torch.float32)[None] + torch.tensor([x, 0.0, z])
    return vertices, torch.tensor(mesh.faces.copy())


def test_shapes_and_ranges() -> None:
    vertices, triangles = sphere(2)
    vertices = torch.cat((vertices, vertices - torch.tensor([0, 0, 2.0])))
    out = MeshRenderer()(
        vertices, triangles, torch.rand(2, vertices.shape[1], 5), PerspectiveCamera.from_fov(40, 32, 48)
    )
    assert {k: tuple(v.shape) for k, v in out.items()} == {
        "image": (2, 5, 32, 48),
        "mask": (2, 1, 32, 48),
        "depth": (2, 1, 32, 48),
        "normal": (2, 3, 32, 48),
        "face_ids": (2, 32, 48),
        "barycentrics": (2, 3, 32, 48),
    }
    mask = out["mask"] > 0
    assert torch.equal(mask[:, 0], out["face_ids"] >= 0)
    assert 0.05 < mask[1].float().mean() < mask[0].float().mean() < 0.5
    torch.testing.assert_close(out["normal"].norm(dim=1, keepdim=True), out["mask"])
    for name in ("image", "depth", "normal", "barycentrics"):
        assert not out[name][~mask.expand_as(out[name])].any()


def test_depth_and_normals_of_a_sphere() -> None:
    vertices, triangles = sphere(5)
    camera = OrthographicCamera.centred(20.0, 48, 64)
    out = MeshRenderer()(vertices, triangles, vertices, camera)
    y, x = torch.meshgrid((23.5 - torch.arange(48)) / 20, (torch.arange(64) - 31.5) / 20, indexing="ij")
    z = (1 - x * x - y * y).clamp(min=0).sqrt()
    inner = z > 0.3
    assert (out["mask"][0, 0][inner] == 1).all()
    assert (out["mask"][0, 0][x * x + y * y > 1.01] == 0).all()
    torch.testing.assert_close(out["depth"][0, 0][inner], (5 - z)[inner], atol=3e-3, rtol=0)
    truth = torch.stack((x, y, z))[:, inner]
    torch.testing.assert_close(out["normal"][0][:, inner], truth, atol=4e-3, rtol=0)
    torch.testing.assert_close(out["image"][0, 2][inner], -out["depth"][0, 0][inner])


def test_light_from_the_left_brightens_the_left() -> None:
    vertices, triangles = sphere(3)
    out = MeshRenderer()(vertices, triangles, vertices, PerspectiveCamera.from_fov(30, 32, 40))
    lamp = directional_light(torch.tensor([[-0.8, 0.0, 0.6]]), torch.ones(1, 3))
    shading = (shade(out["normal"], lamp) * out["mask"])[0, 0]
    assert shading[:, :20].sum() > 2 * shading[:, 20:].sum()


def test_normals_given_are_drawn() -> None:
    vertices, triangles = sphere(2)
    given = torch.tensor([0.6, 0.0, 0.8]).expand_as(vertices)
    out = MeshRenderer()(vertices, triangles, vertices, PerspectiveCamera.from_fov(30, 16, 16), normals=given)
    torch.testing.assert_close(out["normal"], torch.tensor([0.6, 0, 0.8]).view(1, 3, 1, 1) * out["mask"])


def test_turning_mesh_and_camera_axis_by_a_quarter() -> None:
    """Rolling the head by 90 degrees rolls the picture: equivariance on a square grid."""
    vertices, triangles = sphere(2)
    vertices = (vertices - vertices.mean(1, keepdim=True)) * torch.tensor([0.6, 1.0, 0.8])
    away = torch.tensor([0.13, 0.07, -5.0])
    roll = euler_to_matrix(torch.tensor([[0.0, 0.0, torch.pi / 2]]))
    camera = PerspectiveCamera.from_fov(30, 40, 40)
    upright = MeshRenderer()(vertices + away, triangles, vertices, camera)
    rolled = MeshRenderer()((vertices + away) @ roll.mT, triangles, vertices, camera)
    turned = upright["image"].rot90(1, (2, 3))
    same = rolled["face_ids"] == upright["face_ids"].rot90(1, (1, 2))
    assert same.float().mean() > 0.995
    torch.testing.assert_close(rolled["image"].mT[same.mT[:, None].expand(-1, 3, -1, -1)],
                               turned.mT[same.mT[:, None].expand(-1, 3, -1, -1)], atol=2e-4, rtol=0)  # fmt: skip


def test_fitting_a_position() -> None:
    """Gradients through the soft mask and depth carry a sphere to where another one is."""
    vertices, triangles = sphere(2, z=0.0)
    camera, renderer = PerspectiveCamera.from_fov(40, 40, 56), MeshRenderer(soft=True)
    target = renderer(vertices + torch.tensor([0.5, -0.3, -5.0]), triangles, vertices, camera)
    place = torch.tensor([0.0, 0.0, -6.0], requires_grad=True)
    optimiser = torch.optim.Adam([place], lr=0.05)
    for _ in range(80):
        out = renderer(vertices + place, triangles, vertices, camera)
        optimiser.zero_grad()
        (out["mask"] - target["mask"]).square().mean().backward()
        optimiser.step()
    torch.testing.assert_close(place.detach(), torch.tensor([0.5, -0.3, -5.0]), atol=0.05, rtol=0)


def test_autocast_does_not_blur_the_picture() -> None:
    vertices, triangles = sphere(3)
    camera, renderer = PerspectiveCamera.from_fov(30, 32, 32), MeshRenderer()
    plain = renderer(vertices, triangles, vertices, camera)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = renderer(vertices, triangles, vertices, camera)
    assert torch.equal(cast["image"], plain["image"])
    assert torch.equal(cast["face_ids"], plain["face_ids"])


def test_inference_mode_draws_the_same() -> None:
    """Lightning validates and predicts in it; tensors made there count no versions."""
    vertices, triangles = sphere(2)
    camera, renderer = PerspectiveCamera.from_fov(30, 24, 24), MeshRenderer(soft=True)
    expected = renderer(vertices, triangles, vertices, camera)
    with torch.inference_mode():
        out = renderer(vertices, triangles.clone(), vertices, camera)
    assert torch.equal(out["image"], expected["image"])
    assert torch.equal(out["mask"], expected["mask"])


def test_backends_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no renderer named 'opengl'; there are auto, torch, pytorch3d"):
        MeshRenderer("opengl")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "pytorch3d", None)
    monkeypatch.setitem(sys.modules, "pytorch3d._C", None)
    with pytest.raises(UserError, match="PyTorch3D cannot be imported"):
        MeshRenderer("pytorch3d")
    works_on.cache_clear()
    assert not works_on("cpu")
    works_on.cache_clear()
    vertices, triangles = sphere(1)
    assert MeshRenderer("auto")(vertices, triangles, vertices, PerspectiveCamera.from_fov(30, 8, 8))["mask"].any()
