"""Points and meshes: laying one over the other, and the distances that are left."""

from zoo.geometry.registration import register_to_scan
from zoo.geometry.similarity import Similarity, fit_similarity
from zoo.geometry.surface import Nearest, Surface

__all__ = ["Nearest", "Similarity", "Surface", "fit_similarity", "register_to_scan"]
