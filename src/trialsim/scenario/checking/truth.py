"""Checks of what is true: population, outcomes, course, effects and covariance."""

from __future__ import annotations

from math import isclose

from trialsim.scenario import schema
from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.timetable import days_of_infusions
from trialsim.scenario.words import count, listed, number

_NAMES_ALL = "name every outcome (0 for no effect)"


def check_population(bench: Bench) -> None:
    """Check that shares add to 1 and that baselines name every outcome."""
    if bench.population is None:
        return
    strata = bench.population.strata
    path = ("population", "strata")
    given = {name: stratum.share for name, stratum in strata.items()}
    missing = [name for name, share in given.items() if share is None]
    for name in missing:
        if len(strata) > 1:
            bench.report((*path, name, "share"), "is missing: the share of all participants", key=True)
    shares = [share for share in given.values() if share is not None]
    for name, share in given.items():
        if share == 0:
            bench.report((*path, name, "share"), "must be above 0; leave the stratum out instead")
    if not missing and not isclose(sum(shares), 1, abs_tol=1e-9):
        bench.report(
            path, f"the shares {listed(map(number, shares))} add to {sum(shares):.10g}; they must add to 1", key=True
        )
    for name, stratum in strata.items():
        if isinstance(stratum.baseline, dict):
            place = (*path, name, "baseline")
            bench.keys(place, stratum.baseline, bench.outcomes, "outcome", complete="give its mean and sd")


def check_outcomes(bench: Bench) -> None:
    """Check that the settings of an outcome do not contradict each other."""
    for position, name in enumerate(_listed_outcomes(bench)):
        if name in _listed_outcomes(bench)[:position]:
            bench.report(("outcomes", position), f"'{name}' is listed twice")
    for name, outcome in bench.outcome_settings.items():
        path = ("outcomes", name)
        for key in ("post_sd", "residual_sd", "baseline_correlation"):
            bench.by_stratum((*path, key), getattr(outcome, key))
        if outcome.residual_sd is not None and outcome.baseline_correlation is not None:
            bench.report((*path, "baseline_correlation"), "follows from residual_sd: give one of the two", key=True)
        if isinstance(outcome.scale, schema.Grid):
            _check_grid(bench, name, outcome.scale)


def _listed_outcomes(bench: Bench) -> list[str]:
    node = bench.root.child("outcomes")
    return [str(item.value) for item in node.value] if node is not None and isinstance(node.value, list) else []


def _check_grid(bench: Bench, name: str, grid: schema.Grid) -> None:
    path = ("outcomes", name, "scale")
    if grid.max <= grid.min:
        bench.report((*path, "max"), f"must be above min = {number(grid.min)}, not {number(grid.max)}")
        return
    steps = (grid.max - grid.min) / grid.step
    if steps < 1 - 1e-9 or abs(steps - round(steps)) > 1e-6:
        message = f"the way from min to max must be a whole number of steps, not {steps:.6g}"
        bench.report((*path, "step"), message)
    elif steps > 10_000:
        bench.report((*path, "step"), f"makes {steps:,.0f} possible scores; take scale: continuous for so fine a grid")


def check_course(bench: Bench) -> None:
    """Check that timing names the visits, and that changes and means name outcomes and arms and fit the visits."""
    if bench.course is None:
        return
    if bench.course.timing is not None and bench.visits is not None:
        _check_timing(bench, bench.course.timing, bench.visits)
    changes = bench.course.control_change or {}
    bench.keys(("course", "control_change"), changes, bench.outcomes, "outcome")
    for name, change in changes.items():
        bench.by_stratum(("course", "control_change", name), change)
    means = bench.course.means or {}
    bench.keys(("course", "means"), means, bench.outcomes, "outcome")
    for name, by_arm in means.items():
        path = ("course", "means", name)
        bench.keys(path, by_arm, bench.arms, "arm", complete="give its mean score at every visit")
        if name in changes:
            bench.report(("course", "control_change", name), f"course.means gives {name} already; keep one", key=True)
        for arm, rows in by_arm.items():
            bench.by_stratum((*path, arm), rows)
            for place, row in _rows((*path, arm), rows):
                _check_row(bench, place, row)


def _rows(path: tuple[str, ...], rows: object) -> list[tuple[tuple[str, ...], tuple[float, ...]]]:
    if isinstance(rows, dict):
        return [((*path, stratum), row) for stratum, row in rows.items()]
    return [(path, rows)] if isinstance(rows, tuple) else []


