"""Restricted maximum likelihood by Newton's method on whole blocks of trials.

For any missingness pattern, covariance structure and design. The first steps use the expected information
(scoring), the last ones the observed one (Newton). Steps are halved until Σ is positive definite and the
likelihood does not fall. A replicate stops at its own convergence, so its result does not depend on its
neighbours in the block.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky
from trialsim.kernels.mmrm.design import Design, design_map
from trialsim.kernels.mmrm.likelihood import Likelihood, State
from trialsim.kernels.mmrm.statistics import PatternStatistics
from trialsim.kernels.mmrm.structures import Structure

__all__ = ["RemlFit", "design_map", "direction", "fit_reml", "maximise", "reml_contrast"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_MAX_STEPS = 100
_MAX_HALVINGS = 30
_NEAR = 1e-3
"""Newton decrement below which the observed information takes over from the expected one."""
_CONVERGED = 1e-11
"""Newton decrement below which the step just taken is the last: its error is of the decrement squared."""


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
    converged = np.zeros(len(theta), dtype=bool)
    information = np.zeros((len(theta), likelihood.n_parameters, likelihood.n_parameters))
    active = np.flatnonzero(np.isfinite(state.loglik))
    for _ in range(_MAX_STEPS):
        if not len(active):
            break
        stats, here = statistics.take(active), state.take(active)
        gradient, expected = likelihood.scoring(theta[active], here, stats)
        step, decrement, definite = direction(expected, gradient)
        newton = np.flatnonzero(definite & (decrement < _NEAR))
        if len(newton):
            observed = likelihood.observed(theta[active[newton]], here.take(newton), stats.take(newton))
            n_step, n_decrement, n_definite = direction(observed, gradient[newton])
            newton = newton[n_definite]
            step[newton], decrement[newton] = n_step[n_definite], n_decrement[n_definite]
            information[active[newton]] = observed[n_definite]
        moved = _line_search(likelihood, theta, state, active, step, stats)
        finished = np.zeros(len(active), dtype=bool)
        finished[newton] = decrement[newton] < _CONVERGED
        converged[active[finished]] = True
        active = active[~finished & moved & np.isfinite(decrement)]
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
