"""Noise on integer lattices from a hash: unbounded, the same on every machine, faded out where pixels are coarse."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import torch
from torch import Tensor

__all__ = ["cell_random", "fade", "fbm", "noise", "worley"]

_AT_ONCE = 16384
"""Points for which octaves are computed together: more no longer fit the cache."""

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


def noise(points: Tensor, seed: int | Tensor) -> Tensor:
    """Gradient noise with cells of unit size.

    Args:
        points: (N, d) with d = 2 or 3.
        seed: Another seed, another pattern; or one int64 for each point (N,).

    Returns:
        (N,) with mean 0 and a standard deviation of about 0.5; 0 at whole-numbered points.

    Source:
        K. Perlin, Improving noise (SIGGRAPH 2002): the quintic weights; gradients here come from a hash.
    """
    dimension = points.shape[-1]
    corners, steps = _neighbours(dimension, (0, 1), points.device)
    axes = points.T.contiguous()
    floors = axes.floor()
    inside = axes - floors
    # all corners at once, (C,N): few large operations
    gradients, scale = _fields(_mix(_key(floors.to(torch.int32).unbind(0), seed) + steps), dimension)
    dots = torch.zeros_like(gradients[0])
    for gradient, f, corner in zip(gradients, inside, corners, strict=True):
        dots.addcmul_(gradient.sub_(scale), f - corner)
    curve = inside * 6 - 15
    curve.mul_(inside).add_(10).mul_(inside).mul_(inside).mul_(inside)
    weights = torch.stack([1 - curve, curve], 1)
    weight = weights[0]
    for axis in weights[1:]:
        weight = (weight[:, None] * axis[None]).flatten(0, 1)
    return dots.mul_(weight).sum(0).mul_(_SPREAD[dimension] / scale / 2)


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
    coarsest = cell / float(footprint.amin())
    octaves = min(octaves, sum(coarsest * 0.5**k > 1 for k in range(octaves)))
    # several octaves at once where points are few
    together = max(1, _AT_ONCE // max(1, len(points)))
    for start in range(0, octaves, together):
        which = range(start, min(start + together, octaves))
        places = torch.cat([points * (2.0**k / cell) + 0.37 * (k + 1) for k in which])
        seeds = torch.tensor([seed + 101 * k for k in which], device=points.device).repeat_interleave(len(points))
        values = noise(places, seeds).view(len(which), -1)
        # shifted above, because every lattice point of every octave is a zero
        for k, value in zip(which, values, strict=True):
            total.addcmul_(fade(footprint, cell * 0.5**k), value, value=gain**k)
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
    cells, steps = _neighbours(dimension, (0, 1) if three else (-1, 0, 1), points.device)
    axes = points.T.contiguous()
    floors = (axes - 0.5).floor_() if three else axes.floor()
    inside = axes - floors - 0.5 + 0.5 * jitter
    names = _mix(_key(floors.to(torch.int32).unbind(0), seed) + steps)
    places, half = _fields(names, dimension)
    squares = torch.zeros_like(places[0])
    for place, f, cell in zip(places, inside, cells, strict=True):
        away = place.mul_(-0.5 * jitter / half).add_(f - cell)
        squares.addcmul_(away, away)
    first, nearest = squares.min(0, keepdim=True)
    second = squares.scatter_(0, nearest, 1e3).amin(0)
    return first[0].sqrt_(), second.sqrt_(), _unit(_mix(names.gather(0, nearest)[0]))


@lru_cache(maxsize=16)
def _neighbours(dimension: int, reach: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Offsets of cells (d,C,1), and what each adds to a key (C,1)."""
    offsets = list(product(reach, repeat=dimension))
    steps = [_signed(sum(c * prime for c, prime in zip(offset, _PRIMES, strict=False))) for offset in offsets]
    cells = torch.tensor(offsets, dtype=torch.float32, device=device).T[..., None]
    return cells, torch.tensor(steps, dtype=torch.int32, device=device)[:, None]


def _fields(h: Tensor, count: int) -> tuple[list[Tensor], float]:
    """The bits of a hash as ``count`` whole numbers from 0 to twice the number given with them."""
    bits = 32 // count
    mask = (1 << bits) - 1
    fields = [(h & mask if k == 0 else (h >> (bits * k)) & mask).to(torch.float32) for k in range(count)]
    return fields, 2.0 ** (bits - 1)


def _key(axes: Sequence[Tensor], seed: int | Tensor) -> Tensor:
    """One int32 a cell, to be mixed: sums of multiples, so that a neighbour's key is this key and a constant."""
    if isinstance(seed, Tensor):
        key = (seed.to(torch.int32) * 0x27D4EB2F).add_(0x3C6EF372)
        key = key + axes[0] * _PRIMES[0]
    else:
        key = axes[0] * _PRIMES[0] + _signed(seed * 0x27D4EB2F + 0x3C6EF372)
    for axis, prime in zip(axes[1:], _PRIMES[1:], strict=False):
        key.add_(axis, alpha=prime)
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
