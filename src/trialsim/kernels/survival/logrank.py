"""The log-rank test and its weighted and stratified forms."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from trialsim.kernels.factor import cholesky, solve_lower
from trialsim.kernels.survival.risksets import (
    BAD_INPUT,
    EMPTY_ARM,
    ESTIMATED,
    NO_EVENT,
    NO_INFORMATION,
    Array,
    Codes,
    Flags,
    RiskSets,
    from_right,
    risk_sets,
)


class LogRank(NamedTuple):
    """Log-rank tests of a block of trials.

    Attributes
    ----------
    estimate, se : ndarray, shape (R,)
        Peto's one-step log hazard ratio of arm 1 against all others, (O − E)/V, and its standard error 1/√V.
    z : ndarray, shape (R, G)
        (O − E)/√V of each arm against all others; below 0 where an arm has fewer events than expected.
    statistic : ndarray, shape (R,)
        Chi-square of no difference between the arms.
    df : int
        Arms less one.
    p : ndarray, shape (R,)
    observed, expected : ndarray, shape (R, G)
        Events by arm, weighted where rho is not 0.
    variance : ndarray, shape (R, G, G)
    status : ndarray of int, shape (R,)
        Index into `REASONS`; tests are NaN where it is not 0.
    """

    estimate: Array
    se: Array
    z: Array
    statistic: Array
    df: int
    p: Array
    observed: Array
    expected: Array
    variance: Array
    status: Codes

    @property
    def estimable(self) -> Flags:
        """Whether each replicate has a test, shape (R,)."""
        return np.asarray(self.status == ESTIMATED)


def log_rank(
    time: Array,
    event: Flags,
    arm: NDArray[np.integer],
    *,
    n_arms: int = 2,
    included: Flags | None = None,
    stratum: NDArray[np.integer] | None = None,
    n_strata: int = 1,
    rho: float = 0.0,
) -> LogRank:
    """Compare the hazards of arms.

    Parameters
    ----------
    time : ndarray, shape (R, N), any unit
    event : ndarray of bool, shape (R, N)
    arm : ndarray of int, shape (R, N)
        0 .. n_arms − 1; 0 is the control.
    n_arms : int
    included : ndarray of bool, shape (R, N), optional
    stratum : ndarray of int, shape (R, N), optional
        Arms are compared within strata 0 .. n_strata − 1, and the differences summed.
    n_strata : int
    rho : float
        Events weigh S(t−)^rho, with the pooled Kaplan-Meier curve of the stratum: 0 is the log-rank test, 1 the
        Peto-Peto form of Wilcoxon's (Harrington and Fleming).
    """
    sets = risk_sets(time, event, included=included, stratum=stratum, n_strata=n_strata)
    places = cast(NDArray[np.integer], sets.take(arm))
    at_risk = sets.at_first(from_right(sets.member))
    events = sets.over_ties(sets.event.astype(np.float64))
    weight = sets.event.astype(np.float64)
    if rho != 0.0:
        weight *= _left_survival(sets, at_risk, events) ** rho
    # Each event of a tie brings its share of the hypergeometric variance: d (n − d)/(n − 1) over d events.
    spread = weight if rho == 0.0 else weight**2
    spread = spread * ((at_risk - events) / np.maximum(at_risk - 1.0, 1.0))
    headcount = np.empty((len(time), n_arms))
    observed, expected = np.empty((len(time), n_arms)), np.empty((len(time), n_arms))
    variance = np.empty((len(time), n_arms, n_arms))
    shares: list[Array] = []
    for g in range(1, n_arms):
        here = sets.member & (places == g)
        headcount[:, g] = here.sum(axis=(1, 2))
        share = sets.at_first(from_right(here)) / np.maximum(at_risk, 1.0)
        observed[:, g] = (weight * here).sum(axis=(1, 2))
        expected[:, g] = (weight * share).sum(axis=(1, 2))
        spread_here = spread * share
        for h, other in enumerate(shares, start=1):
            variance[:, g, h] = variance[:, h, g] = -(spread_here * other).sum(axis=(1, 2))
        variance[:, g, g] = (spread_here * (1.0 - share)).sum(axis=(1, 2))
        shares.append(share)
    total = weight.sum(axis=(1, 2))
    headcount[:, 0] = sets.member.sum(axis=(1, 2)) - headcount[:, 1:].sum(axis=1)
    observed[:, 0] = total - observed[:, 1:].sum(axis=1)
    expected[:, 0] = total - expected[:, 1:].sum(axis=1)
    variance[:, 0, 1:] = variance[:, 1:, 0] = -variance[:, 1:, 1:].sum(axis=1)
    variance[:, 0, 0] = -variance[:, 0, 1:].sum(axis=1)
    return _test(observed, expected, variance, sets.valid, headcount)


def _left_survival(sets: RiskSets, at_risk: Array, events: Array) -> Array:
    """Return the pooled Kaplan-Meier curve just before each time."""
    factor = np.where(sets.opens(), 1.0 - events / np.maximum(at_risk, 1.0), 1.0)
    before = np.ones_like(factor)
    before[..., 1:] = np.cumprod(factor, axis=-1)[..., :-1]
    return sets.at_first(before)


def _test(observed: Array, expected: Array, variance: Array, valid: Flags, headcount: Array) -> LogRank:
    n_arms = observed.shape[1]
    excess = observed - expected
    # Rounding leaves sums of squares of 1e-17 where there is nothing; a variance is counted in events.
    factor, definite = cholesky(variance[:, 1:, 1:])
    definite &= np.all(np.einsum("rgg->rg", variance) > 1e-12 * observed.sum(axis=1, keepdims=True), axis=1)
    status = np.select(
        [~valid, (headcount <= 0.0).any(axis=1), observed.sum(axis=1) <= 0.0, ~definite],
        [BAD_INPUT, EMPTY_ARM, NO_EVENT, NO_INFORMATION],
        ESTIMATED,
    ).astype(np.int8)
    hide = np.where(status == ESTIMATED, 1.0, np.nan)
    statistic = (solve_lower(factor, excess[:, 1:, None])[..., 0] ** 2).sum(axis=1) * hide
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.einsum("rgg->rg", variance)
        z = excess / np.sqrt(own) * hide[:, None]
        estimate = excess[:, 1] / own[:, 1] * hide
        se = hide / np.sqrt(own[:, 1])
    p = np.asarray(chdtrc(n_arms - 1, statistic))
    return LogRank(estimate, se, z, statistic, n_arms - 1, p, observed, expected, variance, status)
