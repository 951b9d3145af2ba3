r"""Closed-form REML for monotone missingness when every covariate is crossed with visit.

Write the unstructured covariance through the regressions of each visit on those before it,
:math:`y_v = x'\gamma_v + \sum_{w<v} \phi_{vw} y_w + e_v`, :math:`\mathrm{var}(e_v) = d_v`. With
:math:`T = (I - \Phi)^{-1}`, :math:`\Sigma = T D T'`, and, when nobody returns after a missed visit,

.. math:: X'V^{-1}X = (T^{-T} \otimes I)\, \mathrm{diag}_v(X_v'X_v / d_v)\, (T^{-1} \otimes I),

where :math:`X_v` holds those still there at visit v. Its determinant is
:math:`\prod_v d_v^{-q} |X_v'X_v|`, so the restricted likelihood splits into one factor for each visit:

.. math:: \ell = -\tfrac12 \sum_v \left[(n_v - q) \log d_v + \mathrm{SSE}_v(\gamma_v, \phi_v)/d_v\right] + c.

Its maximum is least squares at each visit with :math:`d_v = \mathrm{SSE}_v / (n_v - q)`: no iteration.
The observed information is block diagonal in :math:`(\phi_v, d_v)`, which gives Satterthwaite's degrees
of freedom in closed form too; they do not depend on the parameters in which Σ is written.

References
----------
Anderson TW (1957), J Am Stat Assoc 52:200 (factored likelihood of monotone normal data).
Satterthwaite FE (1946), Biometrics Bulletin 2:110.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky, solve_lower, solve_lower_transposed
from trialsim.kernels.mmrm.statistics import PatternStatistics

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


class MonotoneFit(NamedTuple):
    """Sequential regressions of a block of trials.

    Attributes
    ----------
    gamma : ndarray, shape (R, V, q)
        Coefficients of the covariates at each visit, given the visits before.
    phi : ndarray, shape (R, V, V)
        Strictly lower triangular coefficients of earlier visits.
    variance : ndarray, shape (R, V)
        Residual variances d.
    remaining : ndarray, shape (R, V)
        Participants n still there at each visit.
    x_factor : ndarray, shape (R, V, q, q)
        Cholesky factors of X'X of those still there.
    y_factor : tuple of ndarray, each (R, v, v)
        Cholesky factors of the cross-products of the visits before v, given X, among those at v.
    estimable : ndarray of bool, shape (R,)
        False where a covariate is constant among those left, or too few are left.
    """

    gamma: Array
    phi: Array
    variance: Array
    remaining: Array
    x_factor: Array
    y_factor: tuple[Array, ...]
    estimable: Flags

    @property
    def transform(self) -> Array:
        """T = (I − Φ)⁻¹, shape (R, V, V), unit lower triangular."""
        eye = np.eye(self.phi.shape[-1])
        return solve_lower(eye - self.phi, eye)

    @property
    def covariance(self) -> Array:
        """Σ = T D T', shape (R, V, V), squared points."""
        transform = self.transform
        return np.asarray((transform * self.variance[:, None, :]) @ transform.transpose(0, 2, 1))

    @property
    def coefficients(self) -> Array:
        """Fixed effects per visit, shape (R, V, q): β = T γ."""
        return np.asarray(self.transform @ self.gamma)


