"""SfSNet and SkipNet as networks alone: torch in, torch out, in the authors' own conventions.

Both take a BGR image in [0, 1] and return ``(normal, albedo, light)`` as the authors' layers do:
normals [0, 1]-encoded with channels (z, y, x), albedo in BGR, 27 light numbers in three blocks R, G, B.
``module.py`` converts to the conventions of ``zoo.contract``. The module names are those of the
layers in the authors' release, so that a checkpoint's keys read like the paper's table.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SfSNetNetwork", "SkipNet"]


class _Residual(nn.Module):
    """x + convr(relu(bnr(conv(relu(bn(x)))))): the pre-activation block of both streams."""

    def __init__(self, channels: int, affine: bool) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels, affine=affine)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.bnr = nn.BatchNorm2d(channels, affine=affine)
        self.convr = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(F.relu(self.bn(x)))
        return x + self.convr(F.relu(self.bnr(out)))


class SfSNetNetwork(nn.Module):
    """The network of SfSNet (PS-Net in the authors' release): shared trunk, two residual streams, light head.

    Args:
        width: Channels of the first convolution; every other layer has twice as many. The paper has 64.
        affine: Whether batch normalisation learns a gain and a shift. The authors' Caffe network has
            neither; some PyTorch ports of it have both.

    Shapes:
        image (B,3,H,W), BGR in [0, 1] -> normal (B,3,H,W), albedo (B,3,H,W), light (B,27). Any H and W; the
        authors' size is 128 x 128, where the global pooling here is their 64 x 64 one.

    Source: Sengupta et al., SfSNet, CVPR 2018, and the authors' deploy network.
    """

    def __init__(self, width: int = 64, affine: bool = False) -> None:
        super().__init__()
        wide = 2 * width
        self.conv1 = nn.Conv2d(3, width, 7, padding=3)
        self.bn1 = nn.BatchNorm2d(width, affine=affine)
        self.conv2 = nn.Conv2d(width, wide, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(wide, affine=affine)
        self.conv3 = nn.Conv2d(wide, wide, 3, stride=2, padding=1)
        for stream in "na":
            for i in range(1, 6):
                self.add_module(f"{stream}_res{i}", _Residual(wide, affine))
            self.add_module(f"{stream}bn6r", nn.BatchNorm2d(wide, affine=affine))
            self.add_module(f"{stream}up6", _BilinearUp(wide))
            self.add_module(f"{stream}conv6", nn.Conv2d(wide, wide, 1))
            self.add_module(f"{stream}bn6", nn.BatchNorm2d(wide, affine=affine))
            self.add_module(f"{stream}conv7", nn.Conv2d(wide, width, 3, padding=1))
            self.add_module(f"{stream}bn7", nn.BatchNorm2d(width, affine=affine))
            self.add_module(f"{stream.upper()}conv0", nn.Conv2d(width, 3, 1))
        self.lconv1 = nn.Conv2d(3 * wide, wide, 1)
        self.lbn1 = nn.BatchNorm2d(wide, affine=affine)
        self.fc_light = nn.Linear(wide, 27)
        _initialise(self)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Raw normals, albedo and light; see the class for shapes."""
        size = image.shape[-2:]
        x = F.relu(self.bn1(self.conv1(image)))
        x = F.relu(self.bn2(self.conv2(x)))
        shared = self.conv3(x)  # no normalisation, no activation: the streams start with theirs
        normal_features = self._features("n", shared)
        albedo_features = self._features("a", shared)
        normal = self._decode("n", normal_features, size)
        albedo = self._decode("a", albedo_features, size)
        x = torch.cat([normal_features, albedo_features, shared], dim=1)
        x = F.relu(self.lbn1(self.lconv1(x)))
        return normal, albedo, self.fc_light(x.mean(dim=(2, 3)))

    def _features(self, stream: str, x: Tensor) -> Tensor:
        for i in range(1, 6):
            x = self.get_submodule(f"{stream}_res{i}")(x)
        return F.relu(self.get_submodule(f"{stream}bn6r")(x))

    def _decode(self, stream: str, x: Tensor, size: torch.Size) -> Tensor:
        x = self.get_submodule(f"{stream}up6")(x)[..., : size[0], : size[1]]  # an odd size comes up one too large
        x = F.relu(self.get_submodule(f"{stream}bn6")(self.get_submodule(f"{stream}conv6")(x)))
        x = F.relu(self.get_submodule(f"{stream}bn7")(self.get_submodule(f"{stream}conv7")(x)))
        return self.get_submodule(f"{stream.upper()}conv0")(x)


class _BilinearUp(nn.Module):
    """The fixed depthwise transposed convolution of the release.

    Not ``interpolate``: zeros are padded in, so that the outermost rows and columns are 0.75 of it.
    """

    weight: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        taps = torch.tensor([0.25, 0.75, 0.75, 0.25])
        self.channels = channels
        self.register_buffer("weight", torch.outer(taps, taps).expand(channels, 1, 4, 4).contiguous(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose2d(x, self.weight, stride=2, padding=1, groups=self.channels)


class SkipNet(nn.Module):
    """The encoder-decoder with additive skips whose predictions on real faces are the pseudo-labels.

    Args:
        size: Height and width of its input, a multiple of 32: the bottleneck is fully connected. The paper has 128.
        width: Channels of the first convolution. The paper has 64.

    Shapes:
        image (B,3,size,size), BGR in [0, 1] -> normal (B,3,size,size), albedo (B,3,size,size), light (B,27).

    Source: the supplement of the paper, as a public port follows it; the release does not hold this network.
    """

    def __init__(self, size: int = 128, width: int = 64) -> None:
        super().__init__()
        if size % 32:
            raise ValueError(f"SkipNet's size must be a multiple of 32, not {size}")
        w = width
        self.bottom = size // 32
        self.enc1 = nn.Conv2d(3, w, 4, stride=2, padding=1)
        self.enc2 = _down(w, 2 * w)
        self.enc3 = _down(2 * w, 4 * w)
        self.enc4 = _down(4 * w, 4 * w)
        self.enc5 = _down(4 * w, 4 * w)
        self.fc = nn.Linear(4 * w * self.bottom**2, 256)
        self.fc_light = nn.Linear(256, 27)
        self.normal = _SkipDecoder(256, w)
        self.albedo = _SkipDecoder(256, w)
        _initialise(self)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Raw normals, albedo and light; see the class for shapes."""
        skips = [self.enc1(image)]
        for encoder in (self.enc2, self.enc3, self.enc4, self.enc5):
            skips.append(encoder(skips[-1]))
        code = self.fc(skips.pop().flatten(1))
        x = F.interpolate(code[:, :, None, None], scale_factor=self.bottom, mode="bilinear", align_corners=False)
        return self.normal(x, skips), self.albedo(x, skips), self.fc_light(code)


class _SkipDecoder(nn.Module):
    def __init__(self, code: int, w: int) -> None:
        super().__init__()
        self.up1 = _up(code, 4 * w)
        self.up2 = _up(4 * w, 4 * w)
        self.up3 = _up(4 * w, 2 * w)
        self.up4 = _up(2 * w, w)
        self.up5 = _up(w, w)
        self.out = nn.Conv2d(w, 3, 1)

    def forward(self, x: Tensor, skips: list[Tensor]) -> Tensor:
        for up, skip in zip((self.up1, self.up2, self.up3, self.up4), reversed(skips), strict=True):
            x = up(x) + skip
        return self.out(self.up5(x))


def _down(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(c_in, c_out, 4, stride=2, padding=1), nn.BatchNorm2d(c_out), nn.LeakyReLU(0.2))


def _up(c_in: int, c_out: int) -> nn.Sequential:
    conv = nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.LeakyReLU(0.2))


def _initialise(network: nn.Module) -> None:
    """Caffe's "xavier" filler (uniform within sqrt(3 / fan_in)), biases 0; the light head N(0, 0.005), bias 1."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            if name == "fc_light":
                nn.init.normal_(layer.weight, std=0.005)
                nn.init.constant_(layer.get_parameter("bias"), 1)
            else:
                bound = (3 / layer.weight[0].numel()) ** 0.5
                nn.init.uniform_(layer.weight, -bound, bound)
                nn.init.constant_(layer.get_parameter("bias"), 0)
