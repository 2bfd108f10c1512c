"""The landmark network of ``zoo.faces`` as a LightningModule: trained on rendered faces alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection

from lightning_modules.base import Batch, Predictor, Schedule, ZooModule
from lightning_modules.face_landmarks.metrics import ExpectedErrorRatio, FaceAccuracy, LandmarkError
from zoo.faces.landmarks import LandmarkNetwork, draw_landmarks

__all__ = ["FaceLandmarks"]

_SMALLEST_PICTURE = 240


class FaceLandmarks(ZooModule):
    """68 landmarks in the crop of a face, the error to be expected of each, and whether it is a face at all.

    Args:
        size: Height and width of the crops that the network sees; others are resized to it.
        widths: Channels of the network's levels; see ``zoo.faces.landmarks.LandmarkNetwork``.
        rising: Channels on the way back to larger maps.
        hidden: Units of its fully connected layer.
        weight_points: Weight of the points' negative log-likelihood.
        weight_face: Weight of the face score's cross-entropy.
        lr: Learning rate of Adam.
        weight_decay: On weights, not on biases.
        schedule: ``constant``, ``cosine`` or ``multistep``.
        milestones: Optimiser steps at which ``multistep`` divides the learning rate by ten.
    """

    card_name: ClassVar[str] = "face_landmarks"

    def __init__(
        self,
        size: int = 80,
        widths: Sequence[int] = (16, 32, 64, 96),
        rising: Sequence[int] = (64, 32),
        hidden: int = 128,
        weight_points: float = 1.0,
        weight_face: float = 1.0,
        lr: float = 2e-3,
        weight_decay: float = 1e-4,
        schedule: Schedule = "cosine",
        milestones: Sequence[int] = (),
    ) -> None:
        super().__init__({"points": weight_points, "face": weight_face}, lr, weight_decay, schedule, milestones)
        self.save_hyperparameters()
        self.size = size
        self.network = LandmarkNetwork(size, widths, rising, hidden)
        self.network.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """See the landmarks of a face crop.

        Args:
            image: (B,3,H,W) sRGB in [0, 1], framed as ``zoo.faces.FACE_CROP`` says, or roughly so.

        Returns:
            landmarks (B,68,2), landmark_error (B,68) and confidence (B,) as in ``zoo.contract``; for losses and views,
            points (B,68,2) from -1 to 1 over the crop, log_scale (B,68), face_logit (B,), and the image itself.
        """
        height, width = image.shape[-2:]
        crop = F.interpolate(image, (self.size, self.size), mode="bilinear", antialias=False, align_corners=False)
        points, log_scale, face_logit = self.network(crop)
        extent = torch.stack([torch.ones_like(points[..., 0]) * width, torch.ones_like(points[..., 0]) * height], -1)
        # the mean distance of the density of the loss is two scales
        error = 2 * log_scale.exp() * extent.mean(-1) / 2
        return {
            "landmarks": ((points + 1) * extent - 1) / 2,
            "landmark_error": error,
            "confidence": torch.sigmoid(face_logit),
            "points": points,
            "log_scale": log_scale,
            "face_logit": face_logit,
            "picture": image,
        }

    def losses(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """Negative log-likelihood of the points where there is a face, and cross-entropy of the face score.

        A point at distance d from the truth has the density exp(-d / b) / (2 pi b^2); its constant is left out.
        """
        height, width = batch["image"].shape[-2:]
        extent = batch["landmarks"].new_tensor([width, height])
        truth = (2 * batch["landmarks"] + 1) / extent - 1
        distance = ((prediction["points"] - truth).square().sum(-1) + 1e-8).sqrt()
        log_scale = prediction["log_scale"]
        likelihood = (distance * (-log_scale).exp() + 2 * log_scale).mean(1)
        is_face = batch.get("is_face", torch.ones_like(likelihood))
        return {
            "points": (likelihood * is_face).sum() / is_face.sum().clamp_min(1),
            "face": F.binary_cross_entropy_with_logits(prediction["face_logit"], is_face),
        }

    def metrics(self) -> MetricCollection:
        """The error of the points, how honest the expected error is, and how often face and no face are told apart."""
        return MetricCollection(
            {
                "landmark_error": LandmarkError(),
                "expected_over_true": ExpectedErrorRatio(),
                "face_accuracy": FaceAccuracy(),
            },
            compute_groups=False,
        )

    def baselines(self, data: LightningDataModule) -> dict[str, Predictor]:
        """The mean place of each point in the training crops, and the error that its spread lets expect."""
        total, squares, count = torch.zeros(68, 2, dtype=torch.float64), torch.zeros(68, 2, dtype=torch.float64), 0.0
        for _, batch in zip(range(64), data.train_dataloader(), strict=False):
            is_face = batch.get("is_face", torch.ones(len(batch["image"]))).view(-1, 1, 1).double().cpu()
            landmarks = batch["landmarks"].double().cpu()
            total += (landmarks * is_face).sum(0)
            squares += (landmarks.square() * is_face).sum(0)
            count += float(is_face.sum())
        mean = total / max(count, 1.0)
        variance = (squares / max(count, 1.0) - mean.square()).sum(-1).clamp_min(0)
        # the mean length of a normally distributed offset is sqrt(pi) / 2 of its root mean square
        spread = variance.sqrt() * math.sqrt(math.pi) / 2
        return {"mean shape": _MeanShape(mean.float(), spread.float())}

    def panels(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """Input, its points with the confidence in their colour, and the true ones where the batch has them."""
        image = batch["image"]
        pictures = {"image": image, "landmarks": self._drawn(image, prediction)}
        if "landmarks" in batch:
            truth = batch["landmarks"]
            if "is_face" in batch:  # nothing is drawn where there is no face
                truth = torch.where(batch["is_face"].view(-1, 1, 1) > 0.5, truth, -1e4)
            pictures["true landmarks"] = draw_landmarks(image, truth, smallest=_SMALLEST_PICTURE)
        return pictures

    def views(self, prediction: Batch) -> dict[str, Tensor]:
        """The points drawn over the crop."""
        return {"landmarks": self._drawn(prediction["picture"], prediction)}

    def _drawn(self, image: Tensor, prediction: Batch) -> Tensor:
        landmarks, error = prediction["landmarks"], prediction["landmark_error"]
        return draw_landmarks(image, landmarks, error, smallest=_SMALLEST_PICTURE)


class _MeanShape:
    def __init__(self, landmarks: Tensor, error: Tensor) -> None:
        self.landmarks, self.error = landmarks, error

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        image = batch["image"]
        count = len(image)
        return {
            "landmarks": self.landmarks.to(image).expand(count, -1, -1),
            "landmark_error": self.error.to(image).expand(count, -1),
            "confidence": image.new_ones(count),
        }
