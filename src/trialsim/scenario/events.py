"""Events after randomisation, as the engine takes them: hazards, what they wait for, and what they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from trialsim import evidence
from trialsim.scenario import schema
from trialsim.scenario.arrangement import MECHANISMS, check_fits_scale
from trialsim.scenario.case import Case
from trialsim.scenario.known_events import KnownEvent, known_event
from trialsim.scenario.resolved_events import Event, Strategy
from trialsim.scenario.timetable import days_of_infusions

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray, Therapy

USUAL_RESPONSE = 0.5
"""Share of the baseline score that a response improves by, where the instrument does not say."""

_COURSE_DAYS = 14.0
"""In which a course of infusions is stopped by as many as the catalogue says; a shorter course by its last infusion."""

CROSS_WORLD = (
    "those who would not have the event under either arm: nobody is seen under both, so that who they are rests on "
    "the model of the patients (a cross-world assumption); the analysis takes those observed without the event"
)
"""What a principal stratum assumes."""


def events(case: Case, post_sd: FloatArray, therapies: Sequence[Therapy]) -> tuple[Event, ...]:
    """Return the events of a scenario, each after what it waits for.

    Parameters
    ----------
    case : Case
    post_sd : ndarray, shape (S, K), points
    therapies : sequence of Therapy
    """
    return in_order([_event(case, name, post_sd, therapies) for name in case.content.events])


def in_order(found: Sequence[Event]) -> tuple[Event, ...]:
    """Return events with those that stop infusions or therapy first, and none before the one it waits for."""
    waiting = sorted(found, key=lambda event: not (event.stops_infusions or event.stops_therapy))
    names = {event.name for event in found}
    placed: list[Event] = []
    while waiting:
        done = {event.name for event in placed}
        ready = [one for one in waiting if one.only_after not in names or one.only_after in done]
        if not ready:  # a circle is told by the checks
            ready = waiting
        placed.append(ready[0])
        waiting.remove(ready[0])
    return tuple(placed)


def strategies(case: Case, estimand: str, happening: Sequence[Event]) -> tuple[tuple[str, Strategy], ...]:
    """Return the strategy of an estimand for each event, by name; treatment policy where nothing is said."""
    written = case.content.estimands[estimand].intercurrent_events.events
    found: list[tuple[str, Strategy]] = []
    for event in happening:
        strategy: Strategy = written.get(event.name, "treatment_policy")
        path = ("estimands", estimand, "intercurrent_events", event.name)
        case.ledger.note(path, strategy, CROSS_WORLD if strategy == "principal_stratum" else "")
        found.append((event.name, strategy))
    return tuple(found)


def keep_means(happening: Sequence[Event], handled: Sequence[tuple[str, Strategy]]) -> bool:
    """Return whether the mean scores asked for are those that the scenario gives: what happens does not move them."""
    strategy = dict(handled)
    return all(
        strategy[event.name] == "hypothetical"
        or (strategy[event.name] == "treatment_policy" and not event.changes_scores)
        for event in happening
    )


def _event(case: Case, name: str, post_sd: FloatArray, therapies: Sequence[Therapy]) -> Event:
    given, known = case.content.events[name] or schema.Event(), known_event(name)
    outcome = given.outcome or driving_outcome(case)
    after = known.only_after if given.only_after is None else given.only_after
    path = ("events", name)
    case.ledger.note((*path, "outcome"), outcome)
    ratio = _number(
        case, name, given.score_hazard_ratio_per_sd, "score_hazard_ratio_per_sd", known.score_hazard_ratio_per_sd, 1.0
    )
    kind_of_missing = MECHANISMS["mnar" if given.depends_on == "current" else "mar"]
    case.ledger.note((*path, "depends_on"), given.depends_on, kind_of_missing)
    case.ledger.note((*path, "from_day"), given.from_day)
    case.ledger.note((*path, "only_after"), after)
    stops = {
        key: getattr(known, key) if getattr(given, key) is None else getattr(given, key)
        for key in ("stops_infusions", "stops_therapy", "ends_follow_up")
    }
    for key, value in stops.items():
        case.ledger.note((*path, key), value)
    last = _last_to_stop(case, given, stops)
    pieces = _hazard(case, name, given, known, therapies, last)
    if last is not None:
        pieces = _while_infusions_last(last, *pieces)
    until_day = given.until_day
    if until_day is None and last is not None:
        until_day = max(last)
        case.ledger.derived((*path, "until_day"), until_day, "the last infusion: afterwards there is none to stop")
    else:
        case.ledger.note((*path, "until_day"), until_day)
    return Event(
        name=name,
        label=given.label or name.replace("_", " "),
        hazard_until=pieces[0],
        per_day=pieces[1],
        outcome=case.outcomes.index(outcome),
        score_hazard_ratio_per_sd=ratio,
        depends_on=given.depends_on,
        from_day=given.from_day,
        until_day=until_day,
        only_after=after,
        response=_response(case, outcome),
        therapy_hazard_ratio=_by_therapy(case, name, given, known, therapies),
        infusion_hazard_ratio=_while_infused(case, name, given, known),
        effect=_effect(case, name, given, known, post_sd),
        lasts_days=given.lasts_days,
        return_to_baseline=_number(
            case, name, given.return_to_baseline, "return_to_baseline", known.return_to_baseline, 0.0
        ),
        **stops,
    )


def _last_to_stop(case: Case, given: schema.Event, stops: Mapping[str, bool]) -> tuple[float, ...] | None:
    """Return the day of each arm's last infusion for an event that does nothing but stop infusions; None for others."""
    only_infusions = stops["stops_infusions"] and not stops["stops_therapy"] and not stops["ends_follow_up"]
    last = tuple(_last_infusion(case, a) for a in range(len(case.arms)))
    if not only_infusions or given.effect or given.return_to_baseline or max(last) <= given.from_day:
        return None
    return last


