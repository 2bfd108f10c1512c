"""The light of Deep3DFace: nine harmonics a colour in the paper's own scale and signs, and the contract's light.

gamma = 0 is a constant light, not darkness: 0.8 is added to the first number of each colour. Normals are in the
authors' world frame, whose axes are those of the contract's camera frame (x right, y up, z to the viewer).
Source: Deng et al. 2019 and the authors' code.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zoo.render.sh import deep3dface_to_light, light_to_deep3dface

__all__ = ["AMBIENT", "harmonics", "shading", "to_gamma", "to_light"]

AMBIENT = 0.8
"""What is added to the first number of each colour."""

_A0, _A1, _A2 = math.pi, 2 * math.pi / math.sqrt(3), 2 * math.pi / math.sqrt(8)
_C0, _C1, _C2 = (f / math.sqrt(4 * math.pi) for f in (1.0, math.sqrt(3), math.sqrt(15)))
_FACTORS = (
    _A0 * _C0,
    -_A1 * _C1,
    _A1 * _C1,
    -_A1 * _C1,
    _A2 * _C2,
    -_A2 * _C2,
    _A2 * _C2 / (2 * math.sqrt(3)),
    -_A2 * _C2,
    _A2 * _C2 / 2,
)
"""Of 1, y, z, x, xy, yz, 3zz - 1, xz and xx - yy. The authors write c2 as 3 sqrt 5 / sqrt(12 pi), which is the same."""


def _polynomials(normals: Tensor) -> Tensor:
    x, y, z = normals.unbind(-1)
    parts = (torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y)
    return torch.stack(parts, -2)


def harmonics(normals: Tensor) -> Tensor:
    """The paper's nine functions Y_k, their factors included.

    Args:
        normals: (...,N,3) unit vectors.

    Returns:
        (...,N,9).

    Example:
        >>> harmonics(torch.tensor([[0.0, 0.0, 1.0]]))[0, :3]
        tensor([0.8862, -0.0000, 1.7725])
    """
    return _polynomials(normals).mT * normals.new_tensor(_FACTORS)


def shading(normals: Tensor, gamma: Tensor) -> Tensor:
    """How bright the light makes a white surface.

    Args:
        normals: (B,N,3) unit vectors.
        gamma: (B,3,9) as the network gives them, without the ambient 0.8.

    Returns:
        (B,N,3), red, green, blue; not clamped: nine numbers ring, so that it may fall below 0 away from a strong light.
    """
    scaled = gamma * gamma.new_tensor(_FACTORS)
    # Nine planes of N numbers and one product: half the time of rows of nine.
    lit = scaled @ _polynomials(normals)
    return lit.mT + AMBIENT * _FACTORS[0]


def to_light(gamma: Tensor) -> Tensor:
    """The contract's ``light`` (B,3,9) of the paper's gamma (B,3,9), the ambient 0.8 included.

    The order of the nine is the same; y, x, yz and xz have the other sign, and each degree has a factor of its own.
    ``zoo.render.sh.shade`` of it is ``shading`` of gamma.
    """
    return deep3dface_to_light(gamma)


def to_gamma(light: Tensor) -> Tensor:
    """The inverse of ``to_light``: gamma (B,3,9) of the contract's ``light`` (B,3,9)."""
    return light_to_deep3dface(light)
