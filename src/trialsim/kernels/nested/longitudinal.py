"""Longitudinal models with random effects of patient and group, from statistics to estimate, SE and degrees of freedom.

The scores of all visits are Xβ + patient's level and slope + group's effect + error. The fixed effects may be any,
such as baseline, time, arm and their product; `longitudinal_statistics` tells the random ones. A patient with some
visits missing stays in with the others, under the same assumption (missing at random) as in an MMRM.

References
----------
Laird NM, Ware JH (1982), Biometrics 38:963.
Kuznetsova A, Brockhoff PB, Christensen RHB (2017), Journal of Statistical Software 82(13).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.nested.components import identified
from trialsim.kernels.nested.fit import Reason, spread
from trialsim.kernels.nested.inference import Contrasts, adjusted_covariance, kenward_roger, satterthwaite
from trialsim.kernels.nested.semidefinite import Optimum, find_optimum
from trialsim.kernels.nested.trajectories import LongitudinalStatistics

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_NO_SPREAD = 1e-24
"""Share of the scores' sum of squares below which a residual sum of squares is rounding."""
_AT_EDGE = 1e-5
"""Share of the variance about least squares below which a residual variance has run away to 0."""


class LongitudinalFit(NamedTuple):
    """A block of longitudinal random-effects models; NaN where `reason` is not `Reason.FITTED`.

    Attributes
    ----------
    estimate, se, df, p : ndarray, shape (R,) or (R, m)
        Of the contrast or contrasts; p is two-sided.
    coefficients : ndarray, shape (R, q)
    coefficient_covariance : ndarray, shape (R, q, q)
        Kenward and Roger's with their degrees of freedom, else model-based.
    residual_variance : ndarray, shape (R,)
        Squared points.
    patient_covariance : ndarray, shape (R, k, k)
        Of level at time 0, squared points, and slope per unit of time; k = 1 with a level only.
    group_variance : ndarray, shape (R,)
        Squared points; NaN in a model without groups.
    neg2_loglik : ndarray, shape (R,)
        −2 × the (restricted) log-likelihood with all constants.
    singular : ndarray of bool, shape (R,)
        Whether a variance rests on 0, or level and slope are correlated by ±1.
    reason : ndarray of int, shape (R,)
        A `Reason`.
    """

    estimate: Array
    se: Array
    df: Array
    p: Array
    coefficients: Array
    coefficient_covariance: Array
    residual_variance: Array
    patient_covariance: Array
    group_variance: Array
    neg2_loglik: Array
    singular: Flags
    reason: NDArray[np.int8]


def fit_longitudinal(
    statistics: LongitudinalStatistics,
    contrast: Array,
    *,
    df: Literal["satterthwaite", "kenward-roger"] = "satterthwaite",
    restricted: bool = True,
) -> LongitudinalFit:
    """Return contrasts of the coefficients of a longitudinal model with random effects.

    Variances stop at 0 and the patient's covariance at where level and slope are correlated by ±1. Satterthwaite's
    degrees of freedom are those of the model that is left there, Kenward and Roger's of the whole model, as in lmerTest
    and pbkrtest.

    Parameters
    ----------
    statistics : LongitudinalStatistics
    contrast : ndarray, shape (q,) or (m, q)
        Weights of the coefficients, one or several contrasts; the difference of arms at time t is the arm's coefficient
        plus t times that of arm and time.
    df : {"satterthwaite", "kenward-roger"}
        Satterthwaite's with the observed information; Kenward and Roger's with the expected one, and their standard
        error.
    restricted : bool
        REML; otherwise maximum likelihood, for likelihood-ratio tests of fixed effects.

    Raises
    ------
    ValueError
        Where `df` has another name, or is Kenward and Roger's without REML.
    """
    if df not in ("satterthwaite", "kenward-roger"):
        raise ValueError(f"df: satterthwaite or kenward-roger, not {df!r}")
    if df == "kenward-roger" and not restricted:
        raise ValueError("df: kenward-roger needs the restricted likelihood; use satterthwaite or restricted=True")
    reason = _screen(statistics)
    rows = np.flatnonzero(reason == Reason.FITTED)
    good = statistics.take(rows)
    found = find_optimum(good, _start(good), covariance=statistics.random == "slope", restricted=restricted)
    reason[rows[~found.converged]] = _why_not(good, found)[~found.converged]
    weights = np.atleast_2d(np.asarray(contrast, dtype=np.float64))
    if df == "satterthwaite":
        answer, covariance = satterthwaite(good, found.best, found.covariance, weights), found.best.inverse
    else:
        answer, covariance = kenward_roger(good, found.best, weights), adjusted_covariance(good, found.best)
    positive = np.isfinite(answer.p).all(axis=1)
    reason[rows[found.converged & ~positive]] = Reason.STANDARD_ERROR_NOT_POSITIVE
    if np.ndim(contrast) == 1:
        answer = Contrasts(*(piece[:, 0] for piece in answer))
    usable = np.flatnonzero(found.converged & positive)
    return _result(statistics, answer, covariance, found, usable, rows[usable], reason)


