r"""Events after randomisation: when they happen, and what they do to the scores that follow.

Between two visits an event comes at time :math:`t` with hazard

.. math:: \lambda(t)\;\mathrm{HR}_{score}^{z}\;\prod_j \mathrm{HR}_j(t),

:math:`\lambda` that of the arm and stratum, z the score that drives it, in standard deviations worse than the average
at its visit, and :math:`\mathrm{HR}_j` those of therapies and of infusions while they go on. All are constant in
pieces, so that the time is the inverse of the cumulative hazard at :math:`-\log(1 - u)`, u one uniform number of the
participant, the event and the interval.

An event that depends on the last score seen is drawn before the next visit, and does its work from that visit on; after
a missed visit z is that of the score before it, and a response counts from the first visit at which it is seen. One
that depends on the score about to be seen is drawn with that score, seen or not, and works from the visit after; a
response then counts whether or not it is seen. What an event takes back of a gain is in `mechanisms.relapse`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.mechanisms.base import Points, State
from trialsim.patients.score_hazard import Few, ScoreRatio, few, not_spared, worse_by
from trialsim.scenario.known_events import RESPONSE
from trialsim.scenario.resolved_events import Event

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

THERAPY_UNTIL = "therapy_until_day"
"""Record of the day on which a participant stopped the therapy; infinite for who did not."""

_TOLERANCE = 1e-9
"""Of a comparison of scores, in points."""


class Factor(NamedTuple):
    """A hazard ratio that holds for a time.

    Attributes
    ----------
    begin, end : ndarray, broadcastable to (n,), days
    ratio : ndarray, shape (n,)
    """

    begin: Array
    end: Array
    ratio: Array


class _Response(NamedTuple):
    """An outcome, the share of its baseline score that is a response, and whether it counts only where it is seen."""

    outcome: int
    improvement: float
    seen: bool


class Events:
    """The events of a variant.

    Parameters
    ----------
    events : sequence of Event
        Each after what it waits for.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = tuple(events)
        self._responded: dict[_Response, Array] = {}

    def begin(self, state: State) -> None:
        """Start with nothing having happened."""
        for event in self._events:
            state.event_day[event.name] = np.full(state.shape, np.inf)
        if any(event.stops_therapy for event in self._events):
            state.records[THERAPY_UNTIL] = np.full(state.shape, np.inf)
        waiting = [event for event in self._events if event.only_after == RESPONSE]
        self._responded = {_response_of(event): np.full(state.shape, np.inf) for event in waiting}

    def shift(self, state: State, visit: int) -> Points:
        """Return what events that have happened add at a visit."""
        day, total = state.day(visit), Points()
        for event in self._events:
            if not event.effect.any():
                continue
            when = state.event_day[event.name]
            # Few have had an event: they alone are added to.
            past = few(when <= (day if event.depends_on == "last" else state.day(visit - 1)))
            lasts = np.inf if event.lasts_days is None else event.lasts_days
            lasting = day <= when[past] + lasts
            for k in state.made:
                if len(lasting) and event.effect[:, k].any():
                    if k not in total:
                        total[k] = np.zeros(state.shape)
                    total[k][past] += lasting * event.effect[state.stratum[past], k]
        return total

    def after(self, state: State, visit: int) -> None:
        """Draw what happens around a visit: by its scores before it, then by them up to the next."""
        last = state.scores.shape[2] - 1
        self._note_response(state, visit)
        if visit >= 0:
            self._happen(state, [event for event in self._events if event.depends_on == "current"], visit)
        if visit < last:
            self._happen(state, [event for event in self._events if event.depends_on == "last"], visit + 1)

    def _happen(self, state: State, events: Sequence[Event], visit: int) -> None:
        """Let events happen in the interval before a visit."""
        if not events:
            return
        for event in events:
            self._draw(state, event, visit)
        self._cancel_after_the_end(state)
        for event in events:
            self._act(state, event, visit)

    def _draw(self, state: State, event: Event, visit: int) -> None:
        """Note on which day an event happens in the interval before a visit, if it does."""
        start, end = state.day(visit - 1), state.day(visit)
        begin, stop = max(start, event.from_day), end if event.until_day is None else min(end, event.until_day)
        if begin >= stop:
            return
        by_score = _by_score(state, event, visit)
        when = state.event_day[event.name]
        # Events are rare: who is spared even under the largest hazard of all need not be looked at.
        most = _by_arm_and_stratum(event).max() * by_score.largest * (stop - begin)
        uniform = state.uniform("event", event.name, f"day {end:g}")
        who = not_spared(uniform, most)
        since = np.maximum(begin, self._waits_until(state, event)[who])
        at_risk = (since < stop) & np.isinf(when[who]) & (_ended(self._events, state, who) >= start)
        who, since = (who[0][at_risk], who[1][at_risk]), since[at_risk]
        drawn, ratio = -np.log1p(-uniform[who]), np.broadcast_to(by_score.of(who), since.shape)
        when[who] = first_time(drawn, since, stop, ratio, factors(state, event, self._events, who))

    def _waits_until(self, state: State, event: Event) -> Array:
        """Return from which day on an event can happen for what it waits for, broadcastable to (R, N)."""
        if event.only_after == RESPONSE:
            return self._responded[_response_of(event)]
        if event.only_after:
            return state.event_day.get(event.only_after, np.full(state.shape, np.inf))
        return np.broadcast_to(-np.inf, state.shape)

    def _cancel_after_the_end(self, state: State) -> None:
        """Take away what would have happened after the follow-up ended."""
        ending = [np.isfinite(state.event_day[event.name]) for event in self._events if event.ends_follow_up]
        if not ending:
            return
        who = few(np.logical_or.reduce(ending))
        ended = _ended(self._events, state, who)
        for event in self._events:
            when = state.event_day[event.name]
            when[who] = np.where(when[who] > ended, np.inf, when[who])

    def _act(self, state: State, event: Event, visit: int) -> None:
        when = state.event_day[event.name]
        who = few((when > state.day(visit - 1)) & (when <= state.day(visit)))
        own = when[who]
        if event.stops_infusions:
            state.received[who] &= state.infusion_day[who] <= own[:, None]
        if event.stops_therapy:
            state.in_therapy[who] = False
            until = state.records[THERAPY_UNTIL]
            until[who] = np.minimum(until[who], own)
        if event.ends_follow_up:
            state.followed[who] &= own[:, None] > np.asarray(state.variant.visits_days)

    def _note_response(self, state: State, visit: int) -> None:
        """Keep the day of the first response of every kind that an event waits for."""
        if visit < 0:
            return
        for one, day in self._responded.items():
            first, now = state.baseline[..., one.outcome], state.scores[:, :, visit, one.outcome]
            gain = first - now if state.variant.lower_is_better[one.outcome] else now - first
            met = (gain >= one.improvement * np.abs(first) - _TOLERANCE) & np.isinf(day)
            if one.seen and state.seen.missed is not None:
                met &= ~state.seen.missed
            np.copyto(day, state.day(visit), where=met)


