"""A narrow network's weights as those of a wider one that computes the same: a head start for the paper's width."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["widen"]

_IMBALANCE = 0.25
"""A channel's two copies take shares of 0.5 +- this of its outgoing weights; equal ones would stay equal for ever."""


def widen(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Double the channels of a network, where ``wanted`` has twice as many, so that its output stays the same.

    Each channel is copied beside itself, and whatever read it reads both copies in random shares that sum to one.

    Args:
        state: Tensors of the narrow network.
        wanted: Tensors of the wide one, for their shapes. Those that are not twice as wide are left alone.

    Returns:
        The narrow network's tensors in the wide one's shapes.

    Source: Chen, Goodfellow, Shlens, Net2Net, ICLR 2016.
    """
    generator = torch.Generator().manual_seed(0)
    return {name: _widened(value, wanted.get(name, value), generator) for name, value in state.items()}


def _widened(value: Tensor, wanted: Tensor, generator: torch.Generator) -> Tensor:
    if value.ndim != wanted.ndim:
        return value
    if value.ndim > 1 and wanted.shape[1] == 2 * value.shape[1]:
        tilt = _IMBALANCE * (2 * torch.rand(value.shape, generator=generator) - 1).to(value)
        value = torch.stack((value * (0.5 + tilt), value * (0.5 - tilt)), 2).flatten(1, 2)
    if value.ndim and wanted.shape[0] == 2 * value.shape[0]:
        value = value.repeat_interleave(2, 0)
    return value
