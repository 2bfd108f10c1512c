"""Lay a mesh over a scan of which no vertex has a partner."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.errors import UserError
from zoo.geometry.similarity import Similarity
from zoo.geometry.surface import Surface

__all__ = ["register_to_scan"]

_COARSE = 1500
_ROUNDS = 60
_SETTLED = 1e-5


def register_to_scan(surface: Surface, scan: Tensor, start: Similarity, *, with_scale: bool = True) -> Similarity:
    """The similarity that moves a mesh so that a scan's points lie nearest to its surface.

    It minimises the sum of the squared distances of all points of the scan from the nearest points of the moved mesh:
    iterative closest points with isotropic scale. Each round holds the directions to the nearest points and solves for
    the seven unknowns (Gauss-Newton: it takes a few rounds where alternating with a closed form creeps), damped as by
    Levenberg and Marquardt so that the sum never rises. A part of the points comes first, then all.

    Args:
        surface: The mesh, in any unit.
        scan: (N,3), finite, such as in millimetres.
        start: Where to begin, from mesh to scan: a fit of a few landmarks. It must be roughly right.
        with_scale: Whether the scale may change; that of ``start`` stays otherwise.

    Returns:
        The way from the mesh to the scan, float64.

    Raises:
        UserError: The scan has fewer than seven points, or some that are not finite.

    Source: Chen and Medioni, Object modelling by registration of multiple range images, 1992, for holding directions;
        Besl and McKay, A method for registration of 3-D shapes, PAMI 1992.
    """
    scan = scan.detach().cpu().double()
    if scan.ndim != 2 or scan.shape[-1] != 3 or len(scan) < 7:
        raise UserError(f"a mesh can be laid over a scan of at least 7 points (N, 3), not {tuple(scan.shape)}.")
    if not bool(torch.isfinite(scan).all()):
        raise UserError("the points of a scan are not all finite (NaN or infinity).")
    found = Similarity(start.scale.cpu().double(), start.rotation.cpu().double(), start.translation.cpu().double())
    step = max(1, len(scan) // _COARSE)
    while True:
        found = _settle(surface, scan[::step], found, with_scale)
        if step == 1:
            return found
        step = max(1, step // 5)


def _settle(surface: Surface, scan: Tensor, found: Similarity, with_scale: bool) -> Similarity:
    """Improve until the next change is not worth its while."""
    cost, equations = _look(surface, scan, found, with_scale)
    damping = 1e-4
    for _ in range(_ROUNDS):
        change, share = equations.solve(damping)
        if share <= _SETTLED:
            break
        tried = found.after(change)
        new_cost, new_equations = _look(surface, scan, tried, with_scale)
        if new_cost < cost:
            found, cost, equations, damping = tried, new_cost, new_equations, damping / 10
        else:
            damping *= 10
    return found


@dataclass(frozen=True)
class _Equations:
    """What a change of the mesh in its own frame does to the distances.

    A change moves the point q of the mesh by tau + omega x (q - c) + sigma (q - c), c the middle of all q, and
    shortens the distance along the direction n by n . that.

    Args:
        jacobian: (N,6|7) of tau, size omega and size sigma.
        residual: (N,), the distances.
        centre: c (3,).
        size: The mean distance of q from c, so that all unknowns are lengths.
    """

    jacobian: Tensor
    residual: Tensor
    centre: Tensor
    size: Tensor

    def solve(self, damping: float) -> tuple[Similarity, float]:
        """The best change, and the share of the squared distances that it would take away if all were linear."""
        normal = self.jacobian.T @ self.jacobian
        ridge = damping * normal.diagonal().mean() * torch.eye(len(normal), dtype=normal.dtype)
        step = torch.linalg.solve(normal + ridge, self.jacobian.T @ self.residual)
        before, after = (values.square().sum() for values in (self.residual, self.residual - self.jacobian @ step))
        share = float((before - after) / before.clamp_min(1e-18 * self.size**2 * len(self.residual)))
        x, y, z = (step[3:6] / self.size).tolist()
        skew = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
        rotation = torch.linalg.matrix_exp(skew)
        scale = (step[6] / self.size).exp() if len(step) == 7 else torch.ones((), dtype=torch.float64)
        return Similarity(scale, rotation, self.centre + step[:3] - scale * (rotation @ self.centre)), share


def _look(surface: Surface, scan: Tensor, found: Similarity, with_scale: bool) -> tuple[float, _Equations]:
    """The mean squared distance in units of the scan, and how it would change."""
    points = found.inverse()(scan)
    nearest = surface.nearest(points)
    offset = points - nearest.points
    length = nearest.distances[:, None]
    direction = torch.where(length > 1e-9 * length.max(), offset / length.clamp_min(1e-300), nearest.normals)
    centre = nearest.points.mean(0)
    lever = nearest.points - centre
    size = lever.norm(dim=1).mean().clamp_min(1e-12)
    columns = [direction, torch.linalg.cross(lever, direction) / size]
    if with_scale:
        columns.append((lever * direction).sum(1, keepdim=True) / size)
    residual = (offset * direction).sum(1)
    cost = float(found.scale.square() * residual.square().mean())
    return cost, _Equations(torch.cat(columns, dim=1), residual, centre, size)
