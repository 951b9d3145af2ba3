"""Checks of events after randomisation, and of what estimands do about them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from trialsim.scenario import schema
from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.checking.mechanisms import arms_having
from trialsim.scenario.known_events import KNOWN_EVENTS, RESERVED, RESPONSE, known_event
from trialsim.scenario.words import did_you_mean, listed, number

Path = tuple[str | int, ...]


def check_events(bench: Bench) -> None:
    """Check how often events happen, to whom, after what, and what they do."""
    for name, given in (bench.events or {}).items():
        event, path = given or schema.Event(), ("events", name)
        if name in RESERVED:
            bench.report(path, f"'{name}' has a meaning of its own: give the event another name", key=True)
        if bench.outcomes is not None and f"{name}_day" in bench.outcomes:
            bench.report(path, f"'{name}_day' is measured as a score: give the event another name", key=True)
        if event.outcome is not None:
            bench.known((*path, "outcome"), event.outcome, bench.outcomes, "outcome")
        for position, arm in enumerate(event.arms or ()):
            bench.known((*path, "arms", position), arm, bench.arms, "arm")
        _check_hazard(bench, path, name, event)
        _check_order(bench, path, name, event)
        _check_doing(bench, path, name, event)


def _check_hazard(bench: Bench, path: Path, name: str, event: schema.Event) -> None:
    if event.per_day is not None and event.share_by is not None:
        bench.report((*path, "share_by"), "give either per_day or share_by", key=True)
    if event.per_day is None and event.share_by is None and name not in KNOWN_EVENTS:
        known = listed(KNOWN_EVENTS)
        bench.report(path, f"give per_day or share_by: only {known} have a hazard of their own", key=True)
    if isinstance(event.per_day, Mapping):
        _check_groups(bench, (*path, "per_day"), event, event.per_day)
    if event.share_by is not None:
        _check_shares(bench, (*path, "share_by"), event, event.share_by)
    bench.keys((*path, "hazard_ratio"), event.hazard_ratio or {}, bench.named("therapies"), "therapy")
    if isinstance(event.infusion_hazard_ratio, Mapping):
        bench.keys((*path, "infusion_hazard_ratio"), event.infusion_hazard_ratio, bench.arms, "arm")
    preset = known_event(name)
    known_ratio = event.score_hazard_ratio_per_sd is not None or preset.score_hazard_ratio_per_sd
    awaits_response = (preset.only_after if event.only_after is None else event.only_after) == RESPONSE
    if event.depends_on == "current" and not known_ratio and not awaits_response:
        message = "no score drives the hazard: give score_hazard_ratio_per_sd, or leave this out"
        bench.report((*path, "depends_on"), message)


def _check_groups(bench: Bench, path: Path, event: schema.Event, rates: Mapping[str, Any]) -> None:
    """Check hazards by arm (and stratum within it), or by stratum."""
    if bench.arms is None or bench.strata is None:
        return
    if not any(key in bench.arms for key in rates):
        if any(key in bench.strata for key in rates):
            bench.by_stratum(path, rates)
            return
        wrong = next(iter(rates))
        hint = did_you_mean(wrong, (*bench.arms, *bench.strata))
        bench.report((*path, wrong), f"there is no arm or stratum '{wrong}'{hint}", key=True)
        return
    _check_arms(bench, path, event, rates)
    for arm, rate in rates.items():
        bench.by_stratum((*path, arm), rate)


def _check_arms(bench: Bench, path: Path, event: schema.Event, given: Mapping[str, Any]) -> None:
    bench.keys(path, given, bench.arms, "arm")
    missing = [arm for arm in event.arms or bench.arms or () if arm not in given and arm in (bench.arms or ())]
    if missing and all(key in (bench.arms or ()) for key in given):
        advice = "name every arm in which it can happen, or list those under arms"
        bench.report(path, f"nothing is said for {listed(missing)}: {advice}", key=True)


def _check_shares(bench: Bench, path: Path, event: schema.Event, given: Mapping[str, Any]) -> None:
    if any(isinstance(value, Mapping) for value in given.values()):
        _check_arms(bench, path, event, given)
        for arm, shares in given.items():
            _check_rising(bench, (*path, arm), event, shares)
    else:
        _check_rising(bench, path, event, given)


def _check_rising(bench: Bench, path: Path, event: schema.Event, shares: Mapping[str, float]) -> None:
    bench.days(path, shares)
    rows = sorted((float(key), key, share) for key, share in shares.items())
    for (day, _, share), (later_day, key, later) in pairwise(rows):
        if later_day > day and later < share:
            message = f"the share cannot fall: {number(share)} by day {day:g}, {number(later)} by day {later_day:g}"
            bench.report((*path, key), message)
    if rows[0][0] <= event.from_day:
        bench.report((*path, rows[0][1]), f"a day after day {event.from_day:g} is needed", key=True)
    until, (last, key, share) = event.until_day, rows[-1]
    if until is not None and event.from_day < until < last:
        message = (
            f"the share would not be reached: nothing happens after until_day, {number(until)}. Give the share by that "
            f"day ({number(until)}: {number(share)}), or leave until_day out"
        )
        bench.report((*path, key), message, key=True)


def _check_order(bench: Bench, path: Path, name: str, event: schema.Event) -> None:
    if event.until_day is not None and event.until_day <= event.from_day:
        bench.report((*path, "until_day"), f"must come after from_day, {number(event.from_day)}")
    if bench.visits is not None and event.from_day >= max(bench.visits):
        message = f"must be before the last visit, day {max(bench.visits):g}: what happens later is not simulated"
        bench.report((*path, "from_day"), message)
    after = event.only_after
    if after is None or after == RESPONSE:
        return
    names = bench.named("events")
    if after not in names:
        hint = did_you_mean(after, (*names, RESPONSE))
        bench.report((*path, "only_after"), f"no event of that name is modelled: '{after}'{hint}")
        return
    if _ends(bench, after):
        bench.report((*path, "only_after"), f"nothing happens after {after}: it ends the follow-up")
    seen = [name]
    while after is not None and after not in seen:
        seen.append(after)
        following = (bench.events or {}).get(after)
        after = following.only_after if following is not None else None
    if after == name:
        bench.report((*path, "only_after"), f"events wait for each other in a circle: {', '.join([*seen, name])}")


def _check_doing(bench: Bench, path: Path, name: str, event: schema.Event) -> None:
    bench.keys((*path, "effect"), event.effect or {}, bench.outcomes, "outcome")
    for outcome, points in (event.effect or {}).items():
        bench.by_stratum((*path, "effect", outcome), points)
    known = known_event(name)
    if event.lasts_days is not None and event.effect is None and not known.effect:
        bench.report((*path, "lasts_days"), "goes with effect", key=True)
    for key in ("effect", "return_to_baseline", "lasts_days"):
        if _ends(bench, name) and getattr(event, key):
            bench.report((*path, key), f"there is no score after {name}: it ends the follow-up", key=True)
    stops_infusions = known.stops_infusions if event.stops_infusions is None else event.stops_infusions
    if stops_infusions and bench.course is not None and bench.course.infusion_model is None:
        message = (
            "an infusion_model is needed for stopped infusions to matter: give course.infusion_model "
            "({} takes its numbers from the catalogue)"
        )
        bench.report(path if event.stops_infusions is None else (*path, "stops_infusions"), message, key=True)
    stops_therapy = known.stops_therapy if event.stops_therapy is None else event.stops_therapy
    if stops_therapy and not bench.named("therapies"):
        bench.report(
            path if event.stops_therapy is None else (*path, "stops_therapy"),
            "there is no therapy to stop: describe it under therapies",
            key=True,
        )
    if stops_therapy and not stops_infusions and not _ends(bench, name):
        _check_arms_with_therapy(bench, path, event)


def _check_arms_with_therapy(bench: Bench, path: Path, event: schema.Event) -> None:
    """Report arms named for leaving a therapy that they do not have."""
    having = arms_having(bench.arms or {}, bench.named("therapies"))
    for position, arm in enumerate(event.arms or ()):
        if bench.arms is not None and arm in bench.arms and arm not in having:
            bench.report((*path, "arms", position), f"arm {arm} has no therapy to stop: leave it out here")


def _ends(bench: Bench, name: str) -> bool:
    """Return whether an event ends the follow-up."""
    given = (bench.events or {}).get(name) or schema.Event()
    return known_event(name).ends_follow_up if given.ends_follow_up is None else given.ends_follow_up


# Strategies --------------------------------------------------------------------------------------------------


def check_strategies(bench: Bench) -> None:
    """Check that estimands name events that are modelled, with strategies that their endpoints can have."""
    names = bench.named("events")
    for estimand, asked in (bench.estimands or {}).items():
        path = ("estimands", estimand, "intercurrent_events")
        written = asked.intercurrent_events.events
        for event in written:
            if event not in names:
                hint = did_you_mean(event, (*names, "dropout"))
                bench.report((*path, event), f"no event of that name is modelled{hint}", key=True)
        _check_endpoint(bench, ("estimands", estimand, "endpoint"), asked, names)
        for event in names:
            _check_strategy(bench, path, asked, event, written.get(event, "treatment_policy"))


def _check_endpoint(bench: Bench, path: Path, asked: schema.Estimand, names: tuple[str, ...]) -> None:
    endpoint = asked.endpoint
    if isinstance(endpoint, schema.Criterion) and endpoint.event is not None:
        message = f"an event is asked for as a time: endpoint: {{time_to: {{event: {endpoint.event}}}}}"
        bench.report((*path, "event"), message, key=True)
    if not isinstance(endpoint, schema.TimeTo) or not isinstance(endpoint.time_to, schema.Criterion):
        return
    event = endpoint.time_to.event
    if event is not None and event not in names:
        bench.report((*path, "time_to", "event"), f"no event of that name is modelled{did_you_mean(event, names)}")
    if event is not None and asked.intercurrent_events.events.get(event, "treatment_policy") != "treatment_policy":
        place = ("estimands", path[1], "intercurrent_events", event)
        bench.report(place, "is the endpoint itself: leave its strategy out")


def _check_strategy(bench: Bench, path: Path, asked: schema.Estimand, event: str, strategy: str) -> None:
    kind, place = bench.kind_of(asked), (*path, event)
    ends = _ends(bench, event)
    allowed = {
        "time": ("treatment_policy", "hypothetical", "composite", "principal_stratum"),
        "count": ("treatment_policy", "hypothetical", "while_on_treatment", "principal_stratum"),
    }.get(kind)
    if allowed is not None and strategy not in allowed:
        what = "a time to an event" if kind == "time" else "a count"
        bench.report(place, f"{what} takes {listed(allowed[:-1])} or {allowed[-1]}")
    elif ends and kind in ("score", "binary") and strategy in ("treatment_policy", "hypothetical"):
        message = "there is no score after it: composite, while_on_treatment or principal_stratum is needed"
        bench.report(place, message)
    elif ends and kind == "time" and strategy == "treatment_policy" and not _is_endpoint(asked, event):
        bench.report(place, f"nothing is seen after {event}: composite, hypothetical or principal_stratum is needed")


def _is_endpoint(asked: schema.Estimand, event: str) -> bool:
    endpoint = asked.endpoint
    criterion = endpoint.time_to if isinstance(endpoint, schema.TimeTo) else None
    return isinstance(criterion, schema.Criterion) and criterion.event == event


CHECKS = (check_events, check_strategies)
