"""Time to an event in two arms: log-rank test, Cox model, event-free shares, restricted mean times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import (
    EMPTY_ARM,
    NO_EVENTS,
    NOBODY_LEFT,
    NOT_CONVERGED,
    NOT_ESTIMABLE,
    TOO_SHORT,
    Estimates,
    Observed,
    wald_estimates,
)
from trialsim.analysis.design_matrix import linear_model
from trialsim.analysis.endpoints import Times, time_to_event
from trialsim.kernels.survival import fit_cox, kaplan_meier, log_rank, restricted_mean, survival_at
from trialsim.kernels.survival import risksets as kernel
from trialsim.scenario.resolved import Analysis, Estimand

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]

FAILURES = (NOT_ESTIMABLE, EMPTY_ARM, NO_EVENTS, NOBODY_LEFT, TOO_SHORT, NOT_CONVERGED)
_RUNG = {
    kernel.ESTIMATED: None,
    kernel.BAD_INPUT: NOT_ESTIMABLE,
    kernel.EMPTY_ARM: EMPTY_ARM,
    kernel.NO_EVENT: NO_EVENTS,
    kernel.NO_INFORMATION: NOBODY_LEFT,
    kernel.COLLINEAR: NOT_ESTIMABLE,
    # A hazard ratio runs to 0 or infinity where one arm has no event while the other has.
    kernel.MONOTONE: NO_EVENTS,
    kernel.NOT_CONVERGED: NOT_CONVERGED,
    kernel.SHORT: TOO_SHORT,
}
"""What the kernels' reasons are called in results."""


def analyse_log_rank(
    observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]
) -> list[Estimates]:
    """Return the log-rank test of two arms, for trials of the first n participants, for each n.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
        With a time as its endpoint; the other arms take no part.
    analysis : Analysis
        With `stratified`, arms are compared within strata.
    sizes : tuple of int

    Notes
    -----
    The estimate is the score test's own log hazard ratio, (O − E)/V with standard error 1/√V, so that estimate over
    standard error is the log-rank statistic (Peto et al. 1977, Br J Cancer 35:1). Far from 0 it is nearer to 0 than
    Cox's.
    """
    times, two = _of_two_arms(observed, estimand)
    active = (observed.arm == estimand.active).astype(np.intp)
    results = []
    for n in sizes:
        test = log_rank(
            times.time[:, :n],
            times.event[:, :n],
            active[:, :n],
            included=two[:, :n],
            stratum=observed.stratum[:, :n] if analysis.stratified else None,
            n_strata=observed.n_strata if analysis.stratified else 1,
        )
        results.append(_wald("log-rank", test.estimate, test.se, test.status, two[:, :n], estimand, analysis))
    return results


def analyse_cox(observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]) -> list[Estimates]:
    """Return the log hazard ratio of a Cox model, for trials of the first n participants, for each n.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
        With a time as its endpoint. All arms are in the model.
    analysis : Analysis
        With `stratified`, each stratum has a baseline hazard of its own and no effect.
    sizes : tuple of int

    Notes
    -----
    Ties are Efron's (1977, JASA 72:557); Wald's test and interval.
    """
    times = time_to_event(observed, estimand)
    included = ~np.isnan(times.time)
    x, weights = linear_model(observed, estimand, analysis)
    # The baseline hazard has the place of the intercept, and of the strata where each has its own.
    told = [0, *(_columns_of_strata(observed, estimand, analysis) if analysis.stratified else ())]
    x, weights = np.delete(x, told, axis=2), np.delete(weights, told)
    stratum, n_strata = (observed.stratum, observed.n_strata) if analysis.stratified else (None, 1)
    results = []
    for n in sizes:
        time, event, who = times.time[:, :n], times.event[:, :n], included[:, :n]
        part = None if stratum is None else stratum[:, :n]
        fit = fit_cox(time, event, x[:, :n], weights, included=who, stratum=part, n_strata=n_strata)
        within = np.zeros_like(who, dtype=np.intp) if part is None else part
        status = fit.status.copy()
        status[(status == kernel.ESTIMATED) & ~_outlived(time, event, who, within, n_strata)] = kernel.NO_INFORMATION
        results.append(_wald("Cox", fit.estimate, fit.se, status, who, estimand, analysis))
    return results