def first_time(drawn: Array, begin: Array, stop: float, ratio: Array, pieces: Sequence[Factor]) -> Array:
    """Return when a cumulative hazard reaches what was drawn, shape (n,), days; infinite where it does not.

    Parameters
    ----------
    drawn : ndarray, shape (n,)
        Exponentially distributed with mean 1.
    begin : ndarray, shape (n,), days
        Before `stop`.
    stop : float
        Last day.
    ratio : ndarray, broadcastable to (n,)
        Hazard ratio that holds throughout.
    pieces : sequence of Factor
        What multiplies a hazard of 1 a day, each for a time.
    """
    edges = [edge for one in pieces for edge in (one.begin, one.end) if ((begin < edge) & (edge < stop)).any()]
    inside = [np.broadcast_to(np.clip(edge, begin, stop), begin.shape) for edge in edges]
    bounds = np.sort(np.stack([begin, *inside, np.full_like(begin, stop)]), axis=0)
    found, left = np.full(begin.shape, np.inf), drawn
    for from_day, to_day in pairwise(bounds):
        rate = np.broadcast_to(ratio, begin.shape)
        for one in pieces:
            rate = np.where((one.begin <= from_day) & (from_day < one.end), one.ratio, 1.0) * rate
        total = rate * (to_day - from_day)
        hit = np.isinf(found) & (left < total)
        found[hit] = np.minimum(from_day[hit] + left[hit] / rate[hit], to_day[hit])
        left = left - total
    return found


