"""The same linear systems by SciPy's sparse factorisation: slow, exact, for reference."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import spsolve
from torch import Tensor

__all__ = ["solve_directly"]


def solve_directly(mass: Tensor, right: Tensor, down: Tensor, b: Tensor, start: Tensor) -> Tensor:
    """Solve ``(diag(mass) + L) x = b``; arguments and result are those of ``solver.solve``, and ``start`` is not used.

    Picture after picture, on the CPU, in float64.
    """
    systems = (each.detach().double().cpu().numpy() for each in (mass, right, down, b))
    solutions = [_solve(*system) for system in zip(*systems, strict=True)]
    return torch.from_numpy(np.stack(solutions)).to(start)


def _solve(mass: np.ndarray, right: np.ndarray, down: np.ndarray, b: np.ndarray) -> np.ndarray:
    ids = np.arange(b.size).reshape(b.shape)
    starts = np.concatenate([ids[:, :-1].ravel(), ids[:-1].ravel()])
    ends = np.concatenate([ids[:, 1:].ravel(), ids[1:].ravel()])
    weights = np.concatenate([right[:, :-1].ravel(), down[:-1].ravel()])
    edges = sparse.coo_array((weights, (starts, ends)), shape=(b.size, b.size))
    joined = edges + edges.T
    matrix = sparse.diags_array(mass.ravel() + joined.sum(axis=1)) - joined
    solution: np.ndarray = spsolve(matrix.tocsc(), b.ravel()).reshape(b.shape)
    return solution
