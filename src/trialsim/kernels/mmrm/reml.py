r"""Restricted maximum likelihood by Newton's method on whole blocks of trials.

For any missingness pattern, any covariance structure, and covariates crossed with visit or not. With
:math:`W_p` the inverse of the observed part of Σ embedded in zeros, the pieces of a fit are

1. information of the fixed effects :math:`A = K'(\sum_p W_p \otimes X'X_p)K`, where K repeats a
   coefficient that is not crossed with visit at every visit;
2. residual cross-products :math:`R_p` at the generalised least squares coefficients, and
   :math:`C_p`, that of the fitted means' uncertainty;
3. gradient in Σ: :math:`G = \tfrac12 \sum_p [W_p (R_p + C_p) W_p - n_p W_p]`;
4. expected information :math:`\tfrac12 \sum_p n_p W_p \otimes W_p` for the first steps (scoring), and the
   observed one for the last (Newton) and for Satterthwaite's degrees of freedom.

Steps are halved until Σ is positive definite and the likelihood does not fall. A replicate stops at
its own convergence, so its result does not depend on its neighbours in the block.

References
----------
Jennrich RI, Schluchter MD (1986), Biometrics 42:805.
Lindstrom MJ, Bates DM (1988), J Am Stat Assoc 83:1014.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky, solve_lower
from trialsim.kernels.mmrm.statistics import PatternStatistics
from trialsim.kernels.mmrm.structures import Structure

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_MAX_STEPS = 100
_MAX_HALVINGS = 30
_AT_ONCE = 16
"""Replicates whose observed information is worked out together."""
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
    covariance : ndarray, shape (R, V, V)
        Σ, squared points.
    coefficients : ndarray, shape (R, b)
        Fixed effects.
    coefficient_covariance : ndarray, shape (R, b, b)
        A⁻¹.
    information : ndarray, shape (R, m, m)
        Observed information of θ.
    neg2_loglik : ndarray, shape (R,)
        With all constants.
    converged : ndarray of bool, shape (R,)
    """

    theta: Array
    covariance: Array
    coefficients: Array
    coefficient_covariance: Array
    information: Array
    neg2_loglik: Array
    converged: Flags


class _State(NamedTuple):
    """One evaluation of the likelihood at Σ; all over the replicates still moving."""

    loglik: Array  # (R,), −inf where Σ or A is not positive definite
    weights: Array  # (R, P, V, V) W_p
    inverse: Array  # (R, b, b) A⁻¹
    beta: Array  # (R, b)
    residual: Array  # (R, P, V, V) R_p
    residual_x: Array  # (R, P, V, q) residuals × covariates
    spread: Array  # (R, P, V, V) C_p; zero for maximum likelihood

    def take(self, rows: Flags | Index) -> _State:
        return _State(*(piece[rows] for piece in self))

    def put(self, rows: Index, other: _State, chosen: Flags) -> None:
        for mine, theirs in zip(self, other, strict=True):
            mine[rows[chosen]] = theirs[chosen]


def design_map(n_visits: int, n_crossed: int, n_constant: int) -> Array:
    """Return K, shape (V·q, b): which coefficient stands for covariate i at visit v.

    Parameters
    ----------
    n_visits, n_crossed, n_constant : int
        V; the first `n_crossed` covariates have a coefficient at each visit, the last `n_constant`
        of the q = n_crossed + n_constant covariates one for all visits.

    Notes
    -----
    Coefficients are ordered visit by visit, the constant ones last.
    """
    q = n_crossed + n_constant
    k = np.zeros((n_visits, q, n_visits * n_crossed + n_constant))
    for v in range(n_visits):
        k[v, :n_crossed, v * n_crossed : (v + 1) * n_crossed] = np.eye(n_crossed)
        k[v, n_crossed:, n_visits * n_crossed :] = np.eye(n_constant)
    return k.reshape(n_visits * q, -1)


