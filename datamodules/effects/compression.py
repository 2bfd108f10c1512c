"""What files do to pictures: fewer pixels than they have, and the blocks of JPEG."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.sampling.draws import Draws

__all__ = ["compress", "jpeg", "lose_resolution"]

_SHRINK = (0.75, 0.5, 0.35)

# fmt: off
_LUMA_TABLE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)
_CHROMA_TABLE = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *(99,) * 32,
)
# fmt: on
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def lose_resolution(srgb: Tensor, draws: Draws) -> Tensor:
    """A fifth of the pictures were once smaller, by up to a third of the side, and have been enlarged again."""
    which = np.where(draws.chance("was smaller", 0.2), (draws.uniform("smaller") * len(_SHRINK)).astype(int), -1)
    size, result = srgb.shape[-2:], srgb.clone()
    for index, share in enumerate(_SHRINK):
        rows = np.flatnonzero(which == index)
        if len(rows):
            few = torch.from_numpy(rows).to(srgb.device)
            smaller = [max(8, round(share * side)) for side in size]
            small = F.interpolate(srgb[few], size=smaller, mode="area")
            result[few] = F.interpolate(small, size=size, mode="bicubic", align_corners=False).clamp(0, 1)
    return result


def compress(srgb: Tensor, draws: Draws) -> Tensor:
    """Seven pictures in ten went through JPEG at a quality of 30 to 95."""
    rows = np.flatnonzero(draws.chance("is compressed", 0.7))
    if not len(rows):
        return srgb
    few = torch.from_numpy(rows).to(srgb.device)
    quality = torch.from_numpy(draws.between("quality", 30, 95)[rows]).to(srgb)
    srgb = srgb.clone()
    srgb[few] = jpeg(srgb[few], quality)
    return srgb


def jpeg(srgb: Tensor, quality: Tensor) -> Tensor:
    """JPEG and back: 8 x 8 blocks of cosine coefficients, rounded; colour at half the resolution.

    Args:
        srgb: (B,3,H,W) in [0,1], any size.
        quality: (B,) from 1 to 100, as the Independent JPEG Group's library counts it.

    Returns:
        (B,3,H,W) in [0,1].

    Source:
        ITU-T T.81, with the example tables of its annex K and the scaling of libjpeg.
    """
    height, width = srgb.shape[-2:]
    padded = F.pad(srgb * 255, (0, -width % 16, 0, -height % 16), mode="replicate")
    ycc = torch.einsum("ij,bjhw->bihw", srgb.new_tensor(_TO_YCC), padded)
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)[:, None]
    luma, chroma = (
        ((srgb.new_tensor(table) * scale + 50) / 100).floor().clamp(1, 255) for table in (_LUMA_TABLE, _CHROMA_TABLE)
    )
    y = _quantise(ycc[:, :1] - 128, luma) + 128
    c = _quantise(F.avg_pool2d(ycc[:, 1:], 2), chroma)
    c = F.interpolate(c, size=padded.shape[-2:], mode="bilinear", align_corners=False)
    rgb = torch.einsum("ij,bjhw->bihw", srgb.new_tensor(_TO_RGB), torch.cat((y, c), 1))
    return rgb[..., :height, :width].div(255).clamp(0, 1)


def _quantise(planes: Tensor, table: Tensor) -> Tensor:
    """Round the cosine coefficients of each block to multiples of ``table`` (B,64)."""
    count, channels, height, width = planes.shape
    basis = _cosines(planes)
    blocks = planes.view(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4).reshape(count, -1, 64)
    coefficients = blocks @ basis.T
    coefficients = (coefficients / table[:, None]).round_() * table[:, None]
    blocks = (coefficients @ basis).view(count, channels, height // 8, width // 8, 8, 8)
    return blocks.transpose(3, 4).reshape(count, channels, height, width)


def _cosines(like: Tensor) -> Tensor:
    """The 64 two-dimensional cosines of a block as orthonormal rows (64,64)."""
    k = torch.arange(8, dtype=torch.float64)
    rows = torch.cos(math.pi / 8 * k[:, None] * (k[None] + 0.5)) / 2
    rows[0] /= math.sqrt(2)
    return torch.kron(rows, rows).to(like)
