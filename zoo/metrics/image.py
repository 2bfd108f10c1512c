"""Image quality inside a mask; without one, torchmetrics' own classes are the ones to use."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from zoo.metrics.per_picture import PerPicture, mean_inside


class MaskedPSNR(PerPicture):
    """Peak signal-to-noise ratio over the valid pixels of each picture, averaged over pictures.

    PSNR = -10 log10(mean over valid pixels and channels of (x - y)^2) for sRGB-encoded values in [0, 1]; a perfect
    picture counts as 100 dB.

    Example:
        >>> metric = MaskedPSNR()
        >>> metric.update(torch.full((1, 3, 4, 4), 0.6), torch.full((1, 3, 4, 4), 0.5))
        >>> round(metric.compute().item(), 3)
        20.0
    """

    higher_is_better = True

    def values(self, preds: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Decibels of each picture."""
        return -10 * torch.log10(mean_inside((preds - target).square(), valid).clamp_min(1e-10))


class MaskedSSIM(PerPicture):
    """Structural similarity averaged over the valid pixels of each picture, then over pictures.

    Gaussian window of 11 x 11, sigma 1.5, data range 1, on sRGB-encoded RGB. Pixels outside the mask are set to the
    target's in both pictures, so that windows which reach over the mask's edge see no difference there.

    Source: Wang et al., Image quality assessment: from error visibility to structural similarity, TIP 2004.
    """

    higher_is_better = True

    def values(self, preds: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """The mean similarity of each picture."""
        result = structural_similarity_index_measure(
            torch.where(valid, preds, target), target, data_range=1.0, return_full_image=True, reduction="none"
        )
        return mean_inside(result[1], valid)
