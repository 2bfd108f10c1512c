"""Labels of shading, as people gave them for SAW, but from the truth: smooth, edge of a shadow, edge of a surface."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from datamodules.sampling.draws import Draws
from zoo.contract import IGNORE
from zoo.render.normals import unit_normals

__all__ = ["SHADOW", "SMOOTH", "SURFACE", "label_shading"]

SURFACE, SHADOW, SMOOTH = 0, 1, 2

_BORDER = 0.05
"""Of height and width; SAW labels nothing there."""

_DEPTH_STEP = 0.04
"""Relative bend of the inverse depth, which is linear along a plane, however much that is tilted."""

_TURN = math.cos(math.radians(40))
"""Normals on the two sides of a place, each the mean of 3 x 3 pixels, differ by more at an edge; bumps differ less."""

_CROWDED = 0.5
"""Where more of the surroundings are edges, as in the crown of a tree, nobody marks them."""

_SHADOW_STEP = 0.12
"""Log shading changes by more than this across a shadow's edge; a fainter one nobody marks."""

_SMOOTH_SLOPE = 4.0
"""Log shading changes by less than this per width of the picture where it is smooth."""

_SMOOTH_RANGE = 0.25
"""Within a patch that is called smooth, log shading stays this near to that of its middle."""

_PATCHES = 16
"""People mark some smooth regions, not all: so many places are looked at."""

_EDGES = 0.7
"""Share of the edges that are marked."""

Mask = NDArray[np.bool_]


def label_shading(
    shading: Tensor, depth: Tensor, normal: Tensor, mask: Tensor, shadow_edges: Tensor, draws: Draws
) -> Tensor:
    """Say of some pixels whether shading is smooth there, and why it is not.

    - 0: depth jumps or the surface turns
    - 1: the light's visibility changes on one surface, and enough for the eye
    - 2: part of a region, away from both, in which shading changes little

    Some regions and edges are left out, as people leave them out, and so is the border of the picture.

    Args:
        shading: (B,1|3,H,W) linear.
        depth: (B,1,H,W), 0 where there is nothing.
        normal: (B,3,H,W).
        mask: (B,1,H,W); nothing is said outside.
        shadow_edges: (B,H,W) bools: where the visibility of a light changes fast.
        draws: The samples.

    Returns:
        (B,H,W) int64: 0, 1, 2, or 255 for all else.

    Source: Kovacs et al., Shading Annotations in the Wild, CVPR 2017: the classes; the thresholds are our own.
    """
    places = draws.uniform("smooth patches", _PATCHES, 3)
    marked = draws.uniform("marked edges", 4096)
    levels = shading.mean(1).clamp_min(1e-4).log().cpu().numpy()
    surfaces = _surface_edges(depth[:, 0], normal).cpu().numpy()
    valid = mask[:, 0].cpu().numpy() > 0.5
    shadows = shadow_edges.cpu().numpy()
    rows = [_label(*each) for each in zip(levels, surfaces, valid, shadows, places, marked, strict=True)]
    return torch.from_numpy(np.stack(rows))


def _surface_edges(depth: Tensor, normal: Tensor) -> Tensor:
    """(B,H,W) bools: both pixels of each step in depth or turn of the surface."""
    inverse = torch.where(depth > 0, 1 / depth.clamp_min(1e-6), 0)
    even = unit_normals(F.avg_pool2d(normal, 3, 1, 1, count_include_pad=False))
    edges = torch.zeros_like(depth, dtype=torch.bool)
    for axis in (1, 2):
        count = depth.shape[axis]
        a, b, c = (inverse.narrow(axis, start, count - 2) for start in range(3))
        bend = (a - 2 * b + c).abs() > _DEPTH_STEP * torch.maximum(torch.maximum(a, b), c).clamp_min(1e-6)
        edges.narrow(axis, 1, count - 2).logical_or_(bend)
        one, other = (even.narrow(axis + 1, start, count - 3) for start in (0, 3))
        there = (one.square().sum(1) > 0.5) & (other.square().sum(1) > 0.5)  # normals of nothing are zeros
        turn = ((one * other).sum(1) < _TURN) & there
        edges.narrow(axis, 1, count - 3).logical_or_(turn)
        edges.narrow(axis, 2, count - 3).logical_or_(turn)
    return edges


def _label(
    level: NDArray[np.float32],
    surface: Mask,
    valid: Mask,
    shadow: Mask,
    places: NDArray[np.float64],
    marked: NDArray[np.float64],
) -> NDArray[np.int64]:
    height, width = level.shape
    reach = max(2, round(0.012 * max(height, width)))
    # specks that are burnt out are no holes in the surface
    outside = ~ndimage.binary_closing(np.pad(valid, reach, mode="edge"), iterations=2)[reach:-reach, reach:-reach]
    near_surface = ndimage.binary_dilation(surface | outside, iterations=max(1, reach // 2))
    contrast = ndimage.maximum_filter(level, 2 * reach + 1) - ndimage.minimum_filter(level, 2 * reach + 1)
    shadow = shadow & ~near_surface & (contrast > _SHADOW_STEP)
    labels = np.full(level.shape, IGNORE, np.int64)
    crowded = ndimage.uniform_filter(surface.astype(np.float32), 6 * reach) > _CROWDED
    labels[_some(surface & ~crowded, marked)] = SURFACE
    labels[_some(shadow, marked[::-1])] = SHADOW
    labels[_smooth(level, surface | shadow | outside, reach, places)] = SMOOTH
    labels[~valid] = IGNORE
    rim_y, rim_x = math.ceil(_BORDER * height), math.ceil(_BORDER * width)
    inner = labels[rim_y : height - rim_y, rim_x : width - rim_x].copy()
    labels[:] = IGNORE
    labels[rim_y : height - rim_y, rim_x : width - rim_x] = inner
    return labels


def _some(edges: Mask, marked: NDArray[np.float64]) -> Mask:
    """Connected edges, some of which are left out."""
    parts, count = ndimage.label(edges, np.ones((3, 3)))
    kept = np.zeros(count + 1, bool)
    kept[1:] = np.resize(marked, count) < _EDGES
    return kept[parts]


def _smooth(level: NDArray[np.float32], edges: Mask, reach: int, places: NDArray[np.float64]) -> Mask:
    """Patches around some places: connected, away from edges, and with little change of shading."""
    height, width = level.shape
    calm = ndimage.gaussian_filter(level, reach)
    slope = np.hypot(ndimage.sobel(calm, 0), ndimage.sobel(calm, 1)) / 8 * max(height, width)
    window = 2 * reach + 1
    allowed = ~ndimage.maximum_filter(edges, window) & (slope < _SMOOTH_SLOPE)
    # only where a square fits in: no threads
    core = ndimage.minimum_filter(allowed, window)
    parts, _ = ndimage.label(ndimage.maximum_filter(core, window))
    found = np.zeros(level.shape, bool)
    for across, down, size in places:
        row, column = int(down * height), int(across * width)
        if parts[row, column]:
            radius = (0.06 + 0.16 * size) * max(height, width)
            far = math.ceil(radius)
            y, x = np.ogrid[max(0, row - far) : min(height, row + far), max(0, column - far) : min(width, column + far)]
            near = (y - row) ** 2 + (x - column) ** 2 < radius**2
            around = slice(y[0, 0], y[-1, 0] + 1), slice(x[0, 0], x[0, -1] + 1)
            alike = np.abs(calm[around] - calm[row, column]) < _SMOOTH_RANGE
            found[around] |= (parts[around] == parts[row, column]) & near & alike
    return found
