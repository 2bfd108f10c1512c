"""One picture through one model: the face found and cut out where the card asks for it, then ``forward``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo.cards import load_card
from zoo.errors import UserError
from zoo.faces import Crop, align_found_face, require_face, square_crop
from zoo.imaging import display, read_image

if TYPE_CHECKING:
    from lightning_modules.base import ZooModule

__all__ = ["Prediction", "predict_image", "same_person"]


@dataclass(frozen=True)
class Prediction:
    """What a model sees in a picture.

    Args:
        layers: ``image`` as the model was given it, and the outputs on its card; each with a batch of one, on the CPU.
        views: Further pictures (1,3,H,W) that the module draws of it, such as other lights, by title.
        crop: Where the model's picture lies in the photo; None where it is the whole photo.
        photo: The photo itself (3,H,W), sRGB in [0,1], on the CPU.
        outputs: Everything that ``forward`` gave, also what the card does not list; on the CPU.
    """

    layers: dict[str, Tensor]
    views: dict[str, Tensor]
    crop: Crop | None
    photo: Tensor
    outputs: dict[str, Tensor] = field(default_factory=dict)

    def pictures(self) -> dict[str, Tensor]:
        """Everything that can be looked at, (1,3,H,W) by title: input, layers, views."""
        shown = {}
        for key, value in self.layers.items():
            try:
                shown[key] = display(key, value)
            except ValueError:  # coefficients and poses are no pictures
                continue
        return {**shown, **self.views}


@torch.inference_mode()
def predict_image(
    model: ZooModule,
    image: str | Path | Tensor,
    *,
    face: str | int = "largest",
    detector: str = "auto",
    size: int | None = None,
) -> Prediction:
    """Take a picture apart.

    Args:
        model: A module in evaluation mode.
        image: A file, or a picture (3, H, W), sRGB in [0, 1].
        face: For models that want a face: ``largest``, ``whole`` (the picture is the crop already), or a number.
        detector: As ``zoo.faces.detect_faces`` takes it.
        size: Side of the face crop in pixels; by default the one that the module was trained on.

    Raises:
        UserError: The picture cannot be read, has no face, or is too small for the model.
    """
    card = load_card(model.card_name)
    name = "the picture" if isinstance(image, Tensor) else str(image)
    photo = whole = image if isinstance(image, Tensor) else read_image(image)
    if photo.ndim != 3 or photo.shape[0] != 3:
        raise UserError(f"{name} has shape {tuple(photo.shape)}; a picture is (3, height, width).")
    crop = None
    if card.faces != "none":
        side = size or int(getattr(model, "size", card.size.train))
        chosen = require_face(photo, name, detector, face)
        if card.faces == "align":
            photo, crop = align_found_face(photo, chosen, side, name)
        else:
            photo, crop = square_crop(photo, chosen, side)
    elif min(photo.shape[-2:]) < card.size.min:
        height, width = photo.shape[-2:]
        raise UserError(
            f"{name} is {width} x {height} pixels; {card.name} needs at least {card.size.min} on each side."
        )
    batch = photo[None].to(next(model.parameters(), torch.empty(0)).device)
    return _prediction(model, batch, model(batch), crop, whole)


@torch.inference_mode()
def same_person(model: ZooModule, predictions: Sequence[Prediction]) -> list[Prediction]:
    """Let pictures of one person agree: what the module's ``combine`` makes of what was seen in each.

    Args:
        model: The module that made them.
        predictions: What ``predict_image`` saw in each picture.

    Returns:
        As many, in the same order.

    Raises:
        UserError: The model cannot do that.
    """
    device = next(model.parameters(), torch.empty(0)).device
    given = [{key: value.to(device) for key, value in each.outputs.items()} for each in predictions]
    return [
        _prediction(model, each.layers["image"].to(device), outputs, each.crop, each.photo)
        for each, outputs in zip(predictions, model.combine(given), strict=True)
    ]


def _prediction(
    model: ZooModule, image: Tensor, outputs: Mapping[str, Tensor], crop: Crop | None, photo: Tensor
) -> Prediction:
    listed = {key: outputs[key] for key in load_card(model.card_name).outputs if key in outputs}
    return Prediction(
        {key: value.cpu() for key, value in {"image": image, **listed}.items()},
        {title: value.cpu() for title, value in model.views(outputs).items()},
        crop,
        photo.cpu(),
        {key: value.cpu() for key, value in outputs.items()},
    )
