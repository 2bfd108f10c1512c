"""The colours of a photo carried onto the mesh that was fitted to it, and continued where the photo does not reach.

Where the surface is seen, and seen from the front, it has the photo's colours. Everywhere else it has the colours that
the model expects, corrected so that they continue the photo's: the ratio of both is known where the photo reaches, and
spreads from there over the mesh as heat does. Both are mixed by a weight that falls off smoothly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu
from torch import Tensor
from torch.nn.functional import grid_sample
from torch.nn.functional import interpolate as resize

from zoo.imaging import linear_to_srgb, srgb_to_linear
from zoo.meshes.mesh import TextureMap
from zoo.render import interpolate, rasterize

__all__ = ["Seen", "bake_texture", "look_up", "neighbours", "see_in_photo", "softened"]

_STEEP, _FRONTAL = 0.2, 0.6
"""Cosines between the normal and the way to the camera: from which on the photo counts, and from which on fully."""
_RINGS = 3
"""Rings of vertices over which the photo's weight falls off."""
_BUFFER = 512
"""Longer side of the depth buffer that tells what is hidden."""
_LOWEST = 0.01
"""Linear light that is added before ratios are taken: darkness has no ratio."""
_STRONGEST = 1.2
"""The largest correction of the model's colours, as a natural logarithm."""
_DATA, _HOME = 0.05, 1e-4
"""How much the ratio follows what is seen against smoothness, and how much it returns to the mean far away."""


@dataclass(frozen=True)
class Seen:
    """What a photo says about the vertices of a mesh.

    Args:
        weight: (V,) from 0 (the photo does not show it) to 1.
        rest: (V,3) linear colours that continue the photo's.
        screen: (V,3) where the vertices lie in the photo, pixels, and their depth.
        photo: (3,H,W) sRGB in [0,1].
    """

    weight: Tensor
    rest: Tensor
    screen: Tensor
    photo: Tensor

    def colours(self) -> Tensor:
        """(V,3) sRGB in [0,1] at the vertices."""
        sampled = srgb_to_linear(_sample(self.photo, self.screen[:, :2]))
        return linear_to_srgb(torch.lerp(self.rest, sampled, self.weight[:, None]).clamp(0, 1))


def see_in_photo(
    vertices: Tensor,
    normals: Tensor,
    triangles: Tensor,
    screen: Tensor,
    photo: Tensor,
    expected: Tensor,
    wanted: Tensor,
    *,
    tolerance: float,
) -> Seen:
    """Find out which vertices a photo shows, and how the model's colours go on from there.

    Args:
        vertices: (V,3) in the camera frame, the camera at the origin.
        normals: (V,3) unit normals in the same frame.
        triangles: (T,3).
        screen: (V,3) the vertices in pixels of the photo, and their depth.
        photo: (3,H,W) sRGB in [0,1].
        expected: (V,3) linear colours that the model expects in this light.
        wanted: (V,) bool: where the photo may be used at all, such as the face without hair, ears and neck.
        tolerance: By how much a vertex may lie behind what hides it and still be seen, in units of depth.
    """
    seen = _visible(screen, triangles, tolerance) & wanted
    height, width = photo.shape[-2:]
    x, y = screen[:, 0], screen[:, 1]
    seen &= (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    towards = -vertices / vertices.norm(dim=1, keepdim=True).clamp_min(1e-12)
    cosine = (normals * towards).sum(1)
    ramp = ((cosine - _STEEP) / (_FRONTAL - _STEEP)).clamp(0, 1)
    weight = (ramp * ramp * (3 - 2 * ramp) * seen).double().numpy()
    near = neighbours(triangles, len(vertices))
    weight = softened(weight, near)
    sampled = srgb_to_linear(_sample(photo, screen[:, :2]))
    rest = _continued(expected.double().numpy(), sampled.double().numpy(), weight, near)
    return Seen(torch.from_numpy(weight).float(), torch.from_numpy(rest).float(), screen, photo)


def bake_texture(seen: Seen, layout: TextureMap, size: int = 1024) -> NDArray[np.uint8]:
    """A texture picture with the photo's own detail.

    Args:
        seen: What the photo says about the vertices.
        layout: Where the texture lies.
        size: Height and width of the picture.

    Returns:
        (size,size,3) uint8, sRGB. Places that no triangle covers have the colour of the nearest that one does, so that
        viewers may smooth over the borders.
    """
    corner = torch.from_numpy(layout.corner_vertex)
    triangles = torch.from_numpy(layout.triangles)
    u, v = torch.from_numpy(layout.uv).unbind(1)
    flat = torch.stack((u * size - 0.5, (1 - v) * size - 0.5, torch.ones_like(u)), 1)[None]
    face_ids = rasterize(flat, triangles, size, size, cull=False, perspective=False)
    x, y, depth = seen.screen[corner].unbind(1)
    # Places between the corners lie in the photo as a pinhole sees them: x / depth, y / depth and 1 / depth are linear.
    given = torch.cat((seen.weight[corner, None], seen.rest[corner], torch.stack((x, y, depth), 1)), 1)
    given[:, 4:6] *= given[:, 6:]
    drawn = interpolate(flat, triangles, face_ids, given[None], perspective=False)[0][0]
    weight, rest, depth = drawn[:1], drawn[1:4], drawn[6].clamp_min(1e-12)
    place = torch.stack((drawn[4] / depth, drawn[5] / depth), -1)
    sampled = srgb_to_linear(_sample(seen.photo, place.flatten(0, 1), _finer(seen, size)).T.unflatten(1, (size, size)))
    picture = linear_to_srgb(torch.lerp(rest, sampled, weight).clamp(0, 1))
    nearest = ndimage.distance_transform_edt((face_ids[0] < 0).numpy(), return_distances=False, return_indices=True)
    pixels: NDArray[np.uint8] = (picture * 255).round().byte().permute(1, 2, 0).numpy()[tuple(nearest)]
    return pixels


def look_up(texture: NDArray[np.uint8], uv: Tensor) -> Tensor:
    """The colours (3,H,W), sRGB in [0,1], of a texture at coordinates (2,H,W)."""
    picture = torch.tensor(texture).permute(2, 0, 1)[None].float() / 255
    grid = torch.stack((uv[0] * 2 - 1, 1 - uv[1] * 2), -1)[None]
    return grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=False)[0]


