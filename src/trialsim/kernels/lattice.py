r"""Points that fill a unit cube evenly, for expectations over a few dimensions without random numbers.

Point i has coordinates :math:`\{(i + 1/2)\,\alpha_j\}` with :math:`\alpha_j` the fractional part of the square root of
the j-th prime (Richtmyer's sequence). Means over M points of it differ from the integral by about 1 / M times powers of
log M for smooth functions, and by less than the square root of 1 / M for sets with a boundary.

References
----------
Niederreiter H (1992), Random number generation and quasi-Monte Carlo methods, SIAM, chapter 3.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]


def even_points(dimensions: int, points: int) -> Array:
    """Return evenly spread points.

    Parameters
    ----------
    dimensions : int
    points : int
        M; the first of more points are the same.

    Returns
    -------
    ndarray, shape (dimensions, M)
        Strictly between 0 and 1.
    """
    steps = np.sqrt(_primes(dimensions)) % 1.0
    at = (steps[:, None] * (np.arange(points) + 0.5)) % 1.0
    return np.asarray(np.clip(at, 1e-12, 1.0 - 1e-12))


def even_normals(dimensions: int, points: int) -> Array:
    """Return the points of `even_points` as independent standard normals, shape (dimensions, M)."""
    return np.asarray(scipy.special.ndtri(even_points(dimensions, points)))


def _primes(count: int) -> Array:
    """Return the first primes."""
    limit = 16 + 20 * count  # the n-th prime is below n (log n + log log n) for n > 5, and n is far below exp(19)
    sieve = np.ones(limit, dtype=bool)
    sieve[:2] = False
    for number in range(2, int(limit**0.5) + 1):
        sieve[number * number :: number] &= not sieve[number]
    return np.asarray(np.flatnonzero(sieve)[:count], dtype=np.float64)
