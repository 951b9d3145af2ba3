"""Rank tests of two arms at one visit: Wilcoxon's and, stratified, van Elteren's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import EMPTY_ARM, NO_SPREAD, NO_STRATUM, Estimates, Observed, wald_estimates
from trialsim.analysis.endpoints import score_at_visit
from trialsim.kernels import ranks
from trialsim.kernels.placements import superiority
from trialsim.scenario.resolved import Analysis, Estimand

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_RUNGS = ("placements", "variance under equal distributions", EMPTY_ARM, NO_SPREAD, NO_STRATUM)
_RUNG_OF_REASON = {ranks.EMPTY_ARM: 2, ranks.NO_SPREAD: 3, ranks.NO_STRATUM: 4}


def analyse_ranks(
    observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]
) -> list[Estimates]:
    """Return the superiority of one arm's scores at a visit for trials of the first n participants, for each n.

    The estimate is P(active score > control score) + P(equal) / 2 − 1/2, of two patients drawn from either arm.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
    analysis : Analysis
        Of method 'wilcoxon', or 'van_elteren': with 'stratum' among the covariates only patients of one stratum are
        compared.
    sizes : tuple of int

    Notes
    -----
    p is that of the rank test by its normal approximation: Wilcoxon's with continuity correction, van Elteren's
    without, as is usual for either. The standard error is that of the placements, which holds whatever the two
    distributions are, and the limits (of Student's t) lie within −1/2 and 1/2; near p = alpha limits and test may
    disagree. Where the placements of a stratum do not vary (all scores of one arm above all of the other), its
    variance under equal distributions stands in, and the fit counts as fallen back.
    """
    y = score_at_visit(observed, estimand)
    active, control = observed.arm == estimand.active, observed.arm == estimand.control
    stratified = "stratum" in analysis.covariates
    stratum = observed.stratum if stratified else np.zeros_like(observed.arm)
    n_strata = observed.n_strata if stratified else 1
    results = []
    for n in sizes:
        part = (y[:, :n], active[:, :n], control[:, :n])
        if analysis.method == "wilcoxon":
            test = ranks.rank_sum_test(*part)
        else:
            test = ranks.van_elteren_test(*part, stratum[:, :n], n_strata=n_strata)
        results.append(_estimates(part, stratum[:, :n], n_strata, test, estimand, analysis))
    return results


def _estimates(
    part: tuple[Array, Flags, Flags],
    stratum: Index,
    n_strata: int,
    test: ranks.RankTest,
    estimand: Estimand,
    analysis: Analysis,
) -> Estimates:
    y, active, control = part
    found = superiority(y, active, control, stratum, n_strata=n_strata)
    rung = found.stood_in.astype(np.int8)
    for reason, code in _RUNG_OF_REASON.items():
        rung[test.reason == reason] = code
    result = wald_estimates(
        found.estimate - 0.5,
        found.se,
        found.df,
        estimand,
        analysis,
        rung=rung,
        rungs=_RUNGS,
        n_rungs=2,
        n_analysed=(~np.isnan(y) & (active | control)).sum(axis=1),
    )
    return result._replace(p=test.p, low=np.maximum(result.low, -0.5), high=np.minimum(result.high, 0.5))
