"""How often a predicted albedo contradicts what people say about pairs of points."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric

from zoo.imaging.colour import linear_to_srgb
from zoo.imaging.judgements import values_at_points

__all__ = ["WHDR"]

Space = Literal["linear", "srgb", "gamma"]

_DARKEST = 1e-10


class WHDR(Metric):
    """Weighted human disagreement rate: the share of judgements, by weight, that a predicted albedo contradicts.

    Of each point the lightness is l = max(1e-10, mean over channels of the encoded albedo at [int(y H), int(x W)]),
    without interpolation. The prediction says that point 1 is darker if l2 / l1 > 1 + delta, that point 2 is if
    l1 / l2 > 1 + delta, and otherwise that both are equal. Of one picture WHDR = sum(w [disagree]) / sum(w), and the
    metric is the plain mean over pictures; those without any weight are left out. It lies in [0, 1]; the literature
    prints per cent.

    The same delta means more in linear light than on encoded values: 10 % in linear light are 4 % after gamma 2.2. The
    space is therefore part of ``name``, and figures of different spaces cannot be compared.

    Args:
        delta: How much lighter a point must be to count as lighter.
        space: In which values the albedo is compared: ``linear`` light, the definition of IIW; or, as CGIntrinsics and
            many others do, encoded before the mean over channels, by the ``srgb`` curve or by ``gamma`` 1/2.2.
        only: Count judgements of ``equal`` (WHDR=) or of ``unequal`` albedo (WHDR!=) alone.

    Shapes:
        preds (B,C,H,W), linear albedo. judgements (B,P,6): x1, y1, x2, y2 as fractions of width and height, which
        point is darker (0 neither, 1 or 2), weight; those without weight, or of points that are not opaque, have weight
        0. original_size (B,2), optional: height and width to which each encoded albedo is first resized bilinearly,
        which is the protocol where a network answers in a size of its own.

    Source: Bell, Bala, Snavely, Intrinsic Images in the Wild, SIGGRAPH 2014; encoded: Li and Snavely, ECCV 2018.

    Example:
        >>> metric = WHDR()
        >>> albedo = torch.tensor([0.2, 0.4]).reshape(1, 1, 1, 2)
        >>> left_is_darker, they_are_equal = [0.1, 0.5, 0.9, 0.5, 1, 3.0], [0.1, 0.5, 0.9, 0.5, 0, 1.0]
        >>> metric.update(albedo, torch.tensor([[left_is_darker, they_are_equal]]))
        >>> metric.compute().item(), metric.name
        (0.25, 'whdr_linear_10')
    """

    full_state_update = False
    higher_is_better = False
    total: Tensor
    samples: Tensor

    def __init__(
        self,
        delta: float = 0.10,
        space: Space = "linear",
        only: Literal["equal", "unequal"] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if space not in ("linear", "srgb", "gamma"):
            raise ValueError(f"space must be 'linear', 'srgb' or 'gamma', not {space!r}")
        if only not in (None, "equal", "unequal"):
            raise ValueError(f"only must be 'equal', 'unequal' or None, not {only!r}")
        self.delta, self.space, self.only = delta, space, only
        for name in ("total", "samples"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    @property
    def name(self) -> str:
        """What it is called in a collection: all that decides the figure, such as ``whdr_srgb_10``."""
        kind = f"_{self.only}" if self.only else ""
        return f"whdr{kind}_{self.space}_{100 * self.delta:g}"

    def update(self, preds: Tensor, judgements: Tensor, original_size: Tensor | None = None) -> None:
        """Take in one batch."""
        encoded = _encode(preds.clamp_min(0), self.space)
        for i in range(len(encoded)):
            picture = encoded[i]
            if original_size is not None:
                size = [int(value) for value in original_size[i]]
                picture = F.interpolate(picture[None], size, mode="bilinear", align_corners=False)[0]
            self._take_in(picture.mean(0).double(), judgements[i].double())

    def _take_in(self, lightness: Tensor, judgements: Tensor) -> None:
        darker, weight = judgements[:, 4], judgements[:, 5].clamp_min(0)
        if self.only:
            weight = weight * ((darker == 0) == (self.only == "equal"))
        points = judgements[:, :4].reshape(1, -1, 2)
        one, two = values_at_points(lightness[None], points).clamp_min(_DARKEST).view(-1, 2).unbind(1)
        said = torch.where(two / one > 1 + self.delta, 1, torch.where(one / two > 1 + self.delta, 2, 0))
        everything = weight.sum()
        if everything > 0:
            known = ((one + two).isfinite() | (weight == 0)).all()
            self.total += torch.where(known, (weight * (said != darker)).sum() / everything, torch.nan)
            self.samples += 1

    def compute(self) -> Tensor:
        """The mean over pictures; NaN where no picture had a judgement, or a judged point's albedo is not finite."""
        return (self.total / self.samples).float()


def _encode(albedo: Tensor, space: Space) -> Tensor:
    if space == "linear":
        return albedo
    return linear_to_srgb(albedo) if space == "srgb" else albedo ** (1 / 2.2)
