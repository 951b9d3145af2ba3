r"""The (restricted) likelihood of a model for repeated measures, its gradient and its information.

With :math:`W_p` the inverse of the observed part of Σ embedded in zeros, K the design and sums over
missingness patterns p (each of one group of participants, where groups have covariances of their own):

1. information of the fixed effects :math:`A = K'(\sum_p W_p \otimes X'X_p)K`;
2. residual cross-products :math:`R_p` at the generalised least squares coefficients, and
   :math:`C_p`, that of the fitted means' uncertainty;
3. gradient in Σ: :math:`G = \tfrac12 \sum_p [W_p (R_p + C_p) W_p - n_p W_p]`;
4. expected information without the price of the fixed effects, :math:`\tfrac12 \sum_p n_p W_p \otimes W_p`;
5. observed information, for directions i and j in Σ:
   :math:`\sum_p \mathrm{tr}(W_p J_i W_p J_j [W_p(R_p + C_p) - n_p/2])
   - \tfrac12\mathrm{tr}(A^{-1}A_iA^{-1}A_j) - g_i'A^{-1}g_j`, with :math:`A_i` and :math:`g_i` the derivatives of
   A and of :math:`X'V^{-1}r`, less G along the curvature of Σ in its parameters.

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
from trialsim.kernels.mmrm.design import Design
from trialsim.kernels.mmrm.statistics import PatternStatistics
from trialsim.kernels.mmrm.structures import Structure

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_AT_ONCE = 16
"""Replicates whose observed information is worked out together, so that it stays in the processor's cache."""


class State(NamedTuple):
    """One evaluation of the likelihood at Σ.

    Attributes
    ----------
    loglik : ndarray, shape (R,)
        −inf where Σ or A is not positive definite.
    weights : ndarray, shape (R, P, V, V)
        W_p.
    inverse : ndarray, shape (R, b, b)
        A⁻¹.
    beta : ndarray, shape (R, b)
    residual : ndarray, shape (R, P, V, V)
        R_p.
    residual_x : ndarray, shape (R, P, V, q)
        Cross-products of residuals and covariates.
    spread : ndarray, shape (R, P, V, V)
        C_p; zero for the ordinary likelihood.
    """

    loglik: Array
    weights: Array
    inverse: Array
    beta: Array
    residual: Array
    residual_x: Array
    spread: Array

    def take(self, rows: Flags | Index) -> State:
        """Return some of the replicates."""
        return State(*(piece[rows] for piece in self))

    def put(self, rows: Index, other: State, chosen: Flags) -> None:
        """Overwrite the chosen ones of `rows` with theirs of `other`."""
        for mine, theirs in zip(self, other, strict=True):
            mine[rows[chosen]] = theirs[chosen]


