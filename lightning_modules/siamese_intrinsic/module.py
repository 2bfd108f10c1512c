"""The siamese network as a LightningModule: it learns from pairs of pictures, and answers one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection

from lightning_modules.base import Batch, Predictor, Schedule, ZooModule
from lightning_modules.labelled import truth_mask
from lightning_modules.panels import layers_beside_truth
from lightning_modules.scene_baselines import scene_baselines
from lightning_modules.scene_metrics import scene_metrics
from lightning_modules.siamese_intrinsic.losses import (
    GradDomain,
    Layers,
    embedding_loss,
    gradient_loss,
    pixel_margin_loss,
    reconstruction_loss,
    scale_invariant_l1,
    scale_prior,
    scene_margin_loss,
)
from lightning_modules.siamese_intrinsic.network import MULTIPLE, SiameseNetwork
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb, mirror_to_multiple, srgb_to_linear

__all__ = ["SiameseIntrinsic"]

_LAYERS = ("albedo", "shading", "assignment")
_MEAN_ALBEDO = 0.3
"""About what paint, wood, stone and leaves return of the light, in rooms and gardens."""
_EDGE_COLOURS = ((1.0, 0.45, 0.1), (0.15, 0.5, 1.0))


class SiameseIntrinsic(ZooModule):
    """Albedo and shading of one picture, learned from pairs of pictures of a scene under two lights, without labels.

    Args:
        width: Channels of the first convolution.
        shading_channels: 1 for grey light, or 3 for coloured.
        shared_trunk: One decoder for all three outputs; otherwise each has its own.
        input_space: What the network is shown: ``linear`` light, or ``srgb``, the picture as it is, in which darks keep
            their differences. Albedo and shading are linear either way.
        weight_reconstruction: Weight of the pair's self and crossed reconstruction.
        weight_gradient: Weight of the gradients with their soft assignment.
        weight_embedding: Weight of what makes the albedos of a pair alike and keeps those of other scenes apart.
        weight_scale: Weight of the distance of the batch's mean albedo from 0.3, which fixes the scale that all other
            terms leave open.
        weight_supervised: Weight of the scale-invariant error of albedo and shading on labelled samples; at 0 no label
            is looked at. Where a batch has the key ``labelled``, it says which samples are.
        grad_domain: Gradients of logarithms (``log``), or of the layers themselves (``linear``).
        margin: The distance that albedos of different scenes must keep, each divided by its mean.
        scene_pairs: Pairs of scenes that are drawn in each batch.
        pixel_pairs: Pairs of pixels that are drawn in each picture; those of different colour must keep the margin too.
        lr: Learning rate of Adam.
        weight_decay: On weights, not on biases.
        schedule: ``constant``, ``cosine`` or ``multistep``.
        milestones: Optimiser steps at which ``multistep`` divides the learning rate by ten.

    Source: Ma, Chu, Zhou, Urtasun, Torralba, Single image intrinsic decomposition without a single intrinsic image,
    ECCV 2018. No code of the authors is public: layers, weights and the margin's form are choices of the zoo.
    """

    card_name: ClassVar[str] = "siamese_intrinsic"

    def __init__(
        self,
        width: int = 64,
        shading_channels: Literal[1, 3] = 1,
        shared_trunk: bool = True,
        input_space: Literal["linear", "srgb"] = "linear",
        weight_reconstruction: float = 1.0,
        weight_gradient: float = 0.5,
        weight_embedding: float = 1.0,
        weight_scale: float = 0.1,
        weight_supervised: float = 0.0,
        grad_domain: GradDomain = "log",
        margin: float = 0.3,
        scene_pairs: int = 16,
        pixel_pairs: int = 0,
        lr: float = 2e-4,
        weight_decay: float = 0.0,
        schedule: Schedule = "constant",
        milestones: Sequence[int] = (),
    ) -> None:
        weights = {
            "reconstruction": weight_reconstruction,
            "gradient": weight_gradient,
            "embedding": weight_embedding,
            "scale": weight_scale,
            "supervised": weight_supervised,
        }
        super().__init__(weights, lr, weight_decay, schedule, milestones)
        self.save_hyperparameters()
        self.input_space, self.grad_domain, self.margin = input_space, grad_domain, margin
        self.scene_pairs, self.pixel_pairs = scene_pairs, pixel_pairs
        self.network = SiameseNetwork(width, shading_channels, shared_trunk).to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Take one picture apart.

        Args:
            image: (B,3,H,W) sRGB in [0, 1], of any size.

        Returns:
            albedo (B,3,H,W), shading (B,1 or 3,H,W), assignment (B,1,H,W) and reconstruction (B,3,H,W) as in
            ``zoo.contract``; and the image itself as picture, for the views.
        """
        height, width = image.shape[-2:]
        picture = srgb_to_linear(image) if self.input_space == "linear" else image
        padded = mirror_to_multiple(picture, MULTIPLE)
        layers = (value[..., :height, :width].float() for value in self.network(padded))
        outputs = dict(zip(_LAYERS, layers, strict=True))
        reconstruction = linear_to_srgb((outputs["albedo"] * outputs["shading"]).clamp(0, 1))
        return {**outputs, "reconstruction": reconstruction, "picture": image}

    # Pairs

    def answer(self, batch: Batch) -> dict[str, Tensor]:
        """The picture and another one of its scene, through the same weights in one batch.

        In training the other picture is drawn at random, the same for all samples of a step; otherwise it is the first.

        Returns:
            The outputs of ``forward`` for the picture, and those of the other one under names that begin with
            ``other_``, such as other_picture (B,3,H,W).

        Raises:
            UserError: There is no other picture to learn from. In evaluation a picture is then its own pair.
        """
        image, other = batch["image"], self._other(batch)
        if other is None:
            outputs = self(image)
            return {**outputs, **{f"other_{key}": value for key, value in outputs.items()}}
        both = self(torch.cat([image, other]))
        count = len(image)
        second = {f"other_{key}": value[count:] for key, value in both.items()}
        return {**{key: value[:count] for key, value in both.items()}, **second}

    def _other(self, batch: Batch) -> Tensor | None:
        if "relit" in batch and batch["relit"].shape[1]:
            return batch["relit"][:, self._which(batch)]
        if self.training:
            raise UserError(
                "siamese_intrinsic learns from a scene under two lights, and this data has no 'relit'; "
                "scenes have with --data.lights 2."
            )
        return None

    def _which(self, batch: Batch) -> int:
        return int(torch.randint(batch["relit"].shape[1], (), generator=self._draws(0))) if self.training else 0

    def _draws(self, purpose: int) -> torch.Generator:
        """Random numbers of this step alone, so that a training that was resumed draws what it would have drawn."""
        step = self.global_step if self.training else 0
        return torch.Generator().manual_seed(2 * step + purpose)

    # Training

    def losses(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """Reconstruction, gradients, embedding, scale; and the error of labelled samples where that has a weight."""
        mask = batch["mask"]
        one, two = _layers(prediction, ""), _layers(prediction, "other_")
        terms = {
            "reconstruction": reconstruction_loss(one, two, mask),
            "gradient": gradient_loss(one, mask, self.grad_domain) + gradient_loss(two, mask, self.grad_domain),
            "embedding": embedding_loss(one, two, mask, self._apart(one, two, mask)),
            "scale": scale_prior(one, two, mask, _MEAN_ALBEDO),
        }
        if self.loss_weights["supervised"] and "albedo" in batch and "shading" in batch:
            terms["supervised"] = self._supervised(one, two, batch)
        return terms

    def _apart(self, one: Layers, two: Layers, mask: Tensor) -> Tensor:
        draws = self._draws(1)
        apart = scene_margin_loss(one.albedo, mask, self.scene_pairs, self.margin, draws)
        if self.pixel_pairs:
            apart = apart + pixel_margin_loss(one, two, mask, self.pixel_pairs, self.margin, draws)
        return apart

    def _supervised(self, one: Layers, two: Layers, batch: Batch) -> Tensor:
        known = truth_mask(batch)
        albedo = torch.stack([scale_invariant_l1(each.albedo, batch["albedo"], known) for each in (one, two)])
        return albedo.mean() + scale_invariant_l1(one.shading, batch["shading"], known)

    # Evaluation

    def metrics(self) -> MetricCollection:
        """Errors of the layers up to a scale, and how well they agree with people, of what the data tells."""
        return scene_metrics()

    def baselines(self, data: LightningDataModule) -> dict[str, Predictor]:
        """All is light, or all is paint."""
        return scene_baselines(data)

    def panels(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """Input and layers, with the truth beside each where the batch has it."""
        return {"image": batch["image"], **layers_beside_truth((*_LAYERS, "reconstruction"), prediction, batch)}

    def views(self, prediction: Batch) -> dict[str, Tensor]:
        """The picture's edges: orange where they are paint, blue where they are light."""
        picture = prediction["picture"].mean(1, keepdim=True)
        along_x = F.pad(picture.diff(dim=-1), (0, 1, 0, 0))
        along_y = F.pad(picture.diff(dim=-2), (0, 0, 0, 1))
        strength = (8 * torch.hypot(along_x, along_y)).clamp(0, 1)
        paint, light = (picture.new_tensor(colour).view(1, 3, 1, 1) for colour in _EDGE_COLOURS)
        colour = prediction["assignment"] * paint + (1 - prediction["assignment"]) * light
        return {"edges of paint and of light": 1 - strength * (1 - colour)}


def _layers(prediction: Batch, prefix: str) -> Layers:
    return Layers(srgb_to_linear(prediction[f"{prefix}picture"]), *(prediction[f"{prefix}{key}"] for key in _LAYERS))
