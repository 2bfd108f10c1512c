"""Projection: known answers of the Deep3DFaceRecon sheet, and the axes."""

from __future__ import annotations

import math

import pytest
import torch

from zoo.render import OrthographicCamera, PerspectiveCamera, euler_to_matrix

ANGLES = torch.tensor([[0.1, 0.2, 0.3]], dtype=torch.float64)


def test_euler_known_answer() -> None:
    expected = [[0.936293, -0.275096, 0.218351], [0.289629, 0.956425, -0.036957], [-0.198669, 0.097843, 0.97517]]
    torch.testing.assert_close(euler_to_matrix(ANGLES)[0], torch.tensor(expected).double(), atol=1e-6, rtol=0)


def test_euler_is_rz_ry_rx() -> None:
    alone = [euler_to_matrix(ANGLES * torch.eye(3, dtype=torch.float64)[axis]) for axis in range(3)]
    torch.testing.assert_close(euler_to_matrix(ANGLES), alone[2] @ alone[1] @ alone[0])
    quarter = euler_to_matrix(torch.tensor([[0.0, 0.0, math.pi / 2]], dtype=torch.float64))[0]
    torch.testing.assert_close(quarter @ torch.tensor([1.0, 0, 0]).double(), torch.tensor([0, 1.0, 0]).double())


def test_deep3dface_known_answer() -> None:
    """Its camera stands at (0, 0, 10); its landmark convention has row 223 - v with v = 1015 y / z + 112."""
    point = euler_to_matrix(ANGLES) @ torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)[:, None]
    point = point[:, :, 0] + torch.tensor([0.05, -0.02, 0.1], dtype=torch.float64)
    camera = PerspectiveCamera(1015.0, (112.0, 111.0), 224, 224)
    x, y, depth = camera.project(point[:, None] - torch.tensor([0, 0, 10.0]))[0, 0].tolist()
    assert (x, y) == pytest.approx((128.2814, 91.0163), abs=1e-4)
    assert depth == pytest.approx(10 - 0.392253, abs=1e-6)


def test_field_of_view_spans_the_picture() -> None:
    camera = PerspectiveCamera.from_fov(60.0, 100, 40)
    top = math.tan(math.radians(30)) * 2
    screen = camera.project(torch.tensor([[[0.0, top, -2], [0, -top, -2], [0, 0, -2]]]))[0]
    torch.testing.assert_close(screen[:, 1], torch.tensor([-0.5, 99.5, 49.5]))
    torch.testing.assert_close(screen[:, 0], torch.full((3,), 19.5))
    assert PerspectiveCamera.from_fov(2 * math.degrees(math.atan(112 / 1015)), 224, 224).focal == pytest.approx(1015)


def test_axes() -> None:
    points = torch.tensor([[[1.0, 0, -4], [0, 1.0, -4]]])
    for camera in (PerspectiveCamera(40.0, (9.5, 7.5), 16, 20), OrthographicCamera.centred(10.0, 16, 20)):
        right, up = camera.project(points)[0]
        torch.testing.assert_close(right, torch.tensor([19.5, 7.5, 4.0]))
        torch.testing.assert_close(up, torch.tensor([9.5, -2.5, 4.0]))


def test_each_item_has_its_own_camera() -> None:
    points = torch.tensor([[1.0, 1.0, -2.0]]).expand(2, 1, 3)
    focal, cx = torch.tensor([10.0, 20.0]), torch.tensor([0.0, 5.0])
    screen = PerspectiveCamera(focal, (cx, 3.0), 8, 8).project(points)
    torch.testing.assert_close(screen[:, 0], torch.tensor([[5.0, -2.0, 2.0], [15.0, -7.0, 2.0]]))
    fov = PerspectiveCamera.from_fov(torch.tensor([30.0, 60.0]), 8, 8)
    assert fov.focal[0] == pytest.approx(PerspectiveCamera.from_fov(30.0, 8, 8).focal)
    screen = OrthographicCamera(focal, (cx, 3.0), 8, 8).project(points)
    torch.testing.assert_close(screen[:, 0, 0], torch.tensor([10.0, 25.0]))


def test_points_at_the_camera_keep_gradients_finite() -> None:
    points = torch.tensor([[[1.0, 1.0, 0.0], [1.0, 1.0, 3.0]]], requires_grad=True)
    screen = PerspectiveCamera(10.0, (0.0, 0.0), 8, 8).project(points)
    screen.sum().backward()
    assert screen.isfinite().all()
    assert points.grad is not None
    assert points.grad.isfinite().all()
