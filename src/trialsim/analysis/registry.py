"""Which analysis a scenario's method name stands for, and the one door to all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from trialsim.analysis.ancova import analyse_ancova
from trialsim.analysis.contract import REASONS, Estimates, Observed, wald_estimates
from trialsim.analysis.endpoints import analysis_set
from trialsim.analysis.mmrm import analyse_clda, analyse_mmrm
from trialsim.analysis.multiple_imputation import analyse_multiple_imputation
from trialsim.analysis.nested import analyse_nested
from trialsim.analysis.ranks import analyse_ranks
from trialsim.analysis.rates import analyse_negative_binomial
from trialsim.analysis.reference_based import analyse_reference_based
from trialsim.analysis.response_models import analyse_g_computation, analyse_logistic
from trialsim.analysis.responses import analyse_cmh, analyse_fisher, analyse_risk_difference
from trialsim.analysis.times import analyse_cox, analyse_kaplan_meier, analyse_log_rank, analyse_rmst
from trialsim.analysis.two_arms import analyse_t_test
from trialsim.scenario import methods
from trialsim.scenario.resolved import Analysis, Estimand

Analyse = Callable[[Observed, Estimand, Analysis, tuple[int, ...]], list[Estimates]]

METHODS: MappingProxyType[str, Analyse] = MappingProxyType(
    {
        "mmrm": analyse_mmrm,
        "clda": analyse_clda,
        "ancova": analyse_ancova,
        "t_test": analyse_t_test,
        "welch": analyse_t_test,
        "wilcoxon": analyse_ranks,
        "van_elteren": analyse_ranks,
        "reference_based": analyse_reference_based,
        "nested": analyse_nested,
        "multiple_imputation": analyse_multiple_imputation,
        "risk_difference": analyse_risk_difference,
        "fisher": analyse_fisher,
        "cmh": analyse_cmh,
        "logistic": analyse_logistic,
        "g_computation": analyse_g_computation,
        "log_rank": analyse_log_rank,
        "cox": analyse_cox,
        "kaplan_meier": analyse_kaplan_meier,
        "rmst": analyse_rmst,
        "negative_binomial": analyse_negative_binomial,
    }
)
"""Methods by name; each analyses the first n participants of every trial of a block, for each n."""


def analyse(observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]) -> list[Estimates]:
    """Return one analysis of one estimand for trials of the first n participants, for each n.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
    analysis : Analysis
    sizes : tuple of int
        Increasing.
    """
    method = METHODS[analysis.method]
    observed = analysis_set(observed, estimand)
    if estimand.interaction is None or methods.METHODS[analysis.method].interaction == "model":
        return method(observed, estimand, analysis, sizes)
    inside = replace(estimand, interaction=None)
    analysis = replace(analysis, covariates=tuple(name for name in analysis.covariates if name != "stratum"))
    first, second = (method(_within(observed, stratum), inside, analysis, sizes) for stratum in estimand.interaction)
    return [_difference(one, other, estimand, analysis) for one, other in zip(first, second, strict=True)]


def _within(observed: Observed, stratum: int) -> Observed:
    inside = observed.stratum == stratum
    included = inside if observed.included is None else inside & observed.included
    return replace(observed, included=included)


def _difference(first: Estimates, second: Estimates, estimand: Estimand, analysis: Analysis) -> Estimates:
    """Return the difference of two independent estimates, df after Welch and Satterthwaite."""
    variances = first.se**2, second.se**2
    total = variances[0] + variances[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        df = total**2 / (variances[0] ** 2 / first.df + variances[1] ** 2 / second.df)
    # The later rung of the two says how the pair was had; reasons stand after all methods.
    rung = np.maximum(first.rung, second.rung)
    n_rungs = sum(name not in REASONS for name in first.rungs)
    return wald_estimates(
        first.estimate - second.estimate,
        np.sqrt(total),
        df,
        estimand,
        analysis,
        rung=rung,
        rungs=first.rungs,
        n_rungs=n_rungs,
        n_analysed=first.n_analysed + second.n_analysed,
    )
