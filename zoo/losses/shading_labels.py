"""What people say about shading (SAW): smooth here, the edge of a shadow there."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

__all__ = ["SHADOW_EDGE", "SMOOTH", "connected_regions", "region_variance", "shading_label_losses"]

SHADOW_EDGE, SMOOTH = 1, 2
"""Labels as in ``zoo.contract`` under ``shading_labels``."""


def shading_label_losses(log_shading: Tensor, linear: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Inside each connected region shading is constant where it is labelled smooth, and the picture's own at shadows.

    Where shading is smooth, its logarithm shall have no variance. At the edge of a shadow (labels dilated by a 9x9
    square) reflectance is constant, so it is log S - log I that shall have none, I being the mean of the channels of
    linear light, no darker than 1e-4.

    Args:
        log_shading: (B,1,H,W).
        linear: The picture (B,3,H,W), linear light.
        labels: (B,H,W) as in ``zoo.contract``; edges of depth and normals (0) are not used, as in the authors' code.

    Returns:
        The term of smooth regions and that of shadow edges, each a sum over regions by their number; the authors weigh
        them 1 and 0.1.

    Source: Li and Snavely, CGIntrinsics, ECCV 2018, L_S/NS; Kovacs et al., Shading Annotations in the Wild, CVPR 2017.
    """
    smooth = connected_regions(labels == SMOOTH)
    shadow = (labels == SHADOW_EDGE).to(log_shading.dtype)[:, None]
    shadow = F.max_pool2d(shadow, 9, stride=1, padding=4)[:, 0] > 0
    log_image = linear.mean(1, keepdim=True).clamp_min(1e-4).log()
    return region_variance(log_shading, smooth), region_variance(log_shading - log_image, connected_regions(shadow))


def connected_regions(mask: Tensor) -> Tensor:
    """Number the regions of each picture that hang together by pixels' sides, counting on through the batch.

    Args:
        mask: (B,H,W), boolean.

    Returns:
        (B,H,W) int64 on the same device, 0 outside the mask. SciPy counts, on the CPU.
    """
    regions, count = [], 0
    for each in mask.cpu().numpy():
        found, number = ndimage.label(each)
        regions.append(np.where(found > 0, found.astype(np.int64) + count, 0))
        count += number
    return torch.from_numpy(np.stack(regions)).to(mask.device)


def region_variance(values: Tensor, regions: Tensor) -> Tensor:
    """The variance of the values inside each region, summed over regions and divided by their number + 1e-6.

    Args:
        values: (B,1,H,W).
        regions: (B,H,W) ids from 1 up to their number, 0 = none.
    """
    inside = regions > 0
    ids, x = regions[inside] - 1, values[:, 0][inside]
    number = int(regions.max()) if regions.numel() else 0
    count = torch.bincount(ids, minlength=number).to(x)
    mean = x.new_zeros(number).index_add(0, ids, x) / count
    variance = x.new_zeros(number).index_add(0, ids, (x - mean[ids]).square()) / count
    return variance.sum() / (number + 1e-6)
