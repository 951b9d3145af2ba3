"""What every analysis takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from trialsim.kernels.operating_characteristics import CONVERGED as CONVERGED
from trialsim.kernels.operating_characteristics import FAILED as FAILED
from trialsim.kernels.operating_characteristics import FELL_BACK as FELL_BACK
from trialsim.scenario.methods import benefit_sign
from trialsim.scenario.resolved import Analysis, Estimand

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

NO_COVARIANCE_CONVERGED = "no covariance converged"
NOT_ESTIMABLE = "contrast not estimable"
NO_EVENTS = "no events to compare"
NOT_CONVERGED = "no convergence"
EMPTY_ARM = "an arm has nobody to analyse"
NO_SPREAD = "the scores do not vary"
NO_STRATUM = "no stratum has both arms and values that vary"
ALL_ALIKE = "in each arm all responses are alike"
SEPARATED = "the covariates separate the responses"
REFIT_FAILED = "a fit without one of the participants failed"
NOBODY_LEFT = "nobody is left without the event"
TOO_SHORT = "in an arm nobody is followed to the last day"
NO_GROUPS = "groups cannot be told from patients"
REASONS = (
    NO_COVARIANCE_CONVERGED,
    NOT_ESTIMABLE,
    NO_EVENTS,
    NOT_CONVERGED,
    EMPTY_ARM,
    NO_SPREAD,
    NO_STRATUM,
    ALL_ALIKE,
    SEPARATED,
    REFIT_FAILED,
    NOBODY_LEFT,
    TOO_SHORT,
    NO_GROUPS,
)
"""Why a fit can fail."""


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """A block of trials as the blinded analyst sees it; a real trial is a block of one.

    Parameters
    ----------
    arm, stratum : ndarray of int, shape (R, N)
    n_arms, n_strata : int
    baseline : ndarray, shape (R, N, K), points
    scores : ndarray, shape (R, N, V, K), points
        NaN where not observed.
    days : ndarray, shape (V,)
        Days of the visits; needed by times and counts.
    included : ndarray of bool, shape (R, N), or None
        Who is analysed; None is everybody.
    counts : ndarray, shape (R, N, V, C), or None
        Events between a visit and the one before, by count; NaN where not followed.
    groups : mapping of str to ndarray of int, shape (R, N)
        Group of every participant by name of the clusters; -1 for none.
    event_visit : mapping of str to ndarray of int, shape (R, N)
        First visit on or after each event; V where none was seen, as of those who had left before.
    left : ndarray of int, shape (R, N), or None
        First visit by which a participant is not followed any more; V for none. None where the data do not say: who is
        seen or has an event later had not left.
    treated : ndarray of bool, shape (R, N), or None
        Who was given at least one infusion (or started, where an arm has none); None is everybody.
    adherent : ndarray of bool, shape (R, N), or None
        Who was given all infusions and stopped nothing; None is everybody.
    """

    arm: Index
    stratum: Index
    n_arms: int
    n_strata: int
    baseline: Array
    scores: Array
    days: Array = field(default_factory=lambda: np.zeros(0))
    included: Flags | None = None
    counts: Array | None = None
    groups: Mapping[str, Index] = field(default_factory=dict)
    event_visit: Mapping[str, Index] = field(default_factory=dict)
    left: Index | None = None
    treated: Flags | None = None
    adherent: Flags | None = None


class Estimates(NamedTuple):
    """One analysis of a block of trials at one sample size.

    Attributes
    ----------
    estimate, se, df, p : ndarray, shape (R,)
        Active against control, in the unit of the analysis's measure; p is two-sided (against a margin twice the
        one-sided p, so that it goes with the same alpha). NaN where the fit failed; se and df are NaN too where a
        method has none.
    low, high : ndarray, shape (R,)
        Limits of the confidence interval of level 1 - alpha; NaN where a method has none.
    status : ndarray of int8, shape (R,)
        `CONVERGED`, `FELL_BACK` or `FAILED`.
    rung : ndarray of int8, shape (R,)
        Index into `rungs`.
    rungs : tuple of str
        The methods that were tried in turn, then the reasons for failure.
    n_analysed : ndarray of int, shape (R,)
        Participants in the fit.
    """

    estimate: Array
    se: Array
    df: Array
    p: Array
    low: Array
    high: Array
    status: NDArray[np.int8]
    rung: NDArray[np.int8]
    rungs: tuple[str, ...]
    n_analysed: Index


def wald_estimates(
    estimate: Array,
    se: Array,
    df: Array,
    estimand: Estimand,
    analysis: Analysis,
    *,
    rung: NDArray[np.integer],
    rungs: tuple[str, ...],
    n_rungs: int,
    n_analysed: NDArray[np.generic],
) -> Estimates:
    """Return estimates whose test and interval come from estimate, standard error and degrees of freedom.

    Parameters
    ----------
    estimate, se, df : ndarray, shape (R,)
        Infinite df mean a normal reference.
    estimand : Estimand
        Says what is tested.
    analysis : Analysis
        Says the level.
    rung : ndarray of int, shape (R,)
        Index into `rungs`; from `n_rungs` on these are reasons for failure.
    rungs : tuple of str
    n_rungs : int
    n_analysed : ndarray of int, shape (R,)
    """
    failed = rung >= n_rungs
    estimate, se, df = (np.where(failed, np.nan, part) for part in (estimate, se, df))
    half = stdtrit(df, 1.0 - analysis.alpha / 2.0) * se
    return Estimates(
        estimate,
        se,
        df,
        p_value(estimate, se, df, estimand, analysis),
        estimate - half,
        estimate + half,
        np.where(failed, FAILED, np.where(rung == 0, CONVERGED, FELL_BACK)).astype(np.int8),
        rung.astype(np.int8),
        rungs,
        n_analysed.astype(np.intp),
    )


def one_rung(sound: Flags) -> NDArray[np.int8]:
    """Return rung 0 for sound fits and 1, the reason for failure, for the others."""
    return np.where(sound, 0, 1).astype(np.int8)


def two_sided_p(estimate: Array, se: Array, df: Array) -> Array:
    """Return the two-sided p-value of t = estimate / se; NaN where the fit failed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(2.0 * stdtr(df, -np.abs(estimate / se)))


def p_value(estimate: Array, se: Array, df: Array, estimand: Estimand, analysis: Analysis) -> Array:
    """Return the p-value of what an estimand tests: no difference, or a difference as large as the margin.

    Against a margin it is twice the one-sided p-value, at most 1, so that p <= alpha says the same as a confidence
    interval of level 1 - alpha on the right side of the margin; of the two tests of equivalence the larger counts.
    """
    hypothesis = estimand.hypothesis
    margin = hypothesis.margin
    if margin is None:
        return two_sided_p(estimate, se, df)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = stdtr(df, (estimate - margin) / se)
        above = stdtr(df, (-estimate - margin) / se)
    if hypothesis.kind == "equivalence":
        one_sided = np.maximum(below, above)
    else:
        one_sided = above if benefit_sign(estimand.endpoint, analysis.measure) > 0 else below
    return np.asarray(np.minimum(2.0 * one_sided, 1.0))
