"""Losses that more than one paper can use; each says its formula, its inputs and where it comes from."""

from zoo.losses.lattice import LatticeSmoothness
from zoo.losses.ordinal import judgement_loss, superpixel_loss
from zoo.losses.reconstruction import chromaticity, reconstruction_loss
from zoo.losses.reflectance_smoothness import bilateral_weights, reflectance_smoothness_loss
from zoo.losses.scale_invariant import ScalePer, gradient_matching, log_scale_invariant_loss, scale_invariant_loss
from zoo.losses.shading_labels import shading_label_losses
from zoo.losses.shading_smoothness import dense_smoothness_loss

__all__ = [
    "LatticeSmoothness",
    "ScalePer",
    "bilateral_weights",
    "chromaticity",
    "dense_smoothness_loss",
    "gradient_matching",
    "judgement_loss",
    "log_scale_invariant_loss",
    "reconstruction_loss",
    "reflectance_smoothness_loss",
    "scale_invariant_loss",
    "shading_label_losses",
    "superpixel_loss",
]
