"""Spherical-harmonic light: the basis, shading, and the conversions to and from the papers' conventions.

Light is radiance projected onto the nine real orthonormal harmonics of degree 0 to 2, in the order
``Y00 Y1-1 Y10 Y11 Y2-2 Y2-1 Y20 Y21 Y22`` (in terms of the direction: ``1 y z x xy yz 3z²-1 xz x²-y²``),
all with positive signs, in the camera frame: x right, y up, z to the viewer. A Lambertian surface answers each
degree with 1, 2/3 and 1/4 (irradiance over pi), so that a white environment of radiance 1 gives shading 1.
Source of the attenuation: Ramamoorthi and Hanrahan 2001; Basri and Jacobs 2003.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = [
    "ambient_light",
    "deep3dface_to_light",
    "directional_light",
    "flip_light",
    "light_to_deep3dface",
    "light_to_sfsnet",
    "rotate_light",
    "sfsnet_to_light",
    "sh_basis",
    "shade",
]

Y0 = 0.5 / math.sqrt(math.pi)
Y1 = math.sqrt(0.75 / math.pi)
Y2 = math.sqrt(3.75 / math.pi)
"""Factors of the constant, of x, y and z, and of xy, yz and xz."""

ATTENUATION = (1.0,) + (2 / 3,) * 3 + (1 / 4,) * 5
"""What a Lambertian surface makes of each coefficient: irradiance over pi."""

ODD_IN_X = (3, 4, 7)
"""The coefficients that change sign when left and right are swapped: x, xy, xz."""

SFSNET_ORDER = (0, 3, 1, 2, 8, 6, 4, 5, 7)
"""Where SfSNet (1 z x y 3z²-1 xz yz x²-y² xy) keeps each of our coefficients."""

DEEP3DFACE_SCALE = (math.pi,) + (2 * math.pi / math.sqrt(3),) * 3 + (2 * math.pi / math.sqrt(8),) * 5
DEEP3DFACE_SIGN = (1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0)
DEEP3DFACE_AMBIENT = 0.8


def _basis(x: Tensor, y: Tensor, z: Tensor, dim: int) -> Tensor:
    return torch.stack(
        (
            torch.full_like(x, Y0),
            Y1 * y,
            Y1 * z,
            Y1 * x,
            Y2 * x * y,
            Y2 * y * z,
            Y2 / math.sqrt(12) * (3 * z * z - 1),
            Y2 * x * z,
            Y2 / 2 * (x * x - y * y),
        ),
        dim,
    )


def sh_basis(normal: Tensor) -> Tensor:
    """The nine harmonics at unit directions.

    Args:
        normal: ``(..., 3)`` unit vectors.

    Returns:
        ``(..., 9)`` values, orthonormal over the sphere.
    """
    return _basis(normal[..., 0], normal[..., 1], normal[..., 2], -1)


def shade(normal: Tensor, light: Tensor) -> Tensor:
    """Lambertian shading of a normal map: ``sum_k (1, 2/3, 1/4) L_k Y_k(n)``.

    Args:
        normal: ``(B, 3, H, W)`` unit normals. Per-vertex normals fit as ``(B, 3, V, 1)``.
        light: ``(B, 3, 9)`` radiance per colour.

    Returns:
        ``(B, 3, H, W)`` linear shading. It is not clamped: nine numbers ring, so that a surface turned away from a
        strong light comes out a few percent below zero.
    """
    basis = _basis(normal[:, 0], normal[:, 1], normal[:, 2], 1)
    return torch.einsum("bck,bkhw->bchw", light * light.new_tensor(ATTENUATION), basis)


def sfsnet_to_light(values: Tensor) -> Tensor:
    """Light from the 27 numbers of SfSNet, whose basis holds the attenuation times pi.

    Args:
        values: ``(B, 27)``, nine numbers each for red, green, blue.

    Returns:
        ``(B, 3, 9)`` light.
    """
    return math.pi * values.reshape(-1, 3, 9)[:, :, list(SFSNET_ORDER)]


def light_to_sfsnet(light: Tensor) -> Tensor:
    """The inverse of `sfsnet_to_light`: ``(B, 3, 9)`` light to ``(B, 27)`` numbers."""
    back = [SFSNET_ORDER.index(k) for k in range(9)]
    return (light[:, :, back] / math.pi).reshape(-1, 27)


def deep3dface_to_light(gamma: Tensor) -> Tensor:
    """Light from the coefficients of Deep3DFaceRecon, its constant ambient term of 0.8 included.

    The paper's code has our order, opposite signs of y, x, yz and xz, and its own factor for each degree.

    Args:
        gamma: ``(B, 3, 9)`` coefficients as the network predicts them.

    Returns:
        ``(B, 3, 9)`` light.
    """
    return gamma * _deep3dface_factor(gamma) + _deep3dface_ambient(gamma)


def light_to_deep3dface(light: Tensor) -> Tensor:
    """The inverse of `deep3dface_to_light`: ``(B, 3, 9)`` light to ``(B, 3, 9)`` coefficients."""
    return (light - _deep3dface_ambient(light)) / _deep3dface_factor(light)


def _deep3dface_factor(like: Tensor) -> Tensor:
    rows = zip(DEEP3DFACE_SIGN, DEEP3DFACE_SCALE, ATTENUATION, strict=True)
    return like.new_tensor([sign * scale / attenuation for sign, scale, attenuation in rows])


def _deep3dface_ambient(like: Tensor) -> Tensor:
    return like.new_tensor([DEEP3DFACE_AMBIENT * DEEP3DFACE_SCALE[0]] + [0.0] * 8)


def flip_light(light: Tensor) -> Tensor:
    """The light ``(B, 3, 9)`` of the horizontally mirrored picture: x, xy and xz change sign."""
    return light * light.new_tensor([-1.0 if k in ODD_IN_X else 1.0 for k in range(9)])


def rotate_light(light: Tensor, rotation: Tensor) -> Tensor:
    """Turn the whole environment: what came from direction d now comes from ``rotation @ d``.

    Args:
        light: ``(B, 3, 9)`` light.
        rotation: ``(B, 3, 3)`` rotation matrices, acting on columns.

    Returns:
        ``(B, 3, 9)`` light; every degree keeps its energy.
    """
    # Rotation maps each degree onto itself, so values at a few directions determine the result exactly.
    probes = light.new_tensor([(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if x or y or z])
    probes = probes / probes.norm(dim=-1, keepdim=True)
    came_from = torch.einsum("pj,bji->bpi", probes, rotation)
    radiance = torch.einsum("bck,bpk->bcp", light, sh_basis(came_from))
    return radiance @ torch.linalg.pinv(sh_basis(probes)).mT


def directional_light(direction: Tensor, colour: Tensor) -> Tensor:
    """A distant lamp, as far as nine numbers can tell: shading follows the clamped cosine within 3/32.

    Scaled by irradiance: a surface that faces the lamp has shading 1.0625 times the colour (the exact answer, without
    the cut after degree 2, would be the colour itself).

    Args:
        direction: ``(B, 3)`` unit vectors from the surface towards the lamp.
        colour: ``(B, 3)`` linear RGB.

    Returns:
        ``(B, 3, 9)`` light.
    """
    return math.pi * colour[:, :, None] * sh_basis(direction)[:, None, :]


def ambient_light(colour: Tensor) -> Tensor:
    """The same radiance from everywhere: ``(B, 3)`` linear RGB to ``(B, 3, 9)`` light whose shading is the colour."""
    return torch.cat((colour[:, :, None] / Y0, colour.new_zeros(*colour.shape, 8)), -1)
