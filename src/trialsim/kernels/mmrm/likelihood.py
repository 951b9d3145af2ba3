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
from trialsim.kernels.mmrm.inverses import PatternInverses
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
    scatter : ndarray, shape (R, P, V, V)
        R_p + C_p; R_p alone for the ordinary likelihood.
    """

    loglik: Array
    weights: Array
    inverse: Array
    beta: Array
    scatter: Array

    def take(self, rows: Flags | Index | slice) -> State:
        """Return some of the replicates."""
        return State(*(piece[rows] for piece in self))

    def put(self, rows: Index, other: State, chosen: Flags) -> None:
        """Overwrite the chosen ones of `rows` with theirs of `other`."""
        for mine, theirs in zip(self, other, strict=True):
            mine[rows[chosen]] = theirs[chosen]


class Slope(NamedTuple):
    """The gradient of the likelihood at Σ.

    Attributes
    ----------
    gradient : ndarray, shape (R, m)
        In θ.
    g : ndarray, shape (R, P, V, V)
        In Σ, each pattern's share G_p.
    m : ndarray, shape (R, P, V, V)
        W_p (R_p + C_p) W_p.
    """

    gradient: Array
    g: Array
    m: Array

    def take(self, rows: Flags | Index | slice) -> Slope:
        """Return some of the replicates."""
        return Slope(*(piece[rows] for piece in self))


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
    n_groups : int, optional
        How many groups there are; by default up to the last that has a pattern.
    """

    def __init__(
        self,
        observed: Flags,
        structure: Structure,
        design: Design,
        *,
        reml: bool = True,
        group: Index | None = None,
        n_groups: int | None = None,
    ) -> None:
        self._structure = structure
        self._design = design
        self._reml = reml
        self._observed = observed
        self._both = observed[:, :, None] & observed[:, None, :]
        self._group = np.zeros(len(observed), dtype=np.intp) if group is None else group
        self._inverses = PatternInverses(observed, self._group)
        n_groups = int(self._group.max(initial=0)) + 1 if n_groups is None else n_groups
        self._members = [np.flatnonzero(self._group == g) for g in range(n_groups)]
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
        information = self._information(weights, stats.xx)
        factor, regular = cholesky(information)
        definite &= regular
        root = solve_lower(factor, np.eye(factor.shape[1]))
        inverse = root.transpose(0, 2, 1) @ root
        xwy = (weights @ stats.xy.swapaxes(-1, -2)).sum(axis=1).reshape(len(theta), -1)
        xwy = self._design.reduce_vector(xwy)
        beta = (inverse @ xwy[..., None])[..., 0]
        # r'V⁻¹r, written so that rounding of β enters squared.
        square = (beta * ((information @ beta[..., None])[..., 0] - 2.0 * xwy)).sum(axis=1)
        square += (weights * stats.yy).sum(axis=(1, 2, 3))
        loglik = -0.5 * ((stats.counts * log_det).sum(axis=1) + square)
        n_scores = (stats.counts * self._observed.sum(axis=1)).sum(axis=1)
        if self._reml:
            loglik -= np.log(np.einsum("rii->ri", factor)).sum(axis=1)
            n_scores = n_scores - factor.shape[1]
        loglik = np.where(definite, loglik - 0.5 * n_scores * np.log(2.0 * np.pi), -np.inf)
        return State(loglik, weights, inverse, beta, self._scatter(inverse, beta, stats))

    def _weights(self, sigma: Array) -> tuple[Array, Array, Flags]:
        """Return W_p (R, P, V, V), log|Σ_p| (R, P) and whether every Σ is positive definite (R,)."""
        v = self._n_visits
        _, each = cholesky(sigma.reshape(-1, v, v))
        definite: Flags = np.asarray(each.reshape(sigma.shape[:2]).all(axis=1))
        safe = sigma if definite.all() else np.where(definite[:, None, None, None], sigma, np.eye(v))
        weights, log_det = self._inverses(safe)
        return weights, log_det, definite

    def _information(self, weights: Array, xx: Array) -> Array:
        """K'(Σ_p W_p ⊗ X'X_p)K for weights (R, ..., P, V, V), as (R, ..., b, b)."""
        v, q = self._n_visits, self._q
        lead = weights.shape[:-3]
        flat = weights.reshape(*lead, -1, v * v).swapaxes(-1, -2)
        right = xx.reshape(len(xx), -1, q * q)
        if len(lead) > 1:
            right = right[:, None]
        return self._design.reduce(np.moveaxis((flat @ right).reshape(*lead, v, v, q, q), -2, -3))

    def _scatter(self, inverse: Array, beta: Array, stats: PatternStatistics) -> Array:
        """R_p + C_p: both are quadratic in the coefficients, the one in β, the other in their covariance A⁻¹."""
        v, q = self._n_visits, self._q
        square = beta[:, :, None] * beta[:, None, :]
        if self._reml:
            square += inverse
        blocks = self._design.expand(square).transpose(0, 1, 3, 2, 4).reshape(-1, v * v, q * q)
        scatter = (stats.xx.reshape(len(beta), -1, q * q) @ blocks.swapaxes(1, 2)).reshape(stats.yy.shape)
        fitted = self._design.expand_vector(beta)[:, None] @ stats.xy
        scatter += stats.yy
        scatter -= fitted
        scatter -= fitted.swapaxes(-1, -2)
        scatter *= self._both
        return np.asarray(scatter)

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

    def slope(self, theta: Array, state: State, stats: PatternStatistics) -> Slope:
        """Return the gradient in θ and its matrices."""
        m = state.weights @ state.scatter @ state.weights
        g = 0.5 * (m - stats.counts[..., None, None] * state.weights)
        return Slope(self._along(g, theta), g, m)

    def expected(self, theta: Array, state: State, stats: PatternStatistics, slope: Slope) -> Array:
        """Return the expected information of θ without the price of the fixed effects, shape (R, m, m)."""
        return self._kernel(state.weights, 0.5 * stats.counts[..., None, None] * state.weights, theta)

    def held(self, theta: Array, state: State, stats: PatternStatistics, slope: Slope) -> Array:
        """Return the observed information of θ with the fixed effects and A held, shape (R, m, m)."""
        direct = self._kernel(state.weights, slope.m - 0.5 * stats.counts[..., None, None] * state.weights, theta)
        return direct - self.curvature(slope.g, theta)

    def observed(self, theta: Array, state: State, stats: PatternStatistics, slope: Slope | None = None) -> Array:
        """Return the observed information of θ, shape (R, m, m)."""
        slope = self.slope(theta, state, stats) if slope is None else slope
        information = self.held(theta, state, stats, slope)
        for first in range(0, len(theta), _AT_ONCE):
            rows = slice(first, first + _AT_ONCE)
            information[rows] -= self._price(theta[rows], state.take(rows), stats.take(rows))
        return information

    def _price(self, theta: Array, state: State, stats: PatternStatistics) -> Array:
        """Return what estimating the fixed effects takes from the information of θ, shape (R, m, m)."""
        score, change = self.mean_derivatives(theta, state, stats)
        price = score @ state.inverse @ score.swapaxes(1, 2)
        if self._reml:
            moved = state.inverse[:, None] @ change
            flat = moved.reshape(*moved.shape[:2], -1)
            turned = moved.swapaxes(-1, -2).reshape(flat.shape)
            price += 0.5 * flat @ turned.swapaxes(1, 2)
        return np.asarray(price)

    def mean_derivatives(self, theta: Array, state: State, stats: PatternStatistics) -> tuple[Array, Array]:
        """Return −∂(X'V⁻¹r)/∂θ, shape (R, m, b), and −∂A/∂θ, shape (R, m, b, b)."""
        v, q, n = self._n_visits, self._q, len(theta)
        b = self._design.expand_vector(state.beta)[:, None]
        weighted_x = state.weights @ (stats.xy.swapaxes(-1, -2) - b @ stats.xx)
        scores, changes = [], []
        for members, jacobian in zip(self._members, self._jacobians(theta), strict=True):
            m, p = jacobian.shape[1], len(members)
            weights = state.weights[:, members]
            # Σ_p W_ab (W r'X)_cq, then J_bc: from [a, b, c, q] to [(b, c), (a, q)].
            outer = weights.reshape(n, p, v * v).swapaxes(1, 2) @ weighted_x[:, members].reshape(n, p, v * q)
            outer = outer.reshape(n, v, v, v, q).transpose(0, 2, 3, 1, 4).reshape(n, v * v, v * q)
            scores.append(self._design.reduce_vector(jacobian.reshape(-1, m, v * v) @ outer))
            # W J W as [p, (a, j), d], so that both products are of large matrices.
            wide = jacobian.transpose(0, 2, 1, 3).reshape(-1, v, m * v)
            moved = (weights.reshape(n, p * v, v) @ wide).reshape(n, p, v * m, v) @ weights
            change = moved.reshape(n, p, -1).swapaxes(1, 2) @ stats.xx[:, members].reshape(n, p, q * q)
            change = change.reshape(n, v, m, v, q, q).transpose(0, 2, 1, 4, 3, 5)
            changes.append(self._design.reduce(change))
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

    def weighted_second_order(self, theta: Array, state: State, stats: PatternStatistics, w: Array) -> Array:
        """Return Σ_ij w_ij Q_ij, shape (R, b, b), for symmetric weights (R, m, m); Q_ij as of `second_order`."""
        inner = np.empty_like(state.weights)
        for members, jacobian, own in zip(self._members, self._jacobians(theta), self._blocks(w), strict=True):
            weighted = (own @ jacobian.reshape(*jacobian.shape[:2], -1)).reshape(*own.shape[:2], *jacobian.shape[2:])
            there = jacobian[:, None] @ state.weights[:, members, None] @ weighted[:, None]
            inner[:, members] = there.sum(axis=2)
        return self._information(state.weights @ inner @ state.weights, stats.xx)

    def weighted_curvature(self, theta: Array, state: State, stats: PatternStatistics, w: Array) -> Array:
        """Return Σ_ij w_ij X'V⁻¹ V_ij V⁻¹X, shape (R, b, b), for weights (R, m, m); V_ij is a second derivative."""
        v, n = self._n_visits, len(theta)
        unit = np.tile(np.eye(v * v).reshape(-1, v, v), (n, 1, 1))
        parts = theta.reshape(n, len(self._members), -1)
        inner = np.empty_like(state.weights)
        for g, (members, own) in enumerate(zip(self._members, self._blocks(w), strict=True)):
            bent = self._structure.curvature(np.repeat(parts[:, g], v * v, axis=0), unit)
            by_element = np.broadcast_to(bent, (len(unit), *bent.shape[1:])).reshape(n, v, v, *bent.shape[1:])
            inner[:, members] = np.einsum("rabij,rij->rab", by_element, own)[:, None]
        return self._information(state.weights @ inner @ state.weights, stats.xx)

    def _blocks(self, w: Array) -> list[Array]:
        """Return the diagonal blocks of a matrix (R, m, m) in the parameters of all groups, one for each group."""
        m = self._structure.n_parameters
        return [w[:, g * m : (g + 1) * m, g * m : (g + 1) * m] for g in range(len(self._members))]

    def second_order(self, theta: Array, state: State, by_pattern: Array) -> Array:
        """Return c'A⁻¹ Q_ij A⁻¹c, shape (R, m, m), with Q_ij = X'V⁻¹ V_i V⁻¹ V_j V⁻¹X; `by_pattern` as above."""
        return self._kernel(state.weights, by_pattern, theta)
