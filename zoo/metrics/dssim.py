"""Structural dissimilarity of albedo and shading."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zoo.metrics.per_picture import PerPicture, at_best_scale, mean_inside

__all__ = ["DSSIM"]

_WINDOW, _SIGMA, _K1, _K2 = 11, 1.5, 0.01, 0.03


class DSSIM(PerPicture):
    """(1 - SSIM) / 2 after the best single scale of each picture, in linear light, averaged over pictures.

    The prediction x is first scaled by alpha = sum(m x y) / sum(m x x) over pixels and channels (y true, m the mask):
    the "fast" variant, which does not search for the scale of the greatest similarity. Then, with means, variances and
    covariance under a Gaussian window of 11 x 11 pixels, sigma 1.5,

        SSIM = (2 mx my + c1) (2 cov + c2) / ((mx^2 + my^2 + c1) (vx + vy + c2)),  c1 = (0.01 L)^2, c2 = (0.03 L)^2,

    averaged over the channels and over those valid pixels whose window lies wholly in the picture. Outside the mask
    both layers are set to the truth. Where no valid pixel has such a window, all pixels that have one count.

    Args:
        data_range: L, the range of values that the constants refer to.
        clip: Upper limit of alpha x; by default none, because shading may be brighter than 1.

    Shapes:
        preds, target (B,C,H,W) of at least 11 x 11, either with one channel that stands for all; mask (B,1,H,W), pixels
        above 0.5 count.

    Source: Wang et al., TIP 2004, as the evaluation of MPI Sintel's intrinsic version uses it (Chen and Koltun, ICCV
    2013), whose data range of 255 on values times 255 is 1 here.

    Example:
        >>> metric = DSSIM()
        >>> truth = torch.rand(1, 3, 16, 16)
        >>> metric.update(0.1 * truth, truth)
        >>> abs(round(metric.compute().item(), 4))
        0.0
    """

    higher_is_better = False

    def __init__(self, data_range: float = 1.0, clip: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_range, self.clip = data_range, clip

    def values(self, preds: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """The dissimilarity of each picture."""
        if min(target.shape[-2:]) < _WINDOW:
            raise ValueError(f"pictures of {target.shape[-2]} x {target.shape[-1]} hold no window of 11 x 11 pixels")
        x, y = preds.double(), target.double()  # in float32, variances drown where layers are flat and bright
        x = torch.where(valid, at_best_scale(x, y, valid, self.clip), y)
        similarity = _similarity(x, y, self.data_range)
        margin = _WINDOW // 2
        counted = valid[..., margin:-margin, margin:-margin]
        counted = counted | ~counted.flatten(1).any(1).reshape(-1, 1, 1, 1)
        return (1 - mean_inside(similarity, counted)) / 2


def _similarity(x: Tensor, y: Tensor, data_range: float) -> Tensor:
    """SSIM of each whole window, (B,C,H,W) -> (B,C,H-10,W-10)."""
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    mx, my = _blur(x), _blur(y)
    vx, vy, both = _blur(x * x) - mx * mx, _blur(y * y) - my * my, _blur(x * y) - mx * my
    return (2 * mx * my + c1) * (2 * both + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))


def _blur(layer: Tensor) -> Tensor:
    """Means under the window, as two products of matrices, because convolutions in float64 are slow on a CPU."""
    rows, columns = (_bands(size, layer) for size in layer.shape[-2:])
    return rows @ layer @ columns.T


def _bands(size: int, like: Tensor) -> Tensor:
    """The matrix (size - 10, size) whose product with a row is the row under the window."""
    offset = torch.arange(size, device=like.device) - torch.arange(size - _WINDOW + 1, device=like.device)[:, None]
    taps = torch.exp(-(offset.to(like) - _WINDOW // 2).square() / (2 * _SIGMA**2))
    taps = torch.where((offset >= 0) & (offset < _WINDOW), taps, 0)
    return taps / taps.sum(1, keepdim=True)
