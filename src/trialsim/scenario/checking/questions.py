"""Checks of what is asked: estimands and their analyses."""

from __future__ import annotations

from trialsim.scenario import schema
from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.words import did_you_mean, listed


def check_estimands(bench: Bench) -> None:
    """Check that estimands name what is measured, a visit that takes place and two arms, and that one is primary."""
    if bench.estimands is None:
        return
    names = bench.named("estimands")
    if "primary" not in names:
        bench.report(("estimands",), f"one of the estimands must be named primary; there is {listed(names)}", key=True)
    for name, estimand in bench.estimands.items():
        path = ("estimands", name)
        if bench.outcomes is not None and estimand.outcome not in bench.outcomes:
            hint = did_you_mean(estimand.outcome, bench.outcomes)
            bench.report((*path, "outcome"), f"nobody measures '{estimand.outcome}'{hint}")
        if bench.visits is not None and estimand.visit not in bench.visits:
            days = listed(f"{day:g}" for day in bench.visits)
            bench.report((*path, "visit"), f"there is no visit on day {estimand.visit:g}; visits are on days {days}")
        _check_contrast(bench, path, estimand)


def _check_contrast(bench: Bench, path: tuple[str, ...], estimand: schema.Estimand) -> None:
    for position, arm in enumerate(estimand.contrast):
        bench.known((*path, "contrast", position), arm, bench.arms, "arm")
    if len(set(estimand.contrast)) == 1:
        bench.report((*path, "contrast"), "two different arms are needed: [active, control]")


def check_analysis(bench: Bench) -> None:
    """Check that analyses belong to estimands, and their settings to their method."""
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
            _check_method(bench, place, analysis)


_GOES_WITH = {
    "covariance": ("mmrm", "clda"),
    "df": ("mmrm", "clda"),
    "fallback": ("mmrm", "clda"),
    "variance": ("ancova",),
    "strategy": ("reference_based",),
}


def _check_method(bench: Bench, path: tuple[str | int, ...], analysis: schema.Analysis) -> None:
    for key, methods in _GOES_WITH.items():
        if getattr(analysis, key) is not None and analysis.method not in methods:
            message = f"goes with {listed(methods)}; {analysis.method} has none"
            bench.report((*path, key), message, key=True)
    if analysis.method in ("t_test", "welch") and analysis.covariates:
        bench.report((*path, "covariates"), f"{analysis.method} adjusts for nothing; use ancova, or leave them out")
    if analysis.method == "clda" and analysis.covariates is not None and "baseline" in analysis.covariates:
        bench.report((*path, "covariates"), "in a clda the baseline is a response; leave it out of the covariates")
    covariates = analysis.covariates or ()
    for position, covariate in enumerate(covariates):
        if covariate in covariates[:position]:
            bench.report((*path, "covariates", position), f"'{covariate}' is listed twice")
        if covariate == "stratum" and bench.strata is not None and len(bench.strata) == 1:
            bench.report((*path, "covariates", position), "there is one stratum only; leave it out")


CHECKS = (check_estimands, check_analysis)