def analyse_kaplan_meier(
    observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]
) -> list[Estimates]:
    """Return the difference of event-free shares at the estimand's visit, for the first n participants, for each n.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
        With a time as its endpoint; the other arms take no part.
    analysis : Analysis
    sizes : tuple of int

    Notes
    -----
    Kaplan-Meier estimates with Greenwood's variances; normal test and interval of their difference.
    """
    times, two = _of_two_arms(observed, estimand)
    horizon = _horizon(observed, estimand)
    results = []
    for n in sizes:
        time, event = times.time[:, :n], times.event[:, :n]
        shares, errors, missing = [], [], []
        for arm in (estimand.active, estimand.control):
            inside = two[:, :n] & (observed.arm[:, :n] == arm)
            curve = kaplan_meier(time, event, included=inside)
            shares.append(survival_at(curve, horizon))
            errors.append(survival_at(curve, horizon, curve.se, before=0.0))
            missing.append(~inside.any(axis=1))
        estimate, se = shares[0] - shares[1], np.hypot(*errors)
        status = np.select(
            [missing[0] | missing[1], ~(event & two[:, :n]).any(axis=1), np.isnan(estimate), se == 0.0],
            [kernel.EMPTY_ARM, kernel.NO_EVENT, kernel.SHORT, kernel.NO_INFORMATION],
            kernel.ESTIMATED,
        ).astype(np.int8)
        results.append(_wald("Kaplan-Meier", estimate, se, status, two[:, :n], estimand, analysis))
    return results


def analyse_rmst(observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]) -> list[Estimates]:
    """Return the difference of mean days without the event up to the estimand's visit, for each sample size.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
        With a time as its endpoint; the other arms take no part.
    analysis : Analysis
    sizes : tuple of int

    Notes
    -----
    Areas under Kaplan-Meier curves (Royston & Parmar 2013, BMC Med Res Methodol 13:152); normal test and interval.
    """
    times, two = _of_two_arms(observed, estimand)
    horizon = _horizon(observed, estimand)
    active = (observed.arm == estimand.active).astype(np.intp)
    results = []
    for n in sizes:
        time, event, who = times.time[:, :n], times.event[:, :n], two[:, :n]
        means = restricted_mean(time, event, active[:, :n], horizon, included=who)
        estimate, se = means.estimate[:, 0], means.se[:, 0]
        worst = means.status.max(axis=1)
        nobody = ~(event & who).any(axis=1)
        status = np.select(
            [worst == kernel.EMPTY_ARM, nobody, worst != kernel.ESTIMATED, ~(se > 0.0)],
            [kernel.EMPTY_ARM, kernel.NO_EVENT, worst, kernel.NO_INFORMATION],
            kernel.ESTIMATED,
        ).astype(np.int8)
        results.append(_wald("restricted mean", estimate, se, status, who, estimand, analysis))
    return results


def _of_two_arms(observed: Observed, estimand: Estimand) -> tuple[Times, Flags]:
    """Return times and who of the two arms is analysed, shape (R, N)."""
    times = time_to_event(observed, estimand)
    two = (observed.arm == estimand.active) | (observed.arm == estimand.control)
    return times, np.asarray(two & ~np.isnan(times.time))


def _horizon(observed: Observed, estimand: Estimand) -> float:
    """Return the days from the start of the clock to the last visit followed."""
    start = estimand.endpoint.from_visit
    return float(observed.days[estimand.visit] - (observed.days[start] if start >= 0 else 0.0))


def _columns_of_strata(observed: Observed, estimand: Estimand, analysis: Analysis) -> range:
    """Return which covariates of a linear model are strata: after intercept, arms and baseline."""
    if "stratum" not in analysis.covariates and estimand.interaction is None:
        return range(0)
    first = observed.n_arms + ("baseline" in analysis.covariates)
    return range(first, first + observed.n_strata - 1)


def _outlived(time: Array, event: Flags, included: Flags, stratum: NDArray[np.integer], n_strata: int) -> Flags:
    """Return whether anybody outlived an event in the same stratum; otherwise nothing is compared, shape (R,)."""
    found = np.zeros(len(time), dtype=bool)
    for s in range(n_strata):
        inside = included & (stratum == s)
        first = np.where(inside & event, time, np.inf).min(axis=1)
        last = np.where(inside, time, -np.inf).max(axis=1)
        survivors = (inside & ~event & (time == last[:, None])).any(axis=1)
        found |= (first < last) | ((first == last) & survivors)
    return found


def _wald(
    name: str, estimate: Array, se: Array, status: Codes, who: Flags, estimand: Estimand, analysis: Analysis
) -> Estimates:
    rungs = (name, *FAILURES)
    rung = np.array([0 if _RUNG[code] is None else rungs.index(_RUNG[code]) for code in range(len(_RUNG))])[status]
    return wald_estimates(
        estimate,
        se,
        np.full(len(estimate), np.inf),
        estimand,
        analysis,
        rung=rung,
        rungs=rungs,
        n_rungs=1,
        n_analysed=who.sum(axis=1),
    )
