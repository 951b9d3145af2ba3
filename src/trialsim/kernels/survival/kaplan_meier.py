"""Kaplan-Meier curves with Greenwood's variance, their limits, and their medians."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy.special import ndtri

from trialsim.kernels.survival.risksets import Array, Flags, from_right, risk_sets

TIE = float(np.sqrt(np.finfo(np.float64).eps))
"""A curve this close to one half lies on it, and the median is the middle of the step, as in R's survival."""


class KaplanMeier(NamedTuple):
    """Curves of one arm, a step at each place.

    Attributes
    ----------
    time : ndarray, shape (R, M)
        Ascending; infinite at empty places.
    at_risk, events : ndarray, shape (R, M)
        Just before, and at, each time.
    survival : ndarray, shape (R, M)
        From this time on; 1 before the first.
    log_variance : ndarray, shape (R, M)
        Greenwood's variance of log survival; infinite from where the curve is 0.
    distinct : ndarray of bool, shape (R, M)
        The first place of each time; the others repeat it.
    valid : ndarray of bool, shape (R,)
        False where a time is not finite or below 0; such a replicate has no curve.
    """

    time: Array
    at_risk: Array
    events: Array
    survival: Array
    log_variance: Array
    distinct: Flags
    valid: Flags

    @property
    def se(self) -> Array:
        """Standard error of survival, shape (R, M)."""
        with np.errstate(invalid="ignore"):
            return np.where(self.survival > 0.0, self.survival * np.sqrt(self.log_variance), 0.0)


class Limits(NamedTuple):
    """Pointwise confidence limits of curves, shape (R, M); NaN where the scale has none."""

    lower: Array
    upper: Array


def kaplan_meier(time: Array, event: Flags, *, included: Flags | None = None) -> KaplanMeier:
    """Estimate the share without the event over time.

    Parameters
    ----------
    time : ndarray, shape (R, N), any unit
    event : ndarray of bool, shape (R, N)
    included : ndarray of bool, shape (R, N), optional
        One arm, say.
    """
    sets = risk_sets(time, event, included=included)
    at_risk: Array = sets.at_first(from_right(sets.member))[:, 0]
    events = sets.over_ties(sets.event.astype(np.float64))[:, 0]
    distinct = sets.opens()[:, 0]
    left = np.where(distinct, at_risk - events, 1.0)
    survival = np.cumprod(np.where(distinct, left / np.maximum(at_risk, 1.0), 1.0), axis=1, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        jumps = np.where(distinct & (events > 0.0), events / (at_risk * left), 0.0)
    return KaplanMeier(sets.time[:, 0], at_risk, events, survival, np.cumsum(jumps, axis=1), distinct, sets.valid)


def confidence_limits(
    curve: KaplanMeier, *, scale: Literal["log", "log-log", "plain"] = "log", level: float = 0.95
) -> Limits:
    """Return pointwise limits, symmetric on the scale asked for and cut to [0, 1].

    Parameters
    ----------
    curve : KaplanMeier
    scale : {"log", "log-log", "plain"}
        Log survival, log cumulative hazard, or survival itself.
    level : float
    """
    z = float(ndtri(0.5 + level / 2.0))
    s, spread = curve.survival, np.sqrt(curve.log_variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "log":
            lower, upper = s * np.exp(-z * spread), s * np.exp(z * spread)
        elif scale == "log-log":
            hazard = -np.log(s)
            half = np.where(hazard > 0.0, z * spread / hazard, 0.0)
            lower, upper = np.exp(-hazard * np.exp(half)), np.exp(-hazard * np.exp(-half))
        elif scale == "plain":
            lower, upper = s - z * s * spread, s + z * s * spread
        else:
            raise ValueError(f"scale must be 'log', 'log-log' or 'plain'; got {scale!r}")
    hide = np.where(s > 0.0, 1.0, np.nan)
    return Limits(np.clip(lower, 0.0, 1.0) * hide, np.clip(upper, 0.0, 1.0) * hide)


def median_survival(curve: KaplanMeier, values: Array | None = None) -> Array:
    """Return when a curve reaches one half, shape (R,); NaN where it never does.

    Parameters
    ----------
    curve : KaplanMeier
    values : ndarray, shape (R, M), optional
        Its lower or upper limits, for a limit of the median; survival itself by default.

    Notes
    -----
    A curve that runs along one half and falls later has its median in the middle of that step; one that ends
    there, where the step begins.
    """
    values = curve.survival if values is None else values
    usable = curve.distinct & ~np.isnan(values)
    reached = usable & (values < 0.5 + TIE)
    begin = np.argmax(reached, axis=1)[:, None]
    start = np.take_along_axis(curve.time, begin, axis=1)[:, 0]
    level = np.take_along_axis(values, begin, axis=1)
    below = reached & (values < level)
    end = np.take_along_axis(curve.time, np.argmax(below, axis=1)[:, None], axis=1)[:, 0]
    flat = (np.abs(level[:, 0] - 0.5) < TIE) & below.any(axis=1)
    return np.where(reached.any(axis=1), np.where(flat, 0.5 * (start + end), start), np.nan)


def survival_at(curve: KaplanMeier, time: float, values: Array | None = None, *, before: float = 1.0) -> Array:
    """Return the height of the curves at a time, shape (R,).

    Parameters
    ----------
    curve : KaplanMeier
    time : float
    values : ndarray, shape (R, M), optional
        Limits or standard errors in place of survival.
    before : float
        The height before the first time: 1 for survival and its limits, 0 for its standard error.

    Notes
    -----
    NaN past the last participant's time unless the curve is 0 there, and where there is no curve.
    """
    heights = curve.survival if values is None else values
    passed = (curve.time <= time).sum(axis=1)
    n_places = np.isfinite(curve.time).sum(axis=1)
    last = np.maximum(passed - 1, 0)[:, None]
    height = np.where(passed == 0, before, np.take_along_axis(heights, last, axis=1)[:, 0])
    longest = np.where(np.isfinite(curve.time), curve.time, -np.inf).max(axis=1)
    known = (n_places > 0) & ((time <= longest) | (curve.survival[:, -1] == 0.0))
    return np.where(known, height, np.nan)
