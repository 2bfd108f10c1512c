"""Metrics of the field as torchmetrics classes; each says its formula, mask and colour space."""

from zoo.metrics.image import MaskedPSNR, MaskedSSIM
from zoo.metrics.intrinsic import ScaleInvariantMSE
from zoo.metrics.keyed import Keyed
from zoo.metrics.light import LightError
from zoo.metrics.normals import NormalError, NormalsWithin, angular_error
from zoo.metrics.saw_ap import SAWAveragePrecision
from zoo.metrics.whdr import WHDR

__all__ = [
    "WHDR",
    "Keyed",
    "LightError",
    "MaskedPSNR",
    "MaskedSSIM",
    "NormalError",
    "NormalsWithin",
    "SAWAveragePrecision",
    "ScaleInvariantMSE",
    "angular_error",
]