def fit_monotone(statistics: PatternStatistics) -> MonotoneFit:
    """Return the REML fit of the unstructured model to monotone data, in closed form.

    Parameters
    ----------
    statistics : PatternStatistics
        Of monotone patterns.
    """
    n_replicates, _, q, n_visits = statistics.xy.shape
    gamma = np.zeros((n_replicates, n_visits, q))
    phi = np.zeros((n_replicates, n_visits, n_visits))
    variance = np.ones((n_replicates, n_visits))
    remaining = np.zeros((n_replicates, n_visits))
    x_factor = np.zeros((n_replicates, n_visits, q, q))
    y_factor = []
    estimable = np.ones(n_replicates, dtype=bool)
    for v in range(n_visits):
        there = statistics.observed[:, v]
        n_there = statistics.counts[:, there].sum(axis=1)
        factor, definite = cholesky(_moments(statistics, there, v))
        size = q + v
        row = factor[:, size, :size]
        solution = solve_lower_transposed(factor[:, :size, :size], row[..., None])[..., 0]
        enough = definite & (n_there > size)
        gamma[:, v], phi[:, v, :v] = solution[:, :q], solution[:, q:]
        variance[:, v] = np.where(enough, factor[:, size, size] ** 2 / np.maximum(n_there - q, 1.0), 1.0)
        remaining[:, v] = n_there
        x_factor[:, v] = factor[:, :q, :q]
        y_factor.append(factor[:, q:size, q:size])
        estimable &= enough
    return MonotoneFit(gamma, phi, variance, remaining, x_factor, tuple(y_factor), estimable)


def alternate_constant(statistics: PatternStatistics, closed: MonotoneFit, n_constant: int, sweeps: int) -> Array:
    r"""Return Σ near the REML optimum where some covariates have one coefficient for all visits.

    Parameters
    ----------
    statistics : PatternStatistics
        Of monotone patterns, the constant covariates Z last.
    closed : MonotoneFit
        With every covariate crossed with visit; where to start.
    n_constant : int
        How many covariates are constant, one or more.
    sweeps : int
        Each brings the distance to the optimum down by a factor of about the square root of n.

    Returns
    -------
    ndarray, shape (R, V, V)

    Notes
    -----
    With :math:`u_v = 1 - \sum_w \phi_{vw}` the restricted likelihood of the sequential regressions is
    :math:`-\tfrac12 \{\sum_v [(n_v - q) \log d_v + \mathrm{SSE}_v(\phi_v, b)/d_v] + \log|B|\}`, q crossed covariates,
    :math:`B = \sum_v u_v^2 Z_v / d_v` with :math:`Z_v` the cross-products of Z given the crossed ones. A sweep solves

    1. :math:`\phi_v` given b, the slope of log|B| taken at the last values;
    2. :math:`d_v = (\mathrm{SSE}_v + u_v^2\,\mathrm{tr}\,B^{-1}Z_v)/(n_v - q)`;
    3. b by generalised least squares.
    """
    n_visits = statistics.observed.shape[1]
    q = statistics.xx.shape[-1] - n_constant
    given_x = [_given(_moments(statistics, statistics.observed[:, v], v), q) for v in range(n_visits)]
    phi, variance = closed.phi.copy(), closed.variance.copy()
    for _ in range(sweeps):
        u = 1.0 - phi.sum(axis=2)
        information = np.zeros((len(phi), n_constant, n_constant))
        score = np.zeros((len(phi), n_constant))
        for v, m in enumerate(given_x):
            weight = (u[:, v] / variance[:, v])[:, None]
            information += (weight * u[:, v, None])[:, :, None] * m[:, :n_constant, :n_constant]
            own = m[:, :n_constant, -1] - (m[:, :n_constant, n_constant:-1] @ phi[:, v, :v, None])[..., 0]
            score += weight * own
        inverse = np.linalg.inv(information)
        b = (inverse @ score[..., None])[..., 0]
        for v, m in enumerate(given_x):
            z = m[:, :n_constant, :n_constant]
            slope = np.einsum("rij,rji->r", inverse, z)
            shared = (m[:, n_constant:, :n_constant] @ b[..., None])[..., 0]
            square = np.einsum("ri,rij,rj->r", b, z, b)
            e = m[:, n_constant:, n_constant:] - shared[:, :, None] - shared[:, None, :] + square[:, None, None]
            right = e[:, :v, v] + (u[:, v] * slope)[:, None]
            phi[:, v, :v] = np.linalg.solve(e[:, :v, :v], right[..., None])[..., 0]
            residual = e[:, v, v] - 2.0 * (phi[:, v, :v] * e[:, :v, v]).sum(axis=1)
            residual += np.einsum("ri,rij,rj->r", phi[:, v, :v], e[:, :v, :v], phi[:, v, :v])
            left = 1.0 - phi[:, v, :v].sum(axis=1)
            variance[:, v] = (residual + left**2 * slope) / (closed.remaining[:, v] - q)
    return closed._replace(phi=phi, variance=variance).covariance


