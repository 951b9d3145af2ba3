"""Conditional-mean imputation, analysis of covariance at a visit, and a jackknife over participants.

Nothing is drawn at random: missing scores are put at their conditional means under the imputation model fitted by REML,
and the whole of it (fit, imputation, analysis) is repeated without each participant in turn for the standard error.

References
----------
Wolbers M, Noci A, Delmar P, et al. (2022), Pharm Stat 21:1246.
Lu K (2021), Stat Biopharm Res 13:54 (variance anchored to the information seen).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from trialsim.kernels.imputation.base import fit_base
from trialsim.kernels.imputation.conditional import conditional_means
from trialsim.kernels.imputation.delta import quadratic_tipping_point
from trialsim.kernels.imputation.endpoint import Target, analysis_weights, shift_values, target_values
from trialsim.kernels.imputation.groups import (
    INFINITE,
    NOT_CONVERGED,
    NOT_ESTIMABLE,
    REFIT_FAILED,
    SOUND,
    Grouped,
    Model,
    group_participants,
)
from trialsim.kernels.imputation.sequential import BaseFits

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_AT_ONCE = 2048
"""Refits worked on together."""


class ConditionalMean(NamedTuple):
    """Estimates of a block of trials, and their change with a delta adjustment.

    Attributes
    ----------
    estimate, se, statistic, p : ndarray, shape (R, H)
        At δ = 1 where a delta was given; `statistic` = estimate / SE is referred to the normal distribution. NaN where
        there is no fit; `se` NaN where a refit failed.
    df : ndarray, shape (R, H)
        Infinite: the limits are normal.
    slope : ndarray, shape (R, H)
        Change of the estimate with each multiple of delta; 0 without one.
    moments : ndarray, shape (R, H, 2, 2)
        Jackknife covariance of the estimate at δ = 0 and the slope.
    n_analysed : ndarray of int, shape (R,)
    reason : ndarray of int, shape (R,)
        Index into `groups.REASONS`.
    """

    estimate: Array
    se: Array
    statistic: Array
    p: Array
    df: Array
    slope: Array
    moments: Array
    n_analysed: Index
    reason: Index

    @property
    def estimable(self) -> Flags:
        """Whether the replicate has an estimate and a standard error, shape (R,)."""
        return np.asarray(self.reason == SOUND)

    def tipping_point(self, *, alpha: float = 0.05) -> Array:
        """Return the smallest multiple ≥ 0 of delta at which the result is no longer significant, shape (R, H)."""
        (v, c), (_, w) = self.moments.transpose(2, 3, 0, 1)
        return quadratic_tipping_point(self.estimate - self.slope, self.slope, v, c, w, alpha=alpha)


def conditional_mean(
    y: Array,
    x: Array,
    arm: Index,
    event: Index,
    targets: Sequence[Target],
    model: Model,
    *,
    included: Flags | None = None,
    delta: Array | None = None,
    jackknife: Literal["full", "one_step"] = "full",
    variance: Literal["frequentist", "information_anchored"] = "frequentist",
) -> ConditionalMean:
    """Return estimates with jackknife standard errors after conditional-mean imputation.

    Parameters
    ----------
    y : ndarray, shape (R, N, V)
        Scores in points; NaN where missing. Scores from the event on stay in the analysis, but the imputation model is
        fitted without them unless missing at random is assumed.
    x : ndarray, shape (R, N, q)
        Covariates of the imputation model and of the analysis, the intercept among them, those with one coefficient
        for all visits last.
    arm : ndarray of int, shape (R, N)
    event : ndarray of int, shape (R, N)
        First visit touched by the intercurrent event; V or more where there was none. A score missing without an event
        is imputed at random.
    targets : sequence of Target
        H hypotheses.
    model : Model
    included : ndarray of bool, shape (R, N), optional
        Participants in the analysis; everybody by default.
    delta : ndarray, broadcastable to (R, N, V), optional
        Points added to imputed scores.
    jackknife : {'full', 'one_step'}
        Refit without each participant to convergence, or stop after one step from the whole trial's fit.
    variance : {'frequentist', 'information_anchored'}
        Anchored: the departure of the imputed scores from those at random is held fixed over the jackknife, as if it
        were a delta adjustment, so that missing scores do not lower the standard error.
    """
    n_replicates, n_participants, _ = y.shape
    n_arms = int(arm.max(initial=model.reference)) + 1
    h = len(targets)
    blank = np.full((n_replicates, h), np.nan)
    result = ConditionalMean(
        blank,
        blank.copy(),
        blank.copy(),
        blank.copy(),
        np.full((n_replicates, h), np.inf),
        blank.copy(),
        np.full((n_replicates, h, 2, 2), np.nan),
        np.zeros(n_replicates, dtype=np.intp),
        np.zeros(n_replicates, dtype=np.intp),
    )
    shifts = np.broadcast_to(0.0 if delta is None else delta, y.shape)
    at_once = max(1, _AT_ONCE // (n_participants + 1))
    for first in range(0, n_replicates, at_once):
        rows = slice(first, first + at_once)
        inside = None if included is None else included[rows]
        grouped = group_participants(y[rows], x[rows], arm[rows], event[rows], model, inside)
        fits = fit_base(grouped, model, n_arms, jackknife=True, one_step=jackknife == "one_step")
        part = _analyse(grouped, fits, targets, model, shifts[rows], anchored=variance == "information_anchored")
        for whole, piece in zip(result, part, strict=True):
            whole[rows] = piece
    return result


def impute_conditional_means(
    y: Array, x: Array, arm: Index, event: Index, model: Model, *, included: Flags | None = None
) -> tuple[Array, BaseFits]:
    """Return the scores with the missing ones at their conditional means, and the imputation model.

    Parameters
    ----------
    y, x, arm, event, model, included
        As for `conditional_mean`.

    Returns
    -------
    scores : ndarray, shape (R, N, V)
        NaN for trials without a fit and participants not included.
    fits : BaseFits
        With L = 1.
    """
    grouped = group_participants(y, x, arm, event, model, included)
    fits = fit_base(grouped, model, int(arm.max(initial=model.reference)) + 1, jackknife=False)
    scores = conditional_means(fits.coefficients, fits.covariance, grouped, model)
    scores[~(fits.estimable & fits.converged)[:, 0]] = np.nan
    return scores, fits


def _analyse(
    grouped: Grouped, fits: BaseFits, targets: Sequence[Target], model: Model, delta: Array, *, anchored: bool
) -> ConditionalMean:
    """Return the result of some trials from their fits."""
    n_replicates, n_rows, n_visits = grouped.y.shape
    missing = np.concatenate([~grouped.seen, np.zeros((1, n_visits), dtype=bool)])[grouped.group]
    shift = np.zeros(grouped.y.shape)
    shift[:, :-1] = np.where(missing[:, :-1], delta, 0.0)
    fixed = np.zeros(grouped.y.shape)
    at_random = model._replace(strategy="missing_at_random")
    if anchored:
        whole = fits.coefficients[:, -1:], fits.covariance[:, -1:]
        departure = conditional_means(*whole, grouped, model) - conditional_means(*whole, grouped, at_random)
        fixed[:, :-1] = np.where(missing[:, :-1], departure, 0.0)
    values, slopes = np.empty((2, n_replicates, n_rows, len(targets)))
    estimable = np.ones((n_replicates, n_rows), dtype=bool)
    for h, target in enumerate(targets):
        weights = analysis_weights(grouped, target, jackknife=True)
        assumed = at_random if anchored else model
        values[..., h] = target_values(fits, grouped, assumed, target, weights, jackknife=True)
        values[..., h] += shift_values(fixed[..., target.visit], grouped, weights, jackknife=True)
        slopes[..., h] = shift_values(shift[..., target.visit], grouped, weights, jackknife=True)
        estimable &= weights.estimable
    reason = _reasons(grouped, fits, estimable)
    return _summarise(values, slopes, grouped.included, reason)


def _reasons(grouped: Grouped, fits: BaseFits, analysed: Flags) -> Index:
    """Return the first reason that holds for each trial."""
    refits = np.where(grouped.included, fits.estimable & fits.converged & analysed, True).all(axis=1)
    n = grouped.included.sum(axis=1)
    conditions = [
        grouped.infinite,
        ~fits.estimable[:, -1] | ~analysed[:, -1] | (n < 2),
        ~fits.converged[:, -1],
        ~refits,
    ]
    return np.select(conditions, [INFINITE, NOT_ESTIMABLE, NOT_CONVERGED, REFIT_FAILED], SOUND)


def _summarise(values: Array, slopes: Array, included: Flags, reason: Index) -> ConditionalMean:
    """Return estimates and jackknife covariances from the analyses (R, N + 1, H)."""
    n = included.sum(axis=1)
    both = np.stack([values, slopes], axis=-1)
    kept = included[:, :, None, None]
    mean = np.where(kept, both, 0.0).sum(axis=1) / np.maximum(n, 1)[:, None, None]
    apart = np.where(kept, both - mean[:, None], 0.0)
    factor = ((n - 1) / np.maximum(n, 1))[:, None, None, None]
    moments = factor * np.einsum("rnha,rnhb->rhab", apart, apart)
    moments[(reason != SOUND)] = np.nan
    estimate = values[:, -1] + slopes[:, -1]
    estimate[(reason != SOUND) & (reason != REFIT_FAILED)] = np.nan
    se = np.sqrt(moments.sum(axis=(2, 3)))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / se
    p = 2.0 * ndtr(-np.abs(statistic))
    infinite = np.full(estimate.shape, np.inf)
    return ConditionalMean(estimate, se, statistic, p, infinite, slopes[:, -1], moments, n, reason)
