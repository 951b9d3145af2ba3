"""Restricted maximum likelihood by Newton's method on whole blocks of trials.

For any missingness pattern, covariance structure and design. The first step uses the expected information (scoring),
the next ones the observed information with the fixed effects held, and the last ones all of it (Newton). Steps are
halved until Σ is positive definite and the likelihood does not fall. A replicate stops at its own convergence, so its
result does not depend on its neighbours in the block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky
from trialsim.kernels.mmrm.design import Design, design_map
from trialsim.kernels.mmrm.likelihood import Likelihood, Slope, State
from trialsim.kernels.mmrm.statistics import PatternStatistics
from trialsim.kernels.mmrm.structures import Structure

__all__ = ["RemlFit", "design_map", "direction", "fit_reml", "maximise", "reml_contrast"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_MAX_STEPS = 100
_MAX_HALVINGS = 30
_NEAR = 1.0
"""Decrement of the last step below which the information with the coefficients held takes over from the expected."""
_NEARER = 1e-3
"""The same for the whole observed information, which costs more."""
_SLOW = 0.5
"""Share of the last decrement that is left where the fixed effects matter too much to be held."""
_CONVERGED = 1e-13
"""Newton decrement below which the step just taken is the last: its error is of the decrement squared."""
_ROUNDING = 1e-11
"""What the decrement may stay at, twice in a row, where rounding lets it fall no further."""


class RemlFit(NamedTuple):
    """The optimum of a block of trials.

    Attributes
    ----------
    theta : ndarray, shape (R, m)
        Covariance parameters.
    covariance : ndarray, shape (R, G, V, V)
        Σ of each group, squared points.
    coefficients : ndarray, shape (R, b)
        Fixed effects.
    coefficient_covariance : ndarray, shape (R, b, b)
        A⁻¹.
    information : ndarray, shape (R, m, m)
        Observed information of θ.
    neg2_loglik : ndarray, shape (R,)
        With all constants.
    converged : ndarray of bool, shape (R,)
    state : State
        The likelihood's pieces at the optimum.
    """

    theta: Array
    covariance: Array
    coefficients: Array
    coefficient_covariance: Array
    information: Array
    neg2_loglik: Array
    converged: Flags
    state: State


def fit_reml(
    statistics: PatternStatistics,
    structure: Structure,
    start: Array,
    design: Design,
    *,
    reml: bool = True,
) -> RemlFit:
    """Return the (restricted) maximum likelihood fit of every trial of a block, with one covariance for all.

    Parameters
    ----------
    statistics : PatternStatistics
    structure : Structure
    start : ndarray, shape (R, V, V)
        Positive definite covariances to start from.
    design : Design
    reml : bool
        Restricted likelihood; False for the ordinary one.
    """
    return maximise(Likelihood(statistics.observed, structure, design, reml=reml), statistics, start)


# Where the likelihood has no maximum, Σ shrinks until numbers overflow: the trial is then given up, not the block.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def maximise(likelihood: Likelihood, statistics: PatternStatistics, start: Array) -> RemlFit:
    """Return the maximum of a likelihood for every trial of a block.

    Parameters
    ----------
    likelihood : Likelihood
    statistics : PatternStatistics
    start : ndarray, shape (R, V, V) or (R, G, V, V)
        Positive definite covariances to start from.
    """
    theta = likelihood.start(start)
    state = likelihood.evaluate(theta, statistics)
    n, m = theta.shape
    converged = np.zeros(n, dtype=bool)
    information = np.zeros((n, m, m))
    decrement = np.full(n, np.inf)
    active = np.flatnonzero(np.isfinite(state.loglik))
    for _ in range(_MAX_STEPS):
        if not len(active):
            break
        rows = slice(None) if len(active) == n else active
        stats = statistics.take(rows)
        here = _Point(theta[rows], state.take(rows), stats, likelihood.slope(theta[rows], state.take(rows), stats))
        step, now, newton, observed = _steps(likelihood, here, decrement[active])
        information[active[newton]] = observed
        moved = _line_search(likelihood, theta, state, active, step, stats)
        finished = np.zeros(len(active), dtype=bool)
        finished[newton] = (np.maximum(now, decrement[active]) < _ROUNDING)[newton] | (now[newton] < _CONVERGED)
        decrement[active] = now
        converged[active[finished]] = True
        active = active[~finished & moved & np.isfinite(now)]
    return RemlFit(
        theta,
        likelihood.covariance(theta),
        state.beta,
        state.inverse,
        information,
        -2.0 * state.loglik,
        converged,
        state,
    )


class _Point(NamedTuple):
    """Where some replicates are, and the gradient there."""

    theta: Array
    state: State
    stats: PatternStatistics
    slope: Slope

    def take(self, rows: Index) -> _Point:
        """Return some of the replicates; without a copy where it is all of them."""
        if len(rows) == len(self.theta):
            return self
        return _Point(self.theta[rows], self.state.take(rows), self.stats.take(rows), self.slope.take(rows))


def _steps(likelihood: Likelihood, here: _Point, last: Array) -> tuple[Array, Array, Index, Array]:
    """Return steps and their decrements, which of them are Newton's, and the observed information of those.

    The decrement of the last step tells which information to use; before the first, that of a scoring step.
    """
    step, decrement = np.zeros_like(here.theta), np.full(len(last), np.inf)
    first = np.isinf(last)
    _put_steps(step, decrement, first, here, likelihood.expected)
    last = np.where(first, decrement, last)
    newton = last < _NEARER
    _put_steps(step, decrement, (last < _NEAR) & ~newton, here, likelihood.held)
    newton |= ~first & (last < _NEAR) & (decrement > _SLOW * last)
    rows, observed = _put_steps(step, decrement, newton, here, likelihood.observed)
    _put_steps(step, decrement, np.isinf(decrement), here, likelihood.expected)
    return step, decrement, rows, observed


def _put_steps(
    step: Array, decrement: Array, chosen: Flags, here: _Point, kind: Callable[..., Array]
) -> tuple[Index, Array]:
    """Write the chosen replicates' steps with one kind of information, where that is positive definite; return it."""
    rows = np.flatnonzero(chosen)
    if not len(rows):
        return rows, np.empty((0, step.shape[1], step.shape[1]))
    part = here.take(rows)
    information = kind(*part)
    new, shorter, definite = direction(information, part.slope.gradient)
    rows = rows[definite]
    step[rows], decrement[rows] = new[definite], shorter[definite]
    return rows, information[definite]


