"""How far a reconstructed face lies from the scan of the real one, as it is measured on MICC Florence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from zoo.errors import UserError
from zoo.metrics.scan_fit import ScanFit, fit_scan, points_around, same_number

__all__ = ["ScanError", "face_of_scan", "fit_micc"]


class ScanError(Metric):
    """Root mean square of the distances of a scan's face from the reconstruction, in millimetres, a mean over meshes.

    Of each mesh by itself:

    1. the scan is cut to the points within 95 mm of the tip of the nose, and of these the forehead may be cut off;
    2. the mesh is laid over them by its landmarks and then by iterative closest points with isotropic scale, so that
       neither its pose nor its size is measured;
    3. the error is the root mean square over the points of their distances from the plane of the nearest triangle.

    ``compute`` gives ``mean`` and ``std`` (over meshes, as tables print it); NaN where there were none. Figures of
    evaluations that use one scale for all meshes, or the plain mean of distances, cannot be compared with these.

    Args:
        radius: Around the tip of the nose, in millimetres.
        forehead: Cut what lies higher above the tip of the nose than so many millimetres; None cuts nothing. The paper
            cuts the forehead but does not say where.
        up: The direction towards the top of the head in the frame of the scans.

    Source: Deng et al., CVPRW 2019, section 4, with what its author says of it in the issues of the code; data:
        Bagdanov et al., The Florence 2D/3D hybrid face dataset, 2011. It runs on the CPU.
    """

    full_state_update = False
    higher_is_better = False
    total: Tensor
    squares: Tensor
    samples: Tensor

    def __init__(
        self,
        radius: float = 95.0,
        *,
        forehead: float | None = None,
        up: Sequence[float] = (0.0, 1.0, 0.0),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.radius, self.forehead, self.up = radius, forehead, tuple(up)
        for name in ("total", "squares", "samples"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(
        self,
        vertices: Sequence[Tensor] | Tensor,
        triangles: Tensor,
        scan_points: Sequence[Tensor] | Tensor,
        nose_tip: Sequence[Tensor] | Tensor,
        landmarks: Sequence[Tensor] | Tensor,
        scan_landmarks: Sequence[Tensor] | Tensor,
    ) -> None:
        """Take in one batch; each argument but the triangles is a tensor with the batch first, or a list.

        Args:
            vertices: (V,3) of each mesh, in any unit.
            triangles: (T,3), of all meshes.
            scan_points: (N,3) of each scan, in millimetres; scans may differ in N.
            nose_tip: (3,) of each scan.
            landmarks: (L,3) of each mesh, three at least, in its unit; or all 68 of iBUG beside NoW's seven.
            scan_landmarks: (L,3), the same points of each scan.

        Raises:
            UserError: As ``fit_micc``.
        """
        given = {"vertices": vertices, "scan_points": scan_points, "nose_tip": nose_tip}
        for i in range(same_number(**given, landmarks=landmarks, scan_landmarks=scan_landmarks)):
            fit = fit_micc(
                vertices[i],
                triangles,
                scan_points[i],
                nose_tip[i],
                landmarks[i],
                scan_landmarks[i],
                radius=self.radius,
                forehead=self.forehead,
                up=self.up,
            )
            error = fit.plane_distances.square().mean().sqrt().to(self.total.device)
            self.total += error
            self.squares += error.square()
            self.samples += 1

    def compute(self) -> dict[str, Tensor]:
        """``mean`` and ``std`` over meshes, in millimetres."""
        mean = self.total / self.samples
        return {"mean": mean.float(), "std": (self.squares / self.samples - mean.square()).clamp_min(0).sqrt().float()}


def fit_micc(
    vertices: Tensor,
    triangles: Tensor,
    scan_points: Tensor,
    nose_tip: Tensor,
    landmarks: Tensor,
    scan_landmarks: Tensor,
    *,
    radius: float = 95.0,
    forehead: float | None = None,
    up: Sequence[float] = (0.0, 1.0, 0.0),
) -> ScanFit:
    """One mesh over one scan, by the protocol of ``ScanError``, with the distance of every point of the scan.

    Raises:
        UserError: Something is not finite or differs in number, or hardly a point of the scan lies around the nose.
    """
    face = face_of_scan(scan_points, nose_tip, radius=radius, forehead=forehead, up=up)
    return fit_scan(vertices, triangles, face, landmarks, scan_landmarks)


def face_of_scan(
    points: Tensor,
    nose_tip: Tensor,
    *,
    radius: float = 95.0,
    forehead: float | None = None,
    up: Sequence[float] = (0.0, 1.0, 0.0),
) -> Tensor:
    """The points (N,3) of a scan that ``ScanError`` measures.

    Raises:
        UserError: There are hardly any, or the tip of the nose is not known.
    """
    if nose_tip.shape != (3,):
        raise UserError(
            f"the scan has no tip of the nose to be cut around: (3,) is expected, not {tuple(nose_tip.shape)}."
        )
    if forehead is not None:
        direction = torch.tensor(up).to(points)
        points = points[(points - nose_tip.to(points)) @ (direction / direction.norm()) <= forehead]
    return points_around(nose_tip, radius, points, "the tip of the nose")