def _visible(screen: Tensor, triangles: Tensor, tolerance: float) -> Tensor:
    """Which vertices nothing hides, by a depth buffer around the mesh: (V,) bool."""
    low, high = screen[:, :2].amin(0), screen[:, :2].amax(0)
    scale = _BUFFER / float((high - low).max().clamp_min(1e-6))
    place = torch.cat(((screen[:, :2] - low) * scale, screen[:, 2:]), 1)
    width, height = (int(each) + 1 for each in ((high - low) * scale).tolist())
    face_ids = rasterize(place[None], triangles, height, width)
    depth = interpolate(place[None], triangles, face_ids, place[None, :, :1])[1][0, 0]
    depth = torch.where(face_ids[0] >= 0, depth, torch.inf)
    column = place[:, 0].round().long().clamp(0, width - 1)
    row = place[:, 1].round().long().clamp(0, height - 1)
    return screen[:, 2] <= depth[row, column] + tolerance


def neighbours(triangles: Tensor, count: int) -> sparse.csr_array:
    """Which vertices an edge joins: (V,V) of ones."""
    a, b, c = triangles.numpy().T
    rows, columns = np.concatenate((a, b, c, b, c, a)), np.concatenate((b, c, a, a, b, c))
    matrix = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(count, count))
    matrix.data[:] = 1.0
    return matrix


def softened(weight: NDArray[np.float64], near: sparse.csr_array) -> NDArray[np.float64]:
    """A weight of vertices (V,), taken back by one ring and smoothed, so that it falls off within its own region."""
    degree = np.maximum(near.sum(1), 1)
    entries = near.tocoo()
    low = weight.copy()
    np.minimum.at(low, entries.row, weight[entries.col])
    for _ in range(_RINGS):
        low = 0.5 * low + 0.5 * (near @ low) / degree
    return np.asarray(np.minimum(low, 1.0))


def _continued(
    expected: NDArray[np.float64], seen: NDArray[np.float64], weight: NDArray[np.float64], near: sparse.csr_array
) -> NDArray[np.float64]:
    """The expected colours times the smooth ratio by which the photo differs from them."""
    if weight.sum() < 1e-6:
        return expected
    ratio = np.log(np.maximum(seen, 0) + _LOWEST) - np.log(np.maximum(expected, 0) + _LOWEST)
    mean = (ratio * weight[:, None]).sum(0) / weight.sum()
    laplacian = sparse.diags_array(near.sum(1)) - near
    system = laplacian + sparse.diags_array(_DATA * weight + _HOME)
    spread = splu(system.tocsc()).solve(_DATA * weight[:, None] * (ratio - mean))
    factor = np.exp(np.clip(mean + spread, -_STRONGEST, _STRONGEST))
    return np.asarray(np.clip(expected, 0, None) * factor)


def _finer(seen: Seen, size: int) -> float:
    """How many times finer the photo is than a texture, of which a head takes up about two thirds."""
    extent = seen.screen[:, :2].amax(0) - seen.screen[:, :2].amin(0)
    return max(1.0, float(extent.max()) / (size * 2 / 3))


def _sample(photo: Tensor, places: Tensor, finer: float = 1.0) -> Tensor:
    """Colours (N,3) of a photo (3,H,W) at (N,2) pixels, smoothed so that each is as wide as ``finer`` pixels."""
    height, width = photo.shape[-2:]
    grid = ((places * 2 + 1) / places.new_tensor([width, height]) - 1)[None, None]
    if finer > 1:
        coarse = (max(1, round(height / finer)), max(1, round(width / finer)))
        photo = resize(photo[None], coarse, mode="bilinear", antialias=True, align_corners=False)[0]
    return grid_sample(photo[None], grid, mode="bilinear", padding_mode="border", align_corners=False)[0, :, 0].T
