"""A mesh's edges as thin lines that stay readable where the mesh is finer than pixels."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from zoo.render import interpolate, rasterize

__all__ = ["draw_edges", "mesh_edges"]

_FINER = 4
"""Lines are drawn at so many times the size, and shrunk."""
_FULL = 11.0
"""Length in pixels from which on an edge is drawn at full strength; shorter ones, which lie close, are fainter."""
_FADING = 2.5
"""Lines are at full strength where the cosine to the viewer is at least one over this, and fade towards outlines."""
_FAINTEST = 0.13


def mesh_edges(triangles: Tensor) -> Tensor:
    """The edges (E,2) of triangles (T,3), each once.

    Example:
        >>> mesh_edges(torch.tensor([[0, 1, 2], [2, 1, 3]])).tolist()
        [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    """
    ends = torch.cat((triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]))
    return ends.sort(1).values.unique(dim=0)


def draw_edges(
    picture: Tensor,
    screen: Tensor,
    triangles: Tensor,
    facing: Tensor,
    *,
    tolerance: float,
    colour: tuple[int, int, int] = (25, 55, 110),
    width: float = 0.6,
) -> Tensor:
    """Draw the edges of a mesh over a picture of it, but not those that the mesh hides.

    Args:
        picture: (3,H,W) sRGB in [0,1].
        screen: (V,3) x, y in pixels of the picture, and depth.
        triangles: (T,3).
        facing: (V,) cosines between the normals and the way to the viewer.
        tolerance: How far an end may lie behind the surface and still be seen, in units of depth.
        colour: Of the lines, sRGB.
        width: Of the lines in pixels.

    Returns:
        (3,H,W).
    """
    height, across = picture.shape[-2:]
    face_ids = rasterize(screen[None], triangles, height, across)
    depth = interpolate(screen[None], triangles, face_ids, screen[None, :, :1])[1][0, 0]
    depth = torch.where(face_ids[0] >= 0, depth, torch.inf)
    column, row = (screen[:, axis].round().long().clamp(0, limit - 1) for axis, limit in ((0, across), (1, height)))
    edges = mesh_edges(triangles)
    seen = (screen[:, 2] <= depth[row, column] + tolerance)[edges].all(1)
    edges = edges[seen]
    ends = screen[edges][..., :2]
    length = (ends[:, 0] - ends[:, 1]).norm(dim=1)
    strength = (length / _FULL).clamp(_FAINTEST, 1) * (facing[edges].amin(1) * _FADING).clamp(0, 1)
    order = strength.argsort()  # where lines cross, the stronger one is seen
    sheet = Image.new("L", (across * _FINER, height * _FINER))
    pen = ImageDraw.Draw(sheet)
    thick = max(1, round(width * _FINER))
    lines = ((ends[order] + 0.5) * _FINER).flatten(1).tolist()
    for line, ink in zip(lines, (strength[order] * 255).round().int().tolist(), strict=True):
        pen.line(line, fill=ink, width=thick)
    cover = torch.from_numpy(np.array(sheet.resize((across, height), Image.Resampling.BOX))).to(picture) / 255
    paint = picture.new_tensor(colour)[:, None, None] / 255
    return torch.lerp(picture, paint.expand_as(picture), cover)
