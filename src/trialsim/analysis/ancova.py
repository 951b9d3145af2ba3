"""Analysis of covariance at one visit, by ordinary least squares on those observed there."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import NOT_ESTIMABLE, Estimates, Observed, one_rung, wald_estimates
from trialsim.analysis.design_matrix import linear_model
from trialsim.analysis.endpoints import score_at_visit
from trialsim.kernels.least_squares import fit_least_squares, moments
from trialsim.kernels.robust import contrast as robust_contrast
from trialsim.kernels.robust import regress
from trialsim.scenario.resolved import Analysis, Estimand

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


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
    y = score_at_visit(observed, estimand)
    x, weights = linear_model(observed, estimand, analysis)
    seen = ~np.isnan(y)
    if analysis.variance != "constant":
        fits = (_robust(x[:, :n], y[:, :n], seen[:, :n], weights, analysis.variance) for n in sizes)
    else:
        products, counts = moments(x, y, seen, sizes=sizes)
        fits = (_plain(product, count, weights) for product, count in zip(products, counts, strict=True))
    return [
        wald_estimates(
            estimate,
            se,
            df,
            estimand,
            analysis,
            rung=one_rung(sound),
            rungs=("least squares", NOT_ESTIMABLE),
            n_rungs=1,
            n_analysed=seen[:, :n].sum(axis=1),
        )
        for (sound, estimate, se, df), n in zip(fits, sizes, strict=True)
    ]


def _plain(product: Array, count: Array, weights: Array) -> tuple[Flags, Array, Array, Array]:
    fit = fit_least_squares(product, count, weights)
    # Scores that the covariates explain to the last digit, such as all equal ones, leave no error to test against.
    return fit.estimable & (fit.se > 0), fit.estimate, fit.se, fit.df


def _robust(
    x: Array, y: Array, seen: Flags, weights: Array, variance: Literal["constant", "hc2", "hc3"]
) -> tuple[Flags, Array, Array, Array]:
    one = robust_contrast(regress(x, y, seen, variance=variance), weights)
    return (one.reason == 0) & (one.se > 0), one.estimate, one.se, one.df
