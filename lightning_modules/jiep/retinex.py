"""Illumination and reflectance of a picture's brightest channel, by alternating between two linear systems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from lightning_modules.jiep.filters import box_mean, gradient_x, gradient_y, guided_filter, window_max
from lightning_modules.jiep.loops import repeat_while
from lightning_modules.jiep.solver import solve

__all__ = ["Constants", "Split", "bright_channel", "decompose", "shape_weights", "texture_weights"]

_FLOOR = 1e-6
"""The least value of I and R where something is divided by them; the authors divide by zero there."""

Solve = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Constants:
    """The sheet of the method; the defaults are those of the authors' code.

    Args:
        alpha: Weight of the shape prior on I.
        beta: Weight of the texture prior on R.
        lambda_: Weight of the illumination prior, which ties I to the bright channel.
        epsilon: The least denominator of the weights u and v, and the regulariser of the guided filter.
        window: Radius of the mean gradient in u, pixels.
        bright_window: Radius of the maximum of the bright channel, pixels.
        guided_window: Radius of the guided filter, pixels.
        stop: The picture is done when I or R changes by less than this part of itself.
        max_iterations: At most this many rounds.
        tolerance: Relative residual of the linear systems; see ``solver.solve``.
        max_steps: Of conjugate gradients in each of them.
    """

    alpha: float = 1e-3
    beta: float = 1e-4
    lambda_: float = 0.25
    epsilon: float = 1e-4
    window: int = 1
    bright_window: int = 2
    guided_window: int = 20
    stop: float = 0.01
    max_iterations: int = 20
    tolerance: float = 1e-5
    max_steps: int = 500


@dataclass(frozen=True)
class Split:
    """What ``decompose`` finds.

    Args:
        illumination: I, (B,H,W), positive, may exceed 1.
        reflectance: R, (B,H,W), not negative, may exceed 1.
        bright: B, the bright channel that I was tied to, (B,H,W).
        iterations: Rounds that each picture took, (B,) int64.
        changes: The relative change of I and of R in each picture's last round, (B,2).
    """

    illumination: Tensor
    reflectance: Tensor
    bright: Tensor
    iterations: Tensor
    changes: Tensor


def bright_channel(s: Tensor, guide: Tensor, constants: Constants) -> Tensor:
    """B: the largest value in each window, brought back to the edges of the guide; (B,H,W) each (Eq. 7)."""
    return guided_filter(guide, window_max(s, constants.bright_window), constants.guided_window, constants.epsilon)


def shape_weights(illumination: Tensor, constants: Constants) -> tuple[Tensor, Tensor]:
    """u: small where gradients of one sign gather to structure, large in texture; to the right and down (Eq. 11).

    Args:
        illumination: (B,H,W).
        constants: For window and epsilon.

    Returns:
        (B,H,W) each; 0 in the last column and the last row.
    """
    gradients = gradient_x(illumination), gradient_y(illumination)
    products = [(box_mean(each, constants.window) * each).abs() for each in gradients]
    return _edges(*(each.clamp_min(constants.epsilon).reciprocal() for each in products))


def texture_weights(reflectance: Tensor, constants: Constants) -> tuple[Tensor, Tensor]:
    """v: one over the gradient of the reflectance; arguments and results as in ``shape_weights`` (Eq. 11)."""
    gradients = gradient_x(reflectance), gradient_y(reflectance)
    return _edges(*(each.abs().clamp_min(constants.epsilon).reciprocal() for each in gradients))


def decompose(s: Tensor, guide: Tensor, constants: Constants, solver: Literal["multigrid", "direct"]) -> Split:
    """Split S into I x R.

    In each round the weights come from the quotients S / R and S / I, not from the last solutions; then (Eq. 12, 13)

        (diag(R²) + alpha L_u + lambda) I = R S + lambda B,      (diag(I²) + beta L_v) R = I S.

    A picture is done when I *or* R changes little; it stays as it is while others of its batch go on.

    Args:
        s: (B,H,W), the brightest channel, in [0, 1].
        guide: (B,H,W), the luma, for the bright channel.
        constants: Of the method.
        solver: ``multigrid``; or ``direct``: SciPy's sparse factorisation on the CPU, for reference.

    Returns:
        In the type and on the device of ``s``.
    """
    linear = _linear_solver(solver, constants)
    bright = bright_channel(s, guide, constants)
    alpha, beta, lambda_ = constants.alpha, constants.beta, constants.lambda_

    def unfinished(rounds: Tensor, i: Tensor, r: Tensor, taken: Tensor, changes: Tensor) -> Tensor:
        return (rounds < constants.max_iterations) & _going(changes, constants).any()

    def one_round(rounds: Tensor, i: Tensor, r: Tensor, taken: Tensor, changes: Tensor) -> tuple[Tensor, ...]:
        right, down = shape_weights(s / r.clamp_min(_FLOOR), constants)
        rhs = r * s + lambda_ * bright
        new_i = linear(r * r + lambda_, alpha * right, alpha * down, rhs, i).clamp_min(_FLOOR)
        quotient = s / new_i
        right, down = texture_weights(quotient, constants)
        new_r = linear(new_i * new_i, beta * right, beta * down, new_i * s, r)
        going = _going(changes, constants)
        changed = torch.stack([_change(new_i, i), _change(new_r, r)], -1)
        place = going[:, None, None]
        return (
            rounds + 1,
            torch.where(place, new_i, i),
            torch.where(place, new_r, r),
            taken + going.to(taken.dtype),
            torch.where(going[:, None], changed, changes),
        )

    count = torch.zeros((), dtype=torch.int64, device=s.device)
    taken = torch.zeros_like(s[:, 0, 0], dtype=torch.int64)
    changes = torch.ones_like(s[:, :1, 0]).repeat(1, 2)
    _, i, r, taken, changes = repeat_while(
        unfinished, one_round, (count, s.clone(), torch.ones_like(s), taken, changes)
    )
    return Split(i, r.clamp_min(0), bright, taken, changes)


def _linear_solver(solver: str, constants: Constants) -> Solve:
    if solver == "direct":
        from lightning_modules.jiep.direct import solve_directly

        return solve_directly

    def linear(mass: Tensor, right: Tensor, down: Tensor, b: Tensor, start: Tensor) -> Tensor:
        return solve(mass, right, down, b, start, constants.tolerance, constants.max_steps)

    return linear


def _going(changes: Tensor, constants: Constants) -> Tensor:
    return (changes >= constants.stop).all(-1)


def _change(new: Tensor, old: Tensor) -> Tensor:
    """The size of the difference relative to the size of the old, (B,)."""
    size = old.square().sum((-2, -1)).sqrt().clamp_min(_FLOOR)
    return (new - old).square().sum((-2, -1)).sqrt() / size


def _edges(right: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
    """No edge leads out of the picture."""
    return pad(right[..., :-1], (0, 1)), pad(down[..., :-1, :], (0, 0, 0, 1))
