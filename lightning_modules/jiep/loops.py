"""A loop that ends when its data says so, which PyTorch runs and exporters can write down."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["repeat_while"]

State = tuple[Tensor, ...]


def repeat_while(condition: Callable[..., Tensor], step: Callable[..., State], state: State) -> State:
    """Apply a step as long as a condition holds.

    Args:
        condition: From the state to one truth value, as a tensor without dimensions.
        step: From the state to the next one: new tensors of the same shapes and types, nothing changed in place.
        state: Where it begins.

    Returns:
        The state for which the condition no longer holds.
    """
    if torch.compiler.is_exporting():
        # The Python loop below would be unrolled, and its `if` on data refused; this one becomes a loop in the file.
        from torch._higher_order_ops.while_loop import while_loop

        result: State = while_loop(condition, step, state)
        return result
    while bool(condition(*state)):
        state = step(*state)
    return state
