"""Interpolation: against brute force, perspective-correct, and gradients in closed form against numerical ones."""

from __future__ import annotations

import pytest
import torch
from render.brute_force import brute_force, soup
from torch import Tensor

from zoo.errors import UserError
from zoo.render import PerspectiveCamera, interpolate, rasterize


@pytest.mark.parametrize("perspective", [True, False])
def test_agrees_with_brute_force(perspective: bool) -> None:
    screen, triangles = soup(1)
    face_ids = rasterize(screen, triangles, 21, 30, perspective=perspective)
    _, depth, weights = interpolate(screen, triangles, face_ids, screen, perspective=perspective)
    expected = brute_force(screen[0], triangles, 21, 30, perspective=perspective)
    same = face_ids[0] == expected["face_ids"]
    assert same.float().mean() > 0.97
    torch.testing.assert_close(depth[0, 0].double()[same], expected["depth"][same], atol=1e-4, rtol=0)
    torch.testing.assert_close(weights[0].double()[:, same], expected["barycentrics"][:, same], atol=1e-4, rtol=0)


def test_perspective_is_correct() -> None:
    """Camera-frame positions as attributes: each pixel must show the point where its own ray meets the plane."""
    vertices = torch.tensor([[[-1.0, -1, -2], [1, -1, -3], [0, 1, -6]]], dtype=torch.float64)
    triangles = torch.tensor([[0, 1, 2]])
    camera = PerspectiveCamera.from_fov(70.0, 24, 32)
    screen = camera.project(vertices)
    face_ids = rasterize(screen, triangles, 24, 32)
    image, depth, _ = interpolate(screen, triangles, face_ids, vertices)
    hit = face_ids[0] >= 0
    assert hit.sum() > 50
    seen = image[0, :, hit].t()
    rows, columns = hit.nonzero().unbind(1)
    torch.testing.assert_close(camera.project(seen[None])[0, :, :2], torch.stack((columns, rows), 1).double())
    torch.testing.assert_close(-seen[:, 2], depth[0, 0, hit])
    flat = interpolate(screen, triangles, face_ids, vertices, perspective=False)[0][0, :, hit].t()
    assert (flat - seen).abs().max() > 0.1


@pytest.mark.parametrize("perspective", [True, False])
def test_gradients(perspective: bool) -> None:
    screen, triangles = soup(3, faces=6, height=7, width=9)
    screen = screen.double().repeat(2, 1, 1) + torch.tensor([0.0, 0.01]).view(2, 1, 1)
    attributes = torch.rand(2, screen.shape[1], 2, dtype=torch.float64)
    face_ids = rasterize(screen, triangles, 7, 9, cull=False, perspective=perspective)
    assert len(face_ids.unique()) > 3

    def both(screen: Tensor, attributes: Tensor) -> tuple[Tensor, ...]:
        return interpolate(screen, triangles, face_ids, attributes, perspective=perspective)

    inputs = (screen.requires_grad_(), attributes.requires_grad_())
    assert torch.autograd.gradcheck(both, inputs, eps=1e-6, atol=1e-5, rtol=1e-4)


def test_gradients_only_where_asked() -> None:
    screen, triangles = soup(3)
    face_ids = rasterize(screen, triangles, 21, 30)
    attributes = torch.rand(1, screen.shape[1], 4, requires_grad=True)
    image, _, weights = interpolate(screen, triangles, face_ids, attributes)
    image.sum().backward()
    assert attributes.grad is not None
    # Every covered pixel hands out weights that sum to one, to each channel.
    torch.testing.assert_close(attributes.grad.sum((0, 1)), (face_ids >= 0).sum().float().expand(4))
    torch.testing.assert_close(weights.sum(1), (face_ids >= 0).float())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_attributes_of_another_type_and_layout(dtype: torch.dtype) -> None:
    screen, triangles = soup(3)
    face_ids = rasterize(screen, triangles, 21, 30)
    values = torch.rand(1, 4, screen.shape[1])
    pictures, gradients = [], []
    for attributes in (values.to(dtype), values):
        points, rows = screen.clone().requires_grad_(), attributes.requires_grad_()
        image, _, _ = interpolate(points, triangles, face_ids, rows.mT)
        image.square().sum().backward()
        pictures.append(image)
        gradients += [points.grad, rows.grad]
    assert gradients[1].dtype == dtype
    torch.testing.assert_close(*pictures, atol=0.01, rtol=0, check_dtype=False)
    for found, expected in zip(gradients[:2], gradients[2:], strict=True):
        assert (found - expected).norm() < 0.01 * expected.norm()


def test_background_is_zero_and_an_empty_picture_works() -> None:
    screen, triangles = soup(4)
    screen.requires_grad_()
    attributes = torch.ones(1, screen.shape[1], 2)
    nothing = torch.full((1, 5, 6), -1)
    image, depth, weights = interpolate(screen, triangles, nothing, attributes)
    assert image.shape == (1, 2, 5, 6)
    assert not image.any()
    assert not depth.any()
    assert not weights.any()
    (image.sum() + depth.sum()).backward()
    assert screen.grad is not None
    assert not screen.grad.any()


def test_attributes_of_another_mesh_are_refused() -> None:
    screen, triangles = soup(0)
    with pytest.raises(UserError, match="attributes must be"):
        interpolate(screen, triangles, torch.zeros(1, 3, 3, dtype=torch.int64), torch.rand(1, 5, 3))
