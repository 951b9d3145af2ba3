"""Regressions of whole blocks with variances that may differ between participants, and joint tests of their terms."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from trialsim.kernels.factor import cholesky, solve_lower, solve_lower_transposed
from trialsim.kernels.tails import t_tail

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]
Variance = Literal["constant", "hc0", "hc1", "hc2", "hc3", "hc4"]

FINE, NOT_FINITE, COLLINEAR, NO_DF, LEVERAGE_ONE, NO_SPREAD = range(6)
REASONS = (
    "",
    "a value is missing or infinite",
    "the covariates are collinear or constant",
    "no residual degree of freedom",
    "a participant alone determines a coefficient",
    "the covariates explain every score, or all are equal",
)
"""Why a regression or a test can fail, by code."""


class Regression(NamedTuple):
    """A block of regressions.

    Attributes
    ----------
    coefficients : ndarray, shape (R, q)
    covariance : ndarray, shape (R, q, q)
        Of the coefficients.
    df : ndarray, shape (R,)
        Residual degrees of freedom n − q.
    reason : ndarray of int8, shape (R,)
        Index into `REASONS`; all else is NaN where it is not 0.
    """

    coefficients: Array
    covariance: Array
    df: Array
    reason: Codes

    @property
    def estimable(self) -> Flags:
        """Return which trials have a fit, shape (R,)."""
        return np.asarray(self.reason == FINE)


class Contrast(NamedTuple):
    """One contrast of each regression; all (R,), NaN where `reason` is not 0."""

    estimate: Array
    se: Array
    df: Array
    t: Array
    p: Array
    reason: Codes


class JointTest(NamedTuple):
    """F test that several contrasts are all 0.

    Attributes
    ----------
    f, df, p : ndarray, shape (R,)
        `df` is the denominator's.
    numerator_df : int
    reason : ndarray of int8, shape (R,)
    """

    f: Array
    numerator_df: int
    df: Array
    p: Array
    reason: Codes


class StratumEffects(NamedTuple):
    """Effect of treatment in each stratum, and whether it differs between strata.

    Attributes
    ----------
    estimate, se, t, p : ndarray, shape (R, S)
        Active minus control in the stratum.
    difference, difference_se, difference_p : ndarray, shape (R, S - 1)
        Effect in each later stratum minus effect in the first.
    df : ndarray, shape (R,)
    interaction : JointTest
        That all strata have the same effect.
    reason : ndarray of int8, shape (R,)
    """

    estimate: Array
    se: Array
    t: Array
    p: Array
    difference: Array
    difference_se: Array
    difference_p: Array
    df: Array
    interaction: JointTest
    reason: Codes


def regress(x: Array, y: Array, included: Flags, *, variance: Variance = "constant") -> Regression:
    r"""Return least-squares coefficients and their covariance, classical or heteroscedasticity-consistent.

    Parameters
    ----------
    x : ndarray, shape (R, N, q)
        Covariates, the intercept among them.
    y : ndarray, shape (R, N)
        Response; anything where not included.
    included : ndarray of bool, shape (R, N)
    variance : {"constant", "hc0", "hc1", "hc2", "hc3", "hc4"}
        "constant" is one residual variance. The others weigh the squared residual :math:`e_i^2` of a
        participant with leverage :math:`h_i` by 1, n/(n − q), :math:`(1-h_i)^{-1}`, :math:`(1-h_i)^{-2}` and
        :math:`(1-h_i)^{-\min(4, n h_i / q)}`.

    Notes
    -----
    With :math:`G = X (X'X)^{-1}`, the covariance is :math:`\sum_i \omega_i e_i^2\, g_i g_i'`.
    """
    q = x.shape[2]
    finite = np.all((np.isfinite(y) & np.isfinite(x).all(axis=2)) | ~included, axis=1)
    used = included & finite[:, None]
    x, y = np.where(used[:, :, None], x, 0.0), np.where(used, y, 0.0)
    n = used.sum(axis=1).astype(np.float64)
    factor, definite = cholesky(x.transpose(0, 2, 1) @ x)
    # Covariates that are zero because nobody counts pass as singular, whatever the tolerance.
    definite &= n >= q
    whitened = solve_lower(factor, x.transpose(0, 2, 1))
    beta = solve_lower_transposed(factor, whitened @ y[:, :, None])
    residual = y - (x @ beta)[:, :, 0]
    df = n - q
    leverage = (whitened**2).sum(axis=1)
    squares = (residual**2).sum(axis=1)
    # Residuals of a few roundings of the scores are none.
    still = squares <= 1e-24 * (y**2).sum(axis=1)
    reason = np.select([~finite, ~definite, df < 1, still], [NOT_FINITE, COLLINEAR, NO_DF, NO_SPREAD], FINE)
    if variance in ("hc2", "hc3", "hc4"):
        reason = np.where((reason == FINE) & (leverage > 1.0 - 1e-9).any(axis=1), LEVERAGE_ONE, reason)
    if variance == "constant":
        root = solve_lower(factor, np.broadcast_to(np.eye(q), factor.shape))
        residual_variance = squares / np.where(df > 0, df, 1.0)
        covariance = root.transpose(0, 2, 1) @ root * residual_variance[:, None, None]
    else:
        g = solve_lower_transposed(factor, whitened) * residual[:, None, :]
        covariance = (g * _weights(variance, leverage, n, q)[:, None, :]) @ g.transpose(0, 2, 1)
    hide = np.where(reason == FINE, 1.0, np.nan)
    return Regression(
        beta[:, :, 0] * hide[:, None], covariance * hide[:, None, None], df * hide, reason.astype(np.int8)
    )


def _weights(variance: Variance, leverage: Array, n: Array, q: int) -> Array:
    """Return the weight of each squared residual, (R, N)."""
    if variance == "hc0":
        return np.ones_like(leverage)
    if variance == "hc1":
        return np.broadcast_to((n / np.maximum(n - q, 1.0))[:, None], leverage.shape)
    rest = np.maximum(1.0 - leverage, 1e-12)
    if variance == "hc2":
        return np.asarray(1.0 / rest)
    if variance == "hc3":
        return np.asarray(rest**-2.0)
    return np.asarray(rest ** -np.minimum(4.0, leverage * (n / q)[:, None]))


def contrast(fit: Regression, weights: Array) -> Contrast:
    """Return one contrast of each regression with its t test on the residual degrees of freedom.

    Parameters
    ----------
    fit : Regression
    weights : ndarray, shape (q,)
    """
    estimate = fit.coefficients @ weights
    se = np.sqrt(np.maximum((fit.covariance @ weights) @ weights, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = estimate / se
    return Contrast(estimate, se, fit.df, t, t_tail(t, fit.df), fit.reason)


def joint_test(fit: Regression, weights: Array) -> JointTest:
    """Return the F test that several contrasts are 0; with constant variance, the drop-one F test of their terms.

    Parameters
    ----------
    fit : Regression
    weights : ndarray, shape (k, q)
        One contrast a row, none a combination of the others.
    """
    k = len(weights)
    values = fit.coefficients @ weights.T
    fine = fit.reason == FINE
    spread = np.where(fine[:, None, None], weights @ fit.covariance @ weights.T, np.eye(k))
    factor, definite = cholesky(spread)
    f = (solve_lower(factor, values[:, :, None])[:, :, 0] ** 2).sum(axis=1) / k
    reason = np.where(fine & ~definite, COLLINEAR, fit.reason).astype(np.int8)
    hide = np.where(reason == FINE, 1.0, np.nan)
    f, df = f * hide, fit.df * hide
    return JointTest(f, k, df, np.asarray(fdtrc(float(k), df, f)), reason)


def effects_by_stratum(
    y: Array,
    included: Flags,
    active: Flags,
    stratum: NDArray[np.integer],
    covariates: Array,
    *,
    n_strata: int,
    variance: Variance = "constant",
) -> StratumEffects:
    """Return the effect of treatment in each stratum from one regression, and the test that it is the same in all.

    Parameters
    ----------
    y : ndarray, shape (R, N)
    included : ndarray of bool, shape (R, N)
        Members of the two arms compared, with a score.
    active : ndarray of bool, shape (R, N)
    stratum : ndarray of int, shape (R, N)
        From 0; a trial in which a stratum lacks an arm is marked as collinear.
    covariates : ndarray, shape (R, N, C)
        With the same slope in every stratum and arm; no intercept.
    n_strata : int
        S, at least 2.
    variance : str
        As in `regress`.
    """
    s, c = n_strata, covariates.shape[2]
    member = stratum[:, :, None] == np.arange(s)
    fit = regress(
        np.concatenate([member, member & active[:, :, None], covariates], axis=2), y, included, variance=variance
    )
    effects = np.hstack([np.zeros((s, s)), np.eye(s), np.zeros((s, c))])
    later = effects[1:] - effects[0]
    within = _stack([contrast(fit, row) for row in effects])
    between = _stack([contrast(fit, row) for row in later])
    return StratumEffects(
        within.estimate,
        within.se,
        within.t,
        within.p,
        between.estimate,
        between.se,
        between.p,
        fit.df,
        joint_test(fit, later),
        fit.reason,
    )


def _stack(contrasts: list[Contrast]) -> Contrast:
    """Return several contrasts as one with fields of shape (R, number of contrasts)."""
    return Contrast(*(np.stack(field, axis=1) for field in zip(*contrasts, strict=True)))
