"""Image quality inside a mask; without one, torchmetrics' own classes are the ones to use."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.image import structural_similarity_index_measure


class MaskedPSNR(Metric):
    """Peak signal-to-noise ratio over the valid pixels of each picture, averaged over pictures.

    PSNR = -10 log10(mean over valid pixels and channels of (x - y)^2) for values in [0, 1]; a perfect picture counts as 100 dB.

    Shapes:
        preds, target (B,C,H,W), sRGB-encoded in [0, 1]; mask (B,1,H,W), pixels above 0.5 count.

    Example:
        >>> metric = MaskedPSNR()
        >>> metric.update(torch.full((1, 3, 4, 4), 0.6), torch.full((1, 3, 4, 4), 0.5))
        >>> round(metric.compute().item(), 3)
        20.0
    """

    full_state_update = False
    higher_is_better = True
    total: Tensor
    samples: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("samples", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, mask: Tensor | None = None) -> None:
        """Take in one batch."""
        valid = _valid(preds, mask).double().flatten(1)
        count = valid.sum(1)
        error = (valid * (preds - target).double().square().flatten(1)).sum(1) / count.clamp_min(1)
        psnr = -10 * torch.log10(error.clamp_min(1e-10))
        self.total += psnr[count > 0].sum()
        self.samples += (count > 0).sum()

    def compute(self) -> Tensor:
        """Decibels; NaN where there was no valid pixel."""
        return (self.total / self.samples).float()


class MaskedSSIM(Metric):
    """Structural similarity averaged over the valid pixels of each picture, then over pictures.

    Gaussian window of 11 x 11, sigma 1.5, data range 1, on sRGB-encoded RGB. Pixels outside the mask are set to the target's in
    both pictures, so that windows which reach over the mask's edge see no difference there.

    Shapes:
        preds, target (B,C,H,W), sRGB-encoded in [0, 1]; mask (B,1,H,W), pixels above 0.5 count.

    Source: Wang et al., Image quality assessment: from error visibility to structural similarity, TIP 2004.
    """

    full_state_update = False
    higher_is_better = True
    total: Tensor
    samples: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("samples", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, mask: Tensor | None = None) -> None:
        """Take in one batch."""
        valid = _valid(preds, mask)
        result = structural_similarity_index_measure(
            torch.where(valid, preds, target), target, data_range=1.0, return_full_image=True, reduction="none"
        )
        weight = valid.double().flatten(1)
        count = weight.sum(1)
        ssim = (weight * result[1].double().flatten(1)).sum(1) / count.clamp_min(1)
        self.total += ssim[count > 0].sum()
        self.samples += (count > 0).sum()

    def compute(self) -> Tensor:
        """In [-1, 1]; NaN where there was no valid pixel."""
        return (self.total / self.samples).float()


def _valid(preds: Tensor, mask: Tensor | None) -> Tensor:
    return torch.ones_like(preds, dtype=torch.bool) if mask is None else (mask > 0.5).expand_as(preds)
