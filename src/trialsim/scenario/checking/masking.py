"""Checks of dissociation, guesses and expectancy."""

from __future__ import annotations

from collections.abc import Mapping

from trialsim.scenario import schema
from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.comparators import DRUG, PERFECT, usual_comparator
from trialsim.scenario.words import count, listed


def check_dissociation(bench: Bench) -> None:
    """Check that some arm has infusions, and that those described are given."""
    if bench.arms is None or bench.schedule is None:
        return
    infused = _infused(bench)
    for part, given in (("dissociation", bench.dissociation), ("unblinding", bench.unblinding)):
        if given is not None and not infused:
            message = "no arm has infusions: give schedule.infusions and say what is infused in the arms"
            bench.report((part,), message, key=True)
    if bench.dissociation is None:
        return
    kinds = {arm.infusion for arm in bench.arms.values() if arm is not None}
    for kind in bench.dissociation.infusions:
        if kind not in kinds:
            bench.report(("dissociation", "infusions", kind), f"no arm has infusions of {kind}", key=True)


def check_guesses(bench: Bench) -> None:
    """Check that every arm with infusions has a share of guesses, and that there is something to tell apart."""
    given = bench.unblinding
    if given is None or bench.arms is None or bench.schedule is None:
        return
    infused, path = _infused(bench), ("unblinding", "guess")
    if isinstance(given.guess, Mapping):
        bench.keys(path, given.guess, bench.arms, "arm")
        for arm in given.guess:
            if arm in bench.arms and arm not in infused:
                bench.report((*path, arm), "this arm has no infusions: nobody guesses what it is", key=True)
        missing = [arm for arm in infused if arm not in given.guess]
        if missing and all(arm in bench.arms for arm in given.guess):
            bench.report(path, f"is missing for {listed(missing)}: give the share that guesses active", key=True)
    elif given.guess is None and infused and usual_comparator(bench.arms) is None:
        message = (
            "is missing: guesses are known of trials of ketamine against midazolam or against saline only; give the "
            "share of each arm that guesses active, or name one of the two, or perfect"
        )
        bench.report(path, message, key=True)
    if given.guess == PERFECT and given.slope is not None:
        bench.report(("unblinding", "slope"), "under perfect masking guesses follow nothing; leave this out", key=True)
    elif infused and given.guess != PERFECT:
        _check_sides(bench, infused)


def _check_sides(bench: Bench, infused: Mapping[str, tuple[float, ...]]) -> None:
    """Report that all who guess are on one side, so that there is nothing to tell apart."""
    arms = bench.arms or {}
    with_drug = [arm for arm, about in arms.items() if about is not None and about.infusion == DRUG]
    active = with_drug or list(bench.named("effects"))
    sides = {arm in active for arm in infused}
    if len(sides) < 2:
        which = "an active drug" if True in sides else "a control"
        message = f"every arm with infusions ({listed(infused)}) has {which}: there is nothing to guess"
        bench.report(("unblinding",), message, key=True)


def check_time_of_guess(bench: Bench) -> None:
    """Check that patients have had an infusion when they guess."""
    given = bench.unblinding
    if given is None or bench.arms is None or bench.schedule is None:
        return
    path, infused = ("unblinding", "after"), _infused(bench)
    if isinstance(given.after, schema.GuessAtVisit):
        place = (*path, "visit")
        if given.after.visit not in bench.schedule.visits:
            visits = listed(f"{day:g}" for day in bench.schedule.visits)
            bench.report(place, f"there is no visit on day {given.after.visit:g}; visits are on days {visits}")
        late = [arm for arm, days in infused.items() if days[0] >= given.after.visit]
        if late:
            bench.report(
                place, f"{listed(late)}: no infusion comes before this visit, so that there is nothing to go by"
            )
    elif isinstance(given.after, int):
        for arm, days in infused.items():
            if len(days) < given.after:
                bench.report(path, f"{arm} has {count(len(days), 'infusion')} only")


def check_expectancy(bench: Bench) -> None:
    """Check the outcomes and strata named, and that estimands leave out only what is modelled."""
    given = bench.unblinding
    for name, asked in (bench.estimands or {}).items():
        if asked.expectancy == "excluded" and bench.root.child("unblinding") is None:
            message = "there is none to leave out: describe it under unblinding"
            bench.report(("estimands", name, "expectancy"), message)
    if given is None:
        return
    _check_points(bench, ("unblinding", "expectancy"), given.expectancy or {})
    if given.raters is not None:
        _check_points(bench, ("unblinding", "raters", "expectancy"), given.raters.expectancy)


def _check_points(bench: Bench, path: tuple[str, ...], points: Mapping[str, object]) -> None:
    bench.keys(path, points, bench.outcomes, "outcome")
    for outcome, value in points.items():
        bench.by_stratum((*path, outcome), value)


def _infused(bench: Bench) -> dict[str, tuple[float, ...]]:
    """Return the arms with infusions of something that is named, and the days of these."""
    common = bench.schedule.infusions if bench.schedule else ()
    found = {}
    for name, arm in (bench.arms or {}).items():
        if arm is not None and arm.infusion not in (None, "none"):
            own = common if arm.infusions is None else arm.infusions
            if own:
                found[name] = tuple(own)
    return found


CHECKS = (check_dissociation, check_guesses, check_time_of_guess, check_expectancy)
