"""Metrics of the field as torchmetrics classes; each says its formula, mask and colour space."""

from zoo.metrics.dssim import DSSIM
from zoo.metrics.image import MaskedPSNR, MaskedSSIM
from zoo.metrics.intrinsic import ScaleInvariantMSE
from zoo.metrics.keyed import Keyed
from zoo.metrics.light import LightError
from zoo.metrics.lmse import LMSE, ScaleInvariantLMSE
from zoo.metrics.normals import NormalError, NormalsWithin, angular_error
from zoo.metrics.saw_ap import SAWAveragePrecision
from zoo.metrics.segmentation import ClassAccuracy, MeanIoU, PixelAccuracy
from zoo.metrics.whdr import WHDR

__all__ = [
    "DSSIM",
    "LMSE",
    "WHDR",
    "ClassAccuracy",
    "Keyed",
    "LightError",
    "MaskedPSNR",
    "MaskedSSIM",
    "MeanIoU",
    "NormalError",
    "NormalsWithin",
    "PixelAccuracy",
    "SAWAveragePrecision",
    "ScaleInvariantLMSE",
    "ScaleInvariantMSE",
    "angular_error",
]
