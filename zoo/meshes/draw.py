"""Meshes drawn without jagged edges: several samples a pixel, and how much of each pixel is covered."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d
from torch.nn.functional import interpolate as resize

from zoo.render import interpolate, rasterize

__all__ = ["clay", "draw_smoothly"]

_MOST_PIXELS = 6_000_000
"""Larger pictures are drawn smaller and enlarged, so that a photo of 50 megapixels does not fill the memory."""


def draw_smoothly(
    screen: Tensor,
    triangles: Tensor,
    colours: Tensor,
    height: int,
    width: int,
    *,
    samples: int = 3,
    opacity: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw one mesh with antialiased edges.

    Args:
        screen: (V,3) x right, y down in pixels of the picture, the centre of the top-left pixel at (0, 0), and depth.
        triangles: (T,3) vertex ids; those that show their back are left out.
        colours: (V,C) values to draw.
        height: Of the picture.
        width: Of the picture.
        samples: Along each side of a pixel.
        opacity: (V,) in [0,1], how much of the mesh is seen at each vertex; what is transparent still hides the parts
            of the mesh behind it.

    Returns:
        (C,H,W), the colours times the coverage, and (1,H,W), the coverage in [0,1]: laid over a picture it is
        ``drawn + (1 - coverage) * picture``.

    Example:
        >>> corners = torch.tensor([[0.0, 0.0, 1.0], [0.0, 8.0, 1.0], [8.0, 0.0, 1.0]])
        >>> drawn, coverage = draw_smoothly(corners, torch.tensor([[0, 1, 2]]), torch.ones(3, 1), 8, 8)
        >>> drawn.shape, float(coverage[0, 1, 1]), float(coverage[0, 7, 7])
        (torch.Size([1, 8, 8]), 1.0, 0.0)
    """
    scale: float = samples
    if height * width * samples * samples > _MOST_PIXELS:
        scale = max(1, math.isqrt(_MOST_PIXELS // (height * width)))
        if height * width > _MOST_PIXELS:
            scale = math.sqrt(_MOST_PIXELS / (height * width))
    high, wide = max(1, round(height * scale)), max(1, round(width * scale))
    stretch = screen.new_tensor([wide / width, high / height])
    dense = torch.cat(((screen[:, :2] + 0.5) * stretch - 0.5, screen[:, 2:]), 1)[None]
    face_ids = rasterize(dense, triangles, high, wide)
    cover = colours.new_ones(len(colours)) if opacity is None else opacity.to(colours)
    stack = interpolate(dense, triangles, face_ids, torch.cat((colours * cover[:, None], cover[:, None]), 1)[None])[0]
    if scale >= 1:
        stack = avg_pool2d(stack, int(scale))
    else:
        stack = resize(stack, (height, width), mode="bilinear", align_corners=False)
    return stack[0, :-1], stack[0, -1:]


def clay(normals: Tensor) -> Tensor:
    """What grey clay looks like under a lamp above the viewer's left shoulder.

    Args:
        normals: (V,3) unit normals in the camera frame.

    Returns:
        (V,3) sRGB in [0,1].
    """
    lamp = torch.nn.functional.normalize(normals.new_tensor([-0.35, 0.45, 0.9]), dim=0)
    light = 0.22 + 0.66 * (normals @ lamp).clamp_min(0) + 0.08 * normals[:, 1].clamp_min(0)
    tint = normals.new_tensor([0.97, 0.98, 1.0])
    return (light[:, None].clamp(0, 1) * tint).pow(0.85)
