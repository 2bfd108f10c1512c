"""Who is in a picture: the aligned crop that recognition networks see, and frozen networks that embed it."""

from __future__ import annotations

from zoo.faces.recognition.crop import TEMPLATE, recognition_crop, recognition_transform
from zoo.faces.recognition.network import IdentityNetwork
from zoo.faces.recognition.weights import RecognitionNet, load_recognition

__all__ = [
    "TEMPLATE",
    "IdentityNetwork",
    "RecognitionNet",
    "load_recognition",
    "recognition_crop",
    "recognition_transform",
]
