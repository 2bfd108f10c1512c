"""Spherical-harmonic light: known answers of the sheets, and the physics as properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from zoo.render import euler_to_matrix
from zoo.render.sh import (
    ATTENUATION,
    ambient_light,
    deep3dface_to_light,
    directional_light,
    flip_light,
    light_to_deep3dface,
    light_to_sfsnet,
    rotate_light,
    sfsnet_to_light,
    sh_basis,
    shade,
)

# fmt: off
LABEL_LINE = [
    0.781806, 0.199752, -0.435679, 0.078488, -0.471495, -0.048644, 0.146106, 0.267108, -0.258741,
    0.563853, 0.168981, -0.525942, 0.052606, -0.426311, 0.018291, 0.099965, 0.307103, -0.188179,
    0.502128, 0.178818, -0.473586, 0.044422, -0.400359, -0.005607, 0.088217, 0.302230, -0.149750,
]
SFSNET_BASIS = [0.886227, 0.949933, 0.211096, -0.316644, 0.392643, 0.164314, -0.246471, -0.022821, -0.054771]
DEEP3DFACE_BASIS = [0.886227, 0.548444, 1.645332, -0.365629, -0.154917, 0.697126, 1.110563, -0.464751, -0.064549]
# fmt: on
NORMAL = normalize(torch.tensor([0.2, -0.3, 0.9], dtype=torch.float64), dim=0)
ANGLES = st.tuples(*[st.floats(-math.pi, math.pi)] * 3)


def shading(light: Tensor, normal: Tensor) -> Tensor:
    """The (B, 3, N) shading at (N, 3) normals."""
    return shade(normal.t()[None, :, :, None].expand(len(light), -1, -1, -1), light)[..., 0]


def random_light(seed: int, batch: int = 2) -> Tensor:
    return torch.randn(batch, 3, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def random_normals(seed: int, count: int = 20) -> Tensor:
    return normalize(
        torch.randn(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 1)), dim=1
    )


def sphere_quadrature(degree: int = 12) -> tuple[Tensor, Tensor]:
    """Directions and weights that integrate polynomials up to that degree over the sphere (Gauss times trapezium)."""
    z, wz = (torch.from_numpy(v) for v in np.polynomial.legendre.leggauss(degree))
    turn = torch.arange(2 * degree, dtype=torch.float64) * math.pi / degree
    radius = (1 - z**2).sqrt()
    points = torch.stack(
        (radius[:, None] * turn.cos(), radius[:, None] * turn.sin(), z[:, None].expand(-1, 2 * degree)), -1
    )
    return points.reshape(-1, 3), (wz[:, None] * math.pi / degree).expand(-1, 2 * degree).reshape(-1)


def test_basis_is_orthonormal() -> None:
    points, weights = sphere_quadrature()
    basis = sh_basis(points)
    torch.testing.assert_close(basis.t() @ (weights[:, None] * basis), torch.eye(9, dtype=torch.float64))


def test_basis_order_and_signs() -> None:
    x, y, z = NORMAL
    basis = sh_basis(NORMAL)
    expected = torch.stack((x / x, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y))
    factor = basis / expected
    assert (factor > 0).all()
    torch.testing.assert_close(factor[1:4], factor[1].expand(3))
    torch.testing.assert_close(factor[[4, 5, 7]], factor[4].expand(3))


def test_attenuation_is_that_of_the_clamped_cosine() -> None:
    """Irradiance over pi of each harmonic, integrated numerically, against the closed form."""
    points, weights = sphere_quadrature(200)
    cosine = (points @ NORMAL).clamp(min=0)
    irradiance = (weights * cosine) @ sh_basis(points) / math.pi
    expected = torch.tensor(ATTENUATION, dtype=torch.float64) * sh_basis(NORMAL)
    torch.testing.assert_close(irradiance, expected, atol=2e-4, rtol=0)


def test_white_unit_environment_shades_to_one() -> None:
    light = ambient_light(torch.ones(1, 3, dtype=torch.float64))
    torch.testing.assert_close(shading(light, random_normals(0)), torch.ones(1, 3, 20, dtype=torch.float64))


def test_sfsnet_known_answers() -> None:
    values = torch.tensor([LABEL_LINE], dtype=torch.float64)
    found = shading(sfsnet_to_light(values), torch.stack((NORMAL, torch.tensor([0.0, 0, 1], dtype=torch.float64))))
    expected = torch.tensor([[0.544728, 0.346818, 0.322268], [0.663683, 0.461423, 0.429644]], dtype=torch.float64)
    torch.testing.assert_close(found[0].t(), expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("k", range(9))
def test_sfsnet_basis(k: int) -> None:
    values = torch.eye(27, dtype=torch.float64)[9 + k][None]  # green
    found = shading(sfsnet_to_light(values), NORMAL[None])
    assert found[0, :, 0].tolist() == pytest.approx([0, SFSNET_BASIS[k], 0], abs=1e-6)


@pytest.mark.parametrize("k", range(9))
def test_deep3dface_basis(k: int) -> None:
    gamma = torch.zeros(1, 3, 9, dtype=torch.float64)
    gamma[0, 2, k] = 1
    found = shading(deep3dface_to_light(gamma), NORMAL[None])
    assert found[0, :, 0].tolist() == pytest.approx([0.708982, 0.708982, 0.708982 + DEEP3DFACE_BASIS[k]], abs=2e-6)


def test_conversions_round_trip() -> None:
    light = random_light(3)
    torch.testing.assert_close(sfsnet_to_light(light_to_sfsnet(light)), light)
    torch.testing.assert_close(deep3dface_to_light(light_to_deep3dface(light)), light)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_flipped_light_on_flipped_normals(seed: int) -> None:
    light, normals = random_light(seed), random_normals(seed)
    mirrored = normals * torch.tensor([-1, 1, 1])
    torch.testing.assert_close(shading(flip_light(light), mirrored), shading(light, normals))
    torch.testing.assert_close(flip_light(flip_light(light)), light)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), ANGLES)
def test_rotated_light_on_rotated_normals(seed: int, angles: tuple[float, float, float]) -> None:
    light, normals = random_light(seed), random_normals(seed)
    rotation = euler_to_matrix(torch.tensor([angles, (0.1, 0.2, 0.3)], dtype=torch.float64))
    turned = rotate_light(light, rotation)
    for item in range(2):
        torch.testing.assert_close(
            shading(turned[item : item + 1], normals @ rotation[item].t()), shading(light[item : item + 1], normals)
        )
    torch.testing.assert_close(turned[..., 4:].norm(dim=-1), light[..., 4:].norm(dim=-1))


@settings(max_examples=25, deadline=None)
@given(ANGLES)
def test_a_lamp_follows_its_direction(angles: tuple[float, float, float]) -> None:
    rotation = euler_to_matrix(torch.tensor([angles], dtype=torch.float64))
    colour = torch.tensor([[1.0, 0.5, 0.25]], dtype=torch.float64)
    direction = torch.tensor([[0.6, 0.0, 0.8]], dtype=torch.float64)
    lamp = directional_light(direction, colour)
    torch.testing.assert_close(
        rotate_light(lamp, rotation), directional_light((rotation @ direction[..., None])[..., 0], colour)
    )


def test_surface_facing_the_lamp_is_brightest() -> None:
    direction = normalize(torch.tensor([[-1.0, 0.5, 0.7]], dtype=torch.float64), dim=1)
    colour = torch.tensor([[1.0, 0.5, 0.25]], dtype=torch.float64)
    normals = torch.cat((direction, random_normals(5, 2000)))
    found = shading(directional_light(direction, colour), normals)[0]
    assert (found.argmax(1) == 0).all()
    torch.testing.assert_close(found[:, 0], 1.0625 * colour[0])
    cosine = (normals @ direction[0]).clamp(min=0)
    assert float((found[0] - cosine).abs().max()) <= 3 / 32


def test_shading_of_a_batch_uses_each_items_light() -> None:
    normal = normalize(torch.randn(2, 3, 4, 5), dim=1)
    light = torch.randn(2, 3, 9)
    both = shade(normal, light)
    assert both.shape == (2, 3, 4, 5)
    torch.testing.assert_close(both[1:], shade(normal[1:], light[1:]))
