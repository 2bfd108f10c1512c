"""How far a predicted spherical-harmonic light is from the true one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from zoo.render.sh import shade

_ACROSS = 24


class LightError(Metric):
    """The error of a light, a mean over pictures.

    ``shading`` lights a white ball by both and compares what a viewer sees of it: the root mean square of the
    difference over that of the truth, in per cent. ``direction`` is the angle, in degrees, between the directions that
    both lights mainly come from: their three coefficients of degree 1, averaged over colours.

    Args:
        what: ``"shading"`` or ``"direction"``.

    Shapes:
        preds, target (B,3,9) as in ``zoo.contract``.

    Example:
        >>> light = torch.zeros(1, 3, 9)
        >>> light[..., 0] = 1
        >>> metric = LightError("shading")
        >>> metric.update(1.5 * light, light)
        >>> round(metric.compute().item(), 3)
        50.0
    """

    full_state_update = False
    higher_is_better = False
    total: Tensor
    samples: Tensor

    def __init__(self, what: Literal["shading", "direction"] = "shading", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if what not in ("shading", "direction"):
            raise ValueError(f"what must be 'shading' or 'direction', not {what!r}")
        self.what = what
        for name in ("total", "samples"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in one batch."""
        if self.what == "direction":
            one, other = (light[..., [3, 1, 2]].double().mean(1) for light in (preds, target))
            sine = torch.linalg.cross(one, other).norm(dim=-1)
            values = torch.rad2deg(torch.atan2(sine, (one * other).sum(-1)))
        else:
            ball = _ball().to(target)
            seen, true = (shade(ball.expand(len(light), -1, -1, -1), light).double() for light in (preds, target))
            difference, size = ((x * x).mean((1, 2, 3)).sqrt() for x in (seen - true, true))
            values = 100 * difference / size.clamp_min(1e-9)
        self.total += values.sum()
        self.samples += len(values)

    def compute(self) -> Tensor:
        """The mean over pictures; NaN where there were none."""
        return (self.total / self.samples).float()


@lru_cache(maxsize=1)
def _ball() -> Tensor:
    """Normals of a ball as its viewer sees them: (1,3,N,1)."""
    line = (torch.arange(_ACROSS) + 0.5) * (2 / _ACROSS) - 1
    x, y = torch.meshgrid(line, line, indexing="xy")
    inside = x * x + y * y < 1
    x, y = x[inside], y[inside]
    return torch.stack((x, y, (1 - x * x - y * y).sqrt()))[None, :, :, None]
