"""Tests of association in two-by-two tables: Fisher, chi-square, and Cochran-Mantel-Haenszel over strata."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, gammaln, ndtri

from trialsim.kernels.binary.counts import ALL_ALIKE, EMPTY_ARM, FINE, NO_STRATUM, Counts
from trialsim.kernels.tails import Alternative

Array = NDArray[np.float64]
Codes = NDArray[np.int8]

PIECE_CELLS = 1 << 20
"""Probabilities of tables held at once."""


class ChiSquareTest(NamedTuple):
    """A chi-square test with one degree of freedom; all (R,), NaN where `reason` is not 0."""

    chi_square: Array
    p: Array
    reason: Codes


class FisherTest(NamedTuple):
    """Fisher's exact test.

    Attributes
    ----------
    p : ndarray, shape (R,)
        1 where all responses are alike; NaN where `reason` is not 0.
    reason : ndarray of int8, shape (R,)
    """

    p: Array
    reason: Codes


class MantelHaenszelTest(NamedTuple):
    """Cochran-Mantel-Haenszel test and the common odds ratio, active against control; all (R,).

    Attributes
    ----------
    chi_square, p : ndarray
    odds_ratio, low, high : ndarray
        Mantel-Haenszel estimate and its limits (Robins, Breslow & Greenland 1986); infinite or 0 and NaN
        limits where some cell is empty in all strata.
    log_odds_ratio_se : ndarray
    reason : ndarray of int8
    """

    chi_square: Array
    p: Array
    odds_ratio: Array
    low: Array
    high: Array
    log_odds_ratio_se: Array
    reason: Codes


def fisher_test(counts: Counts, *, alternative: Alternative = "two-sided") -> FisherTest:
    """Return Fisher's exact test.

    Parameters
    ----------
    counts : Counts of shape (R,)
    alternative : {"two-sided", "less", "greater"}
        The two-sided p adds up all tables, with the same margins, that are no likelier than the one seen.
    """
    p = np.full(counts.active.shape, np.nan)
    fine = (counts.n_active > 0) & (counts.n_control > 0)
    index = np.flatnonzero(fine)
    if len(index):
        width = int(counts.n_active.max()) + 1
        total = int((counts.n_active + counts.n_control).max())
        log_factorial = gammaln(np.arange(1.0, total + 2.0))
        rows = max(PIECE_CELLS // width, 1)
        for start in range(0, len(index), rows):
            here = index[start : start + rows]
            p[here] = _fisher_p(Counts(*(field[here] for field in counts)), width, log_factorial, alternative)
    return FisherTest(p, np.where(fine, FINE, EMPTY_ARM).astype(np.int8))


def _fisher_p(counts: Counts, width: int, log_factorial: Array, alternative: Alternative) -> Array:
    """Return exact p-values from the hypergeometric distribution of the active arm's responders."""
    seen, n, _, m = (field.astype(np.intp)[:, None] for field in counts)
    responders = seen + counts.control.astype(np.intp)[:, None]
    k = np.arange(width)
    possible = (k <= n) & (k <= responders) & (responders - k <= m)

    def log_choose(a: NDArray[np.intp], b: NDArray[np.intp]) -> Array:
        b = np.where(possible, b, 0)
        return np.asarray(log_factorial[a] - log_factorial[b] - log_factorial[a - b])

    log_probability = np.where(possible, log_choose(n, k) + log_choose(m, responders - k), -np.inf)
    probability = np.exp(log_probability - log_probability.max(axis=1, keepdims=True))
    probability /= probability.sum(axis=1, keepdims=True)
    if alternative == "two-sided":
        # Tables equally likely in exact arithmetic may differ by roundings.
        extreme = probability <= np.take_along_axis(probability, seen, axis=1) * (1.0 + 1e-7)
    else:
        extreme = k <= seen if alternative == "less" else k >= seen
    return np.asarray(np.minimum((probability * extreme).sum(axis=1), 1.0))


def chi_square_test(counts: Counts, *, continuity: bool = False) -> ChiSquareTest:
    """Return Pearson's chi-square test of a two-by-two table.

    Parameters
    ----------
    counts : Counts of shape (R,)
    continuity : bool
        Whether Yates's correction is made: half a participant, no more than there is to take away.
    """
    n = counts.n_active + counts.n_control
    responders = counts.active + counts.control
    divisor = np.maximum(n, 1.0)
    excess = np.abs(counts.active - counts.n_active * responders / divisor)
    if continuity:
        excess = excess - np.minimum(0.5, excess)
    variance = counts.n_active * counts.n_control * responders * (n - responders) / divisor**3
    empty = (counts.n_active == 0) | (counts.n_control == 0)
    reason = np.select([empty, variance <= 0], [EMPTY_ARM, ALL_ALIKE], FINE).astype(np.int8)
    fine = reason == FINE
    chi_square = np.where(fine, excess**2 / np.where(fine, variance, 1.0), np.nan)
    return ChiSquareTest(chi_square, np.asarray(chdtrc(1.0, chi_square)), reason)


def mantel_haenszel_test(counts: Counts, *, continuity: bool = True, level: float = 0.95) -> MantelHaenszelTest:
    """Return the Cochran-Mantel-Haenszel test over strata.

    Parameters
    ----------
    counts : Counts of shape (R, S)
        A stratum without both arms or without both responses adds nothing to the test.
    continuity : bool
        Whether half a participant is taken off the excess, where it is at least that large.
    level : float
        Confidence level of the interval of the odds ratio.
    """
    n = counts.n_active + counts.n_control
    divisor = np.maximum(n, 1.0)
    responders = counts.active + counts.control
    excess = np.abs((counts.active - counts.n_active * responders / divisor).sum(axis=1))
    if continuity:
        excess = excess - np.where(excess >= 0.5, 0.5, 0.0)
    spread = counts.n_active * counts.n_control * responders * (n - responders)
    variance = (spread / (divisor**2 * np.maximum(n - 1.0, 1.0))).sum(axis=1)
    fine = variance > 0
    chi_square = np.where(fine, excess**2 / np.where(fine, variance, 1.0), np.nan)
    ratio, se = _common_odds_ratio(counts, divisor)
    ratio, se = np.where(fine, ratio, np.nan), np.where(fine, se, np.nan)
    reach = np.exp(float(ndtri(0.5 + level / 2.0)) * se)
    reason = np.where(fine, FINE, NO_STRATUM).astype(np.int8)
    p = np.asarray(chdtrc(1.0, chi_square), dtype=np.float64)
    return MantelHaenszelTest(chi_square, p, ratio, ratio / reach, ratio * reach, se, reason)


def _common_odds_ratio(counts: Counts, n: Array) -> tuple[Array, Array]:
    """Return the Mantel-Haenszel odds ratio and the standard error of its logarithm, both (R,)."""
    misses_active, misses_control = counts.n_active - counts.active, counts.n_control - counts.control
    for_active, for_control = counts.active * misses_control / n, counts.control * misses_active / n
    concordant = (counts.active + misses_control) / n
    discordant = (counts.control + misses_active) / n
    up, down = for_active.sum(axis=1), for_control.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (
            (concordant * for_active).sum(axis=1) / (2.0 * up**2)
            + (concordant * for_control + discordant * for_active).sum(axis=1) / (2.0 * up * down)
            + (discordant * for_control).sum(axis=1) / (2.0 * down**2)
        )
        se = np.sqrt(np.where((up > 0) & (down > 0), variance, np.nan))
        return up / down, np.asarray(se, dtype=np.float64)
