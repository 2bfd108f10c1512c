"""The network that sees 68 points in the crop of a face, and says how sure it is. It needs torch alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["LandmarkNetwork"]

_POINTS = 68
_GREY = (0.299, 0.587, 0.114)
_LOWEST_LOG_SCALE, _HIGHEST_LOG_SCALE = -6.0, 1.0


class LandmarkNetwork(nn.Module):
    """A small hourglass from a grey crop to points, the scale of each point's error, and a face score.

    Colour is thrown away and brightness and contrast are evened first: both differ most between rendered faces and
    photographs, and neither says where a mouth is. A map a point says where it is, as the mean place under a softmax;
    fully connected layers, which see the whole face, add what maps cannot say: points outside of the crop, and how a
    hidden point stands to the others. A wide map means an uncertain point.

    Args:
        size: Height and width of the crop in pixels, a multiple of 16.
        widths: Channels after the first convolution and of the three levels that follow; each halves the picture.
        rising: Channels of the two levels on the way back to a quarter of the crop's size.
        hidden: Units of the fully connected layer.

    Source:
        Points as means of maps: Sun et al., "Integral human pose regression", ECCV 2018. Points with a learned
        uncertainty each: Wood et al., "3D face reconstruction with dense landmarks", ECCV 2022.
    """

    axis: Tensor

    def __init__(
        self,
        size: int = 80,
        widths: Sequence[int] = (16, 32, 64, 96),
        rising: Sequence[int] = (64, 32),
        hidden: int = 128,
    ) -> None:
        super().__init__()
        if size % 16 or len(widths) != 4 or len(rising) != 2:
            raise ValueError(f"size {size} must be a multiple of 16, widths four numbers and rising two.")
        first, half, quarter, eighth = widths
        middle, fine = rising
        self.size = size
        self.first = nn.Sequential(nn.Conv2d(1, first, 5, 2, 2, bias=False), nn.BatchNorm2d(first), nn.ReLU())
        self.levels = nn.ModuleList(
            nn.Sequential(_Block(before, after, 2), _Block(after, after))
            for before, after in ((first, half), (half, quarter), (quarter, eighth))
        )
        self.across = nn.ModuleList([nn.Conv2d(eighth, middle, 1), nn.Conv2d(quarter, middle, 1)])
        self.middle = _convolution(middle, middle, 3)
        self.rise = nn.ModuleList([nn.Conv2d(middle, fine, 1), nn.Conv2d(half, fine, 1)])
        self.fine = _convolution(fine, fine, 3)
        self.maps = nn.Conv2d(fine, _POINTS, 1)
        self.squeeze = _convolution(eighth, 32, 1)
        self.hidden = nn.Sequential(nn.Linear(32 * (size // 16) ** 2, hidden), nn.ReLU())
        self.answers = nn.Linear(hidden, 3 * _POINTS + 1)
        nn.init.normal_(self.answers.weight, std=1e-3)
        nn.init.zeros_(self.answers.bias)
        self.spread = nn.Parameter(torch.ones(_POINTS))
        cells = size // 4
        self.register_buffer("axis", (torch.arange(cells) + 0.5) / cells * 2 - 1, persistent=False)

    def forward(self, crop: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See a face.

        Args:
            crop: (B, 3, size, size), sRGB-encoded, in [0, 1].

        Returns:
            Points (B, 68, 2), x right and y down, -1 and 1 at the borders of the crop; the logarithm of the scale b of
            each point's error (B, 68) in the same unit, for a density proportional to exp(-distance / b) / b^2, whose
            mean distance is 2 b; and the logit (B,) of there being a face that the crop frames.
        """
        fine = self.levels[0](self.first(_evened(crop)))
        middle = self.levels[1](fine)
        coarse = self.levels[2](middle)
        middle = self.middle(torch.relu(self.across[1](middle) + _doubled(self.across[0](coarse))))
        fine = self.fine(torch.relu(self.rise[1](fine) + _doubled(self.rise[0](middle))))
        mean, deviation = self._read(self.maps(fine).float())
        answers = self.answers(self.hidden(self.squeeze(coarse).flatten(1))).float()
        points = mean + answers[:, : 2 * _POINTS].view(-1, _POINTS, 2)
        log_scale = answers[:, 2 * _POINTS : 3 * _POINTS] + self.spread * deviation.log()
        return points, log_scale.clamp(_LOWEST_LOG_SCALE, _HIGHEST_LOG_SCALE), answers[:, -1]

    def _read(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Mean place (B, 68, 2) and its deviation (B, 68) under the softmax of each map.

        By sums and not by a matrix product, which autocast would round to three digits.
        """
        share = maps.flatten(2).softmax(-1).view_as(maps)
        along = torch.stack((share.sum(2), share.sum(3)), 2)
        mean = (along * self.axis).sum(-1)
        square = (along * (self.axis - mean[..., None]).square()).sum((2, 3))
        return mean, (square + 1e-3).sqrt()


class _Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after),
        )  # fmt: skip
        self.around: nn.Module = nn.Identity()
        if stride > 1 or before != after:
            self.around = nn.Sequential(
                nn.AvgPool2d(stride), nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(self.layers(features) + self.around(features))


def _convolution(before: int, after: int, kernel: int) -> nn.Sequential:
    layer = nn.Conv2d(before, after, kernel, 1, kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(after), nn.ReLU())


def _doubled(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2, mode="bilinear")


def _evened(crop: Tensor) -> Tensor:
    """One grey channel with mean 0 and deviation 1 in each crop."""
    grey = (crop * crop.new_tensor(_GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
    grey = grey - grey.mean((2, 3), keepdim=True)
    return grey / (grey.square().mean((2, 3), keepdim=True) + 1e-4).sqrt()
