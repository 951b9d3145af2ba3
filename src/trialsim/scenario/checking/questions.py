"""Checks of what is asked: estimands, endpoints, and hypotheses that are tested together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trialsim import evidence
from trialsim.scenario import schema
from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.words import count, did_you_mean, listed, nearest, number

Path = tuple[str | int, ...]


def check_estimands(bench: Bench) -> None:
    """Check that estimands name what is measured, a visit that takes place and two arms, and that one is primary."""
    if bench.estimands is None:
        return
    names = bench.named("estimands")
    if "primary" not in names:
        bench.report(("estimands",), f"one of the estimands must be named primary; there is {listed(names)}", key=True)
    for name, estimand in bench.estimands.items():
        path = ("estimands", name)
        if estimand.outcome in bench.unknown_outcomes:
            close = nearest(estimand.outcome, (entry.name for entry in evidence.instruments()))
            hint = f"did you mean '{close}'? Otherwise " if close else ""
            message = (
                f"the catalogue has no instrument '{estimand.outcome}'; {hint}list it under outcomes, with its scale"
            )
            bench.report((*path, "outcome"), message)
        known = None if bench.outcomes is None else (*bench.outcomes, *bench.named("counts"))
        if known is not None and estimand.outcome not in known:
            hint = did_you_mean(estimand.outcome, known)
            bench.report((*path, "outcome"), f"nobody measures '{estimand.outcome}'{hint}")
        _check_visit(bench, (*path, "visit"), estimand.visit)
        _check_contrast(bench, path, estimand)
        _check_endpoint(bench, path, estimand)
        _check_hypothesis(bench, path, estimand)
    if bench.outcomes == ():
        bench.report(("estimands",), "only counts are asked for: list at least one score under outcomes", key=True)


def _check_visit(bench: Bench, path: Path, day: float) -> None:
    if bench.visits is not None and day not in bench.visits:
        days = listed(f"{known:g}" for known in bench.visits)
        bench.report(path, f"there is no visit on day {day:g}; visits are on days {days}")


def _check_contrast(bench: Bench, path: Path, estimand: schema.Estimand) -> None:
    contrast, place = estimand.contrast, (*path, "contrast")
    if isinstance(contrast, Mapping):
        bench.keys(place, contrast, bench.arms, "arm")
        sides = [sum(weight for weight in contrast.values() if sign * weight > 0) for sign in (1, -1)]
        if abs(sum(sides)) > 1e-9 or sides[0] == 0:
            bench.report(place, f"weights must add to 0, not {number(sum(sides))}, and some must be above 0")
        return
    named = [((*place, i), side) for i, side in enumerate(contrast) if isinstance(side, str)]
    for i, side in enumerate(contrast):
        if not isinstance(side, str):
            named += [((*place, i, j), arm) for j, arm in enumerate(side)]
    for where, arm in named:
        bench.known(where, arm, bench.arms, "arm")
    if len({arm for _, arm in named}) < len(named):
        bench.report(place, "an arm stands on one side once: two different arms are needed, [active, control]")


def _check_endpoint(bench: Bench, path: Path, estimand: schema.Estimand) -> None:
    endpoint, strategy = estimand.endpoint, estimand.intercurrent_events.dropout
    if estimand.outcome in bench.named("counts"):
        if endpoint is not None:
            bench.report(
                (*path, "endpoint"), f"'{estimand.outcome}' is a count and has no other endpoint; leave this out"
            )
        if strategy != "hypothetical":
            message = "a count is followed while the patient stays; leave the strategy at hypothetical"
            bench.report((*path, "intercurrent_events", "dropout"), message)
    if isinstance(endpoint, schema.TimeTo):
        _check_time(bench, path, estimand, endpoint)
    for place, criterion in _criteria(path, endpoint):
        if sum(value is not None for value in criterion.model_dump().values()) != 1:
            bench.report(place, "exactly one of reduction, lost_reduction, at_most and at_least is needed", key=True)
    fails = "composite" in (strategy, *estimand.intercurrent_events.events.values())
    if estimand.failure_score is not None and (endpoint not in (None, "score") or not fails):
        message = "goes with a score as the endpoint and intercurrent_events: {dropout: composite}"
        bench.report((*path, "failure_score"), message, key=True)
    if bench.dropout is None and strategy != "hypothetical":
        bench.report((*path, "intercurrent_events", "dropout"), "nobody leaves: the scenario has no dropout")


def _criteria(path: Path, endpoint: object) -> list[tuple[Path, schema.Criterion]]:
    if isinstance(endpoint, schema.Criterion):
        return [((*path, "endpoint"), endpoint)]
    if isinstance(endpoint, schema.TimeTo) and isinstance(endpoint.time_to, schema.Criterion):
        return [((*path, "endpoint", "time_to"), endpoint.time_to)]
    return []


def _check_time(bench: Bench, path: Path, estimand: schema.Estimand, endpoint: schema.TimeTo) -> None:
    place = (*path, "endpoint", "from")
    if endpoint.from_day != 0:
        _check_visit(bench, place, endpoint.from_day)
    if endpoint.from_day >= estimand.visit:
        message = f"the clock must start before the last day followed, {number(estimand.visit)}"
        bench.report(place, message)
    if estimand.intercurrent_events.dropout == "while_on_treatment":
        message = "a time to an event takes hypothetical (who leaves is censored) or composite"
        bench.report((*path, "intercurrent_events", "dropout"), message)


def _check_hypothesis(bench: Bench, path: Path, estimand: schema.Estimand) -> None:
    if estimand.non_inferiority_margin is not None and estimand.equivalence_margin is not None:
        bench.report((*path, "equivalence_margin"), "one test has one margin: leave out this or the other", key=True)
    for position, stratum in enumerate(estimand.interaction or ()):
        bench.known((*path, "interaction", position), stratum, bench.strata, "stratum")
    if estimand.interaction is not None and len(set(estimand.interaction)) == 1:
        bench.report((*path, "interaction"), "two different strata are needed")


def check_multiplicity(bench: Bench) -> None:
    """Check that hypotheses exist, and that weights and transitions suit the procedure."""
    given = bench.multiplicity
    if given is None:
        return
    path = ("multiplicity",)
    names = given.hypotheses or bench.named("estimands")
    if len(names) < 2:
        bench.report(path, "one hypothesis alone needs no procedure; leave this out", key=True)
    for position, name in enumerate(given.hypotheses or ()):
        _check_member(bench, (*path, "hypotheses", position), name, names[:position])
    weighted = ("bonferroni", "holm", "fallback", "graph")
    if given.weights is not None:
        if given.method not in weighted:
            bench.report((*path, "weights"), f"goes with {listed(weighted)}; {given.method} has none", key=True)
        bench.length(
            (*path, "weights"), len(given.weights), len(names), "weight", count(len(names), "hypothesis", "hypotheses")
        )
        if abs(sum(given.weights) - 1.0) > 1e-9 and sum(given.weights) > 1.0:
            bench.report((*path, "weights"), f"must add to at most 1, not {number(sum(given.weights))}")
    _check_transitions(bench, given, len(names))
    if given.method == "dunnett":
        _check_dunnett(bench, names)
    if given.method in ("holm", "fallback", "graph"):
        _check_graph_size(bench, given.method, len(names))


def _check_graph_size(bench: Bench, method: str, size: int) -> None:
    # Linear algebra is loaded for those scenarios alone that need it.
    from trialsim.kernels.multiplicity.graphs import MOST_HYPOTHESES

    if size > MOST_HYPOTHESES:
        bench.report(("multiplicity", "hypotheses"), f"{method} takes {MOST_HYPOTHESES} hypotheses at most")


def _check_member(bench: Bench, path: Path, name: str, before: tuple[str, ...]) -> None:
    if name in before:
        bench.report(path, f"'{name}' is listed twice")
    estimand, _, analysis = name.partition(".")
    known = bench.named("estimands")
    if estimand not in known:
        bench.report(path, f"there is no estimand '{estimand}'{did_you_mean(estimand, known)}")
    elif analysis and bench.analyses_of(estimand) is not None and analysis not in (bench.analyses_of(estimand) or ()):
        have = listed(bench.analyses_of(estimand) or ())
        bench.report(path, f"'{estimand}' has no analysis '{analysis}'; it has {have}")


def _check_dunnett(bench: Bench, names: Sequence[str]) -> None:
    """Check that hypotheses are comparisons of several arms with one control, at one visit on one outcome."""
    asked = [(bench.estimands or {}).get(name.partition(".")[0]) for name in names]
    known = [estimand for estimand in asked if estimand is not None]
    path = ("multiplicity", "method")
    pairs = [one.contrast for one in known if not isinstance(one.contrast, Mapping)]
    if len(pairs) < len(known) or any(not isinstance(side, str) for pair in pairs for side in pair):
        bench.report(path, "dunnett compares single arms with one control")
        return
    what = {(one.outcome, one.visit, pair[1]) for one, pair in zip(known, pairs, strict=True)}
    if len(what) > 1:
        bench.report(path, "dunnett compares several arms with one control, on one outcome at one visit")
    if len({pair[0] for pair in pairs}) < len(known):
        bench.report(path, "dunnett takes one hypothesis for each active arm")
    for one in known:
        if bench.kind_of(one) != "score" or one.non_inferiority_margin or one.equivalence_margin:
            bench.report(path, "dunnett compares means; take holm or a graph for other endpoints and for margins")
            break


def _check_transitions(bench: Bench, given: schema.Multiplicity, size: int) -> None:
    path = ("multiplicity", "transitions")
    if given.method == "graph" and given.transitions is None:
        bench.report(("multiplicity",), "a graph needs transitions: one row for each hypothesis", key=True)
    if given.transitions is None:
        return
    if given.method != "graph":
        bench.report(path, f"goes with graph; {given.method} has none", key=True)
        return
    bench.length(path, len(given.transitions), size, "row", count(size, "hypothesis", "hypotheses"))
    for position, row in enumerate(given.transitions):
        bench.length((*path, position), len(row), size, "number", count(size, "hypothesis", "hypotheses"))
        if sum(row) > 1.0 + 1e-9:
            bench.report((*path, position), f"a row adds to at most 1, not {number(sum(row))}")
        if position < len(row) and row[position] != 0:
            bench.report((*path, position, position), "nothing goes from a hypothesis to itself: this must be 0")


CHECKS = (check_estimands, check_multiplicity)
