"""Analysis of covariance at one visit, by ordinary least squares on those observed there."""

from __future__ import annotations

import numpy as np

from trialsim.analysis.contract import CONVERGED, FAILED, NOT_ESTIMABLE, Estimates, Observed, two_sided_p
from trialsim.analysis.design_matrix import arm_contrast, design_matrix
from trialsim.kernels.least_squares import fit_least_squares, moments
from trialsim.scenario.resolved import Analysis, Estimand


def analyse_ancova(
    observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]
) -> list[Estimates]:
    """Return the contrast of two arms at one visit for trials of the first n participants, for each n.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
    analysis : Analysis
    sizes : tuple of int
        Increasing.
    """
    y = observed.scores[:, :, estimand.visit, estimand.outcome]
    x = design_matrix(observed, estimand.outcome, analysis.covariates)
    contrast = arm_contrast(estimand.active, estimand.control, x.shape[2])
    products, counts = moments(x, y, ~np.isnan(y), sizes=sizes)
    results = []
    for product, count in zip(products, counts, strict=True):
        fit = fit_least_squares(product, count, contrast)
        # Scores that the covariates explain to the last digit, such as all equal ones, leave no error to test against.
        sound = fit.estimable & (fit.se > 0)
        estimate, se, df = (np.where(sound, part, np.nan) for part in (fit.estimate, fit.se, fit.df))
        results.append(
            Estimates(
                estimate,
                se,
                df,
                two_sided_p(estimate, se, df),
                np.where(sound, CONVERGED, FAILED).astype(np.int8),
                np.where(sound, 0, 1).astype(np.int8),
                ("least squares", NOT_ESTIMABLE),
                count.astype(np.intp),
            )
        )
    return results