def _while_infusions_last(
    last: tuple[float, ...], until: tuple[float, ...], per_day: FloatArray
) -> tuple[tuple[float, ...], FloatArray]:
    """Return hazards, in pieces, that are 0 in each arm after its last infusion."""
    days = tuple(sorted({*until, *(day for day in last if day > 0.0)}))
    starts = np.array([0.0, *days[:-1]])
    piece = np.minimum(np.searchsorted(until, starts, side="right"), len(until) - 1)
    over = starts >= np.array(last)[:, None]
    return days, _frozen(np.where(over[:, None, :], 0.0, per_day[:, :, piece]))


def _last_infusion(case: Case, arm: int) -> float:
    """Return the day of an arm's last infusion, 0 where it has none."""
    return max(days_of_infusions(case.content.schedule.infusions, case.arm(arm)), default=0.0)


def driving_outcome(case: Case) -> str:
    """Return the outcome that drives what happens where none is named: that of the primary estimand, or the first."""
    primary = case.content.estimands["primary"].outcome
    return primary if primary in case.outcomes else case.outcomes[0]


def _number(case: Case, name: str, value: float | None, key: str, source: str, usual: float) -> float:
    path = ("events", name, key)
    if value is None and source:
        quantity = evidence.get(source)
        case.ledger.evidence(path, quantity)
        return float(quantity.value or 0.0)
    case.ledger.note(path, usual if value is None else value)
    return usual if value is None else value


def _response(case: Case, outcome: str) -> float:
    measure = case.measures[case.outcomes.index(outcome)]
    try:
        return float(evidence.instrument(measure.instrument).response or USUAL_RESPONSE)
    except evidence.UnknownEvidenceError:
        return USUAL_RESPONSE


# Hazards -----------------------------------------------------------------------------------------------------


def _hazard(
    case: Case,
    name: str,
    given: schema.Event,
    known: KnownEvent,
    therapies: Sequence[Therapy],
    last: tuple[float, ...] | None,
) -> tuple[tuple[float, ...], FloatArray]:
    """Return the days at which pieces of the hazard end, and the hazards, shape (A, S, pieces)."""
    possible = given.arms or case.arms
    if name == "leave_therapy" and given.arms is None:
        possible = tuple(case.arms[a] for therapy in therapies for a in therapy.arms)
    case.ledger.note(("events", name, "arms"), list(possible))
    inside = np.array([arm in possible for arm in case.arms], dtype=float)[:, None, None]
    if given.share_by is None and (given.per_day is not None or known.per_day):
        rate = _per_day(case, name, given, known)
        return (case.visits[-1],), _frozen(rate[:, :, None] * inside)
    shares = _shares(case, name, given, therapies)
    if last is not None:
        shares = _by_the_last_infusion(case, shares, last, given.from_day)
    days = tuple(sorted({day for one in shares.values() for day in one}))
    hazards = np.zeros((len(case.arms), len(case.strata), len(days)))
    for a, arm in enumerate(case.arms):
        hazards[a] = piecewise_hazards(shares.get(arm, {days[-1]: 0.0}), days, given.from_day)
    return days, _frozen(hazards * inside)


def _per_day(case: Case, name: str, given: schema.Event, known: KnownEvent) -> FloatArray:
    """Return the hazard by arm and stratum, shape (A, S)."""
    path = ("events", name, "per_day")
    if given.per_day is None:
        quantity = evidence.get(known.per_day)
        case.ledger.evidence(path, quantity)
        return np.full((len(case.arms), len(case.strata)), float(quantity.value or 0.0))
    case.ledger.note(path, given.per_day)
    rates: Any = given.per_day
    if isinstance(rates, Mapping) and any(key in case.arms for key in rates):
        return np.array([case.by_stratum(rates.get(arm, 0.0)) for arm in case.arms], dtype=float)
    return np.tile(np.array(case.by_stratum(rates), dtype=float), (len(case.arms), 1))


