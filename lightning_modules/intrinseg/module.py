"""IntrinSeg as a LightningModule: the authors' network between the conventions of the zoo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from lightning_modules.base import Batch, Predictor, ZooModule, split_decay
from lightning_modules.intrinseg.classes import KeyedClasses, known_labels
from lightning_modules.intrinseg.losses import class_loss, layer_loss
from lightning_modules.intrinseg.network import IntrinSegNetwork
from lightning_modules.intrinseg.prepare import Normalisation, normalise
from lightning_modules.labelled import truth_mask
from lightning_modules.panels import layers_beside_truth
from lightning_modules.scene_baselines import scene_baselines
from lightning_modules.scene_metrics import layer_metrics
from zoo.errors import UserError
from zoo.imaging import linear_to_srgb, mirror_to_multiple, srgb_to_linear
from zoo.metrics import ClassAccuracy, MeanIoU, PixelAccuracy

__all__ = ["IntrinSeg"]

Target = Literal["reflectance", "shading", "class"]

_MULTIPLE = 32
_LAYERS = {"reflectance": "albedo", "shading": "shading"}
"""What the contract calls the network's layers."""


class IntrinSeg(ZooModule):
    """Albedo, coloured shading and classes of a garden from one picture, by decoders that see each other.

    Args:
        targets: The tasks: ``reflectance``, ``shading``, ``class``; two of them leave the class or a layer out, one
            alone is a plain encoder-decoder with skips.
        width: Channels at full resolution; the paper has 16.
        classes: Number of classes, of ``zoo.scene_classes`` by default: 16 of gardens, 0 is void.
        shading_channels: 3, or 1 for grey shading.
        deconv: Learn the class decoder's upsampling.
        align_corners: Upsample as PyTorch before 0.4 did.
        class_relu: End the class head in normalisation and rectification, as the release does.
        ignore_void: Leave pixels of class 0 out of training and evaluation.
        input_space: What the network is fed: ``linear``, the picture decoded to linear light, of which NED's pictures
            are made; or ``srgb``, the picture as it is. Its layers are linear either way.
        normalise: How pictures are scaled: ``max-8bit`` is official; ``max`` does not cut to 8 bits; ``none``.
        shading_scale: What a shading of 1 of the network stands for. The paper's data has shading in [0, 1], ours goes
            beyond 5, which a network that ends in normalisation is slow to reach.
        gamma_smse: Weight of a layer's error after the best scale (0.95).
        gamma_mse: Weight of a layer's error as it is (0.05).
        gamma_il: Weight of the two layers together.
        gamma_r: Weight of the reflectance among them (1).
        gamma_s: Weight of the shading among them (1).
        gamma_ce: Weight of the cross entropy. The paper's is not known; the terms should be about as large as each
            other, which the log of the first steps shows.
        optimizer: ``adam``, or ``adadelta`` as in the paper (with lr 0.01).
        lr: Learning rate.
        weight_decay: On weights, not on biases (5e-4).
        schedule: ``constant``, ``cosine``, ``multistep``, or ``poly``: lr (1 - step / steps)^0.9, as in the release.
        milestones: Optimiser steps at which ``multistep`` divides the learning rate by ten.

    Source: Baslamisli, Groenestege, Das, Le, Karaoglu, Gevers, Joint Learning of Intrinsic Images and Semantic
    Segmentation, ECCV 2018.
    """

    card_name: ClassVar[str] = "intrinseg"

    def __init__(
        self,
        targets: Sequence[Target] = ("reflectance", "shading", "class"),
        width: int = 16,
        classes: int = 16,
        shading_channels: Literal[1, 3] = 3,
        deconv: bool = False,
        align_corners: bool = False,
        class_relu: bool = True,
        ignore_void: bool = True,
        input_space: Literal["linear", "srgb"] = "linear",
        normalise: Normalisation = "max-8bit",
        shading_scale: float = 1.0,
        gamma_smse: float = 0.95,
        gamma_mse: float = 0.05,
        gamma_il: float = 1.0,
        gamma_r: float = 1.0,
        gamma_s: float = 1.0,
        gamma_ce: float = 0.1,
        optimizer: Literal["adam", "adadelta"] = "adam",
        lr: float = 1e-3,
        weight_decay: float = 5e-4,
        schedule: Literal["constant", "cosine", "multistep", "poly"] = "constant",
        milestones: Sequence[int] = (),
    ) -> None:
        try:
            network = IntrinSegNetwork(targets, width, classes, shading_channels, deconv, align_corners, class_relu)
        except ValueError as error:
            raise UserError(f"{error}.") from error
        # the base asks for the metrics, which depend on these
        self.targets, self.ignore_void, self.classes = network.targets, ignore_void, classes
        weights = {"albedo": gamma_il * gamma_r, "shading": gamma_il * gamma_s, "class": gamma_ce}
        super().__init__(weights, lr, weight_decay, "constant" if schedule == "poly" else schedule, milestones)
        self.save_hyperparameters()
        self.input_space, self.normalisation, self.shading_scale = input_space, normalise, shading_scale
        self.gamma_smse, self.gamma_mse = gamma_smse, gamma_mse
        self.solver, self.poly = optimizer, schedule == "poly"
        self.network = network.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Take a picture apart.

        Args:
            image: (B,3,H,W) sRGB in [0, 1], of any size.

        Returns:
            As in ``zoo.contract``, of the tasks that there are: albedo (B,3,H,W), shading (B,1 or 3,H,W), if there are
            both their reconstruction (B,3,H,W), segmentation (B,H,W); beside it class_score and class_probability
            (B,classes,H,W), before and after the soft-max.
        """
        height, width = image.shape[-2:]
        x = srgb_to_linear(image) if self.input_space == "linear" else image
        raw = self.network(mirror_to_multiple(normalise(x, self.normalisation), _MULTIPLE))
        raw = {key: value[..., :height, :width].float() for key, value in raw.items()}
        outputs: dict[str, Tensor] = {}
        if "reflectance" in raw:
            outputs["albedo"] = raw["reflectance"]
        if "shading" in raw:
            outputs["shading"] = raw["shading"] * self.shading_scale * self._exposure(image)
        if "albedo" in outputs and "shading" in outputs:
            outputs["reconstruction"] = linear_to_srgb((outputs["albedo"] * outputs["shading"]).clamp(0, 1))
        if "class" in raw:
            score = raw["class"]
            outputs |= {"segmentation": score.argmax(1), "class_score": score, "class_probability": score.softmax(1)}
        return outputs

    def _exposure(self, image: Tensor) -> Tensor:
        """What the scaled picture's light is to be multiplied by, so that albedo x shading is the picture given."""
        if self.normalisation == "none":
            return image.new_ones(())
        return srgb_to_linear(image.amax((1, 2, 3), keepdim=True))

    def losses(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """L_CL of albedo and shading inside the mask, and the cross entropy of all pixels that have a class."""
        terms = {}
        for target in self.targets:
            key = _LAYERS.get(target, "segmentation")
            if key not in batch:
                others = ", ".join(each for each in self.targets if each != target)
                raise UserError(
                    f"the data has no {key}, which '{target}' learns from; try --model.targets '[{others}]'."
                )
            if target == "class":
                terms["class"] = class_loss(
                    prediction["class_score"], known_labels(batch[key], self.classes, self.ignore_void)
                )
            else:
                layers = prediction[key], batch[key], truth_mask(batch)
                terms[key] = layer_loss(*layers, self.gamma_smse, self.gamma_mse)
        return terms

    def metrics(self) -> MetricCollection:
        """Errors of the layers up to a scale, and how many pixels have the right class, of the tasks there are."""
        layers = [key for target, key in _LAYERS.items() if target in self.targets]
        metrics: dict[str, Metric | MetricCollection] = {**layer_metrics(layers, optional=False)}
        if "class" in self.targets:
            for name, kind in (("miou", MeanIoU), ("pixel_accuracy", PixelAccuracy), ("class_accuracy", ClassAccuracy)):
                metrics[name] = KeyedClasses(kind(self.classes), self.classes, self.ignore_void)
        return MetricCollection(metrics, compute_groups=False)

    def baselines(self, data: LightningDataModule) -> dict[str, Predictor]:
        """All is light, or all is paint; the most frequent class everywhere."""
        return scene_baselines(data, segmentation="class" in self.targets)

    def panels(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """Input, layers and classes, with the truth beside each where the batch has it."""
        keys = ("albedo", "shading", "segmentation", "reconstruction")
        return {"image": batch["image"], **layers_beside_truth(keys, prediction, batch)}

    def configure_optimizers(self) -> Any:
        """Adam or Adadelta, with the module's learning rate, decay and schedule."""
        if self.solver == "adam" and not self.poly:
            return super().configure_optimizers()
        groups = split_decay(self, self.weight_decay)
        optimizer: torch.optim.Optimizer
        if self.solver == "adam":
            optimizer = torch.optim.Adam(groups, lr=self.lr)
        else:
            optimizer = torch.optim.Adadelta(groups, lr=self.lr)
        if not self.poly:
            if self.schedule != "constant":
                raise UserError("adadelta goes with the schedules constant and poly; give --model.schedule poly.")
            return optimizer
        steps = self.trainer.estimated_stepping_batches
        if steps == float("inf"):
            raise UserError("poly needs an end: give --trainer.max_epochs or --trainer.max_steps.")
        scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, int(steps), power=0.9)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
