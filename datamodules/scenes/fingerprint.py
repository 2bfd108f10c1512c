"""What generated scenes depend on beside their settings: the code that draws them, and the code that annotates them."""

from __future__ import annotations

from datamodules.fingerprint import source_fingerprint

__all__ = ["annotation_fingerprint", "render_fingerprint"]

_FOLDER = "datamodules/scenes"
_ANNOTATIONS = tuple(f"{_FOLDER}/{name}.py" for name in ("annotations", "judgements", "shading_labels", "superpixels"))
_AROUND = tuple(f"{_FOLDER}/{name}.py" for name in ("__init__", "fingerprint", "module", "photo"))
"""Files of the folder that change nothing of what lies on disk."""


def render_fingerprint() -> str:
    """A hash of the source that decides what a scene looks like."""
    sources = (_FOLDER, "datamodules/sampling", "zoo/scene_classes.py", "zoo/imaging/colour.py")
    return source_fingerprint(*sources, without=_ANNOTATIONS + _AROUND)


def annotation_fingerprint() -> str:
    """A hash of the source that derives annotations from the truth, apart from that of the scenes themselves."""
    return source_fingerprint(*_ANNOTATIONS, "datamodules/sampling/draws.py", "zoo/render/normals.py")
