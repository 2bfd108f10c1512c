"""The residual network of ArcFace, with the layer names of its published weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["IResNet"]


class _Block(nn.Module):
    """Normalise, convolve, normalise, rectify, convolve (the stride is here), normalise; nothing after the sum."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.prelu = nn.PReLU(after)
        self.conv2 = nn.Conv2d(after, after, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.downsample: nn.Module | None = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x))))))
        return residual + (x if self.downsample is None else self.downsample(x))


class IResNet(nn.Module):
    """ArcFace's IResNet on crops of 112 pixels; the default depths are those of "r50".

    Args:
        layers: Blocks in each of the four stages.
        embedding: Size of the answer.

    Shapes:
        crops (B,3,112,112), RGB from -1 to 1 -> (B, embedding), not normalised to unit length.

    Source: Deng et al., ArcFace, CVPR 2019, section 3.1; names and arithmetic as in insightface's ``arcface_torch``.
    """

    def __init__(self, layers: Sequence[int] = (3, 4, 14, 3), embedding: int = 512) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU(64)
        widths = (64, 64, 128, 256, 512)
        for stage, (before, after, count) in enumerate(zip(widths[:-1], widths[1:], layers, strict=True), start=1):
            blocks = [_Block(before if block == 0 else after, after, 2 if block == 0 else 1) for block in range(count)]
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.bn2 = nn.BatchNorm2d(512)
        self.fc = nn.Linear(512 * 7 * 7, embedding)
        self.features = nn.BatchNorm1d(embedding)
        self.features.weight.requires_grad_(False)  # the authors' gain is fixed at 1
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.1)

    def forward(self, crops: Tensor) -> Tensor:
        """See the class for shapes."""
        x = self.prelu(self.bn1(self.conv1(crops)))
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
        return self.features(self.fc(torch.flatten(self.bn2(x), 1)))
