"""Rank tests for whole blocks of trials: Wilcoxon, stratified Wilcoxon (van Elteren), and the Hodges-Lehmann shift."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from trialsim.kernels.tails import Alternative, normal_tail

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]

FINE, EMPTY_ARM, NO_SPREAD, TIES, NO_STRATUM = range(5)
REASONS = (
    "",
    "an arm has no score",
    "the scores do not vary",
    "ties leave no exact distribution",
    "no stratum has scores of both arms that vary",
)
"""Why a test can fail, by code."""


class RankTest(NamedTuple):
    """A rank test in each trial of a block.

    Attributes
    ----------
    w : ndarray, shape (R,)
        Mann-Whitney count: pairs in which the active score is the higher, ties as a half (R's W). In a
        stratified test the sum over strata, each weighted.
    z, p : ndarray, shape (R,)
        `z` is w less its null mean over its null standard deviation; NaN for an exact test.
    superiority : ndarray, shape (R,)
        Probability that an active score is above a control score, ties as a half.
    reason : ndarray of int8, shape (R,)
        Index into `REASONS`; all else is NaN where it is not 0.
    """

    w: Array
    z: Array
    p: Array
    superiority: Array
    reason: Codes

    @property
    def estimable(self) -> Flags:
        """Return which trials have a test, shape (R,)."""
        return np.asarray(self.reason == FINE)


class Shift(NamedTuple):
    """Hodges-Lehmann shift, active minus control, with its distribution-free interval; all (R,)."""

    estimate: Array
    low: Array
    high: Array
    reason: Codes


class _Counts(NamedTuple):
    """Mann-Whitney count, arm sizes and null variance in each trial, all (R,), and whether scores are tied."""

    w: Array
    n_active: Array
    n_control: Array
    variance: Array
    tied: Flags


def rank_sum_test(
    y: Array,
    active: Flags,
    control: Flags,
    *,
    continuity: bool = True,
    exact: bool = False,
    alternative: Alternative = "two-sided",
) -> RankTest:
    """Return Wilcoxon's rank-sum test.

    Parameters
    ----------
    y : ndarray, shape (R, N)
        Scores; NaN where not observed, which leaves the participant out. Infinite scores rank as such, so
        that an intercurrent event can be scored worse than any value.
    active, control : ndarray of bool, shape (R, N)
    continuity : bool
        Whether the normal approximation moves w half a pair towards its mean.
    exact : bool
        Whether p is from the exact distribution, which needs scores without ties.
    alternative : {"two-sided", "less", "greater"}

    Notes
    -----
    The null variance m n / 12 · ((N + 1) − Σ(t³ − t) / (N (N − 1))) takes ties of t scores into account.
    """
    counts = _count(y, active, control)
    pairs = counts.n_active * counts.n_control
    reason = np.select([pairs == 0, counts.variance <= 0], [EMPTY_ARM, NO_SPREAD], FINE)
    if exact:
        reason = np.where((reason == FINE) & counts.tied, TIES, reason)
    fine = reason == FINE
    hide = np.where(fine, 1.0, np.nan)
    w = counts.w * hide
    superiority = w / np.where(pairs > 0, pairs, 1.0)
    if exact:
        p = _exact_p(counts, fine, alternative)
        return RankTest(w, np.full(len(w), np.nan), p, superiority, reason.astype(np.int8))
    z = _standardise(w - pairs / 2.0, counts.variance, 0.5 if continuity else 0.0, alternative)
    return RankTest(w, z, normal_tail(z, alternative), superiority, reason.astype(np.int8))


def van_elteren_test(
    y: Array,
    active: Flags,
    control: Flags,
    stratum: NDArray[np.integer],
    *,
    n_strata: int,
    alternative: Alternative = "two-sided",
) -> RankTest:
    """Return van Elteren's stratified rank-sum test, without continuity correction.

    Parameters
    ----------
    y, active, control : as in `rank_sum_test`
    stratum : ndarray of int, shape (R, N)
        From 0 to n_strata − 1.
    n_strata : int
    alternative : {"two-sided", "less", "greater"}

    Notes
    -----
    Each stratum's rank sum is weighted by 1 / (N_s + 1), which is best where the shift is the same in all
    strata. A stratum without both arms adds nothing. `superiority` is the mean over strata of the pairwise
    probability, weighted by m_s n_s / (N_s + 1).
    """
    w, variance, centre, weights = (np.zeros(len(y)) for _ in range(4))
    for s in range(n_strata):
        inside = stratum == s
        part = _count(y, active & inside, control & inside)
        pairs = part.n_active * part.n_control
        weight = np.where(pairs > 0, 1.0 / (part.n_active + part.n_control + 1.0), 0.0)
        w += weight * part.w
        centre += weight * pairs / 2.0
        variance += weight**2 * part.variance
        weights += weight * pairs
    reason = np.where(variance > 0, FINE, NO_STRATUM).astype(np.int8)
    w = np.where(reason == FINE, w, np.nan)
    z = _standardise(w - centre, variance, 0.0, alternative)
    return RankTest(w, z, normal_tail(z, alternative), w / np.where(weights > 0, weights, 1.0), reason)


def hodges_lehmann(y: Array, active: Flags, control: Flags, *, level: float = 0.95) -> Shift:
    """Return the median difference over all pairs of an active and a control score, and its interval.

    Parameters
    ----------
    y, active, control : as in `rank_sum_test`
    level : float
        The interval runs between the order statistics that the exact distribution of the rank sum allows
        (its normal approximation above 10,000 pairs); its coverage is at least `level` without ties, and its
        ends are infinite where the arms are too small.
    """
    one, m = _packed(y, active)
    zero, n = _packed(y, control)
    pairs = (m * n).astype(np.intp)
    reason = np.where(pairs > 0, FINE, EMPTY_ARM).astype(np.int8)
    with np.errstate(invalid="ignore"):
        differences = np.sort((one[:, :, None] - zero[:, None, :]).reshape(len(y), -1), axis=1)
    if differences.shape[1] == 0:
        nothing = np.full(len(y), np.nan)
        return Shift(nothing, nothing, nothing, reason)
    skip = _skipped(m, n, 1.0 - level)

    def at(position: NDArray[np.intp]) -> Array:
        inside = np.clip(position, 0, np.maximum(pairs - 1, 0))
        return np.asarray(np.take_along_axis(differences, inside[:, None], axis=1)[:, 0])

    estimate = 0.5 * (at((pairs - 1) // 2) + at(pairs // 2))
    low = np.where(skip > 0, at(skip - 1), -np.inf)
    high = np.where(skip > 0, at(pairs - skip), np.inf)
    fine = reason == FINE
    return Shift(estimate, np.where(fine, low, np.nan), np.where(fine, high, np.nan), reason)


def _count(y: Array, active: Flags, control: Flags) -> _Counts:
    """Return the Mann-Whitney count from midranks."""
    inside = (active | control) & ~np.isnan(y)
    order = np.argsort(np.where(inside, y, np.nan), axis=1)
    scores = np.take_along_axis(y, order, axis=1)
    total = inside.sum(axis=1)
    position = np.arange(y.shape[1])
    ranked = position < total[:, None]
    new = np.ones(y.shape, dtype=bool)
    new[:, 1:] = scores[:, 1:] != scores[:, :-1]
    new |= position == total[:, None]
    first = np.maximum.accumulate(np.where(new, position, 0), axis=1)
    ends = np.ones(y.shape, dtype=bool)
    ends[:, :-1] = new[:, 1:]
    last = np.minimum.accumulate(np.where(ends, position, y.shape[1])[:, ::-1], axis=1)[:, ::-1]
    midrank = 0.5 * (first + last) + 1.0
    mine = np.take_along_axis(active, order, axis=1) & ranked
    m = mine.sum(axis=1).astype(np.float64)
    n = total - m
    w = (midrank * mine).sum(axis=1) - m * (m + 1.0) / 2.0
    size = np.where(ranked, last - first + 1.0, 1.0)
    ties = (size**2 - 1.0).sum(axis=1)
    every = total * np.maximum(total - 1.0, 1.0)
    variance = m * n / 12.0 * (total + 1.0 - ties / np.maximum(every, 1.0))
    # Equal scores leave a variance of rounding errors.
    return _Counts(w, m, n, np.where(size.max(axis=1, initial=0.0) < total, variance, 0.0), ties > 0)


def _standardise(excess: Array, variance: Array, correction: float, alternative: Alternative) -> Array:
    """Return z, with the excess over the null mean moved towards 0 by the correction."""
    if alternative == "two-sided":
        moved = excess - np.sign(excess) * correction
    else:
        moved = excess + (correction if alternative == "less" else -correction)
    return np.asarray(moved / np.sqrt(np.where(variance > 0, variance, 1.0)))


def _exact_p(counts: _Counts, fine: Flags, alternative: Alternative) -> Array:
    """Return exact p-values; one table for each pair of arm sizes that occurs."""
    p = np.full(len(fine), np.nan)
    for m, n in set(zip(counts.n_active[fine].astype(int), counts.n_control[fine].astype(int), strict=True)):
        here = fine & (counts.n_active == m) & (counts.n_control == n)
        w = counts.w[here].astype(int)
        below = np.concatenate([[0.0], np.cumsum(null_distribution(int(m), int(n)))])
        at_most, at_least = below[w + 1], below[m * n - w + 1]
        if alternative == "two-sided":
            p[here] = np.minimum(1.0, 2.0 * np.minimum(at_most, at_least))
        else:
            p[here] = np.minimum(1.0, at_most if alternative == "less" else at_least)
    return p


@lru_cache(maxsize=256)
def null_distribution(m: int, n: int) -> Array:
    """Return the null probabilities of the Mann-Whitney counts 0 … m n, shape (m n + 1,), for scores without ties.

    The highest score is an active one with probability m / (m + n), and then is above all n controls.
    """
    row = [np.ones(1)] * (n + 1)
    for i in range(1, m + 1):
        previous, row = row, [np.ones(1)]
        for j in range(1, n + 1):
            table = np.zeros(i * j + 1)
            table[j:] = previous[j] * (i / (i + j))
            table[: i * (j - 1) + 1] += row[j - 1] * (j / (i + j))
            row.append(table)
    result = row[n]
    result.flags.writeable = False
    return result


def _packed(y: Array, members: Flags) -> tuple[Array, NDArray[np.intp]]:
    """Return the scores of an arm moved to the left, NaN after them, and how many there are."""
    inside = members & ~np.isnan(y)
    count = inside.sum(axis=1)
    order = np.argsort(~inside, axis=1, kind="stable")[:, : int(count.max(initial=0))]
    return np.take_along_axis(np.where(inside, y, np.nan), order, axis=1), count


def _skipped(m: NDArray[np.intp], n: NDArray[np.intp], alpha: float) -> NDArray[np.intp]:
    """Return how many of the smallest differences the interval's lower end may pass, plus one; 0 where none."""
    skip = np.zeros(len(m), dtype=np.intp)
    for a, b in set(zip(m.tolist(), n.tolist(), strict=True)):
        if a * b == 0:
            continue
        if a * b <= 10_000:
            below = np.cumsum(null_distribution(a, b))
            quantile = int(np.searchsorted(below, alpha / 2.0 * (1.0 - 1e-12)))
        else:
            quantile = int(np.floor(a * b / 2.0 + ndtri(alpha / 2.0) * np.sqrt(a * b * (a + b + 1) / 12.0)))
        skip[(m == a) & (n == b)] = max(quantile, 0)
    return skip
