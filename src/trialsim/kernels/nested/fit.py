"""The mixed model with a random group effect, from statistics to estimate, standard error and degrees of freedom.

Which participants have a group decides the model: everybody (clusters, sites, therapists in all arms) is the ordinary
random intercept, those of the therapy arms alone is the partially nested model. Residual variances may differ between
arms.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.nested.components import Components, at_bound, identified, maximise, parameter_covariance
from trialsim.kernels.nested.inference import (
    Contrasts,
    adjusted_covariance,
    kenward_roger,
    satterthwaite,
)
from trialsim.kernels.nested.statistics import GroupStatistics

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_NO_SPREAD = 1e-24
"""Share of the scores' sum of squares below which a residual sum of squares is rounding."""
_AT_EDGE = 1e-5
"""Share of the largest residual variance below which a variance that stopped the search has run away to 0."""


class Reason(IntEnum):
    """Why a replicate has no answer.

    `NO_VARIATION`: the scores, or those of one arm, are fitted exactly. `NO_INTERIOR_MAXIMUM`: the group variance is
    allowed below 0 and the likelihood rises up to the value at which the variance of a group mean is 0; happens with
    few groups of unequal sizes. `STANDARD_ERROR_NOT_POSITIVE`: Kenward and Roger's correction exceeds what it
    corrects. `RANDOM_EFFECT_NOT_ESTIMABLE`: of the patient, such as a slope where nobody has three visits.
    """

    FITTED = 0
    NOT_FINITE = 1
    GROUP_ACROSS_RESIDUALS = 2
    TOO_FEW = 3
    COLLINEAR = 4
    NO_VARIATION = 5
    RESIDUAL_VARIANCE_NOT_ESTIMABLE = 6
    GROUP_VARIANCE_NOT_ESTIMABLE = 7
    NO_INTERIOR_MAXIMUM = 8
    STANDARD_ERROR_NOT_POSITIVE = 9
    NOT_CONVERGED = 10
    RANDOM_EFFECT_NOT_ESTIMABLE = 11


class NestedFit(NamedTuple):
    """A block of mixed models with a random group effect; NaN where `reason` is not `Reason.FITTED`.

    Attributes
    ----------
    estimate, se, df, p : ndarray, shape (R,) or (R, m)
        Of the contrast or contrasts; p is two-sided.
    coefficients : ndarray, shape (R, q)
    coefficient_covariance : ndarray, shape (R, q, q)
        Kenward and Roger's with their degrees of freedom, else model-based.
    residual_variance : ndarray, shape (R, K)
        Squared points.
    group_variance : ndarray, shape (R,)
        Squared points.
    neg2_loglik : ndarray, shape (R,)
        −2 × the restricted log-likelihood with all constants.
    at_bound : ndarray of bool, shape (R,)
        Whether the group variance rests on 0.
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
    group_variance: Array
    neg2_loglik: Array
    at_bound: Flags
    reason: NDArray[np.int8]


def fit_nested(
    statistics: GroupStatistics,
    contrast: Array,
    *,
    df: Literal["satterthwaite", "kenward-roger"] = "satterthwaite",
    allow_negative: bool = False,
) -> NestedFit:
    """Return contrasts of the coefficients of a mixed model with a random group effect.

    Parameters
    ----------
    statistics : GroupStatistics
    contrast : ndarray, shape (q,) or (m, q)
        Weights of the coefficients, one or several contrasts.
    df : {"satterthwaite", "kenward-roger"}
        Satterthwaite's with the observed information; Kenward and Roger's with the expected one, and their standard
        error.
    allow_negative : bool
        Let the group variance fall below 0, down to where V stops being positive definite: members of a group may
        then be less alike than strangers. Otherwise it stops at 0, and Satterthwaite's degrees of freedom count it as
        known there.
    """
    if df not in ("satterthwaite", "kenward-roger"):
        raise ValueError(f"df: satterthwaite or kenward-roger, not {df!r}")
    reason = _screen(statistics)
    bounded = np.zeros(statistics.design.shape[2], dtype=bool)
    bounded[-1] = not allow_negative
    rows = np.flatnonzero(reason == Reason.FITTED)
    good = statistics.take(rows)
    best, converged = maximise(good, _start(good), bounded)
    reason[rows[~converged]] = _why_not(good, best)[~converged]
    found = np.flatnonzero(converged)
    rows, good, best = rows[found], good.take(found), best.take(found)
    weights = np.atleast_2d(np.asarray(contrast, dtype=np.float64))
    if df == "satterthwaite":
        answer = satterthwaite(good, best, parameter_covariance(best, bounded), weights)
        covariance = best.inverse
    else:
        answer, covariance = kenward_roger(good, best, weights), adjusted_covariance(good, best)
    usable = np.flatnonzero(np.isfinite(answer.p).all(axis=1))
    reason[np.delete(rows, usable)] = Reason.STANDARD_ERROR_NOT_POSITIVE
    if np.ndim(contrast) == 1:
        answer = Contrasts(*(piece[:, 0] for piece in answer))
    bound = np.zeros(len(reason), dtype=bool)
    bound[rows[usable]] = at_bound(best.theta, bounded)[usable, -1]
    pieces = (best.coefficients, covariance, best.theta[:, :-1], best.theta[:, -1], -2.0 * best.loglik)
    at, size = rows[usable], len(reason)
    estimate, se, degrees, p = (spread(piece[usable], at, size) for piece in answer)
    coefficients, covariance, residual, group, loglik = (spread(piece[usable], at, size) for piece in pieces)
    return NestedFit(estimate, se, degrees, p, coefficients, covariance, residual, group, loglik, bound, reason)


def _why_not(statistics: GroupStatistics, best: Components) -> NDArray[np.int8]:
    """Return why the search found no maximum: a residual variance, or a group mean's, ran away to 0, or neither."""
    residual, group = best.theta[:, :-1], statistics.smallest_variance(best.theta)
    vanished = residual.min(axis=1) < _AT_EDGE * residual.max(axis=1)
    reason = np.where(group < _AT_EDGE, Reason.NO_INTERIOR_MAXIMUM, Reason.NOT_CONVERGED)
    return np.where(vanished, Reason.NO_VARIATION, reason).astype(np.int8)


