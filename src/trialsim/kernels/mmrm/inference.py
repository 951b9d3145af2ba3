r"""From a fitted model to estimates with standard errors and degrees of freedom, and to F tests.

Methods: Satterthwaite; Kenward-Roger from first derivatives of Σ only, which does not depend on how Σ is
parameterised (SAS's FIRSTORDER, and SAS's plain Kenward-Roger for the unstructured covariance); Kenward-Roger with
the second derivatives in the parameters of R's mmrm. All of them use the observed information of the covariance
parameters.

Notes
-----
With :math:`\Phi = A^{-1}`, :math:`w = I^{-1}` and :math:`P_i, Q_{ij}, R_{ij}` as in Kenward & Roger (1997),

.. math:: \Phi_A = \Phi + 2\Phi\Big\{\sum_{ij} w_{ij}(Q_{ij} - P_i \Phi P_j - \tfrac14 R_{ij})\Big\}\Phi.

For a single contrast the Kenward-Roger degrees of freedom are Satterthwaite's.

References
----------
Kenward MG, Roger JH (1997), Biometrics 53:983.
Fai AHT, Cornelius PL (1996), J Stat Comput Simul 54:363.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.mmrm.likelihood import Likelihood
from trialsim.kernels.mmrm.reml import RemlFit, direction
from trialsim.kernels.mmrm.statistics import PatternStatistics
from trialsim.kernels.mmrm.structures import CholeskyUnstructured, Structure, structure

Array = NDArray[np.float64]

SATTERTHWAITE = "satterthwaite"
KENWARD_ROGER = "kenward-roger"
KENWARD_ROGER_MMRM = "kenward-roger-mmrm"
RESIDUAL = "residual"
BETWEEN_WITHIN = "between-within"
DF_METHODS = (SATTERTHWAITE, KENWARD_ROGER, KENWARD_ROGER_MMRM, RESIDUAL, BETWEEN_WITHIN)
"""Names of the methods for degrees of freedom."""


class Contrast(NamedTuple):
    """One contrast of a block of fits.

    Attributes
    ----------
    estimate, variance, df : ndarray, shape (R,)
    """

    estimate: Array
    variance: Array
    df: Array


class FTest(NamedTuple):
    """A joint test of several contrasts.

    Attributes
    ----------
    statistic, df : ndarray, shape (R,)
        F with `n_contrasts` and `df` degrees of freedom.
    n_contrasts : int
    """

    statistic: Array
    df: Array
    n_contrasts: int


class Inference:
    """Estimates and tests from one fitted model.

    Parameters
    ----------
    likelihood : Likelihood
        In the parameters whose second derivatives `kenward-roger-mmrm` is to use.
    fit : RemlFit
    statistics : PatternStatistics
    method : {'satterthwaite', 'kenward-roger', 'kenward-roger-mmrm'}
    """

    def __init__(self, likelihood: Likelihood, fit: RemlFit, statistics: PatternStatistics, method: str) -> None:
        self._likelihood, self._fit, self._statistics, self._method = likelihood, fit, statistics, method
        m = fit.theta.shape[1]
        whole = np.where(fit.converged[:, None, None], fit.information, np.eye(m))
        self._w = np.linalg.inv(whole)

    def contrast(self, weights: Array) -> Contrast:
        """Return one contrast.

        Parameters
        ----------
        weights : ndarray, shape (b,)
        """
        fit = self._fit
        gradient, by_pattern = self._likelihood.variance_derivatives(fit.theta, fit.state, self._statistics, weights)
        _, spread, _ = direction(fit.information, gradient)
        plain = np.einsum("b,rbc,c->r", weights, fit.coefficient_covariance, weights)
        with np.errstate(divide="ignore", invalid="ignore"):
            df = 2.0 * plain**2 / spread
        variance = plain if self._method == SATTERTHWAITE else plain + self._adjustment(weights, by_pattern)
        return Contrast(fit.coefficients @ weights, variance, df)

    def _adjustment(self, weights: Array, by_pattern: Array) -> Array:
        """Return c'(Φ_A − Φ)c without forming Q, from z = Φc alone."""
        fit = self._fit
        q = self._likelihood.second_order(fit.theta, fit.state, by_pattern)
        changes = self._changes
        pz = np.einsum("rmbc,rc->rmb", changes, fit.coefficient_covariance @ weights)
        inner = q - pz @ fit.coefficient_covariance @ pz.swapaxes(1, 2)
        if self._method == KENWARD_ROGER_MMRM:
            inner -= 0.25 * self._bent(by_pattern)
        return np.asarray(2.0 * np.einsum("rij,rij->r", self._w, inner))

    @cached_property
    def _changes(self) -> Array:
        """Return P_i up to sign, shape (R, m, b, b)."""
        fit = self._fit
        return self._likelihood.mean_derivatives(fit.theta, fit.state, self._statistics)[1]

    def _bent(self, by_pattern: Array) -> Array:
        """Return z'R_ij z: the curvature of Σ weighted with W_p Z_p W_p."""
        return self._likelihood.curvature(by_pattern, self._fit.theta)

    @cached_property
    def coefficient_covariance(self) -> Array:
        """The covariance of all coefficients, adjusted where the method adjusts it, shape (R, b, b)."""
        fit = self._fit
        plain = fit.coefficient_covariance
        if self._method == SATTERTHWAITE:
            return plain
        inner = self._likelihood.weighted_second_order(fit.theta, fit.state, self._statistics, self._w)
        weighted = (self._w @ self._changes.reshape(*self._w.shape[:2], -1)).reshape(self._changes.shape)
        inner -= (self._changes @ plain[:, None] @ weighted).sum(axis=1)
        if self._method == KENWARD_ROGER_MMRM:
            inner -= 0.25 * self._likelihood.weighted_curvature(fit.theta, fit.state, self._statistics, self._w)
        return np.asarray(plain + 2.0 * plain @ inner @ plain)

    def f_test(self, weights: Array) -> FTest:
        """Return the joint test that all contrasts are zero.

        Parameters
        ----------
        weights : ndarray, shape (l, b)
            Linearly independent rows.
        """
        if len(weights) == 1:
            one = self.contrast(weights[0])
            return FTest(one.estimate**2 / one.variance, one.df, 1)
        return self._f_satterthwaite(weights) if self._method == SATTERTHWAITE else self._f_kenward_roger(weights)

    def _f_satterthwaite(self, weights: Array) -> FTest:
        """Fai and Cornelius: independent contrasts from the spectral decomposition, with matched degrees of freedom."""
        fit, n = self._fit, len(weights)
        values, vectors = np.linalg.eigh(weights @ fit.coefficient_covariance @ weights.T)
        rotated = vectors.swapaxes(1, 2) @ weights
        estimates = (rotated @ fit.coefficients[..., None])[..., 0]
        statistic = (estimates**2 / values).sum(axis=1) / n
        dfs = np.stack([self._df(rotated[:, k]) for k in range(n)], axis=1)
        # A component with two degrees of freedom or fewer has no mean, and counts for nothing.
        expected = np.where(dfs > 2.0, dfs / np.where(dfs > 2.0, dfs - 2.0, 1.0), 0.0).sum(axis=1)
        matched = np.where(expected > n, 2.0 * expected / np.where(expected > n, expected - n, 1.0), 2.0)
        alike = np.ptp(dfs, axis=1) < 1e-8 * np.abs(dfs[:, 0])
        return FTest(statistic, np.where(alike, dfs[:, 0], matched), n)

    def _df(self, weights: Array) -> Array:
        """Return Satterthwaite's degrees of freedom of contrasts (R, b), one for each replicate."""
        fit = self._fit
        gradient, _ = self._likelihood.variance_derivatives(fit.theta, fit.state, self._statistics, weights)
        _, spread, _ = direction(fit.information, gradient)
        variance = np.einsum("rb,rbc,rc->r", weights, fit.coefficient_covariance, weights)
        return np.asarray(2.0 * variance**2 / spread)

    def _f_kenward_roger(self, weights: Array) -> FTest:
        """Kenward and Roger's scaled F, with the moments of their section 3.

        With Θ = L'(LΦL')⁻¹L: A1 = Σ w_ij tr(ΘΦP_iΦ) tr(ΘΦP_jΦ) and A2 = Σ w_ij tr(ΘΦP_iΦ ΘΦP_jΦ).
        """
        fit, n = self._fit, len(weights)
        phi = fit.coefficient_covariance
        inverse = np.linalg.inv(weights @ phi @ weights.T)
        side = phi @ weights.T
        # L Φ P_i Φ L' carried to the l contrasts, where all traces can be taken.
        moved = side.swapaxes(1, 2)[:, None] @ self._changes @ side[:, None]
        moved = inverse[:, None] @ moved
        traces = np.einsum("rmll->rm", moved)
        flat = moved.reshape(*moved.shape[:2], -1)
        turned = moved.swapaxes(-1, -2).reshape(flat.shape)
        a1 = np.einsum("rij,ri,rj->r", self._w, traces, traces)
        a2 = np.einsum("rij,rij->r", self._w, flat @ turned.swapaxes(1, 2))
        b = (a1 + 6.0 * a2) / (2.0 * n)
        g = ((n + 1.0) * a1 - (n + 4.0) * a2) / ((n + 2.0) * a2)
        bottom = 3.0 * n + 2.0 * (1.0 - g)
        c1, c2, c3 = g / bottom, (n - g) / bottom, (n + 2.0 - g) / bottom
        mean = 1.0 / (1.0 - a2 / n)
        spread = 2.0 / n * (1.0 + c1 * b) / ((1.0 - c2 * b) ** 2 * (1.0 - c3 * b))
        rho = spread / (2.0 * mean**2)
        df = 4.0 + (n + 2.0) / (n * rho - 1.0)
        scale = df / (mean * (df - 2.0))
        estimates = fit.coefficients @ weights.T
        adjusted = weights @ self.coefficient_covariance @ weights.T
        quadratic = np.einsum("ri,rij,rj->r", estimates, np.linalg.inv(adjusted), estimates)
        return FTest(scale * quadratic / n, df, n)


def parameters_of(name: str, n_visits: int, method: str) -> Structure:
    """Return the structure in the parameters that a method for degrees of freedom needs.

    Parameters
    ----------
    name : str
        One of `structures.STRUCTURES`.
    n_visits : int
    method : str
        Second derivatives in mmrm's parameters write an unstructured covariance through its Cholesky factor.
    """
    if name == "unstructured" and method == KENWARD_ROGER_MMRM:
        return CholeskyUnstructured(n_visits)
    return structure(name, n_visits)


def fit_at(likelihood: Likelihood, statistics: PatternStatistics, covariance: Array) -> RemlFit:
    """Return the fit whose optimum is known, in the parameters of a likelihood.

    Parameters
    ----------
    likelihood : Likelihood
        Its structure must hold the covariances.
    statistics : PatternStatistics
    covariance : ndarray, shape (R, V, V) or (R, G, V, V)
        Σ at the optimum.
    """
    theta = likelihood.start(covariance)
    state = likelihood.evaluate(theta, statistics)
    return RemlFit(
        theta,
        likelihood.covariance(theta),
        state.beta,
        state.inverse,
        likelihood.observed(theta, state, statistics),
        -2.0 * state.loglik,
        np.isfinite(state.loglik),
        state,
    )
