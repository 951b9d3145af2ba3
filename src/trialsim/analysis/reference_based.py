"""ANCOVA at one visit after reference-based conditional-mean imputation of those who left."""

from __future__ import annotations

import numpy as np

from trialsim.analysis.contract import CONVERGED, FAILED, NO_COVARIANCE_CONVERGED, Estimates, Observed
from trialsim.analysis.design_matrix import arm_contrast, design_matrix
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
    y = observed.scores[..., estimand.outcome]
    y = y - np.nanmean(y)
    reference = estimand.control
    x = design_matrix(observed, estimand.outcome, analysis.covariates, reference=reference)
    weights = arm_contrast(estimand.active, reference, x.shape[2], reference=reference)
    target = Target(estimand.visit, tuple(float(weight) for weight in weights))
    model = Model(analysis.strategy, tuple(range(1, observed.n_arms)), reference=reference)
    # The first missed visit after which nobody is seen again; the last one seen plus one.
    event = np.where(np.isnan(y), 0, np.arange(1, y.shape[2] + 1)).max(axis=2)
    results = []
    for n in sizes:
        fit = conditional_mean(y[:, :n], x[:, :n], observed.arm[:, :n], event[:, :n], [target], model)
        sound = fit.estimable if fit.estimable.ndim == 1 else fit.estimable[:, 0]
        estimate, se, p = (np.where(sound, part[:, 0], np.nan) for part in (fit.estimate, fit.se, fit.p))
        results.append(
            Estimates(
                estimate,
                se,
                np.where(sound, np.inf, np.nan),
                p,
                np.where(sound, CONVERGED, FAILED).astype(np.int8),
                np.where(sound, 0, 1).astype(np.int8),
                (analysis.strategy, NO_COVARIANCE_CONVERGED),
                fit.n_analysed,
            )
        )
    return results
