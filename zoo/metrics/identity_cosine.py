"""How alike two faces are to a recognition network."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cosine_similarity

from zoo.errors import UserError
from zoo.metrics.per_sample import PerSample

__all__ = ["IdentityCosine"]


class IdentityCosine(PerSample):
    """The cosine of the angle between two embeddings of a recognition network, a mean over faces: 1 for the same face.

    An embedding without a length counts as 0.

    Shapes:
        preds, target (B,K), of any length; mask (B,), above 0.5 counts.

    Example:
        >>> import torch
        >>> metric = IdentityCosine()
        >>> metric.update(torch.tensor([[2.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
        >>> round(metric.compute().item(), 4)
        0.6
    """

    higher_is_better = True

    def update(self, preds: Tensor, target: Tensor, mask: Tensor | None = None) -> None:
        """Take in one batch.

        Raises:
            UserError: The embeddings differ in number or length.
        """
        if preds.shape != target.shape or target.ndim != 2:
            raise UserError(
                f"embeddings of shape {tuple(preds.shape)} cannot be held against {tuple(target.shape)}: both must be "
                "(B, K) of one network."
            )
        counted = None if mask is None else mask > 0.5
        self.add(cosine_similarity(preds.double(), target.double(), dim=1), counted)
