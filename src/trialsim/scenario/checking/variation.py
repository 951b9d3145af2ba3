"""Checks of how patients differ and of what is missed."""

from __future__ import annotations

from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.words import listed


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
    if given.outcome is not None:
        bench.known((*path, "outcome"), given.outcome, bench.outcomes, "outcome")
    for key in ("outcome", "score_hazard_ratio_per_sd"):
        if given.model == "mcar" and getattr(given, key) is not None:
            bench.report((*path, key), "goes with mar and mnar; with mcar scores play no part", key=True)
    _check_primary(bench, path, given.model, given.outcome)


def _check_primary(bench: Bench, path: tuple[str, ...], model: str, outcome: str | None) -> None:
    """Report that no outcome is named where the primary one is a count, which has no score."""
    primary = (bench.estimands or {}).get("primary")
    if model != "mcar" and outcome is None and primary is not None and primary.outcome in bench.named("counts"):
        bench.report((*path, "outcome"), "is missing: the primary outcome is a count; name one with scores", key=True)


CHECKS = (check_missing,)
