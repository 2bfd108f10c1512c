"""IntrinSeg as a network alone: one encoder, and a decoder a task that sees all others at every level.

It takes RGB in [0, 1] and returns what the authors' last layers give; ``module.py`` converts to the conventions of
``zoo.contract``. Layers have the authors' names, so that a checkpoint's keys read like the paper's table.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["TARGETS", "IntrinSegNetwork"]

TARGETS = ("reflectance", "shading", "class")
"""The tasks, in the order in which the decoders of those present are joined."""


class IntrinSegNetwork(nn.Module):
    """A shared encoder and one decoder a task, joined at every level.

    Args:
        targets: Which of ``TARGETS`` it answers; in any order, each once.
        width: Channels at full resolution; the paper has 16.
        classes: Channels of the class head.
        shading_channels: 3 for the light's colour, or 1.
        deconv: Whether the class decoder learns its upsampling; all else is bilinear.
        align_corners: How bilinear upsampling places pixels; PyTorch aligned corners before version 0.4.
        class_relu: Whether the class head ends in normalisation and rectification, as the others do and as in the
            release; without them its scores are those of the last convolution.

    Shapes:
        image (B,3,H,W), H and W multiples of 32 -> by target: reflectance (B,3,H,W), shading (B,1|3,H,W), both >= 0,
        class (B,classes,H,W), the scores before the soft-max.

    Raises:
        ValueError: ``targets`` is empty, or names something else or one thing twice.

    Source: Baslamisli et al., Joint Learning of Intrinsic Images and Semantic Segmentation, ECCV 2018, and the authors'
    release. The joined decoders are those of Shi et al., CVPR 2017.
    """

    def __init__(
        self,
        targets: Sequence[str] = TARGETS,
        width: int = 16,
        classes: int = 16,
        shading_channels: int = 3,
        deconv: bool = False,
        align_corners: bool = False,
        class_relu: bool = True,
    ) -> None:
        super().__init__()
        if not targets or len(set(targets)) < len(targets) or not set(targets) <= set(TARGETS):
            raise ValueError(f"targets must be some of {', '.join(TARGETS)}, each once, not {list(targets)}")
        self.targets = tuple(target for target in TARGETS if target in targets)
        out = {"reflectance": 3, "shading": shading_channels, "class": classes}
        w, joined = width, len(self.targets) + 1  # what a level reads: every decoder and the encoder
        self.conv0 = _cbr(3, w)
        self.conv1 = _cbr(w, 2 * w, stride=2)
        self.conv2 = _cbr(2 * w, 4 * w, stride=2)
        self.conv3 = _cbr(4 * w, 8 * w, stride=2)
        self.conv4 = _cbr(8 * w, 16 * w, stride=2)
        self.conv5 = _cbr(16 * w, 16 * w, stride=2)
        self.mid = nn.ModuleList()
        for _ in self.targets:
            self.mid.append(nn.Sequential(*(layer for _ in range(4) for layer in _cbr(16 * w, 16 * w))))
        levels = ((16 * w, 16 * w), (16 * w, 8 * w), (8 * w, 4 * w), (4 * w, 2 * w), (2 * w, w))
        for k, (c_in, c_out) in enumerate(levels):
            heads = nn.ModuleList()
            for target in self.targets:
                up = _up(c_out, deconv and target == "class", align_corners)
                heads.append(nn.Sequential(*_cbr(joined * c_in, c_out), up))
            self.add_module(f"deconv{k}", heads)
        self.output = nn.ModuleList()
        for target in self.targets:
            last = _cbr(w, out[target])
            if target == "class" and not class_relu:
                last = last[:1]
            self.output.append(nn.Sequential(*_cbr(joined * w, w), *last))
        _initialise(self)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """The raw output of each head, by target; see the class for shapes."""
        skips = [self.conv0(image)]
        for k in range(1, 6):
            skips.append(self.get_submodule(f"conv{k}")(skips[-1]))
        x = skips.pop()
        x = torch.cat([head(x) for head in self.mid] + [x], dim=1)
        for k, skip in enumerate(reversed(skips)):
            heads = self.get_submodule(f"deconv{k}").children()
            x = torch.cat([head(x) for head in heads] + [skip], dim=1)
        return {target: head(x) for target, head in zip(self.targets, self.output, strict=True)}


def _cbr(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))


def _up(channels: int, learned: bool, align_corners: bool) -> nn.Module:
    if learned:
        return nn.ConvTranspose2d(channels, channels, 3, stride=2, padding=1, output_padding=1)
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=align_corners)


def _initialise(network: nn.Module) -> None:
    """He's normal initialisation, biases 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
