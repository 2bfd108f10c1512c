"""A small, smooth network that tells people apart, the same in training and in use."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["IdentityNetwork"]

_SILU_GAIN = 1.7881
"""Makes the variance of ``silu`` of a standard normal number 1 (Brock et al., 2021, appendix D)."""

_CENTRE_STEP = 0.1
"""How far each training batch moves the running mean of the answers."""


class _Convolution(nn.Conv2d):
    """Weights with zero mean and unit sum of squares for each output, times a gain: activations keep their variance.

    With a normalisation over each picture by itself it stands in for that over batches, which would see other
    statistics in use than in training on turns of several kinds of faces, and would tie the pictures of a batch
    together.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1) -> None:
        super().__init__(before, after, kernel, stride, padding=kernel // 2)
        self.gain = nn.Parameter(torch.ones(after))
        assert self.bias is not None
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.float()
        weight = weight - weight.mean((1, 2, 3), keepdim=True)
        weight = weight * (self.gain.view(-1, 1, 1, 1) * weight.square().sum((1, 2, 3), keepdim=True).add(1e-6).rsqrt())
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class _Block(nn.Module):
    """Two convolutions beside a skip, all of which see the picture's own features brought to variance 1."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, before)
        self.first = _Convolution(before, after, 3, stride)
        self.second = _Convolution(after, after, 3)
        self.stride = stride
        self.skip = _Convolution(before, after, 1) if stride != 1 or before != after else None

    def forward(self, x: Tensor) -> Tensor:
        active = _active(self.norm(x))
        if self.skip is not None:  # the mean of a window: every pixel of the picture has a say
            x = self.skip(F.avg_pool2d(active, self.stride) if self.stride > 1 else active)
        return (x + self.second(_active(self.first(active)))) / math.sqrt(2)


class IdentityNetwork(nn.Module):
    """A residual network without normalisation over batches, without dropout, and with smooth activations.

    Its last maps are flattened and not averaged: where in the aligned crop a feature lies is part of who it is. The
    running mean of the answers in training is taken off, then as later: what all faces share would otherwise make all
    of them alike, and a loss of cosines may settle there.

    Args:
        widths: Channels after the first convolution and in each stage; every one halves height and width.
        depths: Blocks of each stage.
        embedding: Size of the answer.
        size: Height and width that crops are brought to first: most of what tells people apart is seen in 64 pixels, at
            a third of the cost of 112.

    Shapes:
        crops (B,3,112,112), RGB from -1 to 1 -> (B, embedding), not normalised to unit length.

    Source: ours; scaled weights after Brock et al., Characterizing signal propagation, ICLR 2021.
    """

    centre: Tensor

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128),
        depths: Sequence[int] = (1, 2, 2),
        embedding: int = 128,
        size: int = 64,
    ) -> None:
        super().__init__()
        self.size = size
        # a plain one: filters whose weights sum to zero would see edges alone, and no skin
        self.stem = nn.Conv2d(3, widths[0], 5, 2, padding=2)
        nn.init.kaiming_normal_(self.stem.weight, nonlinearity="linear")
        blocks: list[nn.Module] = []
        for before, after, depth in zip(widths[:-1], widths[1:], depths, strict=True):
            blocks += [_Block(before if block == 0 else after, after, 2 if block == 0 else 1) for block in range(depth)]
        self.blocks = nn.Sequential(*blocks)
        side = size // 2 ** len(widths)
        self.norm = nn.GroupNorm(1, widths[-1])
        self.squeeze = _Convolution(widths[-1], 32, 1)
        self.head = nn.Linear(32 * side * side, embedding, bias=False)
        self.register_buffer("centre", torch.zeros(embedding))

    def forward(self, crops: Tensor) -> Tensor:
        """See the class for shapes."""
        small = F.interpolate(crops, (self.size, self.size), mode="bilinear", antialias=False, align_corners=False)
        x = self.squeeze(_active(self.norm(self.blocks(self.stem(small)))))
        found = self.head(torch.flatten(_active(x), 1)).float()
        if self.training:
            self.centre = torch.lerp(self.centre, found.detach().mean(0), _CENTRE_STEP)
        return found - self.centre


def _active(x: Tensor) -> Tensor:
    return F.silu(x) * _SILU_GAIN