def direction(information: Array, gradient: Array) -> tuple[Array, Array, Flags]:
    """Return the step I⁻¹g, its decrement g'I⁻¹g, and whether I is positive definite.

    Parameters
    ----------
    information : ndarray, shape (R, m, m)
    gradient : ndarray, shape (R, m)
    """
    scale = np.sqrt(np.abs(np.einsum("rii->ri", information)))
    scale[scale == 0] = 1.0
    _, definite = cholesky(information / (scale[:, :, None] * scale[:, None, :]))
    safe = np.where(definite[:, None, None], information, np.eye(information.shape[1]))
    step: Array = np.linalg.solve(safe, gradient[..., None])[..., 0].astype(np.float64, copy=False)
    decrement = (step * gradient).sum(axis=1)
    return step, np.where(np.isfinite(decrement), decrement, np.inf), definite


def _line_search(
    likelihood: Likelihood,
    theta: Array,
    state: State,
    active: Index,
    step: Array,
    stats: PatternStatistics,
) -> Flags:
    """Move every active replicate along its step, halved until the likelihood does not fall."""
    waiting = np.arange(len(active))
    moved = np.zeros(len(active), dtype=bool)
    before = state.loglik[active].copy()
    length = 1.0
    for _ in range(_MAX_HALVINGS):
        rows = active[waiting]
        trial = theta[rows] + length * step[waiting]
        whole = len(waiting) == len(active)
        new = likelihood.evaluate(trial, stats if whole else stats.take(waiting))
        # Rounding of the likelihood may hide the last, tiny gains.
        slack = 1e-10 * (1.0 + np.abs(before[waiting]))
        accepted = np.isfinite(new.loglik) & (new.loglik >= before[waiting] - slack)
        theta[rows[accepted]] = trial[accepted]
        state.put(rows, new, accepted)
        moved[waiting[accepted]] = True
        waiting = waiting[~accepted]
        if not len(waiting):
            break
        length /= 2.0
    return moved


def reml_contrast(
    fit: RemlFit, statistics: PatternStatistics, structure: Structure, design: Design, contrast: Array
) -> tuple[Array, Array, Array]:
    r"""Return estimate, variance and Satterthwaite degrees of freedom of one contrast.

    Parameters
    ----------
    fit : RemlFit
    statistics, structure, design
        As given to `fit_reml`.
    contrast : ndarray, shape (b,)
        Weights c of the coefficients.

    Returns
    -------
    estimate, variance, df : ndarray, each (R,)

    Notes
    -----
    :math:`\nu = 2 f^2 / (g' I^{-1} g)` with :math:`f = c'A^{-1}c`, g its gradient in θ and I the
    observed information of θ (Fai & Cornelius 1996, J Stat Comput Simul 54:363).
    """
    likelihood = Likelihood(statistics.observed, structure, design)
    gradient, _ = likelihood.variance_derivatives(fit.theta, fit.state, statistics, contrast)
    _, spread, _ = direction(fit.information, gradient)
    variance = np.einsum("b,rbc,c->r", contrast, fit.coefficient_covariance, contrast)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = 2.0 * variance**2 / spread
    return fit.coefficients @ contrast, variance, df
