"""CGIntrinsics as a LightningModule: the authors' network, their losses, and training on three kinds of data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection

from lightning_modules.base import Batch, Predictor, Schedule, ZooModule
from lightning_modules.cgintrinsics.network import MULTIPLE, CGIntrinsicsNetwork
from lightning_modules.labelled import truth_mask
from lightning_modules.panels import layers_beside_truth
from lightning_modules.scene_baselines import scene_baselines
from lightning_modules.scene_metrics import scene_metrics
from zoo.errors import UserError
from zoo.imaging import by_ratio, crop_middle, linear_to_srgb, mirror_to_multiple, srgb_to_linear
from zoo.losses import (
    ScalePer,
    chromaticity,
    dense_smoothness_loss,
    judgement_loss,
    log_scale_invariant_loss,
    reconstruction_loss,
    reflectance_smoothness_loss,
    scale_invariant_loss,
    shading_label_losses,
    superpixel_loss,
)

__all__ = ["CGIntrinsics"]

_ENCODING = 0.4545
"""The exponent under which the authors resize and show what they predict."""
_BRIGHT = 0.9
"""Albedo of the brightest hundredth of a picture; see ``CGIntrinsics.compose``."""
_GRID = 64


class CGIntrinsics(ZooModule):
    """Albedo and grey shading of a photograph.

    It learns from batches of three kinds, told by their keys: rendered pictures with ``albedo`` and ``shading``;
    photographs with ``judgements`` of points (IIW); photographs with ``shading_labels`` (SAW). Give them in turn with
    ``datamodules.Interleaved``.

    Args:
        width: Channels of the first level; 64 is the paper's.
        backbone: A timm model by name in place of the encoder, with random weights; none by default.
        resize: How a picture comes to sides that are multiples of 128: ``pad`` reflects it at its borders; ``official``
            resizes it as the authors do for SAW, and the answer back. The latter does not export.
        shading_space: In which values shading is held against its truth: ``linear``, or ``log``, which the authors
            think may suit training with IIW and SAW.
        scale_per: What has a free scale of its own in supervision: each ``image``, or a whole ``batch`` as in the
            authors' code.
        smoothness_sigma: Width of the Gaussian of dense shading smoothness, as a part of the picture's diagonal.
        weight_reflectance: Rendered pictures: scale-invariant error of reflectance (0.5 in the authors' code).
        weight_shading: Rendered pictures: that of shading (0.5).
        weight_reconstruction: Rendered pictures: squared error of the product (1.0).
        weight_shading_smoothness: Rendered pictures: dense smoothness of shading (2.0).
        weight_ordinal: Rendered pictures with ``superpixels``: which of two is darker (0.5).
        weight_judgements: Photographs: which of two points is darker (4.0).
        weight_smooth: Photographs: variance of shading in smooth regions (1.0).
        weight_shadow: Photographs: shading at the edges of shadows (0.1).
        weight_real_reflectance_smoothness: Photographs: smoothness of reflectance at four scales (1.0).
        weight_real_shading_smoothness: Photographs: dense smoothness of shading (4.0).
        weight_real_reconstruction: Photographs: squared error of the product (2.0).
        lr: Learning rate of Adam; the release begins with 2e-4.
        weight_decay: On weights, not on biases.
        schedule: ``constant``, ``cosine`` or ``multistep``.
        milestones: Optimiser steps at which ``multistep`` divides the learning rate by ten.
        halve_every: Epochs after which the learning rate is halved, again and again; 16 in the paper, 0 for never. It
            wants the schedule ``constant``.

    Raises:
        UserError: ``halve_every`` beside another schedule, or a backbone that timm does not have.

    Source: Li and Snavely, CGIntrinsics: Better Intrinsic Image Decomposition through Physically-Based Rendering,
        ECCV 2018, and the authors' code.
    """

    card_name: ClassVar[str] = "cgintrinsics"

    def __init__(
        self,
        width: int = 64,
        backbone: str | None = None,
        resize: Literal["pad", "official"] = "pad",
        shading_space: Literal["linear", "log"] = "linear",
        scale_per: ScalePer = "image",
        smoothness_sigma: float = 0.1,
        weight_reflectance: float = 0.5,
        weight_shading: float = 0.5,
        weight_reconstruction: float = 1.0,
        weight_shading_smoothness: float = 2.0,
        weight_ordinal: float = 0.5,
        weight_judgements: float = 4.0,
        weight_smooth: float = 1.0,
        weight_shadow: float = 0.1,
        weight_real_reflectance_smoothness: float = 1.0,
        weight_real_shading_smoothness: float = 4.0,
        weight_real_reconstruction: float = 2.0,
        lr: float = 2e-4,
        weight_decay: float = 0.0,
        schedule: Schedule = "constant",
        milestones: Sequence[int] = (),
        halve_every: int = 0,
    ) -> None:
        weights = {
            "reflectance": weight_reflectance,
            "shading": weight_shading,
            "reconstruction": weight_reconstruction,
            "shading_smoothness": weight_shading_smoothness,
            "ordinal": weight_ordinal,
            "judgements": weight_judgements,
            "smooth": weight_smooth,
            "shadow": weight_shadow,
            "real_reflectance_smoothness": weight_real_reflectance_smoothness,
            "real_shading_smoothness": weight_real_shading_smoothness,
            "real_reconstruction": weight_real_reconstruction,
        }
        if halve_every and schedule != "constant":
            raise UserError("halve_every is a schedule of its own; leave --model.schedule constant beside it.")
        super().__init__(weights, lr, weight_decay, schedule, milestones)
        self.save_hyperparameters()
        self.resize, self.shading_space, self.scale_per = resize, shading_space, scale_per
        self.smoothness_sigma, self.halve_every = smoothness_sigma, halve_every
        self.network = CGIntrinsicsNetwork(width, backbone)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Split a picture into paint and light.

        Args:
            image: (B,3,H,W), sRGB in [0, 1], of any size.

        Returns:
            albedo (B,3,H,W), shading (B,1,H,W) and reconstruction (B,3,H,W) as in ``zoo.contract``; for the losses
            log_reflectance and log_shading (B,1,H,W), natural logarithms as the network has them, whose sum is drawn
            to log(r + g + b).
        """
        height, width = image.shape[-2:]
        if self.resize == "official":
            small = F.interpolate(image, by_ratio(height, width), mode="bilinear", align_corners=False)
            logs = [_resized(each.float(), height, width) for each in self.network(small)]
        else:
            padded = self.network(mirror_to_multiple(image, MULTIPLE, middle=True))
            logs = [crop_middle(each.float(), height, width) for each in padded]
        return self.compose(image.float(), *logs)

    def compose(self, image: Tensor, log_reflectance: Tensor, log_shading: Tensor) -> dict[str, Tensor]:
        """From what the network says to all outputs.

        Reflectance R takes the chromaticities of the picture, which sum to one: chroma x R x S is the picture, and R
        is three times as bright as the albedo that it stands for. What R and S can trade is settled for each picture
        by a convention: the 99th percentile of the albedo's brightest channel, over 64 x 64 points of the picture, is
        0.9. Losses and metrics do not know this scale.
        """
        linear = srgb_to_linear(image)
        albedo = chromaticity(linear) * log_reflectance.exp()
        points = F.interpolate(albedo.amax(1, keepdim=True), (_GRID, _GRID), mode="nearest").flatten(1)
        scale = _BRIGHT / points.quantile(0.99, dim=1).clamp_min(1e-12).reshape(-1, 1, 1, 1)
        albedo, shading = scale * albedo, log_shading.exp() / scale
        return {
            "albedo": albedo,
            "shading": shading,
            "reconstruction": linear_to_srgb((albedo * shading).clamp(0, 1)),
            "log_reflectance": log_reflectance,
            "log_shading": log_shading,
        }

    def losses(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """The terms that the batch has labels for.

        Raises:
            UserError: The batch has neither albedo and shading, nor judgements, nor shading labels.
        """
        if "albedo" in batch and "shading" in batch:
            return self._rendered(prediction, batch)
        if "judgements" in batch or "shading_labels" in batch:
            return self._photographed(prediction, batch)
        raise UserError("cgintrinsics learns from albedo and shading, judgements or shading_labels; a batch has none.")

    def _rendered(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """L_CGI: supervision, reconstruction, smoothness against noise of the rendering, pairs of superpixels."""
        log_r, log_s = prediction["log_reflectance"], prediction["log_shading"]
        mask = truth_mask(batch)
        true_r, true_s = batch["albedo"].mean(1, keepdim=True), _true_shading(batch["shading"], mask)
        if self.shading_space == "log":
            shading = log_scale_invariant_loss(log_s, true_s.log(), mask, self.scale_per)
        else:
            shading = scale_invariant_loss(log_s.exp(), true_s, mask, self.scale_per)
        linear = srgb_to_linear(batch["image"])
        terms = {
            "reflectance": scale_invariant_loss(log_r.exp(), true_r, mask, self.scale_per),
            "shading": shading,
            "reconstruction": reconstruction_loss(linear, log_r.exp(), log_s.exp(), batch["mask"]),
            "shading_smoothness": dense_smoothness_loss(log_s, self.smoothness_sigma),
        }
        if "superpixels" in batch:
            # Evaluation draws the same pixels each time, so that one epoch's loss can be compared with the next.
            draws = None if self.training else torch.Generator().manual_seed(0)
            terms["ordinal"] = superpixel_loss(log_r, batch["albedo"], batch["superpixels"], mask, generator=draws)
        return terms

    def _photographed(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """L_IIW and L_SAW: what people have said, and the two smoothnesses and the product, which need no label."""
        log_r, log_s = prediction["log_reflectance"], prediction["log_shading"]
        linear = srgb_to_linear(batch["image"])
        terms = {}
        if "judgements" in batch:
            terms["judgements"] = judgement_loss(log_r, batch["judgements"])
        if "shading_labels" in batch:
            terms["smooth"], terms["shadow"] = shading_label_losses(log_s, linear, batch["shading_labels"])
        return {
            **terms,
            "real_reflectance_smoothness": reflectance_smoothness_loss(log_r, linear),
            "real_shading_smoothness": dense_smoothness_loss(log_s, self.smoothness_sigma),
            "real_reconstruction": reconstruction_loss(linear, log_r.exp(), log_s.exp()),
        }

    def metrics(self) -> MetricCollection:
        """Errors of the layers up to a scale, and how well they agree with people, of what the data tells."""
        return scene_metrics()

    def baselines(self, data: LightningDataModule) -> dict[str, Predictor]:
        """All is light, or all is paint."""
        return scene_baselines(data)

    def panels(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """Input and layers, with the truth beside each where the batch has it."""
        keys = ("albedo", "shading", "reconstruction")
        return {"image": batch["image"], **layers_beside_truth(keys, prediction, batch)}

    def configure_optimizers(self) -> Any:
        """Adam with the schedule of the base, or halved every few epochs."""
        found = super().configure_optimizers()
        if not self.halve_every:
            return found
        scheduler = torch.optim.lr_scheduler.StepLR(found, self.halve_every, gamma=0.5)
        return {"optimizer": found, "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"}}


def _resized(logarithm: Tensor, height: int, width: int) -> Tensor:
    """Resized as the authors do it: encoded values, not logarithms."""
    encoded = (_ENCODING * logarithm).exp()
    return F.interpolate(encoded, (height, width), mode="bilinear", align_corners=False).log() / _ENCODING


def _true_shading(shading: Tensor, mask: Tensor) -> Tensor:
    """Grey shading as the authors prepare it: in [1e-4, 20], and 1 at its 90th percentile inside the mask."""
    shading = shading.clamp(1e-4, 20)
    levels = [
        (each[inside] if inside.any() else each).quantile(0.9)
        for each, inside in zip(shading, (mask > 0.5).expand_as(shading), strict=True)
    ]
    return shading.mean(1, keepdim=True) / torch.stack(levels).reshape(-1, 1, 1, 1)
