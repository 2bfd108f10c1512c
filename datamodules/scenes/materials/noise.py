"""Noise on integer lattices from a hash: unbounded, the same on every machine, faded out where pixels are coarse."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

__all__ = ["cell_random", "fade", "fbm", "noise", "worley"]

_PRIMES = (0x1B873593, 0x2C1B3C6D, 0x165667B1)
"""Odd factors that tell the axes of a lattice apart."""
_SPREAD = {2: 5.7, 3: 5.2}
"""Brings gradient noise of 2 and 3 dimensions to a standard deviation of about one half."""


def cell_random(cells: Tensor, seed: int, count: int = 1) -> Tensor:
    """Uniform numbers that belong to the cells of a lattice: every point of one cell gets the same.

    Args:
        cells: (..., d) whole numbers of any type, d at most 3.
        seed: Another seed, other numbers.
        count: How many independent numbers.

    Returns:
        (..., count) float32 in [0, 1).
    """
    key = _key(cells.to(torch.int32).unbind(-1), seed)
    return torch.stack([_unit(_mix(key + _signed(k * 0x5BD1E995))) for k in range(count)], -1)


def noise(points: Tensor, seed: int) -> Tensor:
    """Gradient noise with cells of unit size.

    Args:
        points: (N, d) with d = 2 or 3.
        seed: Another seed, another pattern.

    Returns:
        (N,) with mean 0 and a standard deviation of about 0.5; 0 at whole-numbered points.

    Source:
        K. Perlin, Improving noise (SIGGRAPH 2002): the quintic weights; gradients here come from a hash.
    """
    axes = points.unbind(-1)
    dimension = len(axes)
    floors = [axis.floor() for axis in axes]
    inside = [axis - floor for axis, floor in zip(axes, floors, strict=True)]
    key = _key([floor.to(torch.int32) for floor in floors], seed)
    weights = [f * f * f * (f * (f * 6 - 15) + 10) for f in inside]
    bits = 32 // dimension
    half = 2.0 ** (bits - 1)
    total = torch.zeros_like(axes[0])
    for corner in product((0, 1), repeat=dimension):
        h = _mix(key + _signed(sum(c * prime for c, prime in zip(corner, _PRIMES, strict=False))))
        dot, weight = torch.zeros_like(total), torch.ones_like(total)
        for k, (c, f, w) in enumerate(zip(corner, inside, weights, strict=True)):
            gradient = ((h >> (bits * k)) & ((1 << bits) - 1)).to(total.dtype).sub_(half)
            dot.addcmul_(gradient, f - c)
            weight.mul_(w if c else 1 - w)
        total.addcmul_(dot, weight)
    return total.mul_(_SPREAD[dimension] / half / 2)


def fade(footprint: Tensor, cell: float) -> Tensor:
    """How much of a pattern with cells of a given size is left where a pixel covers ``footprint``: 1 to 0."""
    return (2.0 - 2.0 * footprint / cell).clamp(0, 1)


def fbm(points: Tensor, cell: float, seed: int, footprint: Tensor, octaves: int = 4, gain: float = 0.5) -> Tensor:
    """A sum of octaves of noise, each of half the cell and ``gain`` times the height of the one before.

    Args:
        points: (N, d) in metres.
        cell: Of the coarsest octave, in metres.
        seed: Of the pattern.
        footprint: (N,) metres that a pixel covers; octaves that are finer are left out.
        octaves: How many.
        gain: Between octaves.

    Returns:
        (N,) with mean 0 and a standard deviation of about 0.5 to 0.6.
    """
    total = points.new_zeros(len(points))
    for k in range(octaves):
        size = cell * 0.5**k
        seen = fade(footprint, size)
        # an octave that no pixel shows costs nothing, and changes nothing
        if not bool((seen > 0).any()):
            break
        # shifted, because every lattice point of every octave is a zero
        total += gain**k * seen * noise(points / size + 0.37 * (k + 1), seed + 101 * k)
    return total


def worley(points: Tensor, seed: int, jitter: float = 0.8) -> tuple[Tensor, Tensor, Tensor]:
    """Cellular noise: distances to the nearest and the second nearest of points scattered one to a unit cell.

    In three dimensions only the eight cells around a point are asked, which a jitter of 0.6 hardly shows.

    Args:
        points: (N, d) with d = 2 or 3.
        seed: Another seed, another scatter.
        jitter: 0 is a square lattice, 1 a free scatter.

    Returns:
        Nearest distance (N,), second nearest distance (N,), and a number in [0, 1) that belongs to the nearest (N,).

    Source:
        S. Worley, A cellular texture basis function (SIGGRAPH 1996).
    """
    dimension = points.shape[-1]
    three = dimension == 3
    jitter = min(jitter, 0.6) if three else jitter
    axes = points.unbind(-1)
    floors = [(axis - 0.5 if three else axis).floor() for axis in axes]
    inside = [axis - floor - 0.5 for axis, floor in zip(axes, floors, strict=True)]
    key = _key([floor.to(torch.int32) for floor in floors], seed)
    bits = 32 // dimension
    scale = jitter / 2.0**bits
    first = torch.full_like(axes[0], 1e3)
    second = first.clone()
    name = torch.zeros_like(key)
    for offset in product((0, 1) if three else (-1, 0, 1), repeat=dimension):
        h = _mix(key + _signed(sum(c * prime for c, prime in zip(offset, _PRIMES, strict=False))))
        distance = torch.zeros_like(first)
        for k, (c, f) in enumerate(zip(offset, inside, strict=True)):
            place = ((h >> (bits * k)) & ((1 << bits) - 1)).to(first.dtype).mul_(scale)
            away = f.sub(place).sub_(c - jitter / 2)
            distance.addcmul_(away, away)
        nearer = distance < first
        name = torch.where(nearer, h, name)
        second = torch.minimum(second, torch.where(nearer, first, distance))
        first = torch.minimum(first, distance)
    return first.sqrt_(), second.sqrt_(), _unit(_mix(name))


def _key(axes: list[Tensor] | tuple[Tensor, ...], seed: int) -> Tensor:
    """One int32 a cell, to be mixed: sums of multiples, so that a neighbour's key is this key and a constant."""
    key = torch.full_like(axes[0], _signed(seed * 0x27D4EB2F + 0x3C6EF372))
    for axis, prime in zip(axes, _PRIMES, strict=False):
        key = key + axis * prime
    return key


def _mix(x: Tensor) -> Tensor:
    """32 bits in, 32 bits out, in place on a fresh tensor.

    Source:
        The two-round multiply-xorshift of C. Wellons' hash prospector ("lowbias32"), as in ``sampling.draws``.
    """
    x.bitwise_xor_((x >> 16).bitwise_and_(0xFFFF)).mul_(0x7FEB352D)
    x.bitwise_xor_((x >> 15).bitwise_and_(0x1FFFF)).mul_(_signed(0x846CA68B))
    return x.bitwise_xor_((x >> 16).bitwise_and_(0xFFFF))


def _unit(h: Tensor) -> Tensor:
    return ((h >> 8) & 0xFFFFFF).to(torch.float32).mul_(2.0**-24)


def _signed(number: int) -> int:
    """The lower 32 bits as a signed number, which is what torch's int32 takes."""
    number &= 0xFFFFFFFF
    return number - 2**32 if number >= 2**31 else number
