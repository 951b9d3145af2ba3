"""Analyses in words: method, settings, degrees of freedom, adjustment, level, and what happens when a fit fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trialsim.report.words import joined, number, percent
from trialsim.scenario.methods import METHODS

_LONGITUDINAL = ("mmrm", "clda")
_IMPUTING = ("reference_based", "multiple_imputation")
_STRATIFIED_BY_COVARIATE = ("van_elteren", "cmh")
_WITHOUT_DF = ("fisher", "cmh", "risk_difference", "wilcoxon", "van_elteren")
"""Methods whose test says itself how it is made; their degrees of freedom would be no news."""

_DF_WORDS = {
    "satterthwaite": "Satterthwaite",
    "kenward-roger": "Kenward-Roger (first derivatives)",
    "kenward-roger-mmrm": "Kenward-Roger (second derivatives in the parameters of R's mmrm)",
    "rubin": "Barnard and Rubin's",
}
_METHODS = {
    "mmrm": "mixed model for repeated measures (MMRM), fitted by REML",
    "clda": "constrained longitudinal data analysis (baseline and later scores as responses), fitted by REML",
    "ancova": "analysis of covariance (ANCOVA) of the score at the visit",
    "t_test": "Student's t test of the score at the visit",
    "welch": "Welch's t test of the score at the visit",
    "wilcoxon": "Wilcoxon's rank sum test of the score at the visit, standard error and limits from placements",
    "van_elteren": "van Elteren's rank test of the score at the visit, standard error and limits from placements",
    "reference_based": "ANCOVA of the score at the visit after conditional-mean imputation",
    "multiple_imputation": "ANCOVA of the score at the visit after multiple imputation, combined by Rubin's rules",
    "nested": "mixed model of the score at the visit with a random effect of groups of patients, fitted by REML",
    "risk_difference": "difference of the shares that meet the criterion",
    "fisher": "Fisher's exact test, with the difference of shares and no interval",
    "cmh": "Cochran-Mantel-Haenszel test, with Mantel and Haenszel's odds ratio",
    "logistic": "logistic regression",
    "g_computation": "difference of risks from a logistic regression, standardised over its covariates (g-computation)",
    "log_rank": "log-rank test, with the log hazard ratio of its score, (O − E)/V",
    "cox": "Cox's proportional hazards model (ties after Efron)",
    "kaplan_meier": "difference of Kaplan-Meier event-free shares at the last day, Greenwood's variances",
    "rmst": "difference of restricted mean times, the areas under Kaplan-Meier curves",
    "negative_binomial": "negative binomial regression of the number of events, the log of days followed as offset",
}
_INTERVALS = {
    "miettinen_nurminen": "Miettinen and Nurminen's score test and interval",
    "newcombe": "Newcombe's interval and the test that inverts it",
    "wald": "Wald's test and interval",
}
_PENALTIES = {
    "never": "no penalty",
    "where_separated": "Firth's penalty where responses are separated",
    "always": "Firth's penalty",
}
_JACKKNIVES = {
    "full": "jackknife standard errors, refitted without each patient",
    "one_step": "jackknife standard errors, one step without each patient",
}
_RESIDUALS = {"by_arm": "residual variance of each arm its own", "common": "one residual variance"}


def analysis_words(analysis: Mapping[str, Any], estimand: Mapping[str, Any] | None = None) -> str:
    """Return one analysis in words.

    Parameters
    ----------
    analysis : mapping
        An analysis of a resolved scenario.
    estimand : mapping, optional
        The estimand that it is of, for what is tested; a test for a difference where left out.
    """
    method, asked = str(analysis["method"]), estimand or {}
    parts = [_METHODS[method], *_setting_words(analysis)]
    df = str(analysis["df"])
    if method not in _WITHOUT_DF:
        parts.append("normal limits" if df == "normal" else f"{_DF_WORDS.get(df, df)} degrees of freedom")
    parts += _adjustment_words(analysis)
    if asked.get("interaction"):
        by_model = METHODS[method].interaction == "model"
        parts.append(
            "with the product of arm and stratum"
            if by_model
            else "in each of the two strata, and the difference of both"
        )
    parts.append(_level_words(analysis, str((asked.get("hypothesis") or {}).get("kind", "superiority"))))
    if method in _LONGITUDINAL:
        parts.append(_fallback_words(analysis["fallback"]))
    return "; ".join(parts)


def _fallback_words(fallback: str | Sequence[str]) -> str:
    if fallback == "none":
        return "no other covariance tried where a fit does not converge"
    named = "simpler covariance structures"
    if not isinstance(fallback, str):
        named = joined([name.replace("_", " ") for name in fallback])
    return f"{named} tried in turn where a fit does not converge"


def _setting_words(analysis: Mapping[str, Any]) -> list[str]:
    """Return the settings that go with the method, each in words."""
    method, parts = str(analysis["method"]), []
    if method in _LONGITUDINAL:
        by = analysis.get("covariance_by", "none")
        own = "" if by == "none" else f", each {by} its own"
        parts.append(f"{str(analysis['covariance']).replace('_', ' ')} covariance over visits{own}")
    if method in _IMPUTING:
        parts += _imputation_words(analysis)
    if analysis.get("variance", "constant") != "constant":
        parts.append(f"robust standard errors ({analysis['variance'].upper()})")
    if analysis.get("group"):
        parts.append(f"groups: {str(analysis['group']).replace('_', ' ')}")
    for key, told in (("residual_variance", _RESIDUALS), ("penalty", _PENALTIES), ("interval", _INTERVALS)):
        if analysis.get(key, "none") != "none":
            parts.append(told[analysis[key]])
    return parts


def _imputation_words(analysis: Mapping[str, Any]) -> list[str]:
    parts = [f"those who left: {str(analysis['strategy']).replace('_', ' ')}"]
    delta = float(analysis.get("delta", 0.0))
    if delta:
        sign = "+" if delta > 0 else ""
        parts.append(f"imputed scores of active arms {sign}{number(delta)} points")
    if analysis.get("imputations"):
        parts.append(f"{analysis['imputations']} imputations")
    if analysis.get("jackknife", "none") != "none":
        parts.append(_JACKKNIVES[analysis["jackknife"]])
    return parts


def _adjustment_words(analysis: Mapping[str, Any]) -> list[str]:
    method = str(analysis["method"])
    covariates = [str(covariate) for covariate in analysis["covariates"]]
    if method in _STRATIFIED_BY_COVARIATE:
        return ["within strata"] if "stratum" in covariates else []
    parts = ["stratified by stratum"] if analysis.get("stratified") else []
    if covariates:
        crossed = ", each crossed with visit" if method in _LONGITUDINAL else ""
        parts.append(f"adjusted for {joined(covariates)}{crossed}")
    return parts


def _level_words(analysis: Mapping[str, Any], test: str) -> str:
    alpha = float(analysis["alpha"])
    if test == "superiority":
        return f"two-sided alpha {percent(alpha)}"
    interval = f"{percent(1.0 - alpha)} interval"
    side = "within the margins" if test == "equivalence" else "on the good side of the margin"
    return f"one-sided level {percent(alpha / 2.0)} ({interval} {side})"
