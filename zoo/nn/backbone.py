"""Any timm model as a pyramid of feature maps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UserError

__all__ = ["Backbone", "classifier_backbone"]


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


def classifier_backbone(name: str) -> tuple[Any, int, int]:
    """A timm model without its classifier, with random weights and timm's own names of layers.

    Args:
        name: A timm model such as ``resnet50``.

    Returns:
        The model; and of its last feature map of a quarter of the picture's size the place among the model's maps, as
        ``forward_intermediates`` counts them, and the channels.

    Raises:
        UserError: timm has no such model, or it has no such map.
    """
    import timm  # slow to import; only who asks for a backbone needs it

    # Asked first, because create_model would look on the network for names with a scheme.
    if not timm.is_model(name):
        raise UserError(
            f"timm has no backbone '{name}'; python -c \"import timm; print(timm.list_models())\" lists them."
        )
    model: Any = timm.create_model(name, pretrained=False, num_classes=0)
    stages = [(place, info) for place, info in enumerate(model.feature_info) if info["reduction"] == 4]
    if not stages or not hasattr(model, "forward_intermediates"):
        raise UserError(f"the backbone '{name}' has no feature map of a quarter of the picture's size; take resnet50.")
    place, info = stages[-1]
    return model, place, info["num_chs"]
