"""A coloured triangle mesh as files hold it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ColouredMesh", "TextureMap"]


@dataclass(frozen=True)
class TextureMap:
    """Where a texture picture lies on a mesh.

    A vertex on a seam lies at several places of the picture, so there are more corners than vertices.

    Args:
        corner_vertex: (N,) int64, the vertex of each corner.
        uv: (N,2) float32 in [0,1], origin at the lower left of the picture.
        triangles: (T,3) int64 into the corners, in the order of the mesh's triangles.
    """

    corner_vertex: NDArray[np.int64]
    uv: NDArray[np.float32]
    triangles: NDArray[np.int64]


@dataclass(frozen=True)
class ColouredMesh:
    """Vertices, triangles, and either a texture or colours at the vertices.

    Args:
        vertices: (V,3) float32; metres, y up and the front along z where it is to be opened in a viewer.
        triangles: (T,3) int64, counter-clockwise seen from outside.
        normals: (V,3) float32 unit normals.
        texture_map: Where the texture lies, or None.
        texture: (H,W,3) uint8, sRGB, or None.
        colours: (V,3) float32, sRGB in [0,1]; they count where there is no texture.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int64]
    normals: NDArray[np.float32]
    texture_map: TextureMap | None = None
    texture: NDArray[np.uint8] | None = None
    colours: NDArray[np.float32] | None = None
