"""Shading is smooth over the whole picture: every pixel is drawn to every other, the nearer the more."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["bistochastic_gaussian", "dense_smoothness_loss"]


@lru_cache(maxsize=64)
def bistochastic_gaussian(length: int, sigma: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A Gaussian between the pixels of a line, scaled so that rows and columns sum to one.

    Sinkhorn's iteration finds the diagonal N with N K N 1 = 1 for the symmetric K_ij = exp(-(i - j)^2 / 2 sigma^2). On
    a grid K is the product of two such matrices, so N is too, and the filter of a picture is one of these on its
    columns and one on its rows.

    Args:
        length: Number of pixels.
        sigma: In pixels.

    Returns:
        (length, length) float32, symmetric. It is made once and must not be written to.
    """
    place = np.arange(length)
    kernel = np.exp(-0.5 * ((place[:, None] - place) / sigma) ** 2)
    n = np.ones(length)
    for _ in range(1000):
        rows = n * (kernel @ n)
        if np.abs(rows - 1).max() < 1e-10:
            break
        n /= np.sqrt(rows)  # the square root keeps a symmetric matrix from swinging between two answers
    matrix = (n[:, None] * kernel * n).astype(np.float32)
    matrix.flags.writeable = False
    return matrix


def dense_smoothness_loss(log_shading: Tensor, sigma: float = 0.1) -> Tensor:
    """1/2 sum_ij w_ij (s_i - s_j)^2 / the number of pixels, with w a bistochastic Gaussian of distance, over the batch.

    Because the rows of w sum to one this is s . (s - w s), and because w is separable it costs two small matrix
    products. The authors approximate such a filter by the matrices of a permutohedral lattice: ``LatticeSmoothness``.

    Args:
        log_shading: (B,1,H,W).
        sigma: Of the Gaussian, as a part of the picture's diagonal.

    Source: Li and Snavely, CGIntrinsics, ECCV 2018, L_ssmooth; Barron et al., Fast bilateral-space stereo, CVPR 2015;
        Sinkhorn and Knopp 1967. The width of the Gaussian is our choice: the paper's was not read.

    Example:
        >>> flat, ramp = torch.ones(1, 1, 8, 8), torch.arange(8.0).expand(1, 1, 8, 8)
        >>> bool(dense_smoothness_loss(flat).abs() < 1e-5), bool(dense_smoothness_loss(ramp) > 0.5)
        (True, True)
    """
    s = log_shading[:, 0].float()
    height, width = s.shape[-2:]
    pixels = sigma * float(np.hypot(height, width))
    # Kept as NumPy arrays: a tensor made once under inference_mode could not serve a training step.
    down, across = (torch.tensor(bistochastic_gaussian(side, pixels)).to(s.device) for side in (height, width))
    with torch.autocast(s.device.type, enabled=False):
        return (s * (s - down @ s @ across)).mean()
