"""Any timm model as a pyramid of feature maps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UserError

__all__ = ["Backbone"]


class Backbone(nn.Module):
    """The feature maps of a timm model, by how much smaller than the picture they are.

    Args:
        name: A timm model that has feature maps, such as ``resnet18``. Its weights are random.

    Shapes:
        image (B,3,H,W), sRGB in [0, 1], which is normalised as the model wants it -> for each reduction r (4, 8, ...)
        a map (B,C,H/r,W/r) with C = ``channels[r]``.

    Raises:
        UserError: timm has no such model, or it has no feature maps.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str) -> None:
        super().__init__()
        import timm  # slow to import; only who asks for a backbone needs it

        try:
            model: Any = timm.create_model(name, features_only=True, pretrained=False)
        except (RuntimeError, AttributeError) as error:
            raise UserError(f"timm gives no feature maps of '{name}': {error}.") from error
        self.model = model
        reductions = model.feature_info.reduction()
        self.channels: dict[int, int] = dict(zip(reductions, model.feature_info.channels(), strict=True))
        self._places = {reduction: place for place, reduction in enumerate(reductions)}  # the last of each
        for key in ("mean", "std"):
            self.register_buffer(key, torch.tensor(model.pretrained_cfg[key]).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> dict[int, Tensor]:
        """Maps by reduction; see the class for shapes."""
        maps = self.model((image - self.mean) / self.std)
        return {reduction: maps[place] for reduction, place in self._places.items()}
