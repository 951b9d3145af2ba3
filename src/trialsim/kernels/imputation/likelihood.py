"""The imputation model for any missingness and one covariance an arm: REML by Newton's method.

Parameters are the elements of one unstructured Σ for all, or of one for each arm; likelihood and derivatives are those
of `kernels.mmrm.likelihood`, with each arm a group of patterns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky
from trialsim.kernels.imputation.groups import Grouped
from trialsim.kernels.mmrm import PatternStatistics, reml
from trialsim.kernels.mmrm.design import design_map
from trialsim.kernels.mmrm.fit import starting_covariance
from trialsim.kernels.mmrm.likelihood import Likelihood, State
from trialsim.kernels.mmrm.statistics import pattern_moments
from trialsim.kernels.mmrm.structures import Unstructured

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]


class Problem:
    """One imputation model; holds what is the same for every fit and step.

    Parameters
    ----------
    grouped : Grouped
    n_constant : int
        How many covariates, the last ones, have one coefficient for all visits.
    by_arm : bool
        Whether every arm has a covariance of its own.
    n_arms : int
        How many arms there are; the number S of covariances if each has its own.
    """

    def __init__(self, grouped: Grouped, n_constant: int, by_arm: bool, n_arms: int) -> None:
        v = grouped.modelled.shape[1]
        keys = np.column_stack([grouped.modelled, (grouped.arm if by_arm else 0 * grouped.arm)]).astype(np.intp)
        patterns, self._pattern_of_group = np.unique(keys, axis=0, return_inverse=True)
        self.observed = patterns[:, :v].astype(bool)
        self.kind = patterns[:, v]
        self.n_kinds = n_arms if by_arm else 1
        self._crossed = grouped.x.shape[2] - n_constant
        self.design = design_map(v, self._crossed, n_constant)
        self.likelihood = Likelihood(
            self.observed, Unstructured(v), self.design, group=self.kind, n_groups=self.n_kinds
        )

    def patterns(self, grouped: Grouped) -> Index:
        """Return the number of each participant's pattern, −1 where not included, shape (R, N + 1)."""
        return np.append(self._pattern_of_group, -1)[grouped.group]

    def products(self, grouped: Grouped) -> PatternStatistics:
        """Return the cross-products of the whole trials, B = R."""
        pattern = self.patterns(grouped)
        p, q = len(self.observed), grouped.x.shape[2]
        z = np.concatenate([grouped.x, self._modelled(grouped.y, pattern)], axis=2)
        moments, counts = pattern_moments(z, pattern, p)
        counts *= self.observed.any(axis=1)
        return PatternStatistics(
            self.observed, counts, moments[..., :q, :q], moments[..., :q, q:], moments[..., q:, q:]
        )

    def _modelled(self, y: Array, pattern: Index) -> Array:
        """Return the scores that the model is fitted to, 0 elsewhere."""
        return np.asarray(y * np.concatenate([self.observed, np.zeros_like(self.observed[:1])])[pattern])

    def without(self, grouped: Grouped, whole: PatternStatistics, trial: Index, left_out: Index) -> PatternStatistics:
        """Return the cross-products of B trials, each without one of its participants.

        Parameters
        ----------
        grouped : Grouped
        whole : PatternStatistics
            Of the R whole trials.
        trial, left_out : ndarray of int, shape (B,)
        """
        pattern = self.patterns(grouped)[trial, left_out]
        x, y = grouped.x[trial, left_out], self._modelled(grouped.y[trial, left_out], pattern)
        products = whole.take(trial)
        seen = np.append(self.observed.any(axis=1), False)[pattern]
        row, column = np.flatnonzero(seen), pattern[seen]
        x, y = x[seen], y[seen]
        products.counts[row, column] -= 1.0
        products.xx[row, column] -= x[:, :, None] * x[:, None, :]
        products.xy[row, column] -= x[:, :, None] * y[:, None, :]
        products.yy[row, column] -= y[:, :, None] * y[:, None, :]
        return products

    def start(self, products: PatternStatistics) -> Array:
        """Return Σ (B, S, V, V) from the residuals of all arms together."""
        return np.repeat(starting_covariance(products)[:, None], self.n_kinds, axis=1)

    def identifiable(self, products: PatternStatistics) -> Flags:
        """Whether the covariates have full rank, and the scores are not explained, at each visit, shape (B,)."""
        v, crossed = self.observed.shape[1], self._crossed
        sound = np.ones(len(products.counts), dtype=bool)
        for visit in range(v):
            there = self.observed[:, visit]
            z = np.empty((len(sound), crossed + 1, crossed + 1))
            z[:, :crossed, :crossed] = products.xx[:, there, :crossed, :crossed].sum(axis=1)
            z[:, crossed, :crossed] = z[:, :crossed, crossed] = products.xy[..., visit][:, there, :crossed].sum(axis=1)
            z[:, crossed, crossed] = products.yy[:, there, visit, visit].sum(axis=1)
            sound &= cholesky(z)[1]
            for kind in range(self.n_kinds):
                sound &= products.counts[:, there & (self.kind == kind)].sum(axis=1) > 1
        return sound

    def gradient_of(self, matrices: Array, kind: Index) -> Array:
        """Return tr(J_j G), shape (..., S·m), of matrices G (..., V, V) that each belong to one of the covariances."""
        rows, columns = np.tril_indices(matrices.shape[-1])
        elements = matrices[..., rows, columns] * np.where(rows == columns, 1.0, 2.0)
        return np.concatenate([np.where((kind == s)[..., None], elements, 0.0) for s in range(self.n_kinds)], axis=-1)

    def evaluate(self, sigma: Array, products: PatternStatistics) -> State:
        """Return the likelihood and its pieces at Σ (B, S, V, V)."""
        return self.likelihood.evaluate(self.likelihood.start(sigma), products)


def maximise(
    problem: Problem, products: PatternStatistics, start: Array | None = None
) -> tuple[Array, Array, Flags, Flags]:
    """Return Σ (B, S, V, V), its observed information, and which fits are estimable and which converged.

    Parameters
    ----------
    problem : Problem
    products : PatternStatistics
    start : ndarray, shape (B, S, V, V), optional
        Where to start; from the residuals by default.

    Notes
    -----
    Where there is no fit Σ and information are the identity, harmless to what is worked out along with the others.
    """
    v, n = problem.observed.shape[1], len(products.counts)
    size = problem.likelihood.n_parameters
    sigma = np.broadcast_to(np.eye(v), (n, problem.n_kinds, v, v)).copy()
    information = np.broadcast_to(np.eye(size), (n, size, size)).copy()
    estimable, converged = problem.identifiable(products), np.zeros(n, dtype=bool)
    rows = np.flatnonzero(estimable)
    if len(rows):
        part = products.take(rows)
        fit = reml.maximise(problem.likelihood, part, problem.start(part) if start is None else start[rows])
        done = fit.converged
        converged[rows] = done
        sigma[rows[done]], information[rows[done]] = fit.covariance[done], fit.information[done]
    return sigma, information, estimable, converged
