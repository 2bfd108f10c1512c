"""The authors' own filter of dense shading smoothness, from the HDF5 files that come with their data."""

from __future__ import annotations

from pathlib import Path

import h5py
import torch
from torch import Tensor

from zoo.errors import UserError

__all__ = ["LatticeSmoothness"]


class LatticeSmoothness:
    """Dense shading smoothness by the matrices of a permutohedral lattice, for pictures of one size.

    (s . s - p . (B0 B1 B2 p + B2 B1 B0 p)) / the number of pixels, with p = S N s: splatting onto the lattice, blurs
    along its axes in both orders, and the diagonal that makes the filter bistochastic.

    Args:
        path: A file such as ``sparse_hdf5_S/384x512/R0.h5`` with the data sets ``mn`` (lattice points, pixels), ``S``,
            ``B0`` ... ``B2`` (rows, columns, values; counted from one) and ``N`` under ``/sparse``.

    Raises:
        UserError: The file cannot be read or does not hold these.

    Source: Li and Snavely, CGIntrinsics, ECCV 2018, and the files of its release.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            with h5py.File(path) as file:
                points, self.pixels = (int(each) for each in file["/sparse/mn"][()].reshape(-1))
                rows = points + 2  # indices start at one, and one row more is kept
                self.splat = _sparse(file["/sparse/S"][()], (rows, self.pixels))
                self.blurs = [_sparse(file[f"/sparse/B{i}"][()], (rows, rows)) for i in range(3)]
                self.diagonal = torch.from_numpy(file["/sparse/N"][()]).float().reshape(-1, 1)
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise UserError(f"{path} is no file of a lattice filter: {error}.") from error

    def __call__(self, log_shading: Tensor) -> Tensor:
        """The loss of (B,1,H,W) log shading.

        Raises:
            UserError: The pictures have another number of pixels than the filter.
        """
        batch, pixels = len(log_shading), log_shading[0].numel()
        if pixels != self.pixels:
            raise UserError(f"the lattice filter is made for {self.pixels} pixels, but pictures have {pixels}.")
        device = log_shading.device
        blurs = [each.to(device) for each in self.blurs]
        with torch.autocast(device.type, enabled=False):
            s = log_shading.float().reshape(batch, pixels).t()
            p = torch.sparse.mm(self.splat.to(device), self.diagonal.to(device) * s)
            forward = backward = p
            for blur, reverse in zip(blurs, reversed(blurs), strict=True):
                forward, backward = torch.sparse.mm(blur, forward), torch.sparse.mm(reverse, backward)
            return ((s * s).sum() - (p * (forward + backward)).sum()) / (pixels * batch)


def _sparse(triplets: object, size: tuple[int, int]) -> Tensor:
    values = torch.as_tensor(triplets)
    return torch.sparse_coo_tensor(values[:2].long(), values[2].float(), size, check_invariants=True).coalesce()
