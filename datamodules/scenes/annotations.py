"""What people would say about a scene, derived from its truth: by key, with what each derivation needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from datamodules.sampling.draws import Draws
from datamodules.scenes.judgements import Judges, judge
from datamodules.scenes.shading_labels import label_shading
from datamodules.scenes.superpixels import split_into_superpixels

__all__ = ["ANNOTATIONS", "annotate", "truth_for"]

ANNOTATIONS: dict[str, tuple[str, ...]] = {
    "superpixels": ("instances", "mask"),
    "judgements": ("albedo", "mask"),
    "shading_labels": ("shading", "depth", "normal", "mask", "shadow_edges"),
}
"""The keys of the truth that each annotation is made from."""


def truth_for(keys: Sequence[str]) -> list[str]:
    """The keys of the truth that the annotations among these keys are made from."""
    return sorted({name for key in keys for name in ANNOTATIONS.get(key, ())})


def annotate(keys: Sequence[str], truth: Mapping[str, Tensor], draws: Draws, judges: Judges) -> dict[str, Tensor]:
    """Annotations for a batch of scenes, on the CPU.

    Args:
        keys: Those of them that are in ``ANNOTATIONS`` are made.
        truth: At least ``truth_for(keys)``.
        draws: The samples.
        judges: Who gives judgements.
    """
    truth = {name: truth[name].cpu() for name in truth_for(keys)}
    made = {}
    if "superpixels" in keys:
        made["superpixels"] = split_into_superpixels(truth["instances"], truth["mask"], draws)
    if "judgements" in keys:
        made["judgements"] = judge(truth["albedo"], truth["mask"], draws, judges)
    if "shading_labels" in keys:
        shading, depth, normal, mask, edges = (truth[name] for name in ANNOTATIONS["shading_labels"])
        made["shading_labels"] = label_shading(shading, depth, normal, mask, edges, draws)
    return made
