"""SfSNet as a LightningModule: the authors' network between the conventions of the zoo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, Literal

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection

from lightning_modules.base import Batch, Predictor, Schedule, ZooModule
from lightning_modules.baseline import mean_over_data
from lightning_modules.panels import layers_beside_truth
from lightning_modules.sfsnet.network import SfSNetNetwork, SkipNet
from lightning_modules.sfsnet.widen import widen
from zoo.imaging import linear_to_srgb, srgb_to_linear
from zoo.metrics import Keyed, LightError, MaskedPSNR, MaskedSSIM, NormalError, NormalsWithin, ScaleInvariantMSE
from zoo.render.normals import unit_normals
from zoo.render.sh import ambient_light, directional_light, light_to_sfsnet, sfsnet_to_light, shade

__all__ = ["SfSNet"]

_PAPER_PIXELS = 128 * 128
_RELIGHTS = {
    "light from the left": (-0.75, 0.25, 0.6),
    "light from the right": (0.75, 0.25, 0.6),
    "light from above": (0.0, 0.8, 0.6),
}


class SfSNet(ZooModule):
    """Normals, albedo and spherical-harmonic light of a face from one picture.

    Args:
        network: ``sfsnet``, or ``skipnet``: the encoder-decoder whose predictions on real faces are the pseudo-labels.
        width: Channels of the first convolution; 64 is the paper's.
        affine: Learn a gain and a shift in batch normalisation; the authors' network has none.
        size: Height and width of the face crops that it is trained on, to which ``predict`` cuts photos. SfSNet itself
            takes any size; ``skipnet`` takes this one alone, because its bottleneck is fully connected.
        encoding: In which values albedo x shading is the picture: ``linear`` light, or ``srgb`` as displayed, which is
            what the authors trained on. The network's input is sRGB-encoded either way.
        weight_recon: Weight of |S A - I| (0.5 in the paper).
        weight_normal: Weight of the normals' absolute error (0.5).
        weight_albedo: Weight of the albedo's absolute error (0.5).
        weight_light: Weight of half the light's squared error (0.1).
        weight_real: Factor on all terms of pseudo-labelled real samples (the release has 1).
        lr: Learning rate of Adam.
        weight_decay: On weights, not on biases (5e-4).
        schedule: ``constant``, ``cosine`` or ``multistep``.
        milestones: Optimiser steps at which ``multistep`` divides the learning rate by ten.

    Source: Sengupta, Kanazawa, Castillo, Jacobs, SfSNet, CVPR 2018.
    """

    card_name: ClassVar[str] = "sfsnet"

    def __init__(
        self,
        network: Literal["sfsnet", "skipnet"] = "sfsnet",
        width: int = 64,
        affine: bool = False,
        size: int = 128,
        encoding: Literal["linear", "srgb"] = "linear",
        weight_recon: float = 0.5,
        weight_normal: float = 0.5,
        weight_albedo: float = 0.5,
        weight_light: float = 0.1,
        weight_real: float = 1.0,
        lr: float = 1e-3,
        weight_decay: float = 5e-4,
        schedule: Schedule = "constant",
        milestones: Sequence[int] = (),
    ) -> None:
        weights = {"recon": weight_recon, "normal": weight_normal, "albedo": weight_albedo, "light": weight_light}
        super().__init__(weights, lr, weight_decay, schedule, milestones)
        self.save_hyperparameters()
        self.size, self.encoding, self.weight_real = size, encoding, weight_real
        self.network = SfSNetNetwork(width, affine) if network == "sfsnet" else SkipNet(size, width)
        self.network.to(memory_format=torch.channels_last)  # a quarter less time on a CPU

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Take a face apart.

        Args:
            image: (B,3,H,W) sRGB in [0, 1], a face crop.

        Returns:
            normal (B,3,H,W), albedo (B,3,H,W), light (B,3,9), shading (B,3,H,W), reconstruction (B,3,H,W) as in
            ``zoo.contract``, but that with ``encoding="srgb"`` light gives the shading as displayed; for the losses,
            as the network gives them: encoded_normal (B,3,H,W) in [0, 1], network_albedo, network_recon (B,3,H,W) in
            the space of ``encoding``, unclamped, and fc_light (B,27).
        """
        raw = self.network(image.flip(1))  # the network speaks BGR and zyx
        normal, albedo, fc_light = (value.float() for value in raw)
        with _full_precision(image.device):
            return self.compose(normal.flip(1), albedo.flip(1), fc_light)

    def compose(self, encoded_normal: Tensor, albedo: Tensor, fc_light: Tensor) -> dict[str, Tensor]:
        """From raw normals (xyz), albedo (RGB) and light to all outputs: the closed-form part of the paper."""
        normal = unit_normals(2 * encoded_normal - 1)
        light = sfsnet_to_light(fc_light)
        shading = shade(normal, light)
        recon = shading * albedo
        raw = {"encoded_normal": encoded_normal, "network_albedo": albedo, "network_recon": recon, "fc_light": fc_light}
        if self.encoding == "linear":
            albedo, shading = albedo.clamp_min(0), shading.clamp_min(0)
            reconstruction = linear_to_srgb((albedo * shading).clamp(0, 1))
        else:
            # As displayed, albedo x shading is the picture; in linear light shading is what is left beside the albedo.
            reconstruction = recon.clamp(0, 1)
            albedo = srgb_to_linear(albedo.clamp(0, 1))
            shading = srgb_to_linear(reconstruction) / albedo.clamp_min(1e-3)
        outputs = {"normal": normal, "albedo": albedo, "light": light, "shading": shading}
        return {**outputs, "reconstruction": reconstruction, **raw}

    def losses(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """The layers of the release: sums over pixels and channels, divided by the batch; light by two as well.

        Sums are taken as if the picture had the paper's 128 x 128 pixels, so that the balance with light holds at any
        size.
        """
        mask, image, albedo = batch["mask"], batch["image"], batch["albedo"]
        if self.encoding == "linear":
            image = srgb_to_linear(image)
        else:
            albedo = linear_to_srgb(albedo)
        targets = {
            "recon": (prediction["network_recon"], image),
            "normal": (prediction["encoded_normal"], (batch["normal"] + 1) / 2),
            "albedo": (prediction["network_albedo"], albedo),
        }
        scale = _PAPER_PIXELS / mask[0].numel()
        terms = {k: scale * (mask * (x - y)).abs().sum((1, 2, 3)) for k, (x, y) in targets.items()}
        terms["light"] = (prediction["fc_light"] - light_to_sfsnet(batch["light"])).square().sum(1) / 2
        if "is_real" in batch:
            factor = torch.where(batch["is_real"] > 0.5, self.weight_real, 1.0)
            terms = {name: factor * term for name, term in terms.items()}
        return {name: term.mean() for name, term in terms.items()}

    def metrics(self) -> MetricCollection:
        """The paper's normal errors; errors of albedo, shading and light; quality of the reconstruction."""
        return MetricCollection(
            {
                "normal_mean": Keyed(NormalError("mean"), "normal"),
                "normal_std": Keyed(NormalError("std"), "normal"),
                "normal_within_20": Keyed(NormalsWithin(20), "normal"),
                "normal_within_25": Keyed(NormalsWithin(25), "normal"),
                "normal_within_30": Keyed(NormalsWithin(30), "normal"),
                "albedo_si_mse": Keyed(ScaleInvariantMSE(), "albedo"),
                "shading_si_mse": Keyed(ScaleInvariantMSE(), "shading"),
                "light_shading": Keyed(LightError("shading"), "light", mask=None),
                "light_direction": Keyed(LightError("direction"), "light", mask=None),
                "recon_psnr": Keyed(MaskedPSNR(), "reconstruction", target="image"),
                "recon_ssim": Keyed(MaskedSSIM(), "reconstruction", target="image"),
            },
            compute_groups=False,
        )

    def starting_weights(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Weights of a network half as wide become those of this one, which at first computes the same."""
        return widen(state, self.state_dict())

    def baselines(self, data: LightningDataModule) -> dict[str, Predictor]:
        """Mean normal map, mean albedo and mean light of the training data."""
        return {"mean face": _MeanFace(mean_over_data(data.train_dataloader(), ["normal", "albedo", "light"]))}

    def panels(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """Input and layers, with the truth beside each where the batch has it."""
        keys = ("normal", "albedo", "shading", "reconstruction")
        return {"image": batch["image"], **layers_beside_truth(keys, prediction, batch)}

    def views(self, prediction: Batch) -> dict[str, Tensor]:
        """The face under one lamp from each side; left and right are those of the picture."""
        normal, albedo = prediction["normal"], prediction["albedo"]
        white = normal.new_ones(len(normal), 3)
        pictures = {}
        for title, direction in _RELIGHTS.items():
            towards = F.normalize(normal.new_tensor(direction), dim=0).expand(len(normal), 3)
            light = directional_light(towards, 2.0 * white) + ambient_light(0.2 * white)
            pictures[title] = linear_to_srgb((albedo * shade(normal, light).clamp_min(0)).clamp(0, 1))
        return pictures


def _full_precision(device: torch.device) -> AbstractContextManager[None]:
    """Geometry and light need float32, also where convolutions run in half; exported programs never see the context."""
    if torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


class _MeanFace:
    def __init__(self, means: dict[str, Tensor]) -> None:
        self.means = means

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        image = batch["image"]
        mean = {k: v.to(image).expand(len(image), *v.shape) for k, v in self.means.items()}
        normal = unit_normals(mean["normal"])
        shading = shade(normal, mean["light"]).clamp_min(0)
        reconstruction = linear_to_srgb((mean["albedo"] * shading).clamp(0, 1))
        return {**mean, "normal": normal, "shading": shading, "reconstruction": reconstruction}