def _check_row(bench: Bench, path: tuple[str, ...], row: tuple[float, ...]) -> None:
    if bench.visits is not None:
        days = listed(f"{day:g}" for day in bench.visits)
        bench.length(path, len(row), len(bench.visits), "mean", f"{count(len(bench.visits), 'visit')} (days {days})")


def _check_timing(bench: Bench, timing: dict[str, float], visits: tuple[float, ...]) -> None:
    path = ("course", "timing")
    bench.days(path, timing)
    days = {float(key): key for key in timing}
    for day, key in days.items():
        if day not in visits:
            message = f"there is no visit on day {day:g}; visits are on days {listed(f'{v:g}' for v in visits)}"
            bench.report((*path, key), message, key=True)
    missing = [f"{day:g}" for day in visits if day not in days]
    if missing:
        bench.report(path, f"nothing is said for the visits on days {listed(missing)}", key=True)
    elif not isclose(timing[days[visits[-1]]], 1, abs_tol=1e-9):
        message = f"must be 1: the last visit has the whole change, not {number(timing[days[visits[-1]]])} of it"
        bench.report((*path, days[visits[-1]]), message)


def check_effects(bench: Bench) -> None:
    """Check that effects belong to arms, are of one kind and name every outcome, and that one arm is a control."""
    if bench.effects is None:
        return
    bench.keys(("effects",), bench.effects, bench.arms, "arm")
    if bench.arms is not None and set(bench.named("effects")) >= set(bench.arms):
        bench.report(("effects",), "every arm has an effect; leave one out, it is the control", key=True)
    for arm, effect in bench.effects.items():
        _check_kind(bench, arm, effect)
        _check_controls(bench, arm, effect)
        _check_infused(bench, arm)
        for kind in ("open_label_change", "points", "standardised"):
            changes = getattr(effect, kind)
            if isinstance(changes, dict):
                path = ("effects", arm, kind)
                bench.keys(path, changes, _free_outcomes(bench, changes), "outcome", complete=_NAMES_ALL)
                _check_changes(bench, path, changes)


def _free_outcomes(bench: Bench, changes: dict[str, object]) -> list[str] | None:
    """Return the outcomes an effect must name: those whose means are not given outright."""
    if bench.outcomes is None:
        return None
    fixed = (bench.course.means or {}) if bench.course else {}
    return [name for name in bench.outcomes if name not in fixed or name in changes]


def _check_changes(bench: Bench, path: tuple[str, ...], changes: dict[str, object]) -> None:
    fixed = (bench.course.means or {}) if bench.course else {}
    given = (bench.course.control_change or {}) if bench.course else {}
    for name, change in changes.items():
        bench.by_stratum((*path, name), change)
        if name in fixed:
            bench.report((*path, name), f"course.means gives {name} already; keep one", key=True)
        if name in given and path[-1] == "open_label_change":
            message = (
                f"with course.control_change the control arm's course of {name} is given twice; keep one, or use points"
            )
            bench.report((*path, name), message, key=True)


def _check_kind(bench: Bench, arm: str, effect: schema.Effect) -> None:
    path = ("effects", arm)
    kinds = [kind for kind in ("open_label_change", "points", "standardised") if getattr(effect, kind) is not None]
    if len(kinds) != 1:
        found = "none is given" if not kinds else f"{listed(kinds)} are given"
        bench.report(path, f"one of open_label_change, points and standardised is needed; {found}", key=True)
        return
    for key, kind in (("specific_share", "open_label_change"), ("standardised_by", "standardised")):
        if getattr(effect, key) is not None and kinds[0] != kind:
            bench.report((*path, key), f"goes with {kind}, not with {kinds[0]}", key=True)
    if effect.versus is not None and kinds[0] == "open_label_change":
        bench.report(
            (*path, "versus"), "goes with points or standardised; specific_share may name the controls", key=True
        )
    shared = bench.course is not None and bench.course.control_change and isinstance(effect.open_label_change, str)
    if shared:
        message = "with open_label_change the control arm's course is given twice; keep one, or use points"
        bench.report(("course", "control_change"), message, key=True)


def _check_infused(bench: Bench, arm: str) -> None:
    """Check that an arm whose effect comes with infusions has some."""
    if bench.course is None or bench.course.infusion_model is None or bench.schedule is None:
        return
    if not days_of_infusions(bench.schedule.infusions, (bench.arms or {}).get(arm)):
        message = (
            "with course.infusion_model an effect comes with infusions and this arm has none: give it infusions, or "
            "describe what it has under therapies"
        )
        bench.report(("effects", arm), message, key=True)


