"""The network that sees 68 points in the crop of a face, and says how sure it is. It needs torch alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["LandmarkNetwork"]

_POINTS = 68
_GREY = (0.299, 0.587, 0.114)
_LOWEST_LOG_SCALE, _HIGHEST_LOG_SCALE = -6.0, 1.0


class LandmarkNetwork(nn.Module):
    """A small residual network from a grey crop to points, the scale of each point's error, and a face score.

    Colour is thrown away and brightness and contrast are evened first: both differ most between rendered faces and
    photographs, and neither says where a mouth is. The last map keeps its places on the way to the fully connected
    layers, which learn what constellations of points a face can have.

    Args:
        size: Height and width of the crop in pixels, a multiple of 16 (two to the number of widths).
        widths: Channels after the first convolution and of the three levels that follow; each halves the picture.
        hidden: Units of the layer before the answers.

    Source:
        Points with a learned uncertainty each: Wood et al., "3D face reconstruction with dense landmarks", ECCV 2022.
    """

    def __init__(self, size: int = 80, widths: Sequence[int] = (24, 32, 64, 96), hidden: int = 192) -> None:
        super().__init__()
        first, *levels = widths
        shrink = 2 ** len(widths)
        if size % shrink:
            raise ValueError(f"the size of the crop must be a multiple of {shrink}, not {size}.")
        self.size = size
        self.first = nn.Sequential(nn.Conv2d(1, first, 5, 2, 2, bias=False), nn.BatchNorm2d(first), nn.ReLU())
        body: list[nn.Module] = []
        before = first
        for width in levels:
            body += [_Block(before, width, stride=2), _Block(width, width)]
            before = width
        self.body = nn.Sequential(*body)
        self.squeeze = nn.Sequential(nn.Conv2d(before, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        self.drop = nn.Dropout(0.1)
        self.hidden = nn.Sequential(nn.Linear(32 * (size // shrink) ** 2, hidden), nn.ReLU())
        self.points = nn.Linear(hidden, 2 * _POINTS)
        self.log_scale = nn.Linear(hidden, _POINTS)
        self.face = nn.Linear(hidden, 1)
        nn.init.normal_(self.points.weight, std=1e-3)
        nn.init.zeros_(self.log_scale.weight)
        nn.init.constant_(self.log_scale.bias, -1.5)

    def forward(self, crop: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See a face.

        Args:
            crop: (B, 3, size, size), sRGB-encoded, in [0, 1].

        Returns:
            Points (B, 68, 2), x right and y down, -1 and 1 at the borders of the crop; the logarithm of the scale b of
            each point's error (B, 68) in the same unit, for a density of exp(-distance / b) / b^2, whose mean
            distance is 2 b; and the logit (B,) of there being a face that the crop frames.
        """
        features = self.squeeze(self.body(self.first(_evened(crop))))
        hidden = self.hidden(self.drop(features.flatten(1)))
        log_scale = self.log_scale(hidden).float().clamp(_LOWEST_LOG_SCALE, _HIGHEST_LOG_SCALE)
        return self.points(hidden).float().view(-1, _POINTS, 2), log_scale, self.face(hidden).float()[:, 0]


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
            pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
            self.around = nn.Sequential(pool, nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after))

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(self.layers(features) + self.around(features))


def _evened(crop: Tensor) -> Tensor:
    """One grey channel with mean 0 and deviation 1 in each crop."""
    grey = (crop * crop.new_tensor(_GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
    grey = grey - grey.mean((2, 3), keepdim=True)
    return grey / (grey.square().mean((2, 3), keepdim=True) + 1e-4).sqrt()
