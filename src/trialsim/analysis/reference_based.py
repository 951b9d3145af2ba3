"""ANCOVA at one visit after reference-based conditional-mean imputation of those who left."""

from __future__ import annotations

import numpy as np

from trialsim.analysis.contract import NO_COVARIANCE_CONVERGED, Estimates, Observed, one_rung, wald_estimates
from trialsim.analysis.design_matrix import linear_model
from trialsim.analysis.endpoints import left_at, visit_scores
from trialsim.kernels.imputation import Model, Target, conditional_mean
from trialsim.scenario.resolved import Analysis, Estimand


def analyse_reference_based(
    observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]
) -> list[Estimates]:
    """Return the contrast of two arms at one visit, for trials of the first n participants, for each n.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
        Its control arm is the reference.
    analysis : Analysis
    sizes : tuple of int

    Notes
    -----
    Leaving the trial is the intercurrent event. Covariates are crossed with visit in the imputation model; standard
    errors come from the jackknife with full refits, intervals from the normal distribution (Wolbers et al. 2022,
    Pharm Stat 21:1246).
    """
    y = visit_scores(observed, estimand)
    y = y - np.nanmean(y)
    reference = estimand.control
    x, weights = linear_model(observed, estimand, analysis, reference=reference)
    target = Target(estimand.visit, tuple(float(weight) for weight in weights))
    model = Model(analysis.strategy, tuple(range(1, observed.n_arms)), reference=reference)
    results = []
    for n in sizes:
        fit = conditional_mean(y[:, :n], x[:, :n], observed.arm[:, :n], left_at(y[:, :n]), [target], model)
        sound = fit.estimable if fit.estimable.ndim == 1 else fit.estimable[:, 0]
        results.append(
            wald_estimates(
                fit.estimate[:, 0],
                fit.se[:, 0],
                np.full(len(y), np.inf),
                estimand,
                analysis,
                rung=one_rung(sound),
                rungs=(analysis.strategy, NO_COVARIANCE_CONVERGED),
                n_rungs=1,
                n_analysed=fit.n_analysed,
            )
        )
    return results
