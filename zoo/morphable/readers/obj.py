"""OBJ files whose vertex order matters: blend shapes are differences of meshes, vertex by vertex.

General mesh libraries split or merge vertices by texture coordinate or position; this reader keeps the file's order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.errors import UserError

__all__ = ["ObjMesh", "read_obj", "read_obj_vertices"]


@dataclass(frozen=True)
class ObjMesh:
    """A mesh as the file has it, polygons cut into fans of triangles.

    Args:
        vertices: (V,3) float32.
        triangles: (T,3) int64.
        uv: (U,2) float32, possibly empty.
        uv_triangles: (T,3) int64 into ``uv``, or empty where corners have none.
        triangle_material: (T,) int64 into ``material_names``.
        material_names: In the order of their first use.
        polygons: Number of polygons before the cutting.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int64]
    uv: NDArray[np.float32]
    uv_triangles: NDArray[np.int64]
    triangle_material: NDArray[np.int64]
    material_names: tuple[str, ...]
    polygons: int


def read_obj_vertices(path: Path) -> tuple[NDArray[np.float32], int]:
    """The vertices of an OBJ file in its order, and its number of polygons.

    Raises:
        UserError: Unreadable, or without vertices.
    """
    lines = _lines(path)
    return _numbers(lines, b"v ", 3, path), sum(line.startswith(b"f ") for line in lines)


def read_obj(path: Path) -> ObjMesh:
    """Vertices, texture coordinates, triangles and materials of an OBJ file.

    Raises:
        UserError: Unreadable, damaged, or without vertices or faces.
    """
    lines = _lines(path)
    vertices = _numbers(lines, b"v ", 3, path)
    has_uv = any(line.startswith(b"vt ") for line in lines)
    uv = _numbers(lines, b"vt ", 2, path) if has_uv else np.zeros((0, 2), np.float32)
    names: dict[str, int] = {}
    material, polygons = -1, 0
    triangles: list[tuple[int, int, int]] = []
    uv_triangles: list[tuple[int, int, int]] = []
    materials: list[int] = []
    for line in lines:
        if line.startswith(b"usemtl "):
            material = names.setdefault(line[7:].strip().decode("utf-8", "replace"), len(names))
        elif line.startswith(b"f "):
            polygons += 1
            corners = [corner.split(b"/") for corner in line[2:].split()]
            try:
                points = [_index(corner[0], len(vertices)) for corner in corners]
                textures = [_index(corner[1], len(uv)) for corner in corners] if has_uv else []
            except (ValueError, IndexError) as error:
                raise UserError(_damaged(path, line)) from error
            if len(points) < 3:
                raise UserError(_damaged(path, line))
            if material < 0:
                material = names.setdefault("", len(names))
            for k in range(1, len(points) - 1):
                triangles.append((points[0], points[k], points[k + 1]))
                materials.append(material)
                if has_uv:
                    uv_triangles.append((textures[0], textures[k], textures[k + 1]))
    if not triangles:
        raise UserError(f"'{path}' has no faces; it is cut off or not an OBJ mesh. Get the file again.")
    return ObjMesh(
        vertices=vertices,
        triangles=np.array(triangles, np.int64),
        uv=uv,
        uv_triangles=np.array(uv_triangles, np.int64).reshape(-1, 3),
        triangle_material=np.array(materials, np.int64),
        material_names=tuple(names),
        polygons=polygons,
    )


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror or error}.") from error


def _numbers(lines: list[bytes], prefix: bytes, width: int, path: Path) -> NDArray[np.float32]:
    rows = [line[len(prefix) :] for line in lines if line.startswith(prefix)]
    try:
        values = np.array(b" ".join(rows).split(), np.float32)
    except ValueError as error:
        raise UserError(f"'{path}' holds something that is not a number among its vertices.") from error
    # a row may go on with a weight or a colour, but then all do
    if not rows or values.size % len(rows) or values.size // len(rows) < width:
        raise UserError(f"'{path}' is cut off or not an OBJ mesh: {len(rows)} vertices have {values.size} numbers.")
    return np.ascontiguousarray(values.reshape(len(rows), -1)[:, :width])


def _index(text: bytes, count: int) -> int:
    index = int(text)
    index = index - 1 if index > 0 else count + index
    if not 0 <= index < count:
        raise IndexError(index)
    return index


def _damaged(path: Path, line: bytes) -> str:
    return f"'{path}' is damaged or cut off at the line '{line[:60].decode('utf-8', 'replace')}'. Get the file again."
