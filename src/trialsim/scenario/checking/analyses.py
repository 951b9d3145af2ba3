"""Checks of analyses: that they belong to an estimand and can answer it, and that their settings are theirs."""

from __future__ import annotations

from trialsim.scenario import schema
from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.methods import METHODS, SETTINGS, USUAL_METHOD
from trialsim.scenario.words import did_you_mean, listed

Path = tuple[str | int, ...]

_RISKS = ("risk_difference", "event_free_difference")
_KINDS = {"score": "a score", "binary": "a response (yes or no)", "time": "a time to an event", "count": "a count"}


def check_analysis(bench: Bench) -> None:
    """Check every analysis that is written, and that of estimands without one."""
    for name, entry in (bench.analysis or {}).items():
        path = ("analysis", name)
        if name not in bench.named("estimands"):
            message = f"there is no estimand '{name}' to analyse{did_you_mean(name, bench.named('estimands'))}"
            bench.report(path, message, key=True)
        analyses = entry if isinstance(entry, tuple) else (entry,)
        for position, analysis in enumerate(analyses):
            place = (*path, position) if isinstance(entry, tuple) else path
            if analysis in analyses[:position]:
                bench.report(place, "the same analysis is listed twice")
            elif analysis.name is not None and analysis.name in [other.name for other in analyses[:position]]:
                bench.report((*place, "name"), f"another analysis of this estimand is called '{analysis.name}'")
            estimand = (bench.estimands or {}).get(name)
            kind = bench.kind_of(estimand) if estimand is not None else None
            _check_method(bench, place, analysis, kind)
            if estimand is not None:
                _check_question(bench, place, analysis, estimand, kind or "score")


def _check_method(bench: Bench, path: Path, analysis: schema.Analysis, kind: str | None) -> None:
    name = analysis.method or USUAL_METHOD[kind or "score"]
    method = METHODS[name]
    for key in SETTINGS:
        if getattr(analysis, key) is not None and key not in method.settings:
            takers = listed(other for other, about in METHODS.items() if key in about.settings)
            bench.report((*path, key), f"goes with {takers}; {name} has none", key=True)
    for position, covariate in enumerate(analysis.covariates or ()):
        place = (*path, "covariates", position)
        if covariate in (analysis.covariates or ())[:position]:
            bench.report(place, f"'{covariate}' is listed twice")
        if covariate not in method.may_adjust:
            bench.report(place, _no_adjustment(name, covariate))
        elif covariate == "stratum" and bench.strata is not None and len(bench.strata) == 1:
            bench.report(place, "there is one stratum only; leave it out")
        elif covariate == "stratum" and name == "cox" and analysis.stratified is not False:
            bench.report(
                place, "a stratified Cox model has no effect of stratum; leave it out or say stratified: false"
            )
    _check_group(bench, path, analysis, name)


def _no_adjustment(name: str, covariate: str) -> str:
    if name == "clda":
        return "in a clda the baseline is a response; leave it out of the covariates"
    instead = {"t_test": "; use ancova", "welch": "; use ancova", "risk_difference": "; use g_computation"}.get(
        name, ""
    )
    return f"{name} does not adjust for {covariate}{instead}, or leave it out"


def _check_group(bench: Bench, path: Path, analysis: schema.Analysis, name: str) -> None:
    if name != "nested" or bench.clusters is None:
        return
    if not bench.named("clusters"):
        bench.report((*path, "method"), "a nested analysis needs groups of patients: describe them under clusters")
        return
    if analysis.group is not None:
        bench.known((*path, "group"), analysis.group, bench.named("clusters"), "cluster")
    group = bench.clusters.get(analysis.group or next(iter(bench.clusters), ""))
    across_arms = group is not None and (group.number is not None or group.made_by == "sites")
    if analysis.residual_variance == "by_arm" and across_arms:
        message = "groups that hold patients of several arms have one residual variance: leave this out"
        bench.report((*path, "residual_variance"), message)
    if analysis.df not in (None, "satterthwaite", "kenward-roger"):
        bench.report((*path, "df"), "a nested analysis has satterthwaite or kenward-roger")


def _check_question(bench: Bench, path: Path, analysis: schema.Analysis, estimand: schema.Estimand, kind: str) -> None:
    """Check that a method can answer its estimand: its kind of endpoint, its margin, its interaction."""
    name = analysis.method or USUAL_METHOD[kind]
    method = METHODS[name]
    if method.endpoint != kind:
        fitting = listed(other for other, about in METHODS.items() if about.endpoint == kind)
        message = f"{name} analyses {_KINDS[method.endpoint]}, and the endpoint is {_KINDS[kind]}: use {fitting}"
        bench.report((*path, "method"), message)
        return
    margin = "non_inferiority_margin" if estimand.non_inferiority_margin is not None else "equivalence_margin"
    if getattr(estimand, margin) is not None and not method.margin:
        bench.report((*path, "method"), f"{name} tests for a difference only, not against a margin")
    if method.measure in _RISKS and (getattr(estimand, margin) or 0.0) >= 1.0:
        message = f"a difference of risks is below 1: give the margin as a share, not {getattr(estimand, margin):g}"
        bench.report(("estimands", path[1], margin), message)
    if estimand.interaction is not None and method.interaction == "none":
        fitting = listed(
            other for other, about in METHODS.items() if about.endpoint == kind and about.interaction != "none"
        )
        bench.report((*path, "method"), f"{name} cannot test an interaction: use {fitting}")
    pair = isinstance(estimand.contrast, tuple) and all(isinstance(side, str) for side in estimand.contrast)
    if not pair and method.interaction != "model":
        fitting = listed(
            other for other, about in METHODS.items() if about.endpoint == kind and about.interaction == "model"
        )
        bench.report((*path, "method"), f"{name} compares two arms; a contrast of several arms takes {fitting}")
    if name in ("reference_based", "multiple_imputation") and estimand.intercurrent_events.dropout != "hypothetical":
        message = "there is nothing to impute where leaving is a failure or ends what counts: use ancova"
        bench.report((*path, "method"), message)


CHECKS = (check_analysis,)
