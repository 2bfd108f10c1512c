"""How far the vertices of a mesh lie from those of the true one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from zoo.errors import UserError
from zoo.geometry import fit_similarity
from zoo.metrics.per_sample import PerSample, point_weights

__all__ = ["VertexError"]


class VertexError(PerSample):
    """Mean distance between vertices of the same number in millimetres, a mean over meshes.

    Of one mesh sum_v w_v |A p_v - q_v| / sum_v w_v, p predicted, q true. A is nothing, or what moves the measured
    vertices nearest to the true ones by (weighted) least squares: a motion (``rigid``), or one with isotropic scale
    (``similarity``), which is right where a photo does not tell how large a head is.

    Args:
        align: ``none``, ``rigid`` or ``similarity``.
        millimetres: How many make up one unit of the vertices: ``1000 * model.metres_per_unit``.
        indices: The vertices that are measured; all by default.
        weights: (V,) w, not negative, such as the areas around the vertices; 1 by default.

    Shapes:
        preds, target (B,V,3). mask (B,) of meshes or (B,V) of vertices, above 0.5 counts; a mesh of which no vertex
        counts is left out.

    Example:
        >>> truth = torch.rand(2, 10, 3)
        >>> metric = VertexError(millimetres=100)
        >>> metric.update(truth + torch.tensor([0.03, 0.0, 0.04]), truth)
        >>> round(metric.compute().item(), 3)
        5.0
    """

    higher_is_better = False

    def __init__(
        self,
        align: Literal["none", "rigid", "similarity"] = "none",
        *,
        millimetres: float = 1.0,
        indices: Sequence[int] | Tensor | None = None,
        weights: Sequence[float] | Tensor | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if align not in ("none", "rigid", "similarity"):
            raise ValueError(f"align must be 'none', 'rigid' or 'similarity', not {align!r}")
        self.align, self.millimetres = align, millimetres
        self.indices = None if indices is None else torch.as_tensor(indices, dtype=torch.int64)
        self.weights = None if weights is None else torch.as_tensor(weights, dtype=torch.float64)
        if self.indices is not None and not self.indices.numel():
            raise UserError("no vertices are named to be measured.")

    def update(self, preds: Tensor, target: Tensor, mask: Tensor | None = None) -> None:
        """Take in one batch.

        Raises:
            UserError: The meshes differ in their numbers of vertices or in their own number.
        """
        if preds.shape != target.shape or preds.ndim != 3 or preds.shape[-1] != 3:
            raise UserError(
                f"vertices of shape {tuple(preds.shape)} cannot be held against {tuple(target.shape)}: (B, V, 3) of "
                "one face model is expected."
            )
        weights = point_weights(mask, target)
        if self.weights is not None:
            if len(self.weights) != target.shape[1]:
                raise UserError(f"{len(self.weights)} weights do not fit meshes of {target.shape[1]} vertices.")
            weights = weights * self.weights.to(weights.device)
        if self.indices is not None:
            chosen = self.indices.to(target.device)
            preds, target, weights = preds[:, chosen], target[:, chosen], weights[:, chosen]
        counted = weights.sum(1) > 0
        preds, target, weights = preds[counted].double(), target[counted].double(), weights[counted]
        if self.align != "none" and len(preds):
            preds = self._aligned(preds, target, weights)
        distance = torch.where(weights > 0, (preds - target).norm(dim=-1), 0)
        self.add(self.millimetres * (weights * distance).sum(1) / weights.sum(1))

    def _aligned(self, preds: Tensor, target: Tensor, weights: Tensor) -> Tensor:
        """A diverged network's answer is left as it is, so that the error says so."""
        finite = torch.isfinite(preds).flatten(1).all(1)
        moved = preds.clone()
        if bool(finite.any()):
            fit = fit_similarity(preds[finite], target[finite], weights[finite], with_scale=self.align == "similarity")
            moved[finite] = fit(preds[finite])
        return moved
