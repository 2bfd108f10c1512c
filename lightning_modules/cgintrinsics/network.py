"""CGIntrinsics as a network alone: one encoder of seven levels, a decoder each for reflectance and shading.

It takes an sRGB-encoded picture whose sides are multiples of 128 and answers in natural logarithms of linear light;
``module.py`` pads, brings the colour back and speaks the keys of ``zoo.contract``. Levels have the names e1 to e7 and
d6 to d1 of the paper's figure, and inside a level the numbers are those of the authors' layers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.nn import Backbone

__all__ = ["MULTIPLE", "CGIntrinsicsNetwork"]

LEVELS = 7
MULTIPLE = 2**LEVELS
"""What the sides of a picture must be a multiple of."""


class CGIntrinsicsNetwork(nn.Module):
    """The two-decoder U-Net (``MultiUnetGenerator`` of the release).

    Skips hold what enters a level before its activation, because no activation works in place; this is where the
    network differs from pix2pix, whose skips are rectified.

    Args:
        width: Channels of the first level; the others have 2, 4 and then 8 times as many. The paper has 64.
        backbone: A timm model by name, with random weights, whose feature maps take the place of the encoder's. The
            decoders keep their shape: each map is projected to its level's channels, and levels that the backbone
            does not have (the two deepest, as a rule) are the encoder's own.

    Shapes:
        image (B,3,H,W), sRGB in [0, 1], H and W multiples of 128 -> log reflectance (B,1,H,W), log shading (B,1,H,W),
        natural logarithms of linear light, without bounds and defined up to a constant each.

    Source: Li and Snavely, CGIntrinsics, ECCV 2018, and the authors' network (MIT licence).
    """

    def __init__(self, width: int = 64, backbone: str | None = None) -> None:
        super().__init__()
        channels = [width * factor for factor in (1, 2, 4, 8, 8, 8, 8)]
        self.encoder = _Encoder(channels) if backbone is None else _BackboneEncoder(channels, backbone)
        self.reflectance = _Decoder(channels)
        self.shading = _Decoder(channels)
        self.to(memory_format=torch.channels_last)  # a quarter less time on a CPU
        # Around the bottleneck, which can be a single pixel, an export with channels last would fix the size.
        for level in (self.encoder.e7, self.reflectance.d6, self.shading.d6):
            level.to(memory_format=torch.contiguous_format)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Log reflectance and log shading; see the class for shapes."""
        features = self.encoder(image)
        return self.reflectance(features), self.shading(features)


class _Encoder(nn.Module):
    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        self.e1 = nn.Sequential(_conv(3, channels[0]))
        for i in range(2, LEVELS + 1):
            self.add_module(f"e{i}", _down(channels[i - 2], channels[i - 1], norm=i < LEVELS))
        _initialise(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        features = [image]
        for i in range(1, LEVELS):
            features.append(self.get_submodule(f"e{i}")(features[-1]))
        return [*features[1:], self.get_submodule("e7")(features[-1].contiguous())]


class _BackboneEncoder(nn.Module):
    """A timm backbone's maps as levels: the map of reduction 2^i becomes level i."""

    def __init__(self, channels: list[int], name: str) -> None:
        super().__init__()
        self.backbone = Backbone(name)
        for i in range(1, LEVELS + 1):
            c_map, c_out = self.backbone.channels.get(2**i), channels[i - 1]
            if c_map is not None:
                level = nn.Sequential(nn.Conv2d(c_map, c_out, 1), nn.BatchNorm2d(c_out))
            elif i == 1:
                level = nn.Sequential(_conv(3, c_out))
            else:
                level = _down(channels[i - 2], c_out, norm=i < LEVELS)
            self.add_module(f"e{i}", level)
            _initialise(level)

    def forward(self, image: Tensor) -> list[Tensor]:
        maps = self.backbone(image)
        features = [image]
        for i in range(1, LEVELS):
            features.append(self.get_submodule(f"e{i}")(maps.get(2**i, features[-1])))
        return [*features[1:], self.get_submodule("e7")(maps.get(2**LEVELS, features[-1]).contiguous())]


class _Decoder(nn.Module):
    """d6 to d1 and the head; each level sees the one below beside the encoder's features of its own size."""

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        for i in range(LEVELS - 1, 0, -1):
            beside = 1 if i == LEVELS - 1 else 2
            self.add_module(f"d{i}", nn.Sequential(*_up(beside * channels[i], channels[i - 1])))
        width = channels[0]
        self.out = nn.Sequential(*_up(2 * width, width), nn.ReLU(), nn.Conv2d(width, 1, 1))
        _initialise(self)

    def forward(self, features: list[Tensor]) -> Tensor:
        x = features[-1]
        for i in range(LEVELS - 1, 0, -1):
            x = torch.cat([self.get_submodule(f"d{i}")(x), features[i - 1]], dim=1)
        return self.out(x)


def _conv(c_in: int, c_out: int) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, 4, stride=2, padding=1)


def _down(c_in: int, c_out: int, norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.LeakyReLU(0.2), _conv(c_in, c_out)]
    return nn.Sequential(*layers, nn.BatchNorm2d(c_out)) if norm else nn.Sequential(*layers)


def _up(c_in: int, c_out: int) -> list[nn.Module]:
    return [nn.ReLU(), nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1), nn.BatchNorm2d(c_out)]


def _initialise(network: nn.Module) -> None:
    """Weights N(0, 0.02), gains of normalisation N(1, 0.02), their biases 0; other biases as PyTorch has them."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.02)
            nn.init.zeros_(layer.bias)