def _shares(case: Case, name: str, given: schema.Event, therapies: Sequence[Therapy]) -> dict[str, dict[float, float]]:
    """Return the share to whom an event has happened by each day, by arm."""
    path = ("events", name, "share_by")
    if given.share_by is not None:
        case.ledger.note(path, given.share_by)
        by_arm: Any = given.share_by
        if not any(isinstance(value, Mapping) for value in by_arm.values()):
            by_arm = dict.fromkeys(case.arms, by_arm)
        return {arm: {float(day): share for day, share in one.items()} for arm, one in by_arm.items()}
    found = {}
    last = [_last_infusion(case, a) for a in range(len(case.arms))]
    for a, arm in enumerate(case.arms):
        if name == "leave_therapy":
            quantity = evidence.get("defaults.dbt.treatment_dropout")
            day = next((therapy.end_day for therapy in therapies if a in therapy.arms), None)
        else:
            kind = "ketamine" if case.arm(a).infusion == "ketamine" else "control"
            quantity = evidence.get(f"defaults.safety.stops_for_adverse_event.{kind}")
            # Who has no infusions stops none.
            day = min(_COURSE_DAYS, last[a]) or (None if any(last) else _COURSE_DAYS)
        if day is not None:
            found[arm] = {day: float(quantity.value or 0.0)}
            case.ledger.evidence((*path, arm, f"{day:g}"), quantity)
    return found


def _by_the_last_infusion(
    case: Case, shares: Mapping[str, Mapping[float, float]], last: tuple[float, ...], from_day: float
) -> dict[str, dict[float, float]]:
    """Return shares that are reached by an arm's last infusion where they are given for later days."""
    found = {}
    for arm, end in zip(case.arms, last, strict=True):
        if arm in shares and end > from_day:
            found[arm] = {min(day, end): share for day, share in sorted(shares[arm].items())}
    return found


def piecewise_hazards(shares: Mapping[float, float], days: Sequence[float], from_day: float) -> list[float]:
    """Return constant hazards that lead to given shares.

    Parameters
    ----------
    shares : mapping of float to float
        Cumulative share by day, below 1, not falling.
    days : sequence of float
        Rising; where the pieces end.
    from_day : float
        Nothing happens before.

    Returns
    -------
    list of float
        One for each piece, per day: minus the logarithm of the share that is left falls evenly between the days given,
        and goes on as in the last piece.
    """
    known = sorted(shares)
    at = np.array([from_day, *known])
    gone = np.array([0.0, *(-np.log1p(-shares[day]) for day in known)])
    slopes = np.diff(gone) / np.diff(at)
    middles = [(max(start, from_day) + end) / 2.0 for start, end in pairwise((0.0, *days))]
    piece = np.clip(np.searchsorted(at, middles, side="right") - 1, 0, len(slopes) - 1)
    return [float(slope) for slope in slopes[piece]]


def _by_therapy(
    case: Case, name: str, given: schema.Event, known: KnownEvent, therapies: Sequence[Therapy]
) -> tuple[float, ...]:
    ratios = []
    for therapy in therapies:
        path = ("events", name, "hazard_ratio", therapy.name)
        if given.hazard_ratio is None and known.therapy_hazard_ratio:
            quantity = evidence.get(known.therapy_hazard_ratio)
            case.ledger.evidence(path, quantity)
            ratios.append(float(quantity.value or 1.0))
        else:
            ratios.append((given.hazard_ratio or {}).get(therapy.name, 1.0))
            case.ledger.note(path, ratios[-1])
    return tuple(ratios)


def _while_infused(case: Case, name: str, given: schema.Event, known: KnownEvent) -> FloatArray:
    """Return the hazard ratio while infusions go on, by arm."""
    path = ("events", name, "infusion_hazard_ratio")
    ratio = given.infusion_hazard_ratio
    if isinstance(ratio, Mapping):
        case.ledger.note(path, ratio)
        return _frozen([ratio.get(arm, 1.0) for arm in case.arms])
    if ratio is None and known.infusion_hazard_ratio:
        quantity = evidence.get(known.infusion_hazard_ratio)
        case.ledger.evidence(path, quantity, note="in arms with ketamine")
        ratio = float(quantity.value or 1.0)
    else:
        ratio = 1.0 if ratio is None else ratio
        case.ledger.note(path, ratio)
    return _frozen([ratio if case.arm(a).infusion == "ketamine" else 1.0 for a in range(len(case.arms))])


def _effect(case: Case, name: str, given: schema.Event, known: KnownEvent, post_sd: FloatArray) -> FloatArray:
    """Return the points added to scores, shape (S, K)."""
    effect = np.zeros((len(case.strata), len(case.measures)))
    if given.effect is None and known.effect:
        quantity = evidence.get(known.effect)
        benefit = np.array([1.0 if measure.lower_is_better else -1.0 for measure in case.measures])
        case.ledger.evidence(("events", name, "effect"), quantity, note="in standard deviations of every score")
        return _frozen(float(quantity.value or 0.0) * post_sd * benefit)
    for k, outcome in enumerate(case.outcomes):
        points = (given.effect or {}).get(outcome, 0.0)
        check_fits_scale(case, ("events", name, "effect", outcome), outcome, points)
        effect[:, k] = case.by_stratum(points)
        case.ledger.note(("events", name, "effect", outcome), points)
    return _frozen(effect)


def _frozen(values: object) -> FloatArray:
    array = np.array(values, dtype=np.float64) + 0.0
    array.flags.writeable = False
    return array
