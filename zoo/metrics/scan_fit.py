"""A reconstructed face laid over the scan of a real one, for the metrics that measure what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.errors import UserError
from zoo.geometry import Nearest, Similarity, Surface, fit_similarity, register_to_scan

__all__ = ["NOW_LANDMARKS", "ScanFit", "fit_scan", "points_around", "same_number"]

NOW_LANDMARKS = (36, 39, 42, 45, 33, 48, 54)
"""The seven landmarks that are picked on scans among the 68 of iBUG, in NoW's order: outer and inner corners of the
eyes from the person's right to the left, the base of the nose, the right and the left corner of the mouth."""


@dataclass(frozen=True)
class ScanFit:
    """A mesh over a scan.

    Args:
        similarity: The way from the mesh to the scan.
        points: Those of the scan that are measured (N,3), in its frame and unit.
        nearest: Where they fall on the mesh, in the frame and unit of the scan.
    """

    similarity: Similarity
    points: Tensor
    nearest: Nearest

    @property
    def distances(self) -> Tensor:
        """From each point of the scan to the nearest point of the mesh (N,)."""
        return self.nearest.distances

    @property
    def plane_distances(self) -> Tensor:
        """From each point of the scan to the plane of the nearest triangle (N,)."""
        return self.nearest.plane_distances(self.points)


def fit_scan(
    vertices: Tensor,
    triangles: Tensor,
    scan_points: Tensor,
    landmarks: Tensor,
    scan_landmarks: Tensor,
    *,
    with_scale: bool = True,
) -> ScanFit:
    """Lay a mesh over a scan: first its landmarks, then all points of the scan (``zoo.geometry.register_to_scan``).

    Args:
        vertices: (V,3), in any unit.
        triangles: (T,3).
        scan_points: (N,3) in millimetres: those that are fitted and measured.
        landmarks: (L,3) of the mesh, three at least; or all 68 of iBUG where the scan has NoW's seven.
        scan_landmarks: (L,3), the same points of the scan.
        with_scale: Whether the mesh may be scaled.

    Raises:
        UserError: Something is not finite, has another number, or is too little to be fitted.
    """
    surface = Surface(vertices, triangles)
    landmarks, scan_landmarks = (points.detach().cpu().double() for points in (landmarks, scan_landmarks))
    if len(landmarks) == 68 and len(scan_landmarks) == 7:
        landmarks = landmarks[list(NOW_LANDMARKS)]
    if landmarks.shape != scan_landmarks.shape:
        raise UserError(f"{len(landmarks)} landmarks of the mesh do not fit {len(scan_landmarks)} of the scan.")
    start = fit_similarity(landmarks, scan_landmarks, with_scale=with_scale)
    found = register_to_scan(surface, scan_points, start, with_scale=with_scale)
    points = scan_points.detach().cpu().double()
    nearest = surface.nearest(found.inverse()(points))
    moved = Nearest(found(nearest.points), nearest.normals @ found.rotation.T, found.scale * nearest.distances)
    return ScanFit(found, points, moved)


def points_around(centre: Tensor, radius: float, points: Tensor, what: str) -> Tensor:
    """Those of the points (N,3) of a scan that lie within a radius, in millimetres, of its ``what``.

    Raises:
        UserError: There are fewer than seven, or the points are not finite.
    """
    if not bool(torch.isfinite(points).all() and torch.isfinite(centre).all()):
        raise UserError("the points of a scan are not all finite (NaN or infinity).")
    near = points[(points - centre.to(points)).norm(dim=-1) <= radius]
    if len(near) < 7:
        raise UserError(
            f"{len(near)} of the scan's {len(points)} points lie within {radius:.3g} mm of {what}: too few to be "
            "measured. Are both in millimetres and in one frame?"
        )
    return near


def same_number(**given: Sequence[Tensor] | Tensor) -> int:
    """The number of meshes, which all lists must have.

    Raises:
        UserError: They differ.
    """
    numbers = {name: len(values) for name, values in given.items()}
    if len(set(numbers.values())) > 1:
        told = ", ".join(f"{number} of {name}" for name, number in numbers.items())
        raise UserError(f"each mesh needs one of everything, and there are {told}.")
    return next(iter(numbers.values()))