def _check_controls(bench: Bench, arm: str, effect: schema.Effect) -> None:
    controls = [name for name in bench.arms or () if name not in bench.named("effects")]
    if not controls:
        return
    if isinstance(effect.specific_share, dict):
        path = ("effects", arm, "specific_share")
        bench.keys(path, effect.specific_share, controls, "control arm", complete="give its share")
    if effect.versus is not None:
        bench.known(("effects", arm, "versus"), effect.versus, controls, "control arm")


def check_covariance(bench: Bench) -> None:
    """Check that pairs name two outcomes once, and that a structure has the numbers it needs and no other."""
    if bench.covariance is None:
        return
    seen: set[frozenset[str]] = set()
    for position, entry in enumerate(bench.covariance.outcomes):
        path = ("covariance", "outcomes", position, "pair")
        known = [bench.known((*path, i), name, bench.outcomes, "outcome") for i, name in enumerate(entry.pair)]
        pair = frozenset(entry.pair)
        if all(known) and len(pair) == 1:
            bench.report(path, "two different outcomes are needed")
        if pair in seen:
            bench.report(path, f"the pair {listed(entry.pair)} is given twice")
        seen.add(pair)
    _check_structure(bench, bench.covariance.visits)


_NEEDS = {"decay": "anchors", "compound_symmetry": "rho", "ar1": "rho", "toeplitz": "rho", "unstructured": "matrix"}


def _check_structure(bench: Bench, visits: schema.VisitCorrelation) -> None:
    path = ("covariance", "visits")
    needed = _NEEDS[visits.structure]
    for key in ("anchors", "rho", "matrix"):
        if getattr(visits, key) is not None and key != needed:
            bench.report((*path, key), f"{visits.structure} takes {needed}, not {key}", key=True)
    if needed != "anchors" and getattr(visits, needed) is None:
        bench.report((*path, needed), f"is missing: {visits.structure} needs it", key=True)
        return
    n_visits = len(bench.visits or ())
    if visits.structure == "toeplitz" or isinstance(visits.rho, tuple):
        _check_rho(bench, visits, n_visits)
    for position, row in enumerate(visits.matrix or ()):
        if bench.visits is not None:
            bench.length((*path, "matrix", position), len(row), n_visits, "number", count(n_visits, "visit"))
    if visits.matrix is not None and bench.visits is not None:
        bench.length((*path, "matrix"), len(visits.matrix), n_visits, "row", count(n_visits, "visit"))
        if all(len(row) == n_visits for row in visits.matrix) and len(visits.matrix) == n_visits:
            _check_matrix(bench, visits.matrix)
    bench.days((*path, "anchors"), visits.anchors or {})
    for key in visits.anchors or {}:
        if float(key) == 0:
            bench.report((*path, "anchors", key), "the distance must be above 0 days", key=True)


def _check_rho(bench: Bench, visits: schema.VisitCorrelation, n_visits: int) -> None:
    path = ("covariance", "visits", "rho")
    if visits.structure != "toeplitz":
        bench.report(path, f"{visits.structure} takes one number, not a list")
    elif not isinstance(visits.rho, tuple):
        bench.report(path, "toeplitz takes a list: one correlation per distance in visits")
    elif bench.visits is not None and len(visits.rho) != n_visits - 1:
        found = count(len(visits.rho), "correlation")
        bench.report(
            path, f"{found} for {count(n_visits, 'visit')}: {n_visits - 1} are needed, for 1, 2, ... visits apart"
        )


def _check_matrix(bench: Bench, matrix: tuple[tuple[float, ...], ...]) -> None:
    path = ("covariance", "visits", "matrix")
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            if i == j and value != 1:
                bench.report((*path, i, j), f"the diagonal of a correlation matrix is 1, not {number(value)}")
            elif i != j and not -1 < value < 1:
                bench.report((*path, i, j), f"a correlation lies between -1 and 1, not {number(value)}")
            elif i > j and value != matrix[j][i]:
                bench.report(
                    (*path, i, j), f"not symmetric: {number(value)} here, {number(matrix[j][i])} across the diagonal"
                )


CHECKS = (check_population, check_outcomes, check_course, check_effects, check_covariance)
