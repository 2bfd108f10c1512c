"""Clocks that wait for the GPU, and functions under a watch."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from typing import Any

import torch

__all__ = ["wall_seconds", "watched"]


def wall_seconds(work: Callable[[], Any]) -> float:
    """How long something takes on the wall."""
    _wait()
    started = time.perf_counter()
    work()
    _wait()
    return time.perf_counter() - started


def watched(spent: MutableMapping[str, float], step: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which adds the seconds of each call to those of its step; the watch itself costs a little."""

    def call(*positional: Any, **named: Any) -> Any:
        result: list[Any] = []
        spent[step] += wall_seconds(lambda: result.append(function(*positional, **named)))
        return result[0]

    return call


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
