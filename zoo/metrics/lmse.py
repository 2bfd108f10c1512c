"""Errors of albedo and shading window by window, each with a scale of its own."""

from __future__ import annotations

import math
from itertools import product
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.metrics.per_picture import PerPicture

__all__ = ["LMSE", "ScaleInvariantLMSE"]


class LMSE(PerPicture):
    """Local mean squared error of one layer, in linear light: the measure of MIT Intrinsic Images.

    In each window w the prediction x is scaled by alpha = sum(m x y) / sum(m x^2) (y true, m the mask), and the error
    of a picture is sum over w of sum(m (alpha x - y)^2) / sum over w of sum(m y^2): 0 is perfect, and black scores 1.
    A picture's published score is the mean of that of its shading and that of its reflectance.

    Args:
        window: Height and width of the windows in pixels, 20 in the literature.
        variant: ``grosse``: both layers grey (the mean over channels), windows at steps of half their size, full ones
            alone, alpha = 0 where sum(m x^2) <= 1e-5, and the plain mean over pictures. ``barron``: each channel by
            itself, then their mean; the windows of four tilings, shifted by 0 and half a window less one pixel, filled
            up with zeros at the border, all in one ratio; and the geometric mean over pictures.

    Shapes:
        preds, target (B,C,H,W), either with one channel that stands for all; mask (B,1,H,W), pixels above 0.5 count.

    Source: Grosse et al., Ground truth dataset and baseline evaluations for intrinsic image algorithms, ICCV 2009;
    Barron and Malik, SIRFS, PAMI 2015.

    Example:
        >>> metric = LMSE(window=2)
        >>> truth = torch.tensor([[1.0, 1.0], [1.0, 3.0]]).reshape(1, 1, 2, 2)
        >>> metric.update(torch.ones(1, 1, 2, 2), truth)  # alpha 1.5: the rest is 3 x 0.25 + 2.25, of 12
        >>> metric.compute().item()
        0.25
    """

    higher_is_better = False

    def __init__(self, window: int = 20, variant: Literal["grosse", "barron"] = "grosse", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if window < 2:
            raise ValueError(f"a window must have at least 2 pixels, not {window}")
        if variant not in ("grosse", "barron"):
            raise ValueError(f"variant must be 'grosse' or 'barron', not {variant!r}")
        self.window, self.variant = window, variant

    def values(self, preds: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """The error of each picture; with ``barron`` its logarithm."""
        x, y, m = preds.double(), target.double(), valid[:, :1].double()
        if self.variant == "barron":
            return self._tilings(x * m, y * m).mean(1).log()
        if min(x.shape[-2:]) < self.window:
            raise ValueError(f"pictures of {x.shape[-2]} x {x.shape[-1]} hold no window of {self.window} pixels")
        step = self.window // 2
        x, y = (_windows(m * v.mean(1, keepdim=True), self.window, step) for v in (x, y))
        error, energy = _window_errors(x, y, floor=1e-5)
        return error.sum((1, 2, 3)) / energy.sum((1, 2, 3)).clamp_min(1e-12)

    def _tilings(self, x: Tensor, y: Tensor) -> Tensor:
        """Barron's ratio (B,C), of layers that are zero outside the mask."""
        k = self.window
        error, energy = x.new_zeros(x.shape[:2]), x.new_zeros(x.shape[:2])
        for top, left in product((0, k // 2 - 1), repeat=2):
            whole = (0, -(x.shape[-1] - left) % k, 0, -(x.shape[-2] - top) % k)
            found, true = (_windows(F.pad(layer[..., top:, left:], whole), k, k) for layer in (x, y))
            errors, energies = _window_errors(found, true)
            error, energy = error + errors.sum((2, 3)), energy + energies.sum((2, 3))
        return error / energy.clamp_min(1e-12)

    def compute(self) -> Tensor:
        """The mean over pictures; with ``barron`` the geometric one."""
        mean = super().compute()
        return mean.exp() if self.variant == "barron" else mean


class ScaleInvariantLMSE(PerPicture):
    """Mean over windows of the squared error after the best scale of each window, in linear light.

    In each window alpha = sum(m x y) / sum(m x^2) over pixels and channels (x predicted, y true, m the mask), and the
    error is the mean of (alpha x - y)^2 over valid pixels and channels. It is not divided by the truth's energy, unlike
    LMSE. Windows have K = 10 % of the longer side, steps of K / 2 (both rounded), and may hang over the lower and right
    border by up to half of them; those without a valid pixel are left out, then the mean over pictures is taken.

    Args:
        clip: Upper limit of alpha x, 1.0 in the evaluation of MPI Sintel, whose layers lie in [0, 1]; by default none,
            because shading may be brighter.

    Shapes:
        preds, target (B,C,H,W), either with one channel that stands for all; mask (B,1,H,W), pixels above 0.5 count.

    Source: the si-LMSE of MPI Sintel's intrinsic version (Chen and Koltun, ICCV 2013; Narihira et al., ICCV 2015).

    Example:
        >>> metric = ScaleInvariantLMSE()
        >>> truth = torch.arange(1.0, 401.0).reshape(1, 1, 20, 20)  # windows of 2 x 2 pixels
        >>> metric.update(5 * truth, truth)
        >>> round(metric.compute().item(), 6)
        0.0
    """

    higher_is_better = False

    def __init__(self, clip: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.clip = math.inf if clip is None else clip

    def values(self, preds: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """The error of each picture."""
        window = max(1, _rounded(0.1 * max(preds.shape[-2:])))
        step = max(1, _rounded(window / 2))
        counts = [max(1, len(range(0, size - step, step))) for size in preds.shape[-2:]]
        x, y, m = (
            _windows(F.pad(v.double(), (0, window, 0, window)), window, step)[:, :, : counts[0], : counts[1]]
            .movedim(1, -2)
            .flatten(-2)  # colours share the scale
            for v in (preds, target, valid)
        )
        scaled = (_scale(m * x, y) * x).clamp_max(self.clip)
        inside = m.sum(-1)
        error = (m * (scaled - y).square()).sum(-1) / inside.clamp_min(1)
        return error.sum((1, 2)) / (inside > 0).sum((1, 2)).clamp_min(1)


def _windows(layer: Tensor, size: int, step: int) -> Tensor:
    """Full windows of a layer (B,C,H,W) as (B,C,rows,columns,pixels)."""
    return layer.unfold(2, size, step).unfold(3, size, step).flatten(-2)


def _window_errors(x: Tensor, y: Tensor, floor: float = 0.0) -> tuple[Tensor, Tensor]:
    """Squared error at the best scale, and energy of the truth, of windows (..., pixels)."""
    return (_scale(x, y, floor) * x - y).square().sum(-1), y.square().sum(-1)


def _scale(x: Tensor, y: Tensor, floor: float = 0.0) -> Tensor:
    """sum(x y) / sum(x x) over the last dimension, 0 where the latter is not above the floor."""
    energy = x.square().sum(-1, keepdim=True)
    return torch.where(energy > floor, (x * y).sum(-1, keepdim=True) / energy.clamp_min(1e-300), 0.0)


def _rounded(value: float) -> int:
    """To the nearest whole number, halves up, as MATLAB has it."""
    return math.floor(value + 0.5)
