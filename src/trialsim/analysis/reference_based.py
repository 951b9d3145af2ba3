"""ANCOVA at one visit after reference-based conditional-mean imputation of those who left."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import (
    NO_COVARIANCE_CONVERGED,
    NOT_ESTIMABLE,
    REFIT_FAILED,
    Estimates,
    Observed,
    wald_estimates,
)
from trialsim.analysis.design_matrix import linear_model
from trialsim.analysis.endpoints import missing_from, visit_scores
from trialsim.kernels.imputation import Model, Target, conditional_mean
from trialsim.scenario.resolved import Analysis, Estimand

Array = NDArray[np.float64]
Index = NDArray[np.intp]

REASONS_OF_IMPUTATION = (NOT_ESTIMABLE, NOT_ESTIMABLE, NO_COVARIANCE_CONVERGED, REFIT_FAILED)
"""What the reason codes of imputation, from 1, mean to a reader."""


class Imputation(NamedTuple):
    """What imputation and the analysis after it need.

    Attributes
    ----------
    y : ndarray, shape (R, N, V), points
        Less the mean over the block, which changes no contrast.
    x : ndarray, shape (R, N, q)
    left : ndarray of int, shape (R, N)
        First visit after leaving; V for who stays.
    target : Target
    model : Model
    delta : ndarray, shape (R, N, V), points
        Added to what is imputed.
    """

    y: Array
    x: Array
    left: Index
    target: Target
    model: Model
    delta: Array


def plan_imputation(observed: Observed, estimand: Estimand, analysis: Analysis) -> Imputation:
    """Return what is imputed by which model: the estimand's control arm is the reference.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
    analysis : Analysis
        `delta` is added in every arm but the reference, from leaving on.
    """
    y = visit_scores(observed, estimand)
    if not np.isnan(y).all():
        y = y - np.nanmean(y)
    reference = estimand.control
    x, weights = linear_model(observed, estimand, analysis, reference=reference)
    left = missing_from(y, observed, estimand)
    after = np.arange(y.shape[2]) >= left[:, :, None]
    return Imputation(
        y,
        x,
        left,
        Target(estimand.visit, tuple(float(weight) for weight in weights)),
        Model(analysis.strategy, tuple(range(1, observed.n_arms)), reference=reference),
        np.where(after & (observed.arm != reference)[:, :, None], analysis.delta, 0.0),
    )


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
        `delta` in points; `jackknife` 'full' (refits to convergence) or 'one_step'.
    sizes : tuple of int

    Notes
    -----
    Leaving the trial is the intercurrent event. Covariates are crossed with visit in the imputation model; standard
    errors come from the jackknife, intervals from the normal distribution (Wolbers et al. 2022, Pharm Stat 21:1246).
    Where nobody comes back after a missed visit every refit is exact, so that both jackknives are the same.
    """
    y, x, left, target, model, delta = plan_imputation(observed, estimand, analysis)
    jackknife: Literal["full", "one_step"] = "one_step" if analysis.jackknife == "one_step" else "full"
    results = []
    for n in sizes:
        fit = conditional_mean(
            y[:, :n],
            x[:, :n],
            observed.arm[:, :n],
            left[:, :n],
            [target],
            model,
            included=None if observed.included is None else observed.included[:, :n],
            delta=delta[:, :n],
            jackknife=jackknife,
        )
        results.append(
            wald_estimates(
                fit.estimate[:, 0],
                fit.se[:, 0],
                np.full(len(y), np.inf),
                estimand,
                analysis,
                rung=fit.reason,
                rungs=(analysis.strategy, *REASONS_OF_IMPUTATION),
                n_rungs=1,
                n_analysed=fit.n_analysed,
            )
        )
    return results