def fit_reml(
    statistics: PatternStatistics,
    structure: Structure,
    start: Array,
    design: Array,
    *,
    reml: bool = True,
) -> RemlFit:
    """Return the (restricted) maximum likelihood fit of every trial of a block.

    Parameters
    ----------
    statistics : PatternStatistics
    structure : Structure
    start : ndarray, shape (R, V, V)
        Positive definite covariances to start from.
    design : ndarray, shape (V·q, b)
        K of `design_map`.
    reml : bool
        Restricted likelihood; False for the ordinary one.
    """
    problem = _Problem(statistics, structure, design, reml)
    theta = structure.start(start)
    state = problem.evaluate(theta, statistics)
    converged = np.zeros(len(theta), dtype=bool)
    information = np.zeros((len(theta), structure.n_parameters, structure.n_parameters))
    active = np.flatnonzero(np.isfinite(state.loglik))
    for _ in range(_MAX_STEPS):
        if not len(active):
            break
        stats, here = statistics.take(active), state.take(active)
        gradient, expected = problem.scoring(theta[active], here, stats)
        step, decrement, definite = _direction(expected, gradient)
        newton = np.flatnonzero(definite & (decrement < _NEAR))
        if len(newton):
            observed = problem.observed(theta[active[newton]], here.take(newton), stats.take(newton))
            n_step, n_decrement, n_definite = _direction(observed, gradient[newton])
            newton = newton[n_definite]
            step[newton], decrement[newton] = n_step[n_definite], n_decrement[n_definite]
            information[active[newton]] = observed[n_definite]
        moved = _line_search(problem, theta, state, active, step, stats)
        finished = np.zeros(len(active), dtype=bool)
        finished[newton] = decrement[newton] < _CONVERGED
        converged[active[finished]] = True
        active = active[~finished & moved & np.isfinite(decrement)]
    return RemlFit(
        theta,
        structure.covariance(theta),
        state.beta,
        state.inverse,
        information,
        -2.0 * state.loglik,
        converged,
    )


def _direction(information: Array, gradient: Array) -> tuple[Array, Array, Flags]:
    """Return the step I⁻¹g, its decrement g'I⁻¹g, and whether I is positive definite."""
    scale = np.sqrt(np.abs(np.einsum("rii->ri", information)))
    scale[scale == 0] = 1.0
    _, definite = cholesky(information / (scale[:, :, None] * scale[:, None, :]))
    safe = np.where(definite[:, None, None], information, np.eye(information.shape[1]))
    step: Array = np.linalg.solve(safe, gradient[..., None])[..., 0].astype(np.float64, copy=False)
    decrement = (step * gradient).sum(axis=1)
    return step, np.where(np.isfinite(decrement), decrement, np.inf), definite


