"""Refits of one trial without each participant in turn, each to its own convergence.

They start where `one_step` leaves them and take quasi-Newton steps (BFGS). The first information is their own, observed
with the fixed effects held, less what the whole trial pays for its fixed effects: an error of order 1/N of a part that
is itself of order 1/N, so that the second or third step is the last.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky, solve_lower
from trialsim.kernels.imputation.groups import Grouped
from trialsim.kernels.imputation.likelihood import Problem, maximise
from trialsim.kernels.mmrm import PatternStatistics
from trialsim.kernels.mmrm.likelihood import Likelihood

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_AT_ONCE = 256
"""Refits worked on together, so that they stay in the processor's cache."""
_MAX_STEPS = 20
"""Quasi-Newton steps before a refit starts again by Newton's method."""
_CONVERGED = 1e-13
"""Decrement at which a refit is where it should be."""


def refit_without_each(
    problem: Problem, grouped: Grouped, sigma: Array, information: Array, start: Array
) -> tuple[Array, Array, Flags, Flags]:
    """Return Σ (N + 1, S, V, V), coefficients (N + 1, b), and which refits are estimable and which converged.

    Parameters
    ----------
    problem : Problem
    grouped : Grouped
        One trial.
    sigma, information : ndarray, shapes (1, S, V, V) and (1, S·m, S·m)
        Optimum and observed information of the trial.
    start : ndarray, shape (N + 1, S, V, V)
        Positive definite covariances near those of the refits.
    """
    whole = problem.products(grouped)
    price = _price(problem, whole, sigma, information)
    n = len(start)
    near, beta = start.copy(), np.zeros((n, problem.design.matrix.shape[2]))
    estimable, converged = np.zeros((2, n), dtype=bool)
    for first in range(0, n, _AT_ONCE):
        rows = np.arange(first, min(first + _AT_ONCE, n))
        products = problem.without(grouped, whole, np.zeros_like(rows), rows)
        estimable[rows] = problem.identifiable(products)
        near[rows], beta[rows], converged[rows] = _approach(problem.likelihood, products, start[rows], price)
        far = np.flatnonzero(~converged[rows] & estimable[rows])
        if len(far):
            part = products.take(far)
            near[rows[far]], _, _, converged[rows[far]] = maximise(problem, part, start[rows[far]])
            beta[rows[far]] = problem.evaluate(near[rows[far]], part).beta
    return near, beta, estimable, converged


def _price(problem: Problem, whole: PatternStatistics, sigma: Array, information: Array) -> Array:
    """Return what the fixed effects take from the information of a trial, shape (1, S·m, S·m)."""
    likelihood = problem.likelihood
    theta = likelihood.start(sigma)
    state = likelihood.evaluate(theta, whole)
    return likelihood.held(theta, state, whole, likelihood.slope(theta, state, whole)) - information


def _approach(
    likelihood: Likelihood, products: PatternStatistics, start: Array, price: Array
) -> tuple[Array, Array, Flags]:
    """Return Σ, coefficients and convergence after quasi-Newton steps from a near optimum."""
    theta = likelihood.start(start)
    state = likelihood.evaluate(theta, products)
    slope = likelihood.slope(theta, state, products)
    inverse, sound = _inverses(likelihood.held(theta, state, products, slope) - price)
    beta, gradient = state.beta, slope.gradient
    converged = np.zeros(len(theta), dtype=bool)
    active = np.flatnonzero(sound & np.isfinite(state.loglik))
    for _ in range(_MAX_STEPS):
        step = (inverse[active] @ gradient[active, :, None])[..., 0]
        decrement = np.abs((step * gradient[active]).sum(axis=1))
        done = decrement < _CONVERGED
        converged[active[done]] = True
        going = ~done & np.isfinite(decrement)
        active, step = active[going], step[going]
        if not len(active):
            break
        theta[active] += step
        part = products if len(active) == len(theta) else products.take(active)
        state = likelihood.evaluate(theta[active], part)
        new = likelihood.slope(theta[active], state, part).gradient
        inverse[active] = _bettered(inverse[active], step, gradient[active] - new)
        beta[active], gradient[active] = state.beta, new
        active = active[np.isfinite(state.loglik)]
    return likelihood.covariance(theta), beta, converged


def _inverses(matrices: Array) -> tuple[Array, Flags]:
    """Return the inverses of a stack, the identity where a matrix is not positive definite, and where they are."""
    factor, definite = cholesky(matrices)
    root = solve_lower(factor, np.eye(matrices.shape[-1]))
    return np.asarray(root.swapaxes(1, 2) @ root), definite


def _bettered(inverse: Array, step: Array, fall: Array) -> Array:
    r"""Return H after a step s that made the gradient fall by y: :math:`(I - \rho sy')H(I - \rho ys') + \rho ss'`.

    With :math:`\rho = 1/s'y`; where the likelihood is not concave along s, H stays as it is.
    """
    along = (step * fall).sum(axis=1)
    rho = np.where(along > 0, 1.0 / np.where(along > 0, along, 1.0), 0.0)
    moved = (inverse @ fall[..., None])[..., 0]
    weight = rho * (1.0 + rho * (fall * moved).sum(axis=1))
    left = np.stack([step, moved], axis=2)
    right = np.stack([weight[:, None] * step - rho[:, None] * moved, -rho[:, None] * step], axis=1)
    return np.asarray(inverse + left @ right)
