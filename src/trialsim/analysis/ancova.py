"""Analysis of covariance at one visit, by ordinary least squares on those observed there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import CONVERGED, FAILED, NOT_ESTIMABLE, Estimates, Observed, two_sided_p
from trialsim.analysis.design_matrix import arm_contrast, design_matrix
from trialsim.kernels.least_squares import fit_least_squares, moments
from trialsim.kernels.robust import contrast as robust_contrast
from trialsim.kernels.robust import regress
from trialsim.scenario.resolved import Analysis, Estimand

Array = NDArray[np.float64]


def analyse_ancova(
    observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]
) -> list[Estimates]:
    """Return the contrast of two arms at one visit for trials of the first n participants, for each n.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
    analysis : Analysis
        With `variance` 'hc2' or 'hc3', standard errors are robust to unequal residual variances.
    sizes : tuple of int
        Increasing.
    """
    y = observed.scores[:, :, estimand.visit, estimand.outcome]
    x = design_matrix(observed, estimand.outcome, analysis.covariates)
    weights = arm_contrast(estimand.active, estimand.control, x.shape[2])
    seen = ~np.isnan(y)
    if analysis.variance != "constant":
        return [_robust(x[:, :n], y[:, :n], seen[:, :n], weights, analysis) for n in sizes]
    products, counts = moments(x, y, seen, sizes=sizes)
    results = []
    for product, count in zip(products, counts, strict=True):
        fit = fit_least_squares(product, count, weights)
        # Scores that the covariates explain to the last digit, such as all equal ones, leave no error to test against.
        sound = fit.estimable & (fit.se > 0)
        results.append(_estimates(sound, fit.estimate, fit.se, fit.df, count))
    return results


def _robust(x: Array, y: Array, seen: NDArray[np.bool_], weights: Array, analysis: Analysis) -> Estimates:
    one = robust_contrast(regress(x, y, seen, variance=analysis.variance), weights)
    sound = (one.reason == 0) & (one.se > 0)
    return _estimates(sound, one.estimate, one.se, one.df, seen.sum(axis=1))


def _estimates(
    sound: NDArray[np.bool_], estimate: Array, se: Array, df: Array, count: NDArray[np.generic]
) -> Estimates:
    estimate, se, df = (np.where(sound, part, np.nan) for part in (estimate, se, df))
    return Estimates(
        estimate,
        se,
        df,
        two_sided_p(estimate, se, df),
        np.where(sound, CONVERGED, FAILED).astype(np.int8),
        np.where(sound, 0, 1).astype(np.int8),
        ("least squares", NOT_ESTIMABLE),
        count.astype(np.intp),
    )
