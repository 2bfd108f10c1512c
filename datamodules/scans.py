"""Scans of heads beside photos of them: what methods that find a face's shape are measured on."""

from __future__ import annotations

import pickle
import warnings
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy_format
from torch import Tensor

from zoo.errors import UserError
from zoo.morphable.readers.obj import read_obj

__all__ = ["Scan", "read_box", "read_picked_points", "read_scan"]

_SMALLEST, _LARGEST = 60.0, 1500.0
"""Millimetres between which the longest side of a scanned face or head and shoulders lies."""


@dataclass(frozen=True)
class Scan:
    """A scanned head.

    Args:
        path: Of its file.
        vertices: (V,3) float32 in millimetres.
        triangles: (T,3) int64, counter-clockwise seen from outside.
        landmarks: (7,3) float32 in millimetres: the right eye's outer and inner corner, the left eye's inner and outer
            one, the bottom of the nose, the right and the left mouth corner (the person's right; iBUG's points 36, 39,
            42, 45, 33, 48, 54), or None.
        nose_tip: (3,) float32 in millimetres, or None.
    """

    path: Path
    vertices: Tensor
    triangles: Tensor
    landmarks: Tensor | None = None
    nose_tip: Tensor | None = None


def read_scan(path: Path, millimetres: float = 1.0) -> tuple[Tensor, Tensor]:
    """Vertices and triangles of an OBJ or PLY file, in the file's order; polygons are cut into triangles.

    Args:
        path: The file.
        millimetres: How many one unit of the file has.

    Returns:
        (V,3) float32 in millimetres, and (T,3) int64.

    Raises:
        UserError: The file is missing or damaged, or the mesh is too small or too large for a head.
    """
    if not path.is_file():
        raise UserError(f"the scan {path} does not exist. Copy it again.")
    vertices, triangles = _mesh(path, path.stat().st_mtime_ns)
    if not bool(torch.isfinite(vertices).all()):
        raise UserError(f"{path} holds vertices that are not finite (NaN or infinity). Copy it again.")
    vertices = vertices * millimetres
    extent = float((vertices.amax(0) - vertices.amin(0)).max())
    if not _SMALLEST < extent < _LARGEST:
        raise UserError(
            f"{path} would be {extent:.4g} mm long, which no scan of a face is: its unit is not {millimetres:g} mm."
        )
    return vertices, triangles


@lru_cache(maxsize=3)
def _mesh(path: Path, changed: int) -> tuple[Tensor, Tensor]:
    """The same scan belongs to many photos in a row, and its file is long text."""
    if path.suffix.lower() == ".obj":
        mesh = read_obj(path)
        return torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.triangles)
    import trimesh  # slow to import

    try:
        loaded: Any = trimesh.load(path, force="mesh", process=False)
        vertices, triangles = np.asarray(loaded.vertices, np.float32), np.asarray(loaded.faces, np.int64)
    except Exception as problem:  # readers raise nearly anything when a file is damaged
        raise UserError(f"{path} is damaged or no mesh. Copy it again.") from problem
    if not len(vertices) or triangles.ndim != 2 or not len(triangles):
        raise UserError(f"{path} holds no triangles; it is cut off or no mesh. Copy it again.")
    return torch.from_numpy(vertices), torch.from_numpy(triangles)


def read_picked_points(path: Path, count: int) -> Tensor:
    """Points that were picked on a mesh with MeshLab.

    Args:
        path: A ``.pp`` file, XML with a ``point`` element of ``x``, ``y``, ``z`` and a ``name`` for each. Points that
            are named by numbers come in the order of these.
        count: How many there must be at least.

    Returns:
        (P,3) float32 in the mesh's own unit.

    Raises:
        UserError: The file is missing or damaged, or holds fewer points.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if "<!ENTITY" in text:
            raise ValueError("entities")
        found = list(ElementTree.fromstring(text).iter("point"))
        points = [([float(each.attrib[axis]) for axis in "xyz"], each.attrib.get("name", "")) for each in found]
    except OSError as problem:
        raise UserError(f"the points {path} cannot be read ({(problem.strerror or '').lower()}).") from problem
    except (ElementTree.ParseError, KeyError, ValueError) as problem:
        raise UserError(f"{path} is damaged, or no file of points picked with MeshLab. Copy it again.") from problem
    if len(points) < count:
        raise UserError(f"{path} holds {len(points)} points, and {count} are needed.")
    if all(name.isdigit() for _, name in points):
        points.sort(key=lambda each: int(each[1]))
    values = torch.tensor([place for place, _ in points], dtype=torch.float32)
    if not bool(torch.isfinite(values).all()):
        raise UserError(f"{path} holds points that are not finite (NaN or infinity). Copy it again.")
    return values


def read_box(path: Path) -> tuple[float, float, float, float]:
    """The box around a face in NoW's ``detected_face``: a ``.npy`` file of a pickled dictionary.

    A pickle can run code, so that nothing is looked up for it but what an array of plain numbers needs.

    Returns:
        Left, top, right and bottom in pixels.

    Raises:
        UserError: The file is missing, damaged, asks for anything else, or makes no box.
    """
    try:
        with path.open("rb") as file:
            version = npy_format.read_magic(file)
            read_header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
            if read_header(file)[2].kind != "O":
                raise ValueError("no object")
            content = _PlainArrays(file, path).load()
        box = content.item() if isinstance(content, np.ndarray) and content.size == 1 else content
        left, top, right, bottom = (float(box[side]) for side in ("left", "top", "right", "bottom"))
    except UserError:
        raise
    except FileNotFoundError as problem:
        raise UserError(f"there is no {path}. Copy it again.") from problem
    except Exception as problem:  # damaged pickles raise nearly anything
        raise UserError(f"{path} is damaged, or no box of a face. Copy it again.") from problem
    if not (np.isfinite([left, top, right, bottom]).all() and left < right and top < bottom):
        raise UserError(f"the box of {path} is empty: {left:g} to {right:g}, {top:g} to {bottom:g}. Copy it again.")
    return left, top, right, bottom


_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
}


class _PlainArrays(pickle.Unpickler):
    """Reads dictionaries of numbers, and arrays of them."""

    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file, encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise UserError(
                f"{self._path} was refused: it is a pickle that asks for {module}.{name}, which no box needs, and "
                "opening it the usual way could run someone's code. Get the file from its makers."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # files name NumPy's modules as they were called then
            return super().find_class(module, name)
