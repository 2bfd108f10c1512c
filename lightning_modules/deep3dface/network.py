"""R-Net, which sees the coefficients of a face, and C-Net, which says how far each of its coefficients can be trusted.

Both take and give plain tensors in the authors' conventions; ``decoder.py`` knows what coefficients mean.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.nn import classifier_backbone

__all__ = ["ConfidenceNet", "ReconNet", "aggregate"]


class ReconNet(nn.Module):
    """R-Net: a backbone, a mean over the picture, and a linear head for each part of the coefficients.

    The heads begin at zero, so that the first answer is the mean face, frontal, at the distance of the camera.

    Args:
        backbone: A timm model by name, with random weights. ``resnet50`` has the names and the arithmetic of the
            authors' release.
        identity: Identity coefficients of the face model.
        expression: Its expression coefficients.
        texture: Its texture coefficients.

    Shapes:
        image (B,3,H,W) sRGB in [0, 1], aligned, without normalisation -> coefficients (B,N) in the official order of
        ``coefficients.Sizes``, N = identity + expression + texture + 33.

    Raises:
        UserError: timm has no such model, or it has no feature map of a quarter of the picture's size.

    Source: Deng et al., Accurate 3D Face Reconstruction with Weakly-Supervised Learning, CVPR Workshops 2019, and the
    authors' PyTorch release (MIT licence).
    """

    def __init__(self, backbone: str = "resnet50", identity: int = 80, expression: int = 64, texture: int = 80) -> None:
        super().__init__()
        self.backbone, self._shallow_place, self.shallow_channels = classifier_backbone(backbone)
        self.backbone.to(memory_format=torch.channels_last)  # a third less time of a small one's training on a CPU
        self.deep_channels: int = self.backbone.head_hidden_size
        # three angles, nine numbers of light per colour, and of the translation x and y apart from z
        outputs = (identity, expression, texture, 3, 27, 2, 1)
        self.final_layers = nn.ModuleList([nn.Conv2d(self.deep_channels, n, 1) for n in outputs])
        for parameter in self.final_layers.parameters():
            nn.init.zeros_(parameter)

    def forward(self, image: Tensor) -> Tensor:
        """Coefficients; see the class for shapes."""
        return self.heads(self.features(image)[1])

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """What the heads and C-Net see.

        Args:
            image: (B,3,H,W) as in ``forward``.

        Returns:
            The map (B,``shallow_channels``,H/4,W/4) that comes out of the first residual stage, and the features
            (B,``deep_channels``) of the whole picture.
        """
        last, maps = self.backbone.forward_intermediates(image, indices=[self._shallow_place])
        return maps[0], self.backbone.forward_head(last)

    def heads(self, pooled: Tensor) -> Tensor:
        """Coefficients (B,N) of the features (B,``deep_channels``) of a picture."""
        column = pooled[..., None, None]
        return torch.cat([layer(column) for layer in self.final_layers], dim=1).flatten(1)


class ConfidenceNet(nn.Module):
    """C-Net: how far each identity coefficient that R-Net sees in a picture can be trusted.

    The last layer begins at zero: all confidences are one half, so that ``aggregate`` is the plain mean.

    Args:
        shallow_channels: Of R-Net's first residual stage.
        deep_channels: Of R-Net's features of the whole picture.
        n_identity: Identity coefficients of the face model.
        channels: Of the three convolutions; the hidden layer after them has twice as many units. The paper has 256.

    Shapes:
        shallow (B,``shallow_channels``,h,w), pooled (B,``deep_channels``) -> confidence (B,``n_identity``) in (0, 1).

    Source: the paper's section on C-Net. Its code was never released. The paper's map is an eighth of the picture (its
    ResNet halves at the end of a stage), ours a quarter: a mean over 2 x 2 comes first, and no parameter is added.
    """

    def __init__(self, shallow_channels: int, deep_channels: int, n_identity: int = 80, channels: int = 256) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            [nn.Conv2d(n, channels, 3, stride=2, padding=1) for n in (shallow_channels, channels, channels)]
        )
        self.hidden = nn.Linear(channels + deep_channels, 2 * channels)
        self.last = nn.Linear(2 * channels, n_identity)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, shallow: Tensor, pooled: Tensor) -> Tensor:
        """Confidences; see the class for shapes."""
        shallow = F.avg_pool2d(shallow, 2)
        for convolution in self.convolutions:
            shallow = F.relu(convolution(shallow))
        hidden = F.relu(self.hidden(torch.cat([shallow.mean((2, 3)), pooled], dim=1)))
        return torch.sigmoid(self.last(hidden))


def aggregate(identity: Tensor, confidence: Tensor) -> Tensor:
    """One person's identity coefficients from several pictures: the mean, weighted by confidence, of each coefficient.

    Args:
        identity: (G,M,K), of M pictures of each of G persons.
        confidence: (G,M,K), above 0; only its ratios between the pictures of a person matter.

    Returns:
        (G,K).
    """
    return (confidence * identity).sum(1) / confidence.sum(1)