def _given(moments: Array, q: int) -> Array:
    """Return the cross-products of all but the first q variables, given the first q."""
    factor, _ = cholesky(moments[:, :q, :q])
    along = solve_lower(factor, moments[:, :q, q:])
    return np.asarray(moments[:, q:, q:] - along.transpose(0, 2, 1) @ along)


def _moments(statistics: PatternStatistics, there: Flags, v: int) -> Array:
    """Return cross-products of (X, visits up to v) of those there at visit v, (R, q + v + 1, q + v + 1)."""
    xy = statistics.xy[:, there, :, : v + 1].sum(axis=1)
    q = xy.shape[1]
    moments = np.empty((len(xy), q + v + 1, q + v + 1))
    moments[:, :q, :q] = statistics.xx[:, there].sum(axis=1)
    moments[:, :q, q:] = xy
    moments[:, q:, :q] = xy.transpose(0, 2, 1)
    moments[:, q:, q:] = statistics.yy[:, there, : v + 1, : v + 1].sum(axis=1)
    return moments


def monotone_contrast(fit: MonotoneFit, contrast: Array) -> tuple[Array, Array, Array]:
    r"""Return estimate, variance and Satterthwaite degrees of freedom of one contrast.

    Parameters
    ----------
    fit : MonotoneFit
    contrast : ndarray, shape (V, q)
        Weights C of the coefficients of every visit.

    Returns
    -------
    estimate, variance, df : ndarray, each (R,)

    Notes
    -----
    With :math:`t_v = \sum_w T_{wv} C_w` and :math:`H_{uv} = t_u'(X_u'X_u)^{-1}t_v`:

    1. variance :math:`f = \sum_v d_v H_{vv}`;
    2. :math:`\partial f/\partial d_v = H_{vv}`, information :math:`(n_v - q)/(2 d_v^2)`;
    3. :math:`\partial f/\partial \phi_{vw} = 2\sum_{u \le w} d_u H_{uv} T_{wu}`, information :math:`S_v/d_v`
       with :math:`S_v` the cross-products of the earlier visits given X among those at v;
    4. :math:`\nu = 2f^2/\mathrm{var}(f)`.
    """
    transform = fit.transform
    n_visits, q = contrast.shape
    t = np.einsum("rwv,wq->rvq", transform, contrast)
    estimate = np.einsum("rvq,rvq->r", t, fit.gamma)
    h = np.zeros((len(t), n_visits, n_visits))
    for u in range(n_visits):
        # (X_u'X_u)⁻¹ as two triangular solves; one serves all v.
        whitened = solve_lower(fit.x_factor[:, u], t.transpose(0, 2, 1))
        h[:, u] = (whitened[..., u, None].transpose(0, 2, 1) @ whitened)[:, 0]
    diagonal = np.einsum("rvv->rv", h)
    variance = (fit.variance * diagonal).sum(axis=1)
    spread = (2.0 * fit.variance**2 * diagonal**2 / np.maximum(fit.remaining - q, 1.0)).sum(axis=1)
    for v in range(1, n_visits):
        weights = fit.variance[:, :v] * h[:, :v, v]
        gradient = 2.0 * (transform[:, :v, :v] @ weights[..., None])
        spread += fit.variance[:, v] * (solve_lower(fit.y_factor[v], gradient)[..., 0] ** 2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = 2.0 * variance**2 / spread
    return estimate, variance, df


def monotone_neg2_reml(fit: MonotoneFit) -> Array:
    """Return −2 × the maximised restricted log-likelihood with all constants, shape (R,)."""
    q = fit.gamma.shape[2]
    free = fit.remaining - q
    log_det_xx = 2.0 * np.log(np.einsum("rvqq->rvq", fit.x_factor)).sum(axis=(1, 2))
    return np.asarray((free * (np.log(fit.variance) + 1.0 + np.log(2.0 * np.pi))).sum(axis=1) + log_det_xx)