def _result(
    statistics: LongitudinalStatistics,
    answer: Contrasts,
    covariance: Array,
    found: Optimum,
    usable: NDArray[np.intp],
    at: NDArray[np.intp],
    reason: NDArray[np.int8],
) -> LongitudinalFit:
    """Return the answers in their place in the block."""
    theta, size = found.best.theta, len(reason)
    singular = np.zeros(size, dtype=bool)
    singular[at] = found.resting[usable]
    group = theta[:, -1] if statistics.has_groups else np.full(len(theta), np.nan)
    own = _patient_covariance(statistics, theta)
    pieces = (*answer, found.best.coefficients, covariance, theta[:, 0], own, group, -2.0 * found.best.loglik)
    estimate, se, df, p, coefficients, covariance, residual, own, group, loglik = (
        spread(piece[usable], at, size) for piece in pieces
    )
    return LongitudinalFit(
        estimate, se, df, p, coefficients, covariance, residual, own, group, loglik, singular, reason
    )


def _patient_covariance(statistics: LongitudinalStatistics, theta: Array) -> Array:
    """Return the covariance of level at time 0 and slope, shape (R, k, k)."""
    size = len(statistics.to_time)
    d = np.zeros((len(theta), size, size))
    if statistics.random == "slope":
        d[:, 0, 0], d[:, 0, 1], d[:, 1, 0], d[:, 1, 1] = theta[:, [1, 2, 2, 3]].T
    else:
        d[:, np.arange(size), np.arange(size)] = theta[:, 1 : 1 + size]
    return statistics.to_time @ d @ statistics.to_time.T


def _screen(statistics: LongitudinalStatistics) -> NDArray[np.int8]:
    """Return why a replicate cannot be fitted, as far as is known before the fit; the first reason counts."""
    theta = np.zeros((len(statistics.counts), statistics.n_parameters))
    theta[:, 0] = np.where(statistics.variance > 0.0, statistics.variance, 1.0)
    regular, parameters = identified(statistics, theta)
    patient = slice(1, len(statistics.patterns.derivative[0]))
    groups = parameters[:, -1] if statistics.has_groups else np.ones(len(theta), dtype=bool)
    q = statistics.offset.shape[1]
    checks = (
        (Reason.NOT_FINITE, ~statistics.finite),
        (Reason.TOO_FEW, statistics.n_observations <= q),
        (Reason.COLLINEAR, ~regular),
        (Reason.NO_VARIATION, statistics.residual_squares <= _NO_SPREAD * statistics.squares),
        (Reason.RANDOM_EFFECT_NOT_ESTIMABLE, ~parameters[:, patient].all(axis=1)),
        (Reason.GROUP_VARIANCE_NOT_ESTIMABLE, ~groups),
    )
    reason = np.zeros(len(theta), dtype=np.int8)
    for code, found in checks:
        reason[(reason == Reason.FITTED) & found] = code
    return reason


def _start(statistics: LongitudinalStatistics) -> Array:
    """Return θ to start from: what is outside the patients' lines, half of the rest each for level and slope."""
    theta = np.zeros((len(statistics.counts), statistics.n_parameters))
    overall = statistics.variance
    within = statistics.left_products[:, -1, -1] / np.maximum(statistics.left_count, 1.0)
    theta[:, 0] = np.clip(within, 0.05 * overall, 0.95 * overall)
    rest = overall - theta[:, 0]
    if statistics.random == "intercept":
        theta[:, 1] = rest
    elif statistics.random == "slope":
        theta[:, 1] = theta[:, 3] = 0.5 * rest
    else:
        theta[:, 1] = theta[:, 2] = 0.5 * rest
    return theta


def _why_not(statistics: LongitudinalStatistics, found: Optimum) -> NDArray[np.int8]:
    """Return why the search found no maximum: the residual variance ran away to 0, or not."""
    vanished = found.best.theta[:, 0] < _AT_EDGE * statistics.variance
    return np.where(vanished, Reason.NO_VARIATION, Reason.NOT_CONVERGED).astype(np.int8)
