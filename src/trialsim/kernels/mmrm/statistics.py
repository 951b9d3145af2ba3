"""All that a mixed model for repeated measures needs to know of a trial: cross-products per missingness pattern.

With every fixed effect crossed with visit, the REML likelihood depends on the data only through,
for each set of observed visits, the number of participants, X'X, X'Y and Y'Y. After these, which
take time linear in N, a fit costs the same at N = 100 and N = 100,000.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


_NUMBERS_AT_ONCE = 1 << 17
"""Products of replicates worked on together: a megabyte, so that they stay in the processor's cache."""


class PatternStatistics(NamedTuple):
    """Cross-products of covariates and scores per missingness pattern.

    Attributes
    ----------
    observed : ndarray of bool, shape (P, V)
        The patterns: which visits are observed; each has at least one.
    counts : ndarray, shape (R, P)
        Participants with the pattern.
    xx : ndarray, shape (R, P, q, q)
    xy : ndarray, shape (R, P, q, V)
        Zero at visits that the pattern lacks.
    yy : ndarray, shape (R, P, V, V)
        Zero at visits that the pattern lacks.
    """

    observed: Flags
    counts: Array
    xx: Array
    xy: Array
    yy: Array

    @property
    def monotone(self) -> bool:
        """Whether nobody comes back after a missed visit."""
        return bool(np.all(self.observed[:, :-1] >= self.observed[:, 1:]))

    @property
    def participants(self) -> Array:
        """Participants with at least one observed visit, shape (R,)."""
        return np.asarray(self.counts.sum(axis=1))

    def take(self, replicates: NDArray[np.intp] | Flags | slice) -> PatternStatistics:
        """Return the statistics of some of the replicates."""
        return self._replace(
            counts=self.counts[replicates],
            xx=self.xx[replicates],
            xy=self.xy[replicates],
            yy=self.yy[replicates],
        )


def pattern_statistics(
    y: Array, x: Array, *, included: Flags | None = None, sizes: tuple[int, ...] | None = None
) -> list[PatternStatistics]:
    """Return the cross-products per missingness pattern for the first n participants, for each n.

    Parameters
    ----------
    y : ndarray, shape (R, N, V)
        Scores; NaN where not observed.
    x : ndarray, shape (R, N, q)
        Covariates crossed with visit, the intercept among them; finite for every included participant.
    included : ndarray of bool, shape (R, N), optional
        Participants in the analysis; everybody by default.
    sizes : tuple of int, optional
        Numbers of participants, increasing, each at most N; (N,) by default. Trials that grow from
        the same first participants share the work.

    Returns
    -------
    list of PatternStatistics
        One for each size. All patterns that occur at the largest size are listed for every size.
    """
    n_replicates, n_participants, n_visits = y.shape
    q = x.shape[2]
    sizes = (n_participants,) if sizes is None else sizes
    observed = ~np.isnan(y)
    if included is not None:
        observed &= included[:, :, None]
    codes = observed @ (1 << np.arange(n_visits))
    present = [int(code) for code in np.flatnonzero(np.bincount(codes.reshape(-1))) if code]
    place = np.full(1 << n_visits, -1)
    place[present] = np.arange(len(present))
    moments = np.empty((len(sizes), n_replicates, len(present), q + n_visits, q + n_visits))
    counts = np.empty((len(sizes), n_replicates, len(present)))
    for s, (start, stop) in enumerate(zip((0, *sizes), sizes, strict=False)):
        for rows in _in_cache(n_replicates, stop - start, q + n_visits):
            part = (rows, slice(start, stop))
            z = np.concatenate([x[part], np.where(observed[part], y[part], 0.0)], axis=2)
            if included is not None:
                z[~included[part]] = 0.0
            moments[s, rows], counts[s, rows] = pattern_moments(z, place[codes[part]], len(present))
    np.cumsum(moments, axis=0, out=moments)
    np.cumsum(counts, axis=0, out=counts)
    patterns = np.array([[bool(code >> v & 1) for v in range(n_visits)] for code in present], dtype=bool)
    return [
        PatternStatistics(
            observed=patterns.reshape(-1, n_visits),
            counts=counts[s],
            xx=moments[s, :, :, :q, :q],
            xy=moments[s, :, :, :q, q:],
            yy=moments[s, :, :, q:, q:],
        )
        for s in range(len(sizes))
    ]


def _in_cache(n_replicates: int, n_participants: int, d: int) -> Iterator[slice]:
    """Yield the replicates in parts of which the products of d variables fit into the processor's cache."""
    at_once = max(_NUMBERS_AT_ONCE // max(n_participants * d * (d + 1) // 2, 1), 1)
    for first in range(0, n_replicates, at_once):
        yield slice(first, first + at_once)


@cache
def _lower_triangle(d: int) -> tuple[NDArray[np.intp], ...]:
    return np.tril_indices(d)


def pattern_moments(z: Array, pattern: NDArray[np.intp], n_patterns: int) -> tuple[Array, Array]:
    """Return Z'Z of the participants of each pattern, shape (R, P, d, d), and their numbers, shape (R, P).

    Parameters
    ----------
    z : ndarray, shape (R, N, d)
    pattern : ndarray of int, shape (R, N)
        Number of each participant's pattern; −1 for none.
    n_patterns : int
        Number P of patterns.
    """
    n_replicates, n_participants, d = z.shape
    member = (pattern[:, None] == np.arange(n_patterns)[:, None]).astype(float)
    by_variable = np.ascontiguousarray(z.transpose(0, 2, 1))
    # Every participant's products once, lower triangle by rows; then one product of matrices for all patterns.
    products = np.empty((n_replicates, d * (d + 1) // 2, n_participants))
    for i in range(d):
        row = slice(i * (i + 1) // 2, (i + 1) * (i + 2) // 2)
        np.multiply(by_variable[:, i, None], by_variable[:, : i + 1], out=products[:, row])
    sums = member @ products.transpose(0, 2, 1)
    moments = np.empty((n_replicates, n_patterns, d, d))
    rows, columns = _lower_triangle(d)
    moments[..., rows, columns] = moments[..., columns, rows] = sums
    return moments, member.sum(axis=2)
