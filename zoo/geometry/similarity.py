"""The rotation, scale and shift that lay one set of points over another."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.errors import UserError

__all__ = ["Similarity", "fit_similarity"]


@dataclass(frozen=True)
class Similarity:
    """p' = scale R p + translation, in any number of dimensions D.

    Args:
        scale: (...), above 0.
        rotation: R (...,D,D), without a reflection.
        translation: (...,D).
    """

    scale: Tensor
    rotation: Tensor
    translation: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        """Move points (...,N,D)."""
        turned = points @ self.rotation.mT
        return self.scale[..., None, None] * turned + self.translation[..., None, :]

    def inverse(self) -> Similarity:
        """The way back."""
        rotation, scale = self.rotation.mT, 1 / self.scale
        moved = (rotation @ self.translation[..., None])[..., 0]
        return Similarity(scale, rotation, -scale[..., None] * moved)

    def after(self, first: Similarity) -> Similarity:
        """The similarity that moves points by ``first`` and then by this one."""
        moved = self(first.translation[..., None, :])[..., 0, :]
        return Similarity(self.scale * first.scale, self.rotation @ first.rotation, moved)


def fit_similarity(
    source: Tensor, target: Tensor, weights: Tensor | None = None, *, with_scale: bool = True
) -> Similarity:
    """The similarity that moves ``source`` nearest to ``target``, by least squares.

    It minimises sum_n w_n |s R x_n + t - y_n|^2 in closed form, for rotations without reflection.

    Args:
        source: x (...,N,D).
        target: y, likewise.
        weights: w (...,N) or (N,), not negative; all alike by default.
        with_scale: Whether the scale is free; 1 otherwise.

    Returns:
        Leading dimensions as the points', and their type.

    Raises:
        UserError: The points differ in number, are too few, lie all in one place, or are not finite.

    Source: Umeyama, Least-squares estimation of transformation parameters between two point patterns, PAMI 1991.

    Example:
        >>> square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        >>> found = fit_similarity(square, 2 * square + 1)
        >>> round(found.scale.item(), 4), found.translation.round().tolist()
        (2.0, [1.0, 1.0])
    """
    if source.shape != target.shape:
        raise UserError(f"{_of(source)} cannot be laid over {_of(target)}: each point needs its partner.")
    dimensions = source.shape[-1]
    if source.shape[-2] < dimensions:
        raise UserError(f"{source.shape[-2]} points are too few for a similarity; {dimensions} are needed.")
    if not bool(torch.isfinite(source).all() and torch.isfinite(target).all()):
        raise UserError("points that are not finite (NaN or infinity) cannot be laid over each other.")
    share = torch.ones_like(source[..., 0]) if weights is None else weights.to(source).expand(source.shape[:-1])
    share = share / share.sum(-1, keepdim=True)
    source_mean, target_mean = ((share[..., None] * points).sum(-2) for points in (source, target))
    x, y = source - source_mean[..., None, :], target - target_mean[..., None, :]
    spread = (share * x.square().sum(-1)).sum(-1)
    if not bool((spread > 0).all()):
        raise UserError("points that lie all in one place cannot be laid over others.")
    u, singular, vt = torch.linalg.svd((share[..., None] * y).mT @ x)
    signs = torch.ones_like(singular)
    signs[..., -1] = torch.where(torch.linalg.det(u @ vt) < 0, -1.0, 1.0)
    rotation = (u * signs[..., None, :]) @ vt
    scale = (singular * signs).sum(-1) / spread if with_scale else torch.ones_like(spread)
    moved = (rotation @ source_mean[..., None])[..., 0]
    return Similarity(scale, rotation, target_mean - scale[..., None] * moved)


def _of(points: Tensor) -> str:
    return f"a set of points of shape {tuple(points.shape)}"
