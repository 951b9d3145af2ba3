"""Checks of who enters the trial."""

from __future__ import annotations

from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.words import number

_PATH = ("population", "characteristics")


def check_characteristics(bench: Bench) -> None:
    """Check the strata, the outcome and the bounds of characteristics."""
    given = bench.population.characteristics if bench.population else None
    if given is None:
        return
    for name, key in (
        ("age", "mean"),
        ("age", "sd"),
        ("female", "share"),
        ("bipolar", "share"),
        ("failed_treatments", "mean"),
    ):
        bench.by_stratum((*_PATH, name, key), getattr(getattr(given, name), key))
    if given.outcome is not None:
        bench.known((*_PATH, "outcome"), given.outcome, bench.outcomes, "outcome")
    elif any(getattr(given, name).baseline_correlation for name in _NAMES):
        _needs_outcome(bench, (*_PATH, "outcome"))
    for name in (*(bench.outcomes or ()), *bench.named("counts"), *bench.named("clusters")):
        if name in _NAMES:
            bench.report(_PATH, f"'{name}' is the name of an outcome, count or cluster too; rename that", key=True)
    if given.age.maximum <= given.age.minimum:
        message = f"must be above minimum = {given.age.minimum}, not {given.age.maximum}"
        bench.report((*_PATH, "age", "maximum"), message)


_NAMES = ("age", "female", "bipolar", "failed_treatments")


def check_eligibility(bench: Bench) -> None:
    """Check the cut-off on the screening score, and that inflation lifts scores over it."""
    given, path = bench.population.eligibility if bench.population else None, ("population", "eligibility")
    if given is None:
        return
    bench.known((*path, "outcome"), given.outcome, bench.outcomes, "outcome")
    if (given.at_least is None) == (given.at_most is None):
        bench.report(path, "give either at_least or at_most, the cut-off of the screening score", key=True)
    window = given.inflation_window
    if given.at_least is None and given.inflation > 0:
        bench.report((*path, "inflation"), "goes with at_least: scores are lifted over a cut-off", key=True)
    if window is not None and window > given.inflation:
        message = f"must be at most inflation, {number(given.inflation)}: lower scores would still fail"
        bench.report((*path, "inflation_window"), message)


def check_run_in(bench: Bench) -> None:
    """Check the outcome and the strata of a run-in, and that it fits between screening and baseline."""
    population = bench.population
    given, path = population.run_in if population else None, ("population", "run_in")
    if population is None or given is None:
        return
    if given.outcome is not None:
        bench.known((*path, "outcome"), given.outcome, bench.outcomes, "outcome")
    elif population.eligibility is None:
        _needs_outcome(bench, (*path, "outcome"))
    if given.improvement is not None:
        for key in ("mean", "sd"):
            bench.by_stratum((*path, "improvement", key), getattr(given.improvement, key))
    if population.eligibility is not None and given.days > population.eligibility.days_before:
        message = (
            f"must be at most population.eligibility.days_before, {number(population.eligibility.days_before)}: "
            "the run-in lies between screening and baseline"
        )
        bench.report((*path, "days"), message)


def _needs_outcome(bench: Bench, path: tuple[str, ...]) -> None:
    """Report that no outcome is named where the primary one is a count, which has no baseline."""
    primary = (bench.estimands or {}).get("primary")
    if primary is not None and primary.outcome in bench.named("counts"):
        bench.report(path, "is missing: the primary outcome is a count; name one with scores", key=True)


CHECKS = (check_characteristics, check_eligibility, check_run_in)
