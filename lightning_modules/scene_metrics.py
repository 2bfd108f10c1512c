"""What is measured of every model of scenes, wherever the data tells the truth about it."""

from __future__ import annotations

from collections.abc import Sequence

from torchmetrics import Metric, MetricCollection

from zoo.metrics import DSSIM, WHDR, Keyed, SAWAveragePrecision, ScaleInvariantLMSE, ScaleInvariantMSE

__all__ = ["layer_metrics", "scene_metrics"]


def scene_metrics() -> MetricCollection:
    """Errors of albedo and shading at their best scale, and how well both agree with people.

    Each is NaN where no batch has what it is held against: ``albedo``, ``shading``, ``judgements``, ``shading_labels``.
    """
    return MetricCollection({**layer_metrics(), **_judged_albedo(), **_labelled_shading()}, compute_groups=False)


def layer_metrics(layers: Sequence[str] = ("albedo", "shading"), *, optional: bool = True) -> dict[str, Metric]:
    """Errors of layers at their best scale, by names such as ``albedo_si_mse``.

    Args:
        layers: Keys of the contract.
        optional: Pass over batches without the truth.
    """
    kinds = {"si_mse": ScaleInvariantMSE, "si_lmse": ScaleInvariantLMSE, "dssim": DSSIM}
    return {f"{key}_{name}": Keyed(kinds[name](), key, optional=optional) for name in kinds for key in layers}


def _judged_albedo() -> dict[str, Metric]:
    """WHDR of batches with ``judgements``, at the photo's own size where ``original_size`` tells it."""
    judged = [WHDR(0.10), WHDR(0.20), WHDR(0.10, "srgb")]
    return {
        each.name: Keyed(each, "albedo", target="judgements", mask="original_size", optional=True) for each in judged
    }


def _labelled_shading() -> dict[str, Metric]:
    """SAW's average precision, plain and that of the challenge, of batches with ``shading_labels``.

    Labels at a photo's own size (``native_shading_labels``) come before those at the network's, as published figures
    have it.
    """
    labels, picture = ("native_shading_labels", "shading_labels"), ("native_image", "image")
    return {
        "saw_ap": Keyed(SAWAveragePrecision(), "shading", target=labels, mask=None, optional=True),
        "saw_ap_challenge": Keyed(
            SAWAveragePrecision(challenge=True), "shading", target=labels, mask=picture, optional=True
        ),
    }
