"""The linear systems against SciPy's factorisation, where weights differ by four orders of magnitude."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from lightning_modules.jiep.direct import solve_directly
from lightning_modules.jiep.grid import Grid, grids, prolong, restrict, v_cycle
from lightning_modules.jiep.solver import solve


def system(batch: int = 2, height: int = 37, width: int = 50, *, mass: float = 0.01) -> tuple[Tensor, ...]:
    """A system with weights from 1e-4 to 1, patches of small mass, and a right-hand side."""
    random = torch.Generator().manual_seed(0)
    shape = (batch, height, width)

    def uniform() -> Tensor:
        return torch.rand(shape, generator=random, dtype=torch.float64)

    right, down = 10 ** (-4 * uniform()), 10 ** (-4 * uniform())
    right[..., -1] = 0
    down[..., -1, :] = 0
    return torch.where(uniform() < 0.3, mass * uniform() + 1e-6, uniform() + 0.05), right, down, uniform()


@pytest.mark.parametrize("size", [(1, 1), (1, 20), (3, 3), (16, 16), (37, 50)])
@pytest.mark.parametrize("mass", [0.01, 1e-6])
def test_equals_the_direct_solution(size: tuple[int, int], mass: float) -> None:
    mass_, right, down, b = system(2, *size, mass=mass)
    exact = solve_directly(mass_, right, down, b, b)
    found = solve(mass_, right, down, b, torch.zeros_like(b), tolerance=1e-10)
    assert_close(found, exact, atol=1e-6, rtol=1e-6)


def test_the_direct_solution_solves() -> None:
    mass, right, down, b = system()
    assert_close(Grid.of(mass, right, down)(solve_directly(mass, right, down, b, b)), b, atol=1e-10, rtol=0)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-5, 1e-8])
def test_the_tolerance_bounds_residual_and_error(tolerance: float) -> None:
    mass, right, down, b = system()
    found = solve(mass, right, down, b, torch.zeros_like(b), tolerance=tolerance)
    residual = b - Grid.of(mass, right, down)(found)
    allowed = tolerance * (b.square() / mass).sum((1, 2)).sqrt()
    # The recursive residual of conjugate gradients drifts from the true one by rounding alone.
    assert ((residual.square() / mass).sum((1, 2)).sqrt() <= 1.01 * allowed).all()
    error = found - solve_directly(mass, right, down, b, b)
    assert ((mass * error.square()).sum((1, 2)).sqrt() <= 1.01 * allowed).all()


def test_the_plain_relative_residual_is_small_too() -> None:
    mass, right, down, b = system()
    residual = b - Grid.of(mass, right, down)(solve(mass, right, down, b, torch.zeros_like(b)))
    assert (residual.norm(dim=(1, 2)) / b.norm(dim=(1, 2))).max() < 1e-5


def test_pictures_of_a_batch_do_not_meet() -> None:
    easy, hard = system(1, 32, 32), system(1, 32, 32, mass=1e-6)
    together = solve(*(torch.cat(pair) for pair in zip(easy, hard, strict=True)), torch.zeros(2, 32, 32).double())
    for alone, found in zip((easy, hard), together, strict=True):
        assert_close(found, solve(*alone, torch.zeros(1, 32, 32).double())[0], atol=1e-12, rtol=0)


def test_a_solution_is_not_moved() -> None:
    mass, right, down, b = system()
    exact = solve_directly(mass, right, down, b, b)
    assert_close(solve(mass, right, down, b, exact), exact, atol=0, rtol=0)


def test_a_right_hand_side_of_zero_gives_zero() -> None:
    mass, right, down, b = system()
    assert not solve(mass, right, down, torch.zeros_like(b), torch.zeros_like(b)).any()


def test_the_coarse_matrix_is_the_galerkin_product() -> None:
    mass, right, down, _ = system(1, 32, 48)
    fine = Grid.of(mass, right, down)
    coarse = torch.rand(1, 16, 24, dtype=torch.float64)
    assert_close(fine.coarser()(coarse), restrict(fine(prolong(coarse))))


def test_the_cycle_is_symmetric_and_positive() -> None:
    mass, right, down, b = system(1, 32, 48)
    levels = grids(Grid.of(mass, right, down))
    other = torch.rand_like(b)
    assert_close((other * v_cycle(levels, b)).sum(), (b * v_cycle(levels, other)).sum())
    assert (b * v_cycle(levels, b)).sum() > 0
