"""How far the colours of a rendered picture lie from those of the photo."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.errors import UserError
from zoo.metrics.per_sample import PerSample

__all__ = ["PhotometricError"]


class PhotometricError(PerSample):
    """Mean distance of colours inside a mask, a mean over pictures.

    Of one picture sum_i m_i |I_i - I'_i| / sum_i m_i over pixels i, the distance Euclidean over RGB, so that black
    against white is sqrt(3). It is the photometric loss of Deep3DFaceRecon; there the mask is a product of where the
    face was drawn and how likely the photo shows skin, and one mean is taken over the pixels of the whole batch.

    Shapes:
        preds, target (B,3,H,W), sRGB in [0, 1]; mask (B,1,H,W), m in [0, 1]. Pictures whose mask is empty are left out.

    Source: Deng et al., Accurate 3D Face Reconstruction with Weakly-Supervised Learning, CVPRW 2019.

    Example:
        >>> metric = PhotometricError()
        >>> metric.update(torch.full((1, 3, 4, 4), 0.6), torch.full((1, 3, 4, 4), 0.5))
        >>> round(metric.compute().item(), 4)
        0.1732
    """

    higher_is_better = False

    def update(self, preds: Tensor, target: Tensor, mask: Tensor | None = None) -> None:
        """Take in one batch.

        Raises:
            UserError: The pictures differ in size.
        """
        if preds.shape != target.shape or target.ndim != 4:
            raise UserError(
                f"a picture of shape {tuple(preds.shape)} cannot be held against one of {tuple(target.shape)}."
            )
        weight = torch.ones_like(target[:, 0]) if mask is None else mask[:, 0].clamp(0, 1)
        weight = weight.double()
        distance = torch.where(weight > 0, (preds.double() - target.double()).norm(dim=1), 0)
        pixels = weight.sum((1, 2))
        self.add((weight * distance).sum((1, 2)) / pixels, pixels > 0)
