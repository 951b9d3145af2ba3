"""Random-effects meta-analysis of study effects, for one set of studies or a block of simulated ones.

Study i reports y_i with the standard error s_i, and y_i ~ N(mu, s_i² + tau²): mu is the mean of the effects that
studies like these have, tau² how much those effects differ. Arrays are (R, k): R sets of up to k studies; a study whose
estimate is NaN is not there. Each set is computed by itself: the others in the block change nothing.

References: DerSimonian & Laird 1986 (Control Clin Trials 7:177); Paule & Mandel 1982 (J Res NBS 87:377); Viechtbauer
2005 (J Educ Behav Stat 30:261) for REML; Hartung & Knapp 2001 (Stat Med 20:3875) and Sidik & Jonkman 2002 (Stat Med
21:3153); Higham, Thompson & Spiegelhalter 2009 (JRSS A 172:137); Higgins & Thompson 2002 (Stat Med 21:1539); Hardy &
Thompson 1996 (Stat Med 15:619) for profile likelihood.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtri, stdtrit

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]
Method = Literal["reml", "paule-mandel", "dersimonian-laird"]
"""How the variance between studies is estimated."""

FINE, NO_STUDY, NOT_USABLE = range(3)
REASONS = ("", "no study", "an estimate is infinite or a standard error is not a positive number")
"""Why a set of studies has no pooled effect, by code."""

# Where the restricted likelihood is looked at first, in units of its maximiser's upper bound: it can have two peaks.
GRID = (0.0, *np.geomspace(1e-6, 1.0, 61))
HALVINGS = 64


class RandomEffects(NamedTuple):
    """The pooled effect of each set of studies.

    Attributes
    ----------
    k : ndarray, shape (R,)
        Studies in the set.
    tau2 : ndarray, shape (R,)
        Variance between studies, in squared units of the estimates; NaN for a single study.
    mean, se, df, low, high : ndarray, shape (R,)
        Mean effect, its standard error, the degrees of freedom of its t (infinite: normal) and its confidence limits.
    se_model : ndarray, shape (R,)
        Standard error from the weights alone, (sum of 1 / (s² + tau²))^-1/2, as the classical normal interval has it.
    predictive_low, predictive_high : ndarray, shape (R,)
        Prediction interval for the true effect of a new study; NaN for fewer than three studies.
    reason : ndarray of int8, shape (R,)
        Index into `REASONS`; where it is not 0 all of the above but `k` are NaN.
    """

    k: Array
    tau2: Array
    mean: Array
    se: Array
    df: Array
    low: Array
    high: Array
    se_model: Array
    predictive_low: Array
    predictive_high: Array
    reason: Codes

    @property
    def estimable(self) -> Flags:
        """Return which sets have a pooled effect, shape (R,)."""
        return np.asarray(self.reason == FINE)


class Heterogeneity(NamedTuple):
    """How much the studies of each set disagree, all of shape (R,); NaN for fewer than two studies.

    Attributes
    ----------
    q, df, p : ndarray
        Cochran's Q, its degrees of freedom k − 1 and the p-value of no disagreement.
    i2, i2_low, i2_high : ndarray
        Share of the variation that is between studies, max(0, 1 − df / Q), with its confidence limits.
    """

    q: Array
    df: Array
    p: Array
    i2: Array
    i2_low: Array
    i2_high: Array


class _Studies(NamedTuple):
    """Estimates and squared standard errors (R, k), which are there, how many (R,), and what is wrong (R,)."""

    y: Array
    v: Array
    there: Flags
    k: Array
    reason: Codes


class _Fit(NamedTuple):
    """Weights (R, k), their sum, the weighted mean and the weighted squares about it (R,)."""

    weights: Array
    total: Array
    mean: Array
    squares: Array


def random_effects(
    estimate: Array, se: Array, *, method: Method = "reml", level: float = 0.95, at_least_fixed: bool = False
) -> RandomEffects:
    """Return the mean effect with the Hartung-Knapp(-Sidik-Jonkman) interval, and the prediction interval.

    With weights w_i = 1 / (s_i² + tau²), mu = sum w y / sum w. The standard error is that of Hartung and Knapp,
    sqrt(sum w (y − mu)² / ((k − 1) sum w)), with t on k − 1 degrees of freedom. The prediction interval is mu ±
    t(k − 2) sqrt(tau² + 1 / sum w), after Higham, Thompson and Spiegelhalter. The interval of the mean is exact where
    all standard errors are equal; with few studies of very different size it covers less than its level.

    Parameters
    ----------
    estimate, se : ndarray, shape (R, k)
        Effects and their standard errors, in the same units; an estimate of NaN leaves the study out.
    method : {"reml", "paule-mandel", "dersimonian-laird"}
        How tau² is estimated.
    level : float
        Confidence of the intervals, between 0 and 1.
    at_least_fixed : bool
        Widen the interval where it is narrower than the normal interval of the fixed-effect model, half-width z (sum
        1 / s²)^-1/2. The Hartung-Knapp interval can be, even of width 0, where studies agree better than their standard
        errors allow. Limits only: `se` stays as it is.

    Returns
    -------
    RandomEffects
        A single study is its own pooled effect, with its own standard error and a normal interval; it says nothing of
        tau². Two studies have a t on one degree of freedom (12.7 standard errors at 95 %) and no prediction interval.

    Raises
    ------
    ValueError
        Shapes differ, the level is outside (0, 1), or the method is unknown.
    """
    studies = _studies(estimate, se)
    tau2 = _variance(studies, method)
    several = studies.k > 1
    fit = _fit(studies, np.where(several, tau2, 0.0))
    model = fit.total**-0.5
    with np.errstate(divide="ignore", invalid="ignore"):
        hartung_knapp = np.sqrt(fit.squares / (studies.k - 1.0)) * model
        df = np.where(several, studies.k - 1.0, np.inf)
        error = np.where(several, hartung_knapp, model)
        half = error * _t_quantile(df, level)
        predictive = np.sqrt(tau2 + model**2) * _t_quantile(studies.k - 2.0, level)
    if at_least_fixed:
        half = np.maximum(half, _fit(studies, np.zeros(studies.k.shape)).total ** -0.5 * _z_quantile(level))
    mean = np.where(studies.reason == FINE, fit.mean, np.nan)
    return RandomEffects(
        k=studies.k,
        tau2=tau2,
        mean=mean,
        se=error + 0.0 * mean,
        df=df + 0.0 * mean,
        low=mean - half,
        high=mean + half,
        se_model=model + 0.0 * mean,
        predictive_low=mean - predictive,
        predictive_high=mean + predictive,
        reason=studies.reason,
    )


def between_study_variance(estimate: Array, se: Array, *, method: Method = "reml") -> Array:
    """Return tau², the variance between studies, never negative; shape (R,), NaN for fewer than two studies.

    REML is the global maximum of `restricted_log_likelihood`; Paule and Mandel's estimate makes the weighted squares
    sum w (y − mu)² equal k − 1; DerSimonian and Laird's is the moment estimate (Q − k + 1) / (sum w − sum w² / sum w)
    with w = 1 / s². Parameters are those of `random_effects`.
    """
    return _variance(_studies(estimate, se), method)


def restricted_log_likelihood(estimate: Array, se: Array, tau2: Array) -> Array:
    """Return the restricted log-likelihood of tau², shape (R,): the log density of k − 1 orthonormal error contrasts.

    That is −½ [(k − 1) log 2π + sum log(s² + tau²) + log(sum w / k) + sum w (y − mu)²].

    Parameters
    ----------
    estimate, se : ndarray, shape (R, k)
        As in `random_effects`.
    tau2 : ndarray, shape (R,)
        Not negative.
    """
    studies = _studies(estimate, se)
    hidden = np.where((studies.reason == FINE) & (studies.k > 1), 0.0, np.nan)
    return np.asarray(_log_likelihood(studies, np.asarray(tau2, dtype=np.float64)) + hidden)


def between_study_interval(estimate: Array, se: Array, *, level: float = 0.95) -> tuple[Array, Array]:
    """Return the limits of tau² by profile likelihood, each (R,); NaN for fewer than two studies.

    All tau² whose restricted log-likelihood is within half a chi-squared quantile (1 degree of freedom) of its maximum,
    as far as they hang together with it. Restricted, so that it fits the REML estimate; with two studies the upper
    limit is in the hundreds of their squared difference. Parameters are those of `random_effects`.
    """
    studies = _studies(estimate, se)
    peak = _variance(studies, "reml")
    open_ = ~np.isnan(peak)
    peak = np.where(open_, peak, 0.0)
    bar = _log_likelihood(studies, peak) - 0.5 * _z_quantile(level) ** 2
    low = _crossing(lambda tau2: bar - _log_likelihood(studies, tau2), np.zeros(peak.shape), peak)
    low = np.where(_log_likelihood(studies, np.zeros(peak.shape)) >= bar, 0.0, low)
    inside, outside = peak, peak + np.maximum(_bound(studies), np.where(studies.there, studies.v, 0.0).max(axis=1))
    while np.any(above := open_ & (_log_likelihood(studies, outside) >= bar)):
        inside, outside = np.where(above, outside, inside), np.where(above, 2.0 * outside, outside)
    high = _crossing(lambda tau2: _log_likelihood(studies, tau2) - bar, inside, outside)
    return np.where(open_, low, np.nan), np.where(open_, high, np.nan)


def heterogeneity(estimate: Array, se: Array, *, level: float = 0.95) -> Heterogeneity:
    """Return Cochran's Q and I² with the test-based interval of Higgins and Thompson.

    With H = max(1, sqrt(Q / (k − 1))), I² = 1 − 1 / H². The interval is normal for log H, with the standard error ½
    (log Q − log(k − 1)) / (sqrt(2 Q) − sqrt(2 k − 3)) where Q > k and sqrt((1 − 1 / (3 (k − 2)²)) / (2 (k − 2)))
    elsewhere; for two studies with Q <= 2 there is none. Parameters are those of `random_effects`.
    """
    studies = _studies(estimate, se)
    fit = _fit(studies, np.zeros(studies.k.shape))
    q = np.where((studies.reason == FINE) & (studies.k > 1), fit.squares, np.nan)
    df = studies.k - 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        log_h = np.maximum(0.0, 0.5 * np.log(q / df))
        far = 0.5 * (np.log(q) - np.log(df)) / (np.sqrt(2.0 * q) - np.sqrt(2.0 * studies.k - 3.0))
        near = np.sqrt((1.0 - 1.0 / (3.0 * (df - 1.0) ** 2)) / (2.0 * (df - 1.0)))
        half = _z_quantile(level) * np.where(q > studies.k, far, near)
        half = np.where(np.isfinite(half), half, np.nan)
    i2, low, high = (-np.expm1(-2.0 * np.maximum(0.0, log)) for log in (log_h, log_h - half, log_h + half))
    df = np.where(np.isnan(q), np.nan, df)
    return Heterogeneity(q, df, np.asarray(chdtrc(df, q)), i2, low, high)


def _studies(estimate: Array, se: Array) -> _Studies:
    """Check shapes, blank out studies that are not there, and mark sets that cannot be pooled."""
    y, s = np.asarray(estimate, dtype=np.float64), np.asarray(se, dtype=np.float64)
    if y.ndim != 2 or y.shape != s.shape:
        raise ValueError(f"estimates {y.shape} and standard errors {s.shape} must be of one shape (R, k)")
    there = ~np.isnan(y)
    usable = np.all(~there | (np.isfinite(y) & np.isfinite(s) & (s > 0.0)), axis=1)
    there &= usable[:, None]
    reason = np.select([~usable, ~there.any(axis=1)], [NOT_USABLE, NO_STUDY], FINE).astype(np.int8)
    # A set without a usable study computes as one at zero; its results are hidden.
    return _Studies(
        np.where(there, y, 0.0), np.where(there, s, 1.0) ** 2, there, there.sum(axis=1).astype(float), reason
    )


def _fit(studies: _Studies, tau2: Array) -> _Fit:
    """Return the weighted mean at a given tau² (R,)."""
    weights = np.where(studies.there, 1.0 / (studies.v + tau2[:, None]), 0.0)
    total = np.where(studies.k > 0, weights.sum(axis=1), 1.0)
    mean = (weights * studies.y).sum(axis=1) / total
    squares = (weights * (studies.y - mean[:, None]) ** 2).sum(axis=1)
    return _Fit(weights, total, mean, squares)


def _log_likelihood(studies: _Studies, tau2: Array) -> Array:
    """Return the restricted log-likelihood at tau² (R,)."""
    fit = _fit(studies, tau2)
    logs = np.where(studies.there, np.log(studies.v + tau2[:, None]), 0.0).sum(axis=1)
    size = np.maximum(studies.k, 1.0)
    constant = (size - 1.0) * np.log(2.0 * np.pi) - np.log(size)
    return np.asarray(-0.5 * (constant + logs + np.log(fit.total) + fit.squares))


def _slope(studies: _Studies, tau2: Array) -> Array:
    """Return the derivative of the restricted log-likelihood, up to a positive factor."""
    fit = _fit(studies, tau2)
    square = fit.weights**2
    about = (square * (studies.y - fit.mean[:, None]) ** 2).sum(axis=1)
    return np.asarray(about - fit.total + square.sum(axis=1) / fit.total)


def _bound(studies: _Studies) -> Array:
    """Return the squares about the plain mean, (R,): no estimate of tau² by REML or Paule-Mandel is above them."""
    mean = studies.y.sum(axis=1) / np.maximum(studies.k, 1.0)
    return np.asarray(np.where(studies.there, (studies.y - mean[:, None]) ** 2, 0.0).sum(axis=1))


def _variance(studies: _Studies, method: Method) -> Array:
    """Return tau² by the method asked for, NaN where there is none."""
    if method not in get_args(Method):
        raise ValueError(f"method {method!r} is none of {', '.join(get_args(Method))}")
    estimators = {"reml": _reml, "paule-mandel": _paule_mandel, "dersimonian-laird": _dersimonian_laird}
    estimable = (studies.reason == FINE) & (studies.k > 1)
    return np.where(estimable, estimators[method](studies), np.nan)


def _reml(studies: _Studies) -> Array:
    """Return the maximiser of the restricted likelihood: the best of a grid, then the root of the slope beside it.

    In the eigenbasis of the error contrasts it is a sum over j of log N(z_j; 0, d_j + tau²) with fixed z and d >= 0,
    so it falls beyond the largest z_j², and `_bound` is the sum of these.
    """
    bound = _bound(studies)
    likelihood = np.stack([_log_likelihood(studies, share * bound) for share in GRID])
    best = likelihood.argmax(axis=0)
    grid = np.asarray(GRID)
    rising = _slope(studies, grid[best] * bound) > 0.0
    low = grid[np.maximum(best - 1 + rising, 0)] * bound
    high = grid[np.minimum(best + rising, len(GRID) - 1)] * bound
    root = _crossing(lambda tau2: _slope(studies, tau2), low, high)
    return np.where(likelihood[0] >= _log_likelihood(studies, root), 0.0, root)


def _paule_mandel(studies: _Studies) -> Array:
    """Return the tau² at which the weighted squares equal k − 1, or 0 where they are below it already."""
    zero = np.zeros(studies.k.shape)
    root = _crossing(lambda tau2: _fit(studies, tau2).squares - (studies.k - 1.0), zero, _bound(studies))
    return np.where(_fit(studies, zero).squares <= studies.k - 1.0, 0.0, root)


def _dersimonian_laird(studies: _Studies) -> Array:
    """Return the moment estimate of tau²."""
    fit = _fit(studies, np.zeros(studies.k.shape))
    scale = fit.total - (fit.weights**2).sum(axis=1) / fit.total
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.maximum(0.0, (fit.squares - studies.k + 1.0) / scale))


def _crossing(function: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return where a function goes from above zero at `low` to below it at `high`, (R,), by halving."""
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        above = function(middle) > 0.0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray(0.5 * (low + high))


def _z_quantile(level: float) -> float:
    """Return the two-sided normal quantile of a confidence level."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level {level:g} is not between 0 and 1")
    return float(ndtri(0.5 + level / 2.0))


def _t_quantile(df: Array, level: float) -> Array:
    """Return the two-sided t quantile of a confidence level: normal for infinite df, NaN for df below 1."""
    z = _z_quantile(level)
    finite = np.isfinite(df) & (df >= 1.0)
    t = stdtrit(np.where(finite, df, 1.0), 0.5 + level / 2.0)
    return np.where(finite, t, np.where(np.isposinf(df), z, np.nan))
