"""JieP as a LightningModule: Retinex by optimisation, with nothing to train."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torchmetrics import MetricCollection

from lightning_modules.base import Batch, Predictor, ZooModule
from lightning_modules.jiep.energy import energy_terms
from lightning_modules.jiep.retinex import Constants, Split, decompose
from lightning_modules.panels import layers_beside_truth
from lightning_modules.scene_baselines import scene_baselines
from lightning_modules.scene_metrics import scene_metrics
from zoo.cards import load_card
from zoo.errors import UserError
from zoo.imaging import display, linear_to_srgb, srgb_to_linear

__all__ = ["JieP"]

_LUMA = (0.2989, 0.5870, 0.1140)


class JieP(ZooModule):
    """Illumination and reflectance of one picture, found by optimisation with a joint intrinsic-extrinsic prior.

    It has no parameters: every picture is a small optimisation of its own. The losses are the terms of its energy.

    Args:
        alpha: Weight of the shape prior, on the illumination.
        beta: Weight of the texture prior, on the reflectance.
        lambda_: Weight of the illumination prior, which ties the illumination to the bright channel.
        epsilon: The least denominator of the priors' weights, and the regulariser of the guided filter.
        window: Radius of the mean gradient in the shape prior, pixels.
        bright_window: Radius of the maximum of the bright channel, pixels.
        guided_window: Radius of the guided filter of the bright channel, pixels.
        stop: A picture is done when illumination *or* reflectance changes by less than this part of itself.
        max_iterations: At most this many rounds.
        gamma: ``enhanced`` has the illumination to the power 1 / gamma.
        linearize: Split the brightest channel of linear light; by default that of the sRGB-encoded values, as the
            authors do. ``illumination`` and ``reflectance`` are those of that channel.
        solver: ``multigrid``, on any device; or ``direct``: SciPy's factorisation on the CPU, for reference.
        tolerance: Relative residual of the linear systems.

    Source: Cai, Xu, Guo, Jia, Hu, Tao, A Joint Intrinsic-Extrinsic Prior Model for Retinex, ICCV 2017.
    """

    card_name: ClassVar[str] = "jiep"

    def __init__(
        self,
        alpha: float = 1e-3,
        beta: float = 1e-4,
        lambda_: float = 0.25,
        epsilon: float = 1e-4,
        window: int = 1,
        bright_window: int = 2,
        guided_window: int = 20,
        stop: float = 0.01,
        max_iterations: int = 20,
        gamma: float = 2.2,
        linearize: bool = False,
        solver: Literal["multigrid", "direct"] = "multigrid",
        tolerance: float = 1e-5,
    ) -> None:
        super().__init__({"fidelity": 1.0, "shape": alpha, "texture": beta, "illumination": lambda_})
        self.save_hyperparameters()
        self.constants = Constants(
            alpha, beta, lambda_, epsilon, window, bright_window, guided_window, stop, max_iterations, tolerance
        )
        self.gamma, self.linearize, self.solver = gamma, linearize, solver

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Take a picture apart.

        Args:
            image: (B,3,H,W) sRGB in [0, 1], or (B,1,H,W) for grey pictures.

        Returns:
            illumination I and reflectance R (B,1,H,W), whose product is nearly the brightest channel; enhanced
            (B,3,H,W), with R I^(1/gamma) in its place; shading (B,1,H,W), I as linear light, where the sRGB curve goes
            on above 1; albedo (B,3,H,W) = linear(image) / shading, so that their product is the picture exactly. For
            panels and losses: image (B,3,H,W) and bright (B,1,H,W), the bright channel.

        Raises:
            UserError: The picture holds NaN or infinity, or is smaller than the window of the mean gradient.
        """
        image = image.expand(-1, 3, -1, -1)
        if not torch.compiler.is_exporting():  # a file cannot refuse
            self._check(image)
        values = self._values(image)
        split = self.decompose(image)
        illumination, reflectance = split.illumination[:, None], split.reflectance[:, None]
        enhanced = with_brightness(values, reflectance * illumination ** (1 / self.gamma))
        shading = illumination if self.linearize else srgb_to_linear(illumination)
        outputs = {
            "illumination": illumination,
            "reflectance": reflectance,
            "enhanced": linear_to_srgb(enhanced) if self.linearize else enhanced,
            "shading": shading,
            "albedo": srgb_to_linear(image.double()) / shading,
            "bright": split.bright[:, None],
        }
        return {"image": image, **{key: value.to(image.dtype) for key, value in outputs.items()}}

    def decompose(self, image: Tensor) -> Split:
        """The optimisation alone: I, R, the bright channel, iterations and last changes, in float64.

        Args:
            image: (B,3,H,W) sRGB in [0, 1].
        """
        values = self._values(image)
        luma = (values * values.new_tensor(_LUMA)[:, None, None]).sum(1)
        return decompose(values.amax(1), luma, self.constants, self.solver)

    def _values(self, image: Tensor) -> Tensor:
        """What is split: in float64, because float32 is too coarse for dark pixels."""
        return (srgb_to_linear(image) if self.linearize else image).double()

    def _check(self, image: Tensor) -> None:
        if not bool(image.isfinite().all()):
            raise UserError("the picture holds values that are not finite (NaN or infinity).")
        if min(image.shape[-2:]) < self.constants.window:
            height, width = image.shape[-2:]
            raise UserError(f"the picture of {width} x {height} pixels is smaller than window={self.constants.window}.")

    def losses(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """The terms of the joint energy, as means over pixels: what the optimisation has brought down."""
        image = srgb_to_linear(prediction["image"]) if self.linearize else prediction["image"]
        i, r, bright = (prediction[key][:, 0] for key in ("illumination", "reflectance", "bright"))
        return energy_terms(image.amax(1), i, r, bright, self.constants)

    def metrics(self) -> MetricCollection:
        """Errors of the layers up to a scale, and how well they agree with people, of what the data tells."""
        return scene_metrics()

    def baselines(self, data: LightningDataModule) -> dict[str, Predictor]:
        """All is light, or all is paint."""
        return scene_baselines(data)

    def configure_optimizers(self) -> Any:
        """Refuse.

        Raises:
            UserError: Always: there is nothing to optimise over pictures.
        """
        load_card(self.card_name).require_trainable()

    def panels(self, prediction: Batch, batch: Batch) -> dict[str, Tensor]:
        """Input and layers, with the truth beside each where the batch has it."""
        layers = layers_beside_truth(("albedo", "shading"), prediction, batch)
        enhanced = display("enhanced", prediction["enhanced"])  # a picture of everything, whatever the mask
        return {"image": batch["image"], **self.views(prediction), **layers, "enhanced": enhanced}

    def views(self, prediction: Batch) -> dict[str, Tensor]:
        """Illumination and reflectance in the picture's colours: each in place of its brightest channel, cut at 1."""
        image = prediction["image"]
        values = srgb_to_linear(image) if self.linearize else image
        pictures = {
            f"{key} in colour": with_brightness(values, prediction[key]) for key in ("illumination", "reflectance")
        }
        return {title: linear_to_srgb(each) if self.linearize else each for title, each in pictures.items()}


def with_brightness(image: Tensor, value: Tensor) -> Tensor:
    """Put other values in the place of V in HSV; hue and saturation stay.

    All channels of a pixel have one factor, which is what HSV and back comes to. Black has no hue and becomes grey.

    Args:
        image: (B,3,H,W), not negative.
        value: (B,1,H,W), the new maximum of the channels.

    Returns:
        (B,3,H,W), cut off at 1 channel by channel.
    """
    brightest = image.amax(1, keepdim=True)
    colour = torch.where(brightest > 0, image / brightest.clamp_min(torch.finfo(image.dtype).tiny), 1.0)
    return (colour * value).clamp(0, 1)
