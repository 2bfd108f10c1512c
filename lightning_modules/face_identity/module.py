"""The recognition network of ``zoo.faces`` as a LightningModule: a margin between the people of rendered faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MetricCollection

from lightning_modules.base import Batch, Predictor, Schedule, ZooModule
from lightning_modules.face_identity.margin import MarginSoftmax
from lightning_modules.face_identity.metrics import VerificationAccuracy, VerificationAUC
from zoo.errors import UserError
from zoo.faces import crop_box_from_landmarks
from zoo.faces.recognition import TEMPLATE, IdentityNetwork, recognition_crop
from zoo.nn.iresnet import IResNet

__all__ = ["FaceIdentity"]


class FaceIdentity(ZooModule):
    """A direction for the face in a picture: near for two pictures of a person, far for those of two people.

    Args:
        backbone: ``small``, the zoo's own; or ``iresnet50``, ArcFace's r50, whose ``widths`` and ``depths`` are fixed.
        widths: Channels of the small network; see ``zoo.faces.recognition.IdentityNetwork``.
        depths: Blocks in each of its stages.
        embedding: Size of the answer.
        persons: How many people there are in training, of all data modules that take turns.
        margin: What the loss takes off the cosine to the right person.
        scale: What it multiplies cosines with.
        margin_steps: Optimiser steps over which the margin grows from zero: a full one from the first step on may keep
            a fresh network from learning anything.
        weight_margin: Weight of the loss over the people of the training set.
        weight_contrast: Weight of the loss inside a batch, which needs several pictures of a person in it.
        lr: Learning rate of Adam.
        weight_decay: On weights, not on biases.
        schedule: ``constant``, ``cosine`` or ``multistep``.
        milestones: Optimiser steps at which ``multistep`` divides the learning rate by ten.
    """

    card_name: ClassVar[str] = "face_identity"
    training_only = ("softmax",)

    def __init__(
        self,
        backbone: Literal["small", "iresnet50"] = "small",
        widths: Sequence[int] = (16, 32, 64, 128),
        depths: Sequence[int] = (1, 2, 2),
        embedding: int = 128,
        persons: int = 2400,
        margin: float = 0.25,
        scale: float = 24.0,
        margin_steps: int = 600,
        weight_margin: float = 0.2,
        weight_contrast: float = 1.0,
        lr: float = 2e-3,
        weight_decay: float = 5e-5,
        schedule: Schedule = "cosine",
        milestones: Sequence[int] = (),
    ) -> None:
        super().__init__({"margin": weight_margin, "contrast": weight_contrast}, lr, weight_decay, schedule, milestones)
        self.save_hyperparameters()
        if backbone not in ("small", "iresnet50"):
            raise UserError(f"there is no backbone '{backbone}'; take small or iresnet50.")
        self.network: nn.Module = (
            IResNet(embedding=embedding) if backbone == "iresnet50" else IdentityNetwork(widths, depths, embedding)
        )
        self.network.to(memory_format=torch.channels_last)
        self.softmax = MarginSoftmax(persons, embedding, scale, margin)
        self.margin_steps = margin_steps

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Embed a face whose landmarks are not known; they are taken to lie where they mostly do.

        Args:
            image: (B,3,H,W) sRGB in [0, 1], framed as ``zoo.faces.FACE_CROP`` says.

        Returns:
            embedding (B,K) of unit length; for views, the ``crop`` (B,3,112,112) that the network saw.
        """
        return self.embed(image, mean_points(image))

    def embed(self, image: Tensor, points: Tensor) -> dict[str, Tensor]:
        """The same where landmarks (B,5,2) or (B,68,2) are known; the picture may be wider."""
        crop = recognition_crop(image, points)
        found = self.network(2 * crop.contiguous(memory_format=torch.channels_last) - 1)
        return {"embedding": F.normalize(found.float(), dim=-1), "crop": crop}

    def answer(self, batch: Batch) -> dict[str, Tensor]:
        """By the landmarks of the batch where it has them."""
        image = batch["image"]
        return self.embed(image, batch["landmarks"]) if "landmarks" in batch else self(image)

    def losses(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """The contrast inside the batch; and in training, the margin loss over its people, of whom no other data knows.

        Raises:
            UserError: The batch does not say whose pictures it shows.
        """
        if "person" not in batch:
            raise UserError("'person' is missing; recognition is learned from pictures that say whose they are.")
        embedding, person = prediction["embedding"], batch["person"]
        terms = {"contrast": contrast(embedding, person)}
        if self.training:
            strength = min(1.0, self.global_step / self.margin_steps) if self.margin_steps else 1.0
            terms["margin"] = self.softmax(embedding, person, strength)
        return terms

    def metrics(self) -> MetricCollection:
        """How well pairs of pictures are told apart, at the best threshold and over all of them."""
        return MetricCollection(
            {"verification_accuracy": VerificationAccuracy(), "verification_auc": VerificationAUC()}
        )

    def baselines(self, data: LightningDataModule) -> dict[str, Predictor]:
        """The cosine of crops of 14 pixels, from which the mean crop of the training data is taken off."""
        total, count = torch.zeros(1, 3, 14, 14, dtype=torch.float64), 0
        for _, batch in zip(range(32), data.train_dataloader(), strict=False):
            pixels = _pixels(batch)
            total += pixels.double().cpu().sum(0, keepdim=True)
            count += len(pixels)
        return {"pixels": _Pixels((total / max(count, 1)).float())}

    def panels(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """The crop, and the other crop of the batch that the model finds most like it."""
        crop = prediction["crop"].clamp(0, 1)
        cosine = prediction["embedding"] @ prediction["embedding"].T
        if len(crop) > 1:
            cosine = cosine - 4 * torch.eye(len(crop), device=cosine.device)
        return {"crop": crop, "most alike": crop[cosine.argmax(1)]}

    def views(self, prediction: Batch) -> dict[str, Tensor]:
        """What the network saw."""
        return {"crop": prediction["crop"].clamp(0, 1)}


def mean_points(image: Tensor) -> Tensor:
    """Where the five points of the template lie in pictures (B,3,H,W) framed as ``zoo.faces.FACE_CROP``: (1,5,2)."""
    template = torch.tensor(TEMPLATE, device=image.device, dtype=image.dtype)
    box = crop_box_from_landmarks(template)
    places = (template - box[:2]) / box[2] + 0.5
    height, width = image.shape[-2:]  # apart, so that exported programs keep them free
    points = torch.stack((places[:, 0] * width - 0.5, places[:, 1] * height - 0.5), -1)
    return points.unsqueeze(0).expand(image.shape[0], -1, -1)


def contrast(embedding: Tensor, person: Tensor, temperature: float = 0.1) -> Tensor:
    """Mean negative log-likelihood of the other pictures of a person among all others of the batch.

    Args:
        embedding: (B,K) of unit length.
        person: (B,) int64; pictures whose person has no other in the batch do not count.
        temperature: What cosines are divided by.

    Returns:
        A scalar, 0 where nobody is there twice.

    Source: Khosla et al., Supervised contrastive learning, NeurIPS 2020, equation 2.
    """
    itself = torch.eye(len(person), dtype=torch.bool, device=person.device)
    same = (person[:, None] == person[None]) & ~itself
    with torch.autocast(embedding.device.type, enabled=False):  # cosines in half precision would be steps of 1/256
        embedding = embedding.float()
        likelihood = ((embedding @ embedding.T) / temperature).masked_fill(itself, -1e4).log_softmax(1)
    counted = same.sum(1)
    mean = (likelihood * same).sum(1) / counted.clamp_min(1)
    return -mean.sum() / (counted > 0).sum().clamp_min(1)


def _pixels(batch: Batch) -> Tensor:
    image = batch["image"]
    points = batch["landmarks"] if "landmarks" in batch else mean_points(image)
    return F.avg_pool2d(recognition_crop(image, points), 8)


class _Pixels:
    def __init__(self, mean: Tensor) -> None:
        self.mean = mean

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        return {"embedding": F.normalize((_pixels(batch) - self.mean.to(batch["image"])).flatten(1), dim=-1)}
