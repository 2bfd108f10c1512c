"""How far a reconstructed face lies from the scan of the real one, as it is measured on NoW."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from zoo.errors import UserError
from zoo.metrics.scan_fit import NOW_LANDMARKS, ScanFit, fit_scan, points_around, same_number

__all__ = ["NowError", "fit_now"]


class NowError(Metric):
    """Distances of all points of all scans from the reconstructions, in millimetres: ``median``, ``mean`` and ``std``.

    Of each mesh:

    1. the scan is cut to a ball: its centre c lies 0.3 of the way from the base of the nose to the middle between the
       inner corners of the eyes, its radius is 0.7 times the sum of that way's length and the distance between the
       outer corners;
    2. the mesh is laid over the scan by seven landmarks, with scale, and then so that the sum of the squared distances
       of all the scan's points from the mesh is least, again with scale;
    3. each point's distance from the nearest point of the mesh is taken.

    The statistics are over the points of all scans together: a dense scan counts more than a sparse one. NaN where
    there were none.

    Args:
        with_scale: Whether meshes may be scaled, as the benchmark has it; without, they must be in millimetres, which
            is its metrical variant.

    Source: Sanyal et al., Learning to regress 3D face shape and expression from an image without 3D supervision, CVPR
        2019, and the code of its evaluation, whose optimiser finds the same least squares. It runs on the CPU.
    """

    full_state_update = False
    higher_is_better = False
    distances: list[Tensor]

    def __init__(self, *, with_scale: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.with_scale = with_scale
        self.add_state("distances", [], dist_reduce_fx="cat")

    def update(
        self,
        vertices: Sequence[Tensor] | Tensor,
        triangles: Tensor,
        scan_points: Sequence[Tensor] | Tensor,
        landmarks: Sequence[Tensor] | Tensor,
        scan_landmarks: Sequence[Tensor] | Tensor,
    ) -> None:
        """Take in one batch; each argument but the triangles is a tensor with the batch first, or a list.

        Args:
            vertices: (V,3) of each mesh, in any unit.
            triangles: (T,3), of all meshes.
            scan_points: (N,3) of each scan, in millimetres; scans may differ in N.
            landmarks: (7,3) of each mesh, or all 68 of iBUG, in its unit.
            scan_landmarks: (7,3), the same points of each scan.

        Raises:
            UserError: As ``fit_now``.
        """
        given = {"vertices": vertices, "scan_points": scan_points}
        for i in range(same_number(**given, landmarks=landmarks, scan_landmarks=scan_landmarks)):
            fit = fit_now(
                vertices[i], triangles, scan_points[i], landmarks[i], scan_landmarks[i], with_scale=self.with_scale
            )
            self.distances.append(fit.distances.float().to(self.device))

    def compute(self) -> dict[str, Tensor]:
        """``median``, ``mean`` and ``std`` over points, in millimetres."""
        parts = self.distances if isinstance(self.distances, list) else [self.distances]
        if not parts:
            return {name: torch.tensor(torch.nan) for name in ("median", "mean", "std")}
        values = torch.cat(parts).double()
        median = values.sort().values[[(len(values) - 1) // 2, len(values) // 2]].mean()
        return {"median": median.float(), "mean": values.mean().float(), "std": values.std(correction=0).float()}


def fit_now(
    vertices: Tensor,
    triangles: Tensor,
    scan_points: Tensor,
    landmarks: Tensor,
    scan_landmarks: Tensor,
    *,
    with_scale: bool = True,
) -> ScanFit:
    """One mesh over one scan, by the protocol of ``NowError``, with the distance of every point of the scan.

    Raises:
        UserError: Something is not finite or differs in number, or hardly a point of the scan lies in its face.
    """
    landmarks, scan_landmarks = _seven(landmarks), _seven(scan_landmarks)
    outer_right, inner_right, inner_left, outer_left, base = scan_landmarks[:5].unbind(0)
    upwards = (inner_right + inner_left) / 2 - base
    radius = 0.7 * float((outer_right - outer_left).norm() + upwards.norm())
    face = points_around(base + 0.3 * upwards, radius, scan_points, "the middle of the face")
    return fit_scan(vertices, triangles, face, landmarks, scan_landmarks, with_scale=with_scale)


def _seven(landmarks: Tensor) -> Tensor:
    if landmarks.shape == (68, 3):
        landmarks = landmarks[list(NOW_LANDMARKS)]
    if landmarks.shape != (7, 3):
        raise UserError(f"NoW's landmarks must be (7, 3) or all 68 of iBUG, not {tuple(landmarks.shape)}.")
    return landmarks
