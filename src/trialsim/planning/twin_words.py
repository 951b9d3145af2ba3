"""What a closed form takes no account of in a scenario, in sentences."""

from __future__ import annotations

import numpy as np

from trialsim.scenario.resolved import Analysis, Estimand, Variant


def leaves_out(variant: Variant, estimand: Estimand, analysis: Analysis) -> tuple[str, ...]:
    """Return what the closed form of an analysis takes no account of in this scenario, the most weighty first.

    Parameters
    ----------
    variant : Variant
    estimand : Estimand
    analysis : Analysis
    """
    return (
        *_of_method(variant, estimand, analysis),
        *_of_losses(variant, analysis),
        *_of_patients(variant, estimand, analysis),
    )


def _of_method(variant: Variant, estimand: Estimand, analysis: Analysis) -> list[str]:
    told = []
    if analysis.method in ("mmrm", "clda"):
        told.append("It takes the covariance over visits, and who stays, as known.")
    if analysis.method == "nested":
        told.append("It takes the variances within and between groups as known but for their degrees of freedom.")
        told.append("The analysis cannot estimate the one between groups below 0, and with few groups it finds less.")
    if analysis.method in ("ancova", "mmrm", "clda") and analysis.variance != "constant":
        told.append("It has the usual standard errors, not robust ones.")
    if analysis.method in ("log_rank", "cox"):
        told.append("It takes hazards as proportional.")
        if analysis.stratified or analysis.covariates:
            told.append("It takes nothing for strata or covariates.")
    if analysis.method == "risk_difference":
        told.append("It takes shares as normal and the numbers seen as those expected.")
    if analysis.method == "wilcoxon":
        told.append("It has the variance of no effect.")
    unadjusted = analysis.method in ("t_test", "welch", "wilcoxon", "risk_difference")
    if unadjusted and variant.allocation.stratified and len(variant.strata) > 1 and estimand.interaction is None:
        told.append("Allocation within strata makes arms more alike than it knows.")
    return told


def _of_losses(variant: Variant, analysis: Analysis) -> list[str]:
    told = []
    if variant.dropout is not None and variant.dropout.score_hazard_ratio_per_sd != 1.0:
        who = "the last score" if variant.dropout.model == "mar" else "the score that would have followed"
        if analysis.method not in ("risk_difference", "log_rank", "cox"):
            told.append(f"It takes leaving as chance; here it hangs on {who}.")
    if variant.intermittent is not None and analysis.method in ("mmrm", "clda"):
        told.append("It takes no account of single visits that are missed.")
    return told


def _of_patients(variant: Variant, estimand: Estimand, analysis: Analysis) -> list[str]:
    told = []
    score = estimand.endpoint.kind == "score"
    if score and variant.scales[estimand.outcome] is not None:
        told.append("It takes scores as normal; here they are steps on a bounded scale.")
    if score and len(variant.strata) > 1 and np.ptp(variant.sd[:, estimand.visit, estimand.outcome]) > 0.0:
        told.append("It has one spread for all strata.")
    if variant.operations is not None:
        told.append("It takes everybody as enrolled, and treated and seen as planned.")
    if any(analysis.method != "nested" or cluster.name != analysis.group for cluster in variant.clusters):
        told.append("It takes patients as independent; here groups of them hang together.")
    if score and variant.heterogeneity is not None:
        told.append("It leaves out that the drug's effect differs between people.")
    if score and variant.raters is not None:
        told.append("It leaves out that raters differ.")
    if score and variant.unblinding is not None:
        told.append("It leaves out what patients and raters expect.")
    if score and any(event.changes_scores for event in variant.events):
        told.append("It leaves out events that change scores.")
    if score and any(therapy.attendance is not None for therapy in variant.therapies):
        told.append("It leaves out that patients attend unequally.")
    if score and variant.entry is not None and variant.entry.selects:
        told.append("It has the moments before selection at entry.")
    return told
