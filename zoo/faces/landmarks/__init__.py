"""68 landmarks from a rough face box, by a network that has only seen rendered faces."""

from __future__ import annotations

from zoo.faces.landmarks.drawing import draw_landmarks
from zoo.faces.landmarks.find import find_landmarks, find_landmarks_of_all
from zoo.faces.landmarks.network import LandmarkNetwork
from zoo.faces.landmarks.weights import load_network, shipped_network

__all__ = [
    "LandmarkNetwork",
    "draw_landmarks",
    "find_landmarks",
    "find_landmarks_of_all",
    "load_network",
    "shipped_network",
]
