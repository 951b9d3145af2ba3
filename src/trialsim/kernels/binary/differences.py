"""Risk differences, risk ratios and odds ratios of two arms with closed-form intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri

from trialsim.kernels.binary.counts import ALL_ALIKE, EMPTY_ARM, EMPTY_CELL, FINE, Counts
from trialsim.kernels.tails import normal_limits, normal_tail

Array = NDArray[np.float64]
Codes = NDArray[np.int8]


class Comparison(NamedTuple):
    """A comparison of two risks in each trial; all (R,).

    Attributes
    ----------
    estimate, low, high : ndarray
        Active minus control, or active over control.
    se : ndarray
        Of the difference, or of the logarithm of the ratio; NaN for an interval that has none.
    z, p : ndarray
        Two-sided Wald test of no difference; NaN where there is no standard error.
    reason : ndarray of int8
        All else is NaN where it is not 0.
    """

    estimate: Array
    se: Array
    z: Array
    p: Array
    low: Array
    high: Array
    reason: Codes


def wald_difference(counts: Counts, *, level: float = 0.95) -> Comparison:
    """Return the risk difference with unpooled standard error and Wald interval.

    Parameters
    ----------
    counts : Counts of shape (R,)
    level : float
    """
    one, zero = counts.risks
    with np.errstate(divide="ignore", invalid="ignore"):
        se = np.sqrt(one * (1.0 - one) / counts.n_active + zero * (1.0 - zero) / counts.n_control)
    # With risks of 0 or 1 in both arms the standard error is 0, which is not certainty.
    reason = np.select([_empty(counts), ~(se > 0)], [EMPTY_ARM, ALL_ALIKE], FINE)
    hide = np.where(reason == FINE, 1.0, np.nan)
    estimate, se = (one - zero) * hide, se * hide
    z = estimate / se
    return Comparison(estimate, se, z, normal_tail(z), *normal_limits(estimate, se, level), reason.astype(np.int8))


def newcombe_difference(counts: Counts, *, level: float = 0.95) -> Comparison:
    """Return the risk difference with the interval that joins the two Wilson intervals (Newcombe 1998, method 10).

    Parameters
    ----------
    counts : Counts of shape (R,)
    level : float
    """
    one, zero = counts.risks
    one_low, one_high = wilson_limits(counts.active, counts.n_active, level)
    zero_low, zero_high = wilson_limits(counts.control, counts.n_control, level)
    empty = _empty(counts)
    estimate = np.where(empty, np.nan, one - zero)
    low = estimate - np.hypot(one - one_low, zero_high - zero)
    high = estimate + np.hypot(one_high - one, zero - zero_low)
    none = np.full_like(estimate, np.nan)
    return Comparison(estimate, none, none, none, low, high, np.where(empty, EMPTY_ARM, FINE).astype(np.int8))


def risk_ratio(counts: Counts, *, level: float = 0.95) -> Comparison:
    """Return the risk ratio with the interval that is normal on the log scale; both arms need a responder.

    Parameters
    ----------
    counts : Counts of shape (R,)
    level : float
    """
    one, zero = counts.risks
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = 1.0 / counts.active - 1.0 / counts.n_active + 1.0 / counts.control - 1.0 / counts.n_control
        log_ratio = np.log(one) - np.log(zero)
    return _ratio(log_ratio, variance, (counts.active == 0) | (counts.control == 0), counts, level)


def odds_ratio(counts: Counts, *, level: float = 0.95) -> Comparison:
    """Return the odds ratio with the interval that is normal on the log scale; no cell may be empty.

    Parameters
    ----------
    counts : Counts of shape (R,)
    level : float
    """
    cells = (counts.active, counts.n_control - counts.control, counts.n_active - counts.active, counts.control)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = sum((1.0 / cell for cell in cells), start=np.zeros_like(counts.active))
        log_ratio = np.log(cells[0]) + np.log(cells[1]) - np.log(cells[2]) - np.log(cells[3])
    gap = np.any([cell == 0 for cell in cells], axis=0)
    return _ratio(log_ratio, variance, gap, counts, level)


def wilson_limits(hits: Array, n: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Return Wilson's score limits of proportions, any shape; NaN where n is 0."""
    z2 = ndtri(0.5 + level / 2.0) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        share = hits / n
        centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n)
        half = np.sqrt(z2) / (1.0 + z2 / n) * np.sqrt(share * (1.0 - share) / n + z2 / (4.0 * n**2))
    return np.where(hits == 0, 0.0 * share, centre - half), np.where(hits == n, 1.0 + 0.0 * share, centre + half)


def clopper_pearson_limits(hits: Array, n: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Return exact (Clopper-Pearson) limits of proportions, any shape; NaN where n is 0."""
    tail = 0.5 - level / 2.0
    known = n > 0
    low = betaincinv(np.maximum(hits, 1.0), n - hits + 1.0, tail)
    high = betaincinv(hits + 1.0, np.maximum(n - hits, 1.0), 1.0 - tail)
    hide = np.where(known, 1.0, np.nan)
    return np.where(hits == 0, 0.0, low) * hide, np.where(hits == n, 1.0, high) * hide


def _ratio(log_ratio: Array, variance: Array, gap: NDArray[np.bool_], counts: Counts, level: float) -> Comparison:
    """Return a ratio from its logarithm, NaN with the reason where it has none."""
    still = ~(variance > 0)
    reason = np.select([_empty(counts), gap, still], [EMPTY_ARM, EMPTY_CELL, ALL_ALIKE], FINE)
    hide = np.where(reason == FINE, 1.0, np.nan)
    log_ratio = np.where(reason == FINE, log_ratio, 0.0) * hide
    se = np.sqrt(np.where(reason == FINE, variance, 1.0)) * hide
    low, high = normal_limits(log_ratio, se, level)
    z = log_ratio / se
    return Comparison(np.exp(log_ratio), se, z, normal_tail(z), np.exp(low), np.exp(high), reason.astype(np.int8))


def _empty(counts: Counts) -> NDArray[np.bool_]:
    """Return which trials have an arm with nobody in it."""
    return np.asarray((counts.n_active == 0) | (counts.n_control == 0))
