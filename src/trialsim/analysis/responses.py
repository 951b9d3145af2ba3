"""Responses of two arms at one visit from their tables: risk differences, Fisher's test, Cochran-Mantel-Haenszel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from trialsim.analysis.contract import (
    ALL_ALIKE,
    EMPTY_ARM,
    NO_STRATUM,
    Estimates,
    Observed,
    one_rung,
    wald_estimates,
)
from trialsim.analysis.endpoints import response_at_visit
from trialsim.kernels.binary import (
    Counts,
    count_responses,
    fisher_test,
    mantel_haenszel_test,
    newcombe_difference,
    score_interval,
    score_test,
    wald_difference,
)
from trialsim.kernels.binary.newcombe import newcombe_test
from trialsim.kernels.binary.scores import ScoreTest
from trialsim.kernels.tails import Alternative
from trialsim.scenario.methods import benefit_sign
from trialsim.scenario.resolved import Analysis, Estimand

Array = NDArray[np.float64]
Test = Callable[..., ScoreTest]


def analyse_risk_difference(
    observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]
) -> list[Estimates]:
    """Return the difference of two arms' shares of responders, for trials of the first n participants, for each n.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
        Its margin, if any, is a difference of risks.
    analysis : Analysis
        `interval` 'miettinen_nurminen' (score test and interval; Miettinen & Nurminen 1985), 'newcombe' (from two
        Wilson intervals; Newcombe 1998, method 10) or 'wald'.
    sizes : tuple of int

    Notes
    -----
    Test and interval go together: p <= alpha where the interval leaves the tested value out. Against a margin p is
    twice the one-sided one, at most 1. For the first two intervals the standard error is the interval's width over
    that of a normal one, which unlike the plug-in one is never 0.
    """
    compare = _wald if analysis.interval == "wald" else _by_interval
    return [compare(counts, estimand, analysis) for counts in _tables(observed, estimand, sizes)]


def analyse_fisher(
    observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]
) -> list[Estimates]:
    """Return the difference of risks with the p of Fisher's exact test; it has no standard error and no limits.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
    analysis : Analysis
    sizes : tuple of int
    """
    results = []
    for counts in _tables(observed, estimand, sizes):
        one, zero = counts.risks
        test, none = fisher_test(counts), np.full(len(counts.active), np.nan)
        found = _estimates(counts, one - zero, none, estimand, analysis, "exact test")
        results.append(found._replace(df=none, p=test.p))
    return results


def analyse_cmh(observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]) -> list[Estimates]:
    """Return the log of the common odds ratio over strata with the Cochran-Mantel-Haenszel test.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
    analysis : Analysis
        Without 'stratum' among the covariates there is one table.
    sizes : tuple of int

    Notes
    -----
    The test is without continuity correction. The odds ratio is Mantel and Haenszel's, its standard error that of
    Robins, Breslow & Greenland (1986). Where it is 0 or infinite, half a response is added to every cell of the strata
    with both arms for estimate and limits (not for the test), and the fit counts as fallen back.
    """
    stratified = "stratum" in analysis.covariates
    stratum = observed.stratum if stratified else np.zeros_like(observed.arm)
    n_strata = observed.n_strata if stratified else 1
    results = []
    for counts in _tables(observed, estimand, sizes, stratum, n_strata):
        test = mantel_haenszel_test(counts, continuity=False)
        half = np.where((counts.n_active > 0) & (counts.n_control > 0), 0.5, 0.0)
        filled = mantel_haenszel_test(
            Counts(
                counts.active + half,
                counts.n_active + 2.0 * half,
                counts.control + half,
                counts.n_control + 2.0 * half,
            )
        )
        filling = np.isnan(test.log_odds_ratio_se)
        ratio = np.where(filling, filled.odds_ratio, test.odds_ratio)
        se = np.where(filling, filled.log_odds_ratio_se, test.log_odds_ratio_se)
        found = wald_estimates(
            np.log(ratio),
            se,
            np.full(len(se), np.inf),
            estimand,
            analysis,
            rung=np.where(test.reason != 0, 2, filling).astype(np.int8),
            rungs=("Mantel-Haenszel", "Mantel-Haenszel, half a response added", NO_STRATUM),
            n_rungs=2,
            n_analysed=(counts.n_active + counts.n_control).sum(axis=1),
        )
        results.append(found._replace(p=test.p))
    return results


def _tables(
    observed: Observed,
    estimand: Estimand,
    sizes: tuple[int, ...],
    stratum: NDArray[np.intp] | None = None,
    n_strata: int = 1,
) -> list[Counts]:
    """Return the tables of every trial, (R,) or by stratum (R, S), for each size."""
    y = response_at_visit(observed, estimand)
    active, control = observed.arm == estimand.active, observed.arm == estimand.control
    return [
        count_responses(
            y[:, :n],
            active[:, :n],
            control[:, :n],
            None if stratum is None else stratum[:, :n],
            n_strata=n_strata,
        )
        for n in sizes
    ]


def _wald(counts: Counts, estimand: Estimand, analysis: Analysis) -> Estimates:
    found = wald_difference(counts)
    return wald_estimates(
        found.estimate,
        found.se,
        np.full(len(found.se), np.inf),
        estimand,
        analysis,
        rung=np.where(_empty(counts), 1, np.where(found.reason != 0, 2, 0)),
        rungs=("plug-in variance", EMPTY_ARM, ALL_ALIKE),
        n_rungs=1,
        n_analysed=counts.n_active + counts.n_control,
    )


def _by_interval(counts: Counts, estimand: Estimand, analysis: Analysis) -> Estimates:
    """Return a risk difference whose test is the inverse of its interval."""
    level = 1.0 - analysis.alpha
    by_score = analysis.interval == "miettinen_nurminen"
    interval = score_interval(counts, level=level) if by_score else newcombe_difference(counts, level=level)
    se = (interval.high - interval.low) / (2.0 * ndtri(0.5 + level / 2.0))
    words = "score interval" if by_score else "two Wilson intervals"
    found = _estimates(counts, interval.estimate, se, estimand, analysis, words)
    p = _p_value(partial(score_test if by_score else newcombe_test, counts), estimand, analysis)
    return found._replace(p=p, low=interval.low, high=interval.high)


def _estimates(
    counts: Counts, estimate: Array, se: Array, estimand: Estimand, analysis: Analysis, words: str
) -> Estimates:
    return wald_estimates(
        estimate,
        se,
        np.full(len(se), np.inf),
        estimand,
        analysis,
        rung=one_rung(~_empty(counts)),
        rungs=(words, EMPTY_ARM),
        n_rungs=1,
        n_analysed=counts.n_active + counts.n_control,
    )


def _p_value(test: Test, estimand: Estimand, analysis: Analysis) -> Array:
    """Return the p-value of what an estimand tests, by a test that takes a null value and an alternative."""
    hypothesis = estimand.hypothesis
    margin = hypothesis.margin
    if margin is None:
        return np.asarray(test().p)

    def tail(null: float, alternative: Alternative) -> Array:
        return np.asarray(test(null=null, alternative=alternative).p)

    if hypothesis.kind == "equivalence":
        one_sided = np.maximum(tail(-margin, "greater"), tail(margin, "less"))
    elif benefit_sign(estimand.endpoint, analysis.measure) > 0:
        one_sided = tail(-margin, "greater")
    else:
        one_sided = tail(margin, "less")
    return np.minimum(2.0 * one_sided, 1.0)


def _empty(counts: Counts) -> NDArray[np.bool_]:
    """Return which trials have an arm without a response."""
    return np.asarray((counts.n_active == 0) | (counts.n_control == 0))
