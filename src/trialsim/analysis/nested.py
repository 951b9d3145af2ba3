"""Groups of patients: analysis of covariance at one visit with a random effect of the group."""

from __future__ import annotations

from typing import Literal, cast

import numpy as np

from trialsim.analysis.contract import (
    NO_GROUPS,
    NOT_CONVERGED,
    NOT_ESTIMABLE,
    Estimates,
    Observed,
    wald_estimates,
)
from trialsim.analysis.design_matrix import linear_model
from trialsim.analysis.endpoints import score_at_visit
from trialsim.kernels.nested import Reason, fit_nested, group_statistics
from trialsim.scenario.resolved import Analysis, Estimand

RUNGS = ("mixed model", NOT_ESTIMABLE, NO_GROUPS, NOT_CONVERGED)
_RUNG = np.full(len(Reason), RUNGS.index(NOT_ESTIMABLE))
_RUNG[Reason.FITTED] = 0
_RUNG[[Reason.GROUP_VARIANCE_NOT_ESTIMABLE, Reason.GROUP_ACROSS_RESIDUALS]] = RUNGS.index(NO_GROUPS)
_RUNG[[Reason.NO_INTERIOR_MAXIMUM, Reason.NOT_CONVERGED]] = RUNGS.index(NOT_CONVERGED)


def analyse_nested(
    observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]
) -> list[Estimates]:
    """Return the contrast of two arms at one visit, for trials of the first n participants, for each n.

    Parameters
    ----------
    observed : Observed
        With the groups that the analysis names.
    estimand : Estimand
    analysis : Analysis
        Its `group` has a random effect, of variance 0 or more; who is in no group has none (partially nested designs,
        Roberts & Roberts 2005, Clin Trials 2:152). With `residual_variance` 'by_arm', arms have residual variances of
        their own; then no group may have members in two arms.
    sizes : tuple of int

    Raises
    ------
    ValueError
        If nothing is known of the groups.
    """
    if analysis.group not in observed.groups:
        raise ValueError(f"nobody's group is known in these data: {analysis.group!r}")
    y = score_at_visit(observed, estimand)
    x, weights = linear_model(observed, estimand, analysis)
    group = observed.groups[analysis.group]
    by_arm = analysis.residual_variance == "by_arm"
    df = cast(Literal["satterthwaite", "kenward-roger"], analysis.df)
    results = []
    for n in sizes:
        statistics = group_statistics(
            y[:, :n],
            x[:, :n],
            group[:, :n],
            residual=observed.arm[:, :n] if by_arm else None,
            n_residual=observed.n_arms if by_arm else 1,
        )
        fit = fit_nested(statistics, weights, df=df)
        results.append(
            wald_estimates(
                fit.estimate,
                fit.se,
                fit.df,
                estimand,
                analysis,
                rung=_RUNG[fit.reason],
                rungs=RUNGS,
                n_rungs=1,
                n_analysed=(~np.isnan(y[:, :n])).sum(axis=1),
            )
        )
    return results
