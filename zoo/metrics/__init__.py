"""Metrics of the field as torchmetrics classes; each says its formula, mask and colour space."""

from zoo.metrics.dssim import DSSIM
from zoo.metrics.identity_cosine import IdentityCosine
from zoo.metrics.image import MaskedPSNR, MaskedSSIM
from zoo.metrics.intrinsic import ScaleInvariantMSE
from zoo.metrics.keyed import Keyed
from zoo.metrics.landmark_nme import LandmarkNME
from zoo.metrics.light import LightError
from zoo.metrics.lmse import LMSE, ScaleInvariantLMSE
from zoo.metrics.normals import NormalError, NormalsWithin, angular_error
from zoo.metrics.now_error import NowError, fit_now
from zoo.metrics.photometric_error import PhotometricError
from zoo.metrics.saw_ap import SAWAveragePrecision
from zoo.metrics.scan_error import ScanError, face_of_scan, fit_micc
from zoo.metrics.scan_fit import NOW_LANDMARKS, ScanFit
from zoo.metrics.segmentation import ClassAccuracy, MeanIoU, PixelAccuracy
from zoo.metrics.vertex_error import VertexError
from zoo.metrics.whdr import WHDR

__all__ = [
    "DSSIM",
    "LMSE",
    "NOW_LANDMARKS",
    "WHDR",
    "ClassAccuracy",
    "IdentityCosine",
    "Keyed",
    "LandmarkNME",
    "LightError",
    "MaskedPSNR",
    "MaskedSSIM",
    "MeanIoU",
    "NormalError",
    "NormalsWithin",
    "NowError",
    "PhotometricError",
    "PixelAccuracy",
    "SAWAveragePrecision",
    "ScaleInvariantLMSE",
    "ScaleInvariantMSE",
    "ScanError",
    "ScanFit",
    "VertexError",
    "angular_error",
    "face_of_scan",
    "fit_micc",
    "fit_now",
]