class Likelihood:
    """The likelihood of one model; holds what is the same for every replicate and step.

    Parameters
    ----------
    observed : ndarray of bool, shape (P, V)
        The missingness patterns of the statistics.
    structure : Structure
    design : Design
    reml : bool
        Restricted likelihood; False for the ordinary one.
    group : ndarray of int, shape (P,), optional
        Group of each pattern; each group has a covariance of its own. One group by default.
    """

    def __init__(
        self, observed: Flags, structure: Structure, design: Design, *, reml: bool = True, group: Index | None = None
    ) -> None:
        self._structure = structure
        self._design = design
        self._reml = reml
        self._observed = observed
        self._both = observed[:, :, None] & observed[:, None, :]
        self._group = np.zeros(len(observed), dtype=np.intp) if group is None else group
        self._members = [np.flatnonzero(self._group == g) for g in range(int(self._group.max(initial=0)) + 1)]
        self._n_visits = observed.shape[1]
        self._q = design.matrix.shape[1]

    @property
    def n_parameters(self) -> int:
        """Covariance parameters, over all groups."""
        return self._structure.n_parameters * len(self._members)

    def start(self, covariance: Array) -> Array:
        """Return θ (R, m) near a covariance (R, V, V) that all groups share, or one for each (R, G, V, V)."""
        if covariance.ndim == 3:
            return np.tile(self._structure.start(covariance), len(self._members))
        parts = [self._structure.start(covariance[:, g]) for g in range(len(self._members))]
        return np.concatenate(parts, axis=1)

    def covariance(self, theta: Array) -> Array:
        """Return Σ of each group, shape (R, G, V, V)."""
        parts = theta.reshape(len(theta), len(self._members), -1)
        return np.stack([self._structure.covariance(parts[:, g]) for g in range(parts.shape[1])], axis=1)

    def _jacobians(self, theta: Array) -> list[Array]:
        """Return ∂Σ/∂θ (R or 1, m, V, V) of each group."""
        parts = theta.reshape(len(theta), len(self._members), -1)
        return [self._structure.jacobian(parts[:, g]) for g in range(parts.shape[1])]

    def evaluate(self, theta: Array, stats: PatternStatistics) -> State:
        """Return the likelihood and its pieces at θ (R, m)."""
        weights, log_det, definite = self._weights(self.covariance(theta))
        factor, regular = cholesky(self._information(weights, stats.xx))
        definite &= regular
        root = solve_lower(factor, np.eye(factor.shape[1]))
        inverse = root.transpose(0, 2, 1) @ root
        xwy = np.einsum("rpvw,rpqw->rvq", weights, stats.xy).reshape(len(theta), -1)
        beta = (inverse @ self._design.reduce_vector(xwy)[..., None])[..., 0]
        b = self._design.expand_vector(beta)[:, None]
        fitted = b @ stats.xy
        bxx = b @ stats.xx
        residual = stats.yy - fitted - fitted.swapaxes(-1, -2) + bxx @ b.swapaxes(-1, -2)
        residual *= self._both
        residual_x = (stats.xy.swapaxes(-1, -2) - bxx) * self._observed[:, :, None]
        loglik = -0.5 * ((stats.counts * log_det).sum(axis=1) + (weights * residual).sum(axis=(1, 2, 3)))
        n_scores = (stats.counts * self._observed.sum(axis=1)).sum(axis=1)
        spread = np.zeros_like(residual)
        if self._reml:
            loglik -= np.log(np.einsum("rii->ri", factor)).sum(axis=1)
            n_scores = n_scores - factor.shape[1]
            spread = self._spread(inverse, stats.xx)
        loglik = np.where(definite, loglik - 0.5 * n_scores * np.log(2.0 * np.pi), -np.inf)
        return State(loglik, weights, inverse, beta, residual, residual_x, spread)

    def _weights(self, sigma: Array) -> tuple[Array, Array, Flags]:
        """Return W_p (R, P, V, V), log|Σ_p| (R, P) and whether every Σ is positive definite (R,)."""
        v = self._n_visits
        _, each = cholesky(sigma.reshape(-1, v, v))
        definite: Flags = np.asarray(each.reshape(sigma.shape[:2]).all(axis=1))
        padded = np.where(self._both, sigma[:, self._group], np.eye(v))
        padded[~definite] = np.eye(v)
        factor = np.linalg.cholesky(padded)
        log_det = np.asarray(2.0 * np.log(np.einsum("rpvv->rpv", factor)).sum(axis=2))
        root = solve_lower(factor, np.eye(v))
        return (root.swapaxes(-1, -2) @ root) * self._both, log_det, definite

    def _information(self, weights: Array, xx: Array) -> Array:
        """K'(Σ_p W_p ⊗ X'X_p)K for weights (R, ..., P, V, V), as (R, ..., b, b)."""
        v, q = self._n_visits, self._q
        lead = weights.shape[:-3]
        flat = weights.reshape(*lead, -1, v * v).swapaxes(-1, -2)
        right = xx.reshape(len(xx), -1, q * q)
        if len(lead) > 1:
            right = right[:, None]
        return self._design.reduce(np.moveaxis((flat @ right).reshape(*lead, v, v, q, q), -2, -3))

    def _spread(self, inverse: Array, xx: Array) -> Array:
        """C_p: cross-products of the fitted means' uncertainty, Σ over covariates of A⁻¹ ∘ X'X_p."""
        v, q = self._n_visits, self._q
        blocks = self._design.expand(inverse).transpose(0, 1, 3, 2, 4).reshape(-1, v * v, q * q)
        spread = (blocks @ xx.reshape(len(xx), -1, q * q).swapaxes(1, 2)).reshape(len(xx), v, v, -1)
        return np.asarray(np.moveaxis(spread, -1, 1) * self._both)

    def _kernel(self, left: Array, right: Array, theta: Array) -> Array:
        """Σ_p tr(J_i L_p J_j R_p), shape (R, m, m), for symmetric L and R (R, P, V, V)."""
        v = self._n_visits
        form = np.zeros((len(theta), self.n_parameters, self.n_parameters))
        m = self._structure.n_parameters
        for g, (members, jacobian) in enumerate(zip(self._members, self._jacobians(theta), strict=True)):
            flat_left = left[:, members].reshape(len(left), -1, v * v).swapaxes(1, 2)
            outer = (flat_left @ right[:, members].reshape(len(right), -1, v * v)).reshape(-1, v, v, v, v)
            # J_ab L_bc J_cd R_da: from [b, c, d, a] to [(a, b), (c, d)].
            square = outer.transpose(0, 4, 1, 2, 3).reshape(-1, v * v, v * v)
            flat = jacobian.reshape(len(jacobian), -1, v * v)
            form[:, g * m : (g + 1) * m, g * m : (g + 1) * m] = flat @ square @ flat.swapaxes(1, 2)
        return form

    def _along(self, by_pattern: Array, theta: Array) -> Array:
        """Return Σ_p tr(J_i G_p), shape (R, m), for matrices G_p (R, P, V, V)."""
        parts = []
        for members, jacobian in zip(self._members, self._jacobians(theta), strict=True):
            flat = jacobian.reshape(*jacobian.shape[:2], -1)
            parts.append((flat @ by_pattern[:, members].sum(axis=1).reshape(len(theta), -1, 1))[..., 0])
        return np.concatenate(parts, axis=1)

    def curvature(self, by_pattern: Array, theta: Array) -> Array:
        """Return Σ_p Σ_ab G_p,ab ∂²Σ_ab/∂θ∂θ', shape (R, m, m), for matrices G_p (R, P, V, V)."""
        parts = theta.reshape(len(theta), len(self._members), -1)
        m = parts.shape[2]
        bent = np.zeros((len(theta), self.n_parameters, self.n_parameters))
        for g, members in enumerate(self._members):
            block = self._structure.curvature(parts[:, g], by_pattern[:, members].sum(axis=1))
            bent[:, g * m : (g + 1) * m, g * m : (g + 1) * m] = block
        return bent

    def _gradient(self, state: State, stats: PatternStatistics) -> tuple[Array, Array]:
        """Return G_p and M_p = W_p (R_p + C_p) W_p, each (R, P, V, V)."""
        m = state.weights @ (state.residual + state.spread) @ state.weights
        return 0.5 * (m - stats.counts[..., None, None] * state.weights), m

    def scoring(self, theta: Array, state: State, stats: PatternStatistics) -> tuple[Array, Array]:
        """Return the gradient in θ (R, m) and the expected information (R, m, m)."""
        g, _ = self._gradient(state, stats)
        weighted = 0.5 * stats.counts[..., None, None] * state.weights
        return self._along(g, theta), self._kernel(state.weights, weighted, theta)

    def observed(self, theta: Array, state: State, stats: PatternStatistics) -> Array:
        """Return the observed information of θ, shape (R, m, m)."""
        information = np.empty((len(theta), self.n_parameters, self.n_parameters))
        for first in range(0, len(theta), _AT_ONCE):
            rows = np.arange(first, min(first + _AT_ONCE, len(theta)))
            information[rows] = self._observed_part(theta[rows], state.take(rows), stats.take(rows))
        return information

    def _observed_part(self, theta: Array, state: State, stats: PatternStatistics) -> Array:
        g, m = self._gradient(state, stats)
        direct = self._kernel(state.weights, m - 0.5 * stats.counts[..., None, None] * state.weights, theta)
        score, change = self.mean_derivatives(theta, state, stats)
        information = direct - score @ state.inverse @ score.swapaxes(1, 2)
        if self._reml:
            moved = state.inverse[:, None] @ change
            flat = moved.reshape(*moved.shape[:2], -1)
            turned = moved.swapaxes(-1, -2).reshape(flat.shape)
            information -= 0.5 * flat @ turned.swapaxes(1, 2)
        return np.asarray(information - self.curvature(g, theta))

    def mean_derivatives(self, theta: Array, state: State, stats: PatternStatistics) -> tuple[Array, Array]:
        """Return −∂(X'V⁻¹r)/∂θ, shape (R, m, b), and −∂A/∂θ, shape (R, m, b, b)."""
        scores, changes = [], []
        for members, jacobian in zip(self._members, self._jacobians(theta), strict=True):
            weights = state.weights[:, members]
            moved = weights[:, None] @ jacobian[:, :, None] @ weights[:, None]
            flat = moved.swapaxes(2, 3).reshape(len(theta), -1, len(members) * self._n_visits)
            score = flat @ state.residual_x[:, members].reshape(len(theta), -1, self._q)
            scores.append(self._design.reduce_vector(score.reshape(len(theta), jacobian.shape[1], -1)))
            changes.append(self._information(moved, stats.xx[:, members]))
        return np.concatenate(scores, axis=1), np.concatenate(changes, axis=1)

    def variance_derivatives(
        self, theta: Array, state: State, stats: PatternStatistics, c: Array
    ) -> tuple[Array, Array]:
        """Return ∂(c'A⁻¹c)/∂θ, shape (R, m), and its matrices W_p Z_p W_p (R, P, V, V).

        `c` is (b,) or (R, b); Z_p holds the cross-products of the covariates weighted with A⁻¹c.
        """
        z = self._design.expand_vector((state.inverse @ c[..., None])[..., 0])[:, None]
        by_pattern = state.weights @ (z @ stats.xx @ z.swapaxes(-1, -2)) @ state.weights
        return self._along(by_pattern, theta), by_pattern

    def second_order(self, theta: Array, state: State, by_pattern: Array) -> Array:
        """Return c'A⁻¹ Q_ij A⁻¹c, shape (R, m, m), with Q_ij = X'V⁻¹ V_i V⁻¹ V_j V⁻¹X; `by_pattern` as above."""
        return self._kernel(state.weights, by_pattern, theta)