def _by_score(state: State, event: Event, visit: int) -> ScoreRatio:
    """Return what the score that drives an event makes of its hazard in the interval before a visit."""
    if event.depends_on == "last" or event.score_hazard_ratio_per_sd == 1.0:
        return state.seen.ratio_of_event(event)
    scores = state.scores[:, :, visit, event.outcome]
    return ScoreRatio(event.score_hazard_ratio_per_sd, worse_by(state.model, scores, event.outcome, visit))


def _by_arm_and_stratum(event: Event) -> Array:
    """Return what no hazard of an event exceeds, but for the score, shape (A, S), a day."""
    therapies = np.maximum(event.therapy_hazard_ratio, 1.0).prod()
    return np.asarray(event.per_day.max(axis=2) * np.maximum(event.infusion_hazard_ratio, 1.0)[:, None] * therapies)


def factors(state: State, event: Event, happening: Sequence[Event], who: Few) -> list[Factor]:
    """Return what the hazard of an event is made of, but for the score: its pieces, then therapies and infusions.

    Parameters
    ----------
    state : State
    event : Event
    happening : sequence of Event
        All that can happen; those that stop infusions or a therapy are drawn before others and act after them.
    who : tuple of ndarray of int, shape (n,)
        Whose hazard is wanted.
    """
    arm, stratum = state.arm[who], state.stratum[who]
    ends = (*event.hazard_until[:-1], np.inf)
    starts = (-np.inf, *event.hazard_until[:-1])
    found = [
        Factor(np.array(start), np.array(end), event.per_day[arm, stratum, i])
        for i, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    for therapy, ratio in zip(state.variant.therapies, event.therapy_hazard_ratio, strict=True):
        if ratio != 1.0:
            until = _first_of(state, [one for one in happening if one.stops_therapy], who)
            if THERAPY_UNTIL in state.records:
                until = np.minimum(until, state.records[THERAPY_UNTIL][who])
            found.append(Factor(np.array(therapy.start_day), until, np.where(np.isin(arm, therapy.arms), ratio, 1.0)))
    if (event.infusion_hazard_ratio != 1.0).any() and state.received.shape[2]:
        last = np.where(state.received[who], state.infusion_day[who], -np.inf).max(axis=1)
        last = np.minimum(last, _first_of(state, [one for one in happening if one.stops_infusions], who))
        found.append(Factor(np.array(-np.inf), last, event.infusion_hazard_ratio[arm]))
    return found


def _response_of(event: Event) -> _Response:
    return _Response(event.outcome, event.response, event.depends_on == "last")


def _ended(events: Sequence[Event], state: State, who: Few) -> Array:
    """Return the day on which the follow-up of some participants ended, shape (n,); infinite where it did not."""
    return _first_of(state, [event for event in events if event.ends_follow_up], who)


def _first_of(state: State, events: Sequence[Event], who: Few) -> Array:
    """Return the day of the first of some events for some participants, shape (n,); infinite where there was none."""
    first = np.full(who[0].shape, np.inf)
    for event in events:
        first = np.minimum(first, state.event_day[event.name][who])
    return first
