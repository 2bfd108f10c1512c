"""The network alone: a U-Net from one linear picture to albedo, shading and the assignment of its gradients.

No code of the authors is public, and the paper speaks of "a conventional U-Net"; this one is of the size that was usual
at its time, with strided convolutions on the way down and bilinear steps on the way up.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["MULTIPLE", "SiameseNetwork"]

MULTIPLE = 64
"""What height and width must be multiples of: the bottleneck is so much smaller."""


class SiameseNetwork(nn.Module):
    """One branch of the siamese pair; both branches are this network with the same weights.

    Args:
        width: Channels of the first convolution; the layers below have up to eight times as many.
        shading_channels: 1 for grey light, 3 for coloured.
        shared_trunk: One decoder whose last map the three heads read; otherwise each head has a decoder of its own.

    Shapes:
        picture (B,3,H,W), sides multiples of 64 -> albedo (B,3,H,W) in (0, 1), shading (B,shading_channels,H,W) above
        0, assignment (B,1,H,W) in (0, 1).
    """

    def __init__(self, width: int = 64, shading_channels: int = 1, shared_trunk: bool = True) -> None:
        super().__init__()
        w = width
        down = [w, 2 * w, 4 * w, 8 * w, 8 * w]
        self.e1 = nn.Sequential(nn.Conv2d(3, w, 4, stride=2, padding=1), nn.LeakyReLU(0.2))
        self.e2, self.e3, self.e4, self.e5 = (_down(down[i], down[i + 1]) for i in range(4))
        self.bottleneck = nn.Sequential(nn.Conv2d(8 * w, 8 * w, 4, stride=2, padding=1), nn.ReLU())
        self.trunks = nn.ModuleList([_Decoder(w) for _ in range(1 if shared_trunk else 3)])
        self.albedo, self.shading, self.assignment = (
            nn.Conv2d(w, channels, 3, padding=1) for channels in (3, shading_channels, 1)
        )

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Albedo, shading and assignment; see the class for shapes."""
        skips = [self.e1(picture)]
        for encoder in (self.e2, self.e3, self.e4, self.e5):
            skips.append(encoder(skips[-1]))
        code = self.bottleneck(skips[-1])
        maps = [trunk(code, skips) for trunk in self.trunks]
        maps = maps * 3 if len(maps) == 1 else maps
        return (
            torch.sigmoid(self.albedo(maps[0])),
            F.softplus(self.shading(maps[1])),
            torch.sigmoid(self.assignment(maps[2])),
        )


class _Decoder(nn.Module):
    def __init__(self, w: int) -> None:
        super().__init__()
        self.d5, self.d4, self.d3 = _up(8 * w, 8 * w), _up(16 * w, 8 * w), _up(16 * w, 4 * w)
        self.d2, self.d1, self.out = _up(8 * w, 2 * w), _up(4 * w, w), _up(2 * w, w)

    def forward(self, code: Tensor, skips: Sequence[Tensor]) -> Tensor:
        x = code
        for layer, skip in zip((self.d5, self.d4, self.d3, self.d2, self.d1), reversed(skips), strict=True):
            x = torch.cat([layer(_twice(x)), skip], 1)
        return self.out(_twice(x))


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _down(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(c_in, c_out, 4, stride=2, padding=1), nn.BatchNorm2d(c_out), nn.LeakyReLU(0.2))


def _up(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU())
