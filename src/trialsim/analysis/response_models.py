"""Responses at one visit by logistic regression: log odds ratios, and risks standardised over covariates."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import NOT_CONVERGED, NOT_ESTIMABLE, SEPARATED, Estimates, Observed, wald_estimates
from trialsim.analysis.design_matrix import LinearModel, linear_model
from trialsim.analysis.endpoints import response_at_visit
from trialsim.kernels import logistic
from trialsim.kernels.binary import standardised_risks
from trialsim.scenario.resolved import Analysis, Estimand

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_RUNGS = ("maximum likelihood", "Firth's penalty", NOT_ESTIMABLE, SEPARATED, NOT_CONVERGED)
_RUNG_OF_REASON = {
    logistic.NOT_BINARY: 2,
    logistic.COLLINEAR: 2,
    logistic.SEPARATED: 3,
    logistic.NOT_CONVERGED: 4,
}


def analyse_logistic(
    observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]
) -> list[Estimates]:
    """Return the log odds ratio of two arms given the covariates, for trials of the first n participants, for each n.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
    analysis : Analysis
        `penalty` says where Firth's penalty is added (Firth 1993); where it was not asked for throughout, a fit that
        needed it counts as fallen back.
    sizes : tuple of int

    Notes
    -----
    Wald test and interval. The odds ratio given covariates is further from 1 than the one without, so analyses that
    adjust differently estimate different things.
    """
    y, model = response_at_visit(observed, estimand), linear_model(observed, estimand, analysis)
    results = []
    for n in sizes:
        fit = _fit(model.x[:, :n], y[:, :n], analysis)
        test = logistic.wald_test(fit, model.weights)
        results.append(_estimates(fit, test.estimate, test.se, y[:, :n], estimand, analysis))
    return results


def analyse_g_computation(
    observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]
) -> list[Estimates]:
    """Return the difference of risks standardised over the covariates of those analysed (g-computation).

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
    analysis : Analysis
        `penalty` as for `analyse_logistic`.
    sizes : tuple of int

    Notes
    -----
    Everybody's risk is predicted in either arm by one logistic regression, and the mean difference taken. The
    standard error is by the delta method, covariates taken as fixed (Ge et al. 2011, Drug Inf J 45:481).
    """
    y, model = response_at_visit(observed, estimand), linear_model(observed, estimand, analysis)
    in_active, in_control = (_all_in(model, observed.n_arms, arm) for arm in (estimand.active, estimand.control))
    results = []
    for n in sizes:
        fit = _fit(model.x[:, :n], y[:, :n], analysis)
        risks = standardised_risks(fit, in_active[:, :n], in_control[:, :n], ~np.isnan(y[:, :n]))
        results.append(_estimates(fit, risks.estimate, risks.se, y[:, :n], estimand, analysis))
    return results


def _fit(x: Array, y: Array, analysis: Analysis) -> logistic.LogisticFit:
    penalty = cast("logistic.Penalty", analysis.penalty.replace("_", " "))
    return logistic.fit_logistic(x, y, ~np.isnan(y), penalty=penalty)


def _all_in(model: LinearModel, n_arms: int, arm: int) -> Array:
    """Return the covariates with everybody put into one arm; the first arm is the one without a column."""
    x = model.x.copy()
    x[:, :, 1:n_arms] = 0.0
    if arm > 0:
        x[:, :, arm] = 1.0
    return x


def _estimates(
    fit: logistic.LogisticFit, estimate: Array, se: Array, y: Array, estimand: Estimand, analysis: Analysis
) -> Estimates:
    rungs, rung = _RUNGS, (fit.method == logistic.FIRTH).astype(np.int8)
    if analysis.penalty == "always":
        rungs, rung = (_RUNGS[1], _RUNGS[0], *_RUNGS[2:]), np.zeros_like(rung)
    for reason, code in _RUNG_OF_REASON.items():
        rung[fit.reason == reason] = code
    # A standard error of 0 is that of risks without a doubt, which no trial gives.
    rung[(rung < 2) & ~(se > 0)] = 2
    return wald_estimates(
        estimate,
        se,
        np.full(len(se), np.inf),
        estimand,
        analysis,
        rung=rung,
        rungs=rungs,
        n_rungs=2,
        n_analysed=(~np.isnan(y)).sum(axis=1),
    )
