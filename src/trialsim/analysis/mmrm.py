"""Mixed model for repeated measures: arm, baseline and stratum crossed with visit."""

from __future__ import annotations

import numpy as np

from trialsim.analysis.contract import (
    CONVERGED,
    FAILED,
    FELL_BACK,
    NO_COVARIANCE_CONVERGED,
    Estimates,
    Observed,
    two_sided_p,
)
from trialsim.analysis.design_matrix import arm_contrast, design_matrix
from trialsim.kernels.mmrm import LADDER, fit_mmrm, pattern_statistics
from trialsim.scenario.resolved import Analysis, Estimand


def ladder(analysis: Analysis) -> tuple[str, ...]:
    """Return the covariances to try in turn: the one asked for, then what is simpler than it."""
    if analysis.fallback == "none":
        return (analysis.covariance,)
    start = LADDER.index(analysis.covariance) + 1 if analysis.covariance in LADDER else len(LADDER) - 1
    return (analysis.covariance, *LADDER[start:])


def analyse_mmrm(observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]) -> list[Estimates]:
    """Return the contrast of two arms at one visit for trials of the first n participants, for each n.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
    analysis : Analysis
    sizes : tuple of int
        Increasing.

    Notes
    -----
    Participants without a score after baseline say nothing about the model and are not in it.
    """
    y = observed.scores[..., estimand.outcome]
    x = design_matrix(observed, estimand.outcome, analysis.covariates)
    contrast = np.zeros((y.shape[2], x.shape[2]))
    contrast[estimand.visit] = arm_contrast(estimand.active, estimand.control, x.shape[2])
    names = ladder(analysis)
    results = []
    for statistics in pattern_statistics(y, x, sizes=sizes):
        fit = fit_mmrm(statistics, contrast, ladder=names)
        status = np.where(fit.rung < 0, FAILED, np.where(fit.rung == 0, CONVERGED, FELL_BACK))
        results.append(
            Estimates(
                fit.estimate,
                fit.se,
                fit.df,
                two_sided_p(fit.estimate, fit.se, fit.df),
                status.astype(np.int8),
                np.where(fit.rung < 0, len(names), fit.rung).astype(np.int8),
                (*names, NO_COVARIANCE_CONVERGED),
                statistics.participants.astype(np.intp),
            )
        )
    return results
