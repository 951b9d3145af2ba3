"""Checks of how patients differ and of what is missed."""

from __future__ import annotations

from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.checking.design import check_delta
from trialsim.scenario.words import listed, number


def check_missing(bench: Bench) -> None:
    """Check the days and the outcome of missed visits, and that a hazard ratio has a score to go by."""
    if bench.missing is None:
        return
    given, path = bench.missing.intermittent, ("missing", "intermittent")
    if isinstance(given.share, dict):
        bench.days((*path, "share"), given.share)
        for key in given.share:
            if bench.visits is not None and float(key) not in bench.visits:
                days = listed(f"{day:g}" for day in bench.visits)
                message = f"there is no visit on day {float(key):g}; visits are on days {days}"
                bench.report((*path, "share", key), message, key=True)
    check_delta(bench, (*path, "delta"), given.delta)
    if given.outcome is not None:
        bench.known((*path, "outcome"), given.outcome, bench.outcomes, "outcome")
    for key in ("outcome", "score_hazard_ratio_per_sd"):
        if given.model == "mcar" and getattr(given, key) is not None:
            bench.report((*path, key), "goes with mar and mnar; with mcar scores play no part", key=True)


def check_heterogeneity(bench: Bench) -> None:
    """Check names, that some arm has the drug, and that groups whose effects differ lie across arms."""
    given, path = bench.heterogeneity, ("heterogeneity",)
    if given is not None:
        bench.keys((*path, "effect_sd"), given.effect_sd, bench.outcomes, "outcome")
        for position, arm in enumerate(given.arms or ()):
            bench.known((*path, "arms", position), arm, bench.arms, "arm")
    by_groups = [name for name, cluster in (bench.clusters or {}).items() if cluster.effect_sd is not None]
    for name in by_groups:
        _check_group_effect(bench, name)
    if bench.effects is None or bench.named("effects") or (given is not None and given.arms is not None):
        return
    if given is not None:
        bench.report((*path, "arms"), "is missing: no arm has an effect of its own; name those with the drug", key=True)
    elif by_groups:
        message = "no arm has an effect: name those with the drug under heterogeneity.arms"
        bench.report(("clusters", by_groups[0], "effect_sd"), message, key=True)


def _check_group_effect(bench: Bench, name: str) -> None:
    cluster, path = (bench.clusters or {})[name], ("clusters", name, "effect_sd")
    if cluster.size is not None:
        message = "goes with number: groups within an arm have no effect of their own, only a level (icc)"
        bench.report(path, message, key=True)
    if isinstance(cluster.effect_sd, dict):
        bench.keys(path, cluster.effect_sd, bench.outcomes, "outcome")


def check_attendance(bench: Bench) -> None:
    """Check that the spread of attendance is given in one way, and can be."""
    for name, therapy in (bench.therapies or {}).items():
        given, path = therapy.attendance, ("therapies", name, "attendance")
        if given is None:
            continue
        if (given.sd is None) == (given.concentration is None):
            bench.report(path, "give either sd (between people) or concentration (of the beta distribution)", key=True)
        elif given.sd is not None and given.sd**2 >= given.mean * (1.0 - given.mean):
            largest = number((given.mean * (1.0 - given.mean)) ** 0.5)
            bench.report((*path, "sd"), f"a share with a mean of {number(given.mean)} has an SD below {largest}")


def check_lability(bench: Bench) -> None:
    """Check the strata named."""
    bench.keys(("lability",), bench.lability or {}, bench.strata, "stratum")


def check_raters(bench: Bench) -> None:
    """Check the outcomes named."""
    if bench.raters is not None:
        bench.keys(("raters", "icc"), bench.raters.icc or {}, bench.outcomes, "outcome")


CHECKS = (check_missing, check_heterogeneity, check_attendance, check_lability, check_raters)
