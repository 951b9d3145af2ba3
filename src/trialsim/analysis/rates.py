"""Counted events: rates of two arms by negative binomial regression."""

from __future__ import annotations

import numpy as np

from trialsim.analysis.contract import (
    NO_EVENTS,
    NOT_CONVERGED,
    NOT_ESTIMABLE,
    Estimates,
    Observed,
    wald_estimates,
)
from trialsim.analysis.design_matrix import linear_model
from trialsim.analysis.endpoints import occurrences
from trialsim.kernels import counts as kernel
from trialsim.kernels.counts import fit_counts
from trialsim.scenario.resolved import Analysis, Estimand

RUNGS = ("negative binomial", NOT_ESTIMABLE, NO_EVENTS, NOT_CONVERGED)
_RUNG = np.zeros(len(kernel.REASONS), dtype=np.intp)
# A dispersion of 0 is an estimate like any other; where counts vary no more than Poisson's it is the best one.
_RUNG[[kernel.BAD_INPUT, kernel.COLLINEAR]] = RUNGS.index(NOT_ESTIMABLE)
# A rate runs to 0 where one arm has no event while the other has.
_RUNG[[kernel.NO_COUNT, kernel.MONOTONE]] = RUNGS.index(NO_EVENTS)
_RUNG[kernel.NOT_CONVERGED] = RUNGS.index(NOT_CONVERGED)


def analyse_negative_binomial(
    observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]
) -> list[Estimates]:
    """Return the log rate ratio of two arms, for trials of the first n participants, for each n.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
        With a count as its endpoint. All arms are in the model.
    analysis : Analysis
    sizes : tuple of int

    Notes
    -----
    The variance of a count with mean μ is μ + kμ²; the logarithm of the days followed is the offset. Who was not
    followed up to any visit says nothing and is not in the model. Wald's test and interval.
    """
    events, exposure = occurrences(observed, estimand)
    included = ~np.isnan(events)
    x, weights = linear_model(observed, estimand, analysis)
    results = []
    for n in sizes:
        who = included[:, :n]
        fit = fit_counts(events[:, :n], x[:, :n], weights, exposure=exposure[:, :n], included=who)
        results.append(
            wald_estimates(
                fit.estimate,
                fit.se,
                np.full(len(events), np.inf),
                estimand,
                analysis,
                rung=_RUNG[fit.status],
                rungs=RUNGS,
                n_rungs=1,
                n_analysed=who.sum(axis=1),
            )
        )
    return results