def _line_search(
    problem: _Problem,
    theta: Array,
    state: _State,
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
        new = problem.evaluate(trial, stats if whole else stats.take(waiting))
        # Rounding of the likelihood may hide the last, tiny gains.
        slack = 1e-10 * (1.0 + np.abs(before[waiting]))
        accepted = new.loglik >= before[waiting] - slack
        theta[rows[accepted]] = trial[accepted]
        state.put(rows, new, accepted)
        moved[waiting[accepted]] = True
        waiting = waiting[~accepted]
        if not len(waiting):
            break
        length /= 2.0
    return moved


def _along(matrix_gradient: Array, jacobian: Array) -> Array:
    """Return the gradient in θ, shape (R, m), of a gradient in Σ."""
    flat = jacobian.reshape(*jacobian.shape[:2], -1)
    return np.asarray((flat @ matrix_gradient.reshape(len(matrix_gradient), -1, 1))[..., 0])


class _Problem:
    """The likelihood of one model; holds what is the same for every replicate and step."""

    def __init__(self, statistics: PatternStatistics, structure: Structure, design: Array, reml: bool) -> None:
        self._structure = structure
        self._reml = reml
        self._observed = statistics.observed
        self._n_visits = statistics.observed.shape[1]
        self._q = statistics.xx.shape[-1]
        self._k = design
        self._crossed = design.shape[0] == design.shape[1]
        self._n_constant = (design.shape[0] - design.shape[1]) // max(self._n_visits - 1, 1)

    def _expand(self, matrices: Array) -> Array:
        """KMK' over the last two axes."""
        return matrices if self._crossed else np.asarray(self._k @ matrices @ self._k.T)

    def _information(self, weights: Array, xx: Array) -> Array:
        """K'(Σ_p W_p ⊗ X'X_p)K for weights (R, ..., P, V, V), as (R, ..., b, b)."""
        v, q = self._n_visits, self._q
        lead = weights.shape[:-3]
        flat = weights.reshape(*lead, -1, v * v).swapaxes(-1, -2)
        right = xx.reshape(len(xx), -1, q * q)
        if len(lead) > 1:
            right = right[:, None]
        blocks = np.moveaxis((flat @ right).reshape(*lead, v, v, q, q), -2, -3)
        if self._crossed:
            return np.ascontiguousarray(blocks).reshape(*lead, v * q, v * q)
        # K sums the rows and columns of a constant covariate over visits.
        c, b = q - self._n_constant, self._k.shape[1]
        whole = np.empty((*lead, b, b))
        whole[..., : v * c, : v * c] = blocks[..., :c, :, :c].reshape(*lead, v * c, v * c)
        mixed = blocks[..., :c, :, c:].sum(axis=-2).reshape(*lead, v * c, b - v * c)
        whole[..., : v * c, v * c :] = mixed
        whole[..., v * c :, : v * c] = mixed.swapaxes(-1, -2)
        whole[..., v * c :, v * c :] = blocks[..., c:, :, c:].sum(axis=(-4, -2))
        return whole

    def evaluate(self, theta: Array, stats: PatternStatistics) -> _State:
        """Return the likelihood and its pieces at θ."""
        v, q = self._n_visits, self._q
        sigma = self._structure.covariance(theta)
        weights, log_det, definite = self._weights(sigma)
        information = self._information(weights, stats.xx)
        xwy = np.einsum("rpvw,rpqw->rvq", weights, stats.xy).reshape(len(theta), v * q)
        factor, regular = cholesky(information)
        definite &= regular
        root = solve_lower(factor, np.eye(factor.shape[1]))
        inverse = root.transpose(0, 2, 1) @ root
        beta = (inverse @ (xwy if self._crossed else xwy @ self._k)[..., None])[..., 0]
        b = (beta if self._crossed else beta @ self._k.T).reshape(len(theta), 1, v, q)
        fitted = b @ stats.xy
        bxx = b @ stats.xx
        residual = stats.yy - fitted - fitted.swapaxes(-1, -2) + bxx @ b.swapaxes(-1, -2)
        residual *= self._observed[:, :, None] & self._observed[:, None, :]
        residual_x = (stats.xy.swapaxes(-1, -2) - bxx) * self._observed[:, :, None]
        loglik = -0.5 * ((stats.counts * log_det).sum(axis=1) + (weights * residual).sum(axis=(1, 2, 3)))
        n_scores = (stats.counts * self._observed.sum(axis=1)).sum(axis=1)
        if self._reml:
            log_det_a = 2.0 * np.log(np.einsum("rii->ri", factor)).sum(axis=1)
            loglik -= 0.5 * log_det_a
            n_scores = n_scores - factor.shape[1]
            spread = self._spread(inverse, stats.xx)
        else:
            spread = np.zeros_like(residual)
        loglik -= 0.5 * n_scores * np.log(2.0 * np.pi)
        loglik = np.where(definite, loglik, -np.inf)
        return _State(loglik, weights, inverse, beta, residual, residual_x, spread)

    def _weights(self, sigma: Array) -> tuple[Array, Array, Flags]:
        """Return W_p (R, P, V, V), log|Σ_p| (R, P) and whether Σ is positive definite (R,)."""
        v = self._n_visits
        both = self._observed[:, :, None] & self._observed[:, None, :]
        padded = np.where(both, sigma[:, None], np.eye(v))
        _, definite = cholesky(sigma)
        padded[~definite] = np.eye(v)
        factor = np.linalg.cholesky(padded)
        log_det = 2.0 * np.log(np.einsum("rpvv->rpv", factor)).sum(axis=2)
        root = solve_lower(factor, np.eye(v))
        return (root.swapaxes(-1, -2) @ root) * both, log_det, definite

    def _spread(self, inverse: Array, xx: Array) -> Array:
        """C_p: cross-products of the fitted means' uncertainty, tr over the covariates of A⁻¹ ∘ X'X_p."""
        v, q = self._n_visits, self._q
        blocks = self._expand(inverse).reshape(-1, v, q, v, q).transpose(0, 1, 3, 2, 4).reshape(-1, v * v, q * q)
        spread = (blocks @ xx.reshape(len(xx), -1, q * q).swapaxes(1, 2)).reshape(len(xx), v, v, -1)
        return np.asarray(np.moveaxis(spread, -1, 1) * (self._observed[:, :, None] & self._observed[:, None, :]))

    def _kernel(self, left: Array, right: Array, jacobian: Array) -> Array:
        """Σ_p tr(J_i L_p J_j R_p), shape (R, m, m), for symmetric L and R (R, P, V, V)."""
        v = self._n_visits
        flat_left = left.reshape(len(left), -1, v * v).swapaxes(1, 2)
        outer = (flat_left @ right.reshape(len(right), -1, v * v)).reshape(-1, v, v, v, v)
        # J_ab L_bc J_cd R_da: from [b, c, d, a] to [(a, b), (c, d)].
        form = outer.transpose(0, 4, 1, 2, 3).reshape(-1, v * v, v * v)
        flat = jacobian.reshape(len(jacobian), -1, v * v)
        return np.asarray(flat @ form @ flat.swapaxes(1, 2))

    def _matrix_gradient(self, state: _State, stats: PatternStatistics) -> tuple[Array, Array]:
        """Return G (R, V, V) and M_p = W_p (R_p + C_p) W_p."""
        m = state.weights @ (state.residual + state.spread) @ state.weights
        return 0.5 * (m - stats.counts[..., None, None] * state.weights).sum(axis=1), m

    def scoring(self, theta: Array, state: _State, stats: PatternStatistics) -> tuple[Array, Array]:
        """Return the gradient in θ and the expected information without the price of the fixed effects."""
        jacobian = self._structure.jacobian(theta)
        g, _ = self._matrix_gradient(state, stats)
        gradient = _along(g, jacobian)
        weighted = 0.5 * stats.counts[..., None, None] * state.weights
        return gradient, self._kernel(state.weights, weighted, jacobian)

    def observed(self, theta: Array, state: _State, stats: PatternStatistics) -> Array:
        """Return the observed information of θ, shape (R, m, m)."""
        information = np.empty((len(theta), theta.shape[1], theta.shape[1]))
        # A few replicates at a time, so that the derivatives of A stay in the processor's cache.
        for first in range(0, len(theta), _AT_ONCE):
            rows = np.arange(first, min(first + _AT_ONCE, len(theta)))
            information[rows] = self._observed_part(theta[rows], state.take(rows), stats.take(rows))
        return information

    def _observed_part(self, theta: Array, state: _State, stats: PatternStatistics) -> Array:
        jacobian = self._structure.jacobian(theta)
        g, m = self._matrix_gradient(state, stats)
        direct = self._kernel(state.weights, m - 0.5 * stats.counts[..., None, None] * state.weights, jacobian)
        # W_p J_i W_p, and with it the derivatives of A and of X'V⁻¹r.
        moved = state.weights[:, None] @ jacobian[:, :, None] @ state.weights[:, None]
        flat = moved.swapaxes(2, 3).reshape(len(theta), -1, moved.shape[2] * self._n_visits)
        score = flat @ state.residual_x.reshape(len(theta), -1, self._q)
        score = score.reshape(len(theta), moved.shape[1], -1)
        score = score if self._crossed else score @ self._k
        information = direct - score @ state.inverse @ score.swapaxes(1, 2)
        if self._reml:
            change = state.inverse[:, None] @ self._information(moved, stats.xx)
            flat = change.reshape(*change.shape[:2], -1)
            turned = change.swapaxes(-1, -2).reshape(flat.shape)
            information -= 0.5 * flat @ turned.swapaxes(1, 2)
        return np.asarray(information - self._structure.curvature(theta, g))

    def contrast_gradient(self, fit_state: _State, theta: Array, stats: PatternStatistics, c: Array) -> Array:
        """Return ∂(c'A⁻¹c)/∂θ, shape (R, m)."""
        z = fit_state.inverse @ c
        z = (z if self._crossed else z @ self._k.T).reshape(-1, 1, self._n_visits, self._q)
        inner = z @ stats.xx @ z.swapaxes(-1, -2)
        g = (fit_state.weights @ inner @ fit_state.weights).sum(axis=1)
        jacobian = self._structure.jacobian(theta)
        return _along(g, jacobian)


def reml_contrast(
    fit: RemlFit, statistics: PatternStatistics, structure: Structure, design: Array, contrast: Array
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
    problem = _Problem(statistics, structure, design, True)
    weights, _, _ = problem._weights(fit.covariance)
    nothing = np.empty(0)
    state = _State(nothing, weights, fit.coefficient_covariance, nothing, nothing, nothing, nothing)
    gradient = problem.contrast_gradient(state, fit.theta, statistics, contrast)
    _, spread, _ = _direction(fit.information, gradient)
    variance = np.einsum("b,rbc,c->r", contrast, fit.coefficient_covariance, contrast)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = 2.0 * variance**2 / spread
    return fit.coefficients @ contrast, variance, df
