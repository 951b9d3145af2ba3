"""All that a mixed model for repeated measures needs to know of a trial: cross-products per missingness pattern.

With every fixed effect crossed with visit, the REML likelihood depends on the data only through,
for each set of observed visits, the number of participants, X'X, X'Y and Y'Y. After these, which
take time linear in N, a fit costs the same at N = 100 and N = 100,000.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


_AT_ONCE = 32
"""Replicates worked on together, so that they stay in the processor's cache."""


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

    def take(self, replicates: NDArray[np.intp] | Flags) -> PatternStatistics:
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
    moments = np.empty((len(sizes), n_replicates, len(present), q + n_visits, q + n_visits))
    counts = np.empty((len(sizes), n_replicates, len(present)))
    z = np.empty((min(_AT_ONCE, n_replicates), n_participants, q + n_visits))
    for first in range(0, n_replicates, _AT_ONCE):
        rows = slice(first, first + _AT_ONCE)
        part = z[: len(codes[rows])]
        part[:, :, :q] = x[rows]
        part[:, :, q:] = np.where(observed[rows], y[rows], 0.0)
        if included is not None:
            part[~included[rows]] = 0.0
        _segment_moments(part, codes[rows], present, sizes, moments[:, rows], counts[:, rows])
    np.cumsum(moments, axis=0, out=moments)
    np.cumsum(counts, axis=0, out=counts)
    patterns = np.array([[bool(code >> v & 1) for v in range(n_visits)] for code in present])
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


def _segment_moments(
    z: Array, codes: NDArray[np.intp], present: list[int], sizes: tuple[int, ...], moments: Array, counts: Array
) -> None:
    """Fill Z'Z (S, R, P, d, d) and counts (S, R, P) of the participants that each size adds to the one before."""
    start = 0
    for s, size in enumerate(sizes):
        part, code = z[:, start:size], codes[:, start:size]
        for p, pattern in enumerate(present):
            inside = code == pattern
            np.matmul((part * inside[:, :, None]).transpose(0, 2, 1), part, out=moments[s, :, p])
            counts[s, :, p] = inside.sum(axis=1)
        start = size
