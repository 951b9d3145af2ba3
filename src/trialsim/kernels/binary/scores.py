"""Score tests and intervals of two risks: Miettinen-Nurminen and Farrington-Manning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from trialsim.kernels.binary.counts import EMPTY_ARM, FINE, Counts
from trialsim.kernels.tails import Alternative, normal_tail

Array = NDArray[np.float64]
Codes = NDArray[np.int8]
Measure = Literal["difference", "ratio", "odds_ratio"]

HALVINGS = 64
LARGEST_LOG_RATIO = 30.0
"""Logarithm of a ratio within which every limit lies that is neither 0 nor infinite."""


class ScoreTest(NamedTuple):
    """A score test that two risks differ by a given amount; all (R,), NaN where `reason` is not 0.

    Attributes
    ----------
    estimate : ndarray
        Active minus control, or active over control.
    z, p : ndarray
    reason : ndarray of int8
    """

    estimate: Array
    z: Array
    p: Array
    reason: Codes


class ScoreInterval(NamedTuple):
    """The values that the score test does not reject; all (R,), NaN where `reason` is not 0."""

    estimate: Array
    low: Array
    high: Array
    reason: Codes


def score_test(
    counts: Counts,
    *,
    null: float | None = None,
    measure: Measure = "difference",
    bias_correction: bool = True,
    alternative: Alternative = "two-sided",
) -> ScoreTest:
    """Return the score test that the risks differ by `null`.

    Parameters
    ----------
    counts : Counts of shape (R,)
    null : float, optional
        Difference or ratio under the null hypothesis; no difference by default. For non-inferiority of a
        response rate give minus the margin, and alternative "greater".
    measure : {"difference", "ratio", "odds_ratio"}
    bias_correction : bool
        Whether the variance is multiplied by N / (N − 1): Miettinen & Nurminen (1985) do, Farrington &
        Manning (1990) do not.
    alternative : {"two-sided", "less", "greater"}

    Notes
    -----
    The variance is taken at the maximum-likelihood risks that differ by exactly `null`. Where no response
    varies and none has to, z is 0.
    """
    if null is None:
        null = 0.0 if measure == "difference" else 1.0
    safe, empty = _safe(counts)
    z = _statistic(safe, np.full(len(safe.active), null), measure, bias_correction)
    hide = np.where(empty, np.nan, 1.0)
    reason = np.where(empty, EMPTY_ARM, FINE).astype(np.int8)
    return ScoreTest(_estimate(safe, measure) * hide, z * hide, normal_tail(z * hide, alternative), reason)


def score_interval(
    counts: Counts, *, measure: Measure = "difference", bias_correction: bool = True, level: float = 0.95
) -> ScoreInterval:
    """Return the score interval, to within rounding, by bisection.

    Parameters
    ----------
    counts, measure, bias_correction : as in `score_test`
    level : float
    """
    safe, empty = _safe(counts)
    estimate = _estimate(safe, measure)
    critical = float(ndtri(0.5 + level / 2.0))
    if measure == "difference":
        bottom, top = np.full_like(estimate, -1.0), np.full_like(estimate, 1.0)

        def z(value: Array) -> Array:
            return _statistic(safe, value, measure, bias_correction)

        low = _last(lambda value: z(value) > critical, bottom, estimate)
        high = _last(lambda value: z(value) >= -critical, estimate, top)
    else:
        wide = np.full_like(estimate, LARGEST_LOG_RATIO)

        def z(value: Array) -> Array:
            return _statistic(safe, np.exp(value), measure, bias_correction)

        full = measure == "odds_ratio"
        nothing = (safe.active == 0) | (full & (safe.control == safe.n_control))
        endless = (safe.control == 0) | (full & (safe.active == safe.n_active))
        low = np.where(nothing, 0.0, np.exp(_last(lambda value: z(value) > critical, -wide, wide)))
        high = np.where(endless, np.inf, np.exp(_last(lambda value: z(value) >= -critical, -wide, wide)))
    hide = np.where(empty, np.nan, 1.0)
    return ScoreInterval(estimate * hide, low * hide, high * hide, np.where(empty, EMPTY_ARM, FINE).astype(np.int8))


def _last(holds: Callable[[Array], NDArray[np.bool_]], low: Array, high: Array) -> Array:
    """Return by bisection the last value for which a condition holds that, once false, stays so."""
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        good = holds(middle)
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    return 0.5 * (low + high)


def _safe(counts: Counts) -> tuple[Counts, NDArray[np.bool_]]:
    """Return the counts with one participant put into empty arms, and which trials have such."""
    n_active, n_control = np.maximum(counts.n_active, 1.0), np.maximum(counts.n_control, 1.0)
    empty = (counts.n_active == 0) | (counts.n_control == 0)
    return Counts(counts.active, n_active, counts.control, n_control), empty


def _estimate(counts: Counts, measure: Measure) -> Array:
    """Return the observed difference or ratio; a ratio can be infinite, or NaN for 0 / 0."""
    one, zero = counts.risks
    if measure == "difference":
        return np.asarray(one - zero)
    with np.errstate(divide="ignore", invalid="ignore"):
        if measure == "ratio":
            return np.asarray(one / zero)
        return np.asarray(one * (1.0 - zero) / (zero * (1.0 - one)))


def _statistic(counts: Counts, null: Array, measure: Measure, bias_correction: bool) -> Array:
    """Return z of each trial for its own null value, which falls as the value grows."""
    one, zero = counts.risks
    x, n, _, m = counts
    with np.errstate(divide="ignore", invalid="ignore"):
        if measure == "difference":
            p = _risk_at_difference(counts, null)
            q = np.clip(p + null, 0.0, 1.0)
            excess, variance = one - zero - null, q * (1.0 - q) / n + p * (1.0 - p) / m
        elif measure == "ratio":
            p = _risk_at_ratio(counts, null)
            q = np.clip(p * null, 0.0, 1.0)
            excess, variance = one - zero * null, q * (1.0 - q) / n + null**2 * p * (1.0 - p) / m
        else:
            p = _risk_at_odds_ratio(counts, null)
            q = null * p / (1.0 + p * (null - 1.0))
            # The score: responders of the active arm beyond their expected number.
            excess = x - n * q
            variance = 1.0 / (1.0 / (n * q * (1.0 - q)) + 1.0 / (m * p * (1.0 - p)))
        if bias_correction:
            variance = variance * (n + m) / np.maximum(n + m - 1.0, 1.0)
        # Equal but for roundings counts as equal: with no variance left, z would be infinite.
        scale = np.maximum(x, 1.0) if measure == "odds_ratio" else 1.0
        excess = np.where(np.abs(excess) < 1e-14 * scale, 0.0, excess)
        return np.asarray(np.where(excess == 0.0, 0.0, excess / np.sqrt(np.maximum(variance, 0.0))))


def _risk_at_difference(counts: Counts, difference: Array) -> Array:
    """Return the control risk of highest likelihood given the difference: a root of a cubic, in closed form."""
    x, n, y, m = counts
    total, responders = n + m, x + y
    c2 = ((n + 2.0 * m) * difference - total - responders) / total
    c1 = ((m * difference - total - 2.0 * y) * difference + responders) / total
    c0 = y * difference * (1.0 - difference) / total
    v = c2**3 / 27.0 - c1 * c2 / 6.0 + c0 / 2.0
    u = np.where(v >= 0.0, 1.0, -1.0) * np.sqrt(np.maximum(c2**2 / 9.0 - c1 / 3.0, 0.0))
    turn = np.where(u == 0.0, 0.0, v / np.where(u == 0.0, 1.0, u) ** 3)
    angle = (np.pi + np.arccos(np.clip(turn, -1.0, 1.0))) / 3.0
    root = 2.0 * u * np.cos(angle) - c2 / 3.0
    return np.asarray(np.clip(root, np.maximum(0.0, -difference), np.minimum(1.0, 1.0 - difference)))


def _risk_at_ratio(counts: Counts, ratio: Array) -> Array:
    """Return the control risk of highest likelihood given the risk ratio."""
    x, n, y, m = counts
    a = (n + m) * ratio
    b = n * ratio + x + m + y * ratio
    c = x + y
    # The smaller root of a p² − b p + c, in the form that loses no digits.
    root = 2.0 * c / (b + np.sqrt(np.maximum(b**2 - 4.0 * a * c, 0.0)))
    return np.clip(root, 0.0, np.minimum(1.0, 1.0 / ratio))


def _risk_at_odds_ratio(counts: Counts, ratio: Array) -> Array:
    """Return the control risk of highest likelihood given the odds ratio."""
    x, n, y, m = counts
    a = m * (ratio - 1.0)
    b = n * ratio + m - (x + y) * (ratio - 1.0)
    c = x + y
    root = np.sqrt(np.maximum(b**2 + 4.0 * a * c, 0.0))
    # Of the two forms of the root, the one without a difference of like numbers.
    plain, turned = (root - b) / np.where(a == 0.0, 1.0, 2.0 * a), 2.0 * c / np.where(b + root > 0, b + root, 1.0)
    return np.clip(np.where(b > 0.0, turned, plain), 0.0, 1.0)