def spread(piece: Array, rows: NDArray[np.intp], n_replicates: int) -> Array:
    """Return a piece with NaN for the replicates that are not among the rows."""
    whole = np.full((n_replicates, *piece.shape[1:]), np.nan)
    whole[rows] = piece
    return whole


def _flat(statistics: GroupStatistics) -> Array:
    """Return θ of independent participants of variance 1."""
    theta = np.ones((len(statistics.counts), statistics.design.shape[2]))
    theta[:, -1] = 0.0
    return theta


def _screen(statistics: GroupStatistics) -> NDArray[np.int8]:
    """Return why a replicate cannot be fitted, as far as is known before the fit; the first reason counts."""
    q = statistics.products.shape[-1] - 1
    theta = _flat(statistics)
    regular, parameters = identified(statistics, theta)
    left = statistics.products[:, :, q, q].sum(axis=1)
    checks = (
        (Reason.NOT_FINITE, ~statistics.finite),
        (Reason.GROUP_ACROSS_RESIDUALS, ~statistics.nested),
        (Reason.TOO_FEW, statistics.n_observations <= q),
        (Reason.COLLINEAR, ~regular),
        (Reason.NO_VARIATION, left <= _NO_SPREAD * statistics.squares),
        (Reason.RESIDUAL_VARIANCE_NOT_ESTIMABLE, ~parameters[:, :-1].all(axis=1)),
        (Reason.GROUP_VARIANCE_NOT_ESTIMABLE, ~parameters[:, -1]),
    )
    reason = np.zeros(len(theta), dtype=np.int8)
    for code, found in checks:
        reason[(reason == Reason.FITTED) & found] = code
    return reason


def _start(statistics: GroupStatistics) -> Array:
    """Return θ to start from: residual variances about least squares, no group variance."""
    theta = _flat(statistics)
    squares = statistics.products[..., -1, -1]
    kinds = statistics.design[..., :-1]
    sums = (squares[..., None] * kinds).sum(axis=1)
    counts = (statistics.counts[..., None] * kinds).sum(axis=1)
    overall = (squares.sum(axis=1) / np.maximum(statistics.n_observations, 1.0))[:, None]
    # An arm with next to no spread of its own starts from everybody's.
    theta[:, :-1] = np.maximum(sums / np.maximum(counts, 1.0), 0.01 * overall)
    return theta
