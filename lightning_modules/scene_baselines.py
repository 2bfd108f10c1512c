"""The trivial ways to split a picture: all of it is light, or all of it is paint."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from lightning_modules.base import Batch, Predictor
from zoo.contract import IGNORE
from zoo.errors import UserError
from zoo.imaging import srgb_to_linear

__all__ = ["ConstantAlbedo", "ConstantShading", "most_frequent_class", "scene_baselines"]

_GREY = 0.5


def scene_baselines(data: LightningDataModule, *, segmentation: bool = False) -> dict[str, Predictor]:
    """The two trivial answers that every model of scenes is set beside.

    Both rebuild the picture exactly, so that a model is better only where it knows what is paint and what is light.

    Args:
        data: Whose training data tells the most frequent class.
        segmentation: Whether they answer ``segmentation`` too, which takes a walk over training data.

    Returns:
        ``constant albedo`` and ``constant shading``; they answer albedo (B,3,H,W), shading (B,3,H,W), reconstruction
        (B,3,H,W), and segmentation (B,H,W) where it is asked for.
    """
    label = most_frequent_class(data.train_dataloader()) if segmentation else None
    return {"constant albedo": ConstantAlbedo(label), "constant shading": ConstantShading(label)}


class _Trivial:
    """Says one thing of all pictures.

    Args:
        label: The class that it gives to every pixel; None where no segmentation is asked for.
    """

    def __init__(self, label: int | None = None) -> None:
        self.label = label

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """The answer for a batch with an ``image``."""
        image = batch["image"]
        albedo, shading = self.layers(srgb_to_linear(image))
        answer = {"albedo": albedo, "shading": shading, "reconstruction": image}
        if self.label is not None:
            answer["segmentation"] = torch.full_like(image[:, 0], self.label, dtype=torch.int64)
        return answer

    @abstractmethod
    def layers(self, linear: Tensor) -> tuple[Tensor, Tensor]:
        """Albedo and shading (B,3,H,W) of linear pictures (B,3,H,W)."""


class ConstantAlbedo(_Trivial):
    """Says that everything is grey: albedo 0.5, and shading = linear(image) / 0.5."""

    def layers(self, linear: Tensor) -> tuple[Tensor, Tensor]:
        """Grey, and all of the picture."""
        return torch.full_like(linear, _GREY), linear / _GREY


class ConstantShading(_Trivial):
    """Says that the light is the same everywhere: shading 1, and albedo = linear(image)."""

    def layers(self, linear: Tensor) -> tuple[Tensor, Tensor]:
        """All of the picture, and one."""
        return linear, torch.ones_like(linear)


def most_frequent_class(batches: Iterable[Batch], limit: int = 64) -> int:
    """The class of most pixels of ``segmentation``, those to be ignored left out.

    Args:
        batches: Batches of the contract; those without a segmentation are passed over.
        limit: At most this many batches are read.

    Raises:
        UserError: No pixel has a class.
    """
    counts = torch.zeros(IGNORE, dtype=torch.int64)
    for _, batch in zip(range(limit), batches, strict=False):
        if "segmentation" in batch:
            labels = batch["segmentation"].flatten().cpu()
            counts += torch.bincount(labels[labels != IGNORE], minlength=IGNORE)
    if not counts.any():
        raise UserError("the training data has no segmentation, so there is no most frequent class.")
    return int(counts.argmax())
