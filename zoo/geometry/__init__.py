"""Points, meshes and how to lay one over the other."""

from zoo.geometry.similarity import Similarity, fit_similarity

__all__ = ["Similarity", "fit_similarity"]
