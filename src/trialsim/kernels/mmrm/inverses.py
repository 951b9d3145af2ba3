r"""Inverses of the observed parts of Σ for every missingness pattern at once, visit by visit.

With K the inverse Cholesky factor for the visits of a pattern so far, :math:`K\Sigma K' = I`, visit v joins by its
regression on them: with :math:`u = K\sigma_v` and :math:`d = \sigma_{vv} - u'u`, K grows by the row

.. math:: d^{-1/2}\,(-u'K, 1),

and log|Σ| by log d. Patterns that agree on the visits up to v share these steps, and every step is elementwise
over replicates (the last axis here), several times faster than a factorisation for each small matrix.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]


class _Level(NamedTuple):
    """The different beginnings of patterns up to one visit."""

    parent: Index  # the beginning without the visit
    group: Index  # whose covariance the parents have
    joined: Index  # the beginnings that observe the visit


class PatternInverses:
    """What turns covariances into W_p, the inverse of the observed part of Σ embedded in zeros.

    Parameters
    ----------
    observed : ndarray of bool, shape (P, V)
    group : ndarray of int, shape (P,)
        Which of the covariances each pattern has.
    """

    def __init__(self, observed: Flags, group: Index) -> None:
        self._levels: list[_Level] = []
        of_beginning, last = np.unique(group, return_inverse=True)
        self._n_first = len(of_beginning)
        for visit in observed.T:
            different, first, which = np.unique(2 * last + visit, return_index=True, return_inverse=True)
            parent = different // 2
            self._levels.append(_Level(parent, of_beginning, np.flatnonzero(visit[first])))
            of_beginning, last = of_beginning[parent], which
        self._last = last

    def __call__(self, sigma: Array) -> tuple[Array, Array]:
        """Return W_p, shape (R, P, V, V), and log|Σ_p|, shape (R, P).

        Parameters
        ----------
        sigma : ndarray, shape (R, G, V, V)
            Positive definite.
        """
        by_visit = np.ascontiguousarray(sigma.transpose(1, 2, 3, 0))
        n = len(sigma)
        k, log_det = np.zeros((self._n_first, 0, 0, n)), np.zeros((self._n_first, n))
        for v, level in enumerate(self._levels):
            u = (k * by_visit[level.group, None, :v, v]).sum(axis=2)
            rest = by_visit[level.group, v, v] - (u**2).sum(axis=1)
            k, log_det = _grown(k, log_det, u, rest, level)
        root = np.ascontiguousarray(k[self._last].transpose(3, 0, 1, 2))
        return np.asarray(root.swapaxes(-1, -2) @ root), log_det[self._last].T


def _grown(k: Array, log_det: Array, u: Array, rest: Array, level: _Level) -> tuple[Array, Array]:
    """Return K and log|Σ| of all beginnings with one visit more, a row of zeros where it is missed."""
    v, scale = k.shape[1], 1.0 / np.sqrt(rest)
    grown = np.zeros((len(level.parent), v + 1, v + 1, k.shape[3]))
    grown[:, :v, :v] = k[level.parent]
    log_det = log_det[level.parent]
    mine = level.parent[level.joined]
    grown[level.joined, v, :v] = (-(u[:, :, None] * k).sum(axis=1) * scale[:, None])[mine]
    grown[level.joined, v, v] = scale[mine]
    log_det[level.joined] += np.log(rest)[mine]
    return grown, log_det
