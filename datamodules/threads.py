"""How many things to make at once on the threads that there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["one_thread_each"]


@contextmanager
def one_thread_each() -> Iterator[int]:
    """Say how many batches to render at once: on a CPU as many as it has threads, with one thread each.

    A renderer works through hundreds of small steps. With several threads each step waits for the slowest of them: on
    a busy machine two threads on one batch were seen to be ten times slower than one.
    """
    if torch.cuda.is_available():
        yield 1
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)
