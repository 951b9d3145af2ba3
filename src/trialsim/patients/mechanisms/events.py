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

from trialsim.patients.dropout import worse_by
from trialsim.patients.mechanisms.base import State
from trialsim.scenario.known_events import RESPONSE
from trialsim.scenario.resolved_events import Event

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

THERAPY_UNTIL = "therapy_until_day"
"""Record of the day on which a participant stopped the therapy; infinite for who did not."""

_TOLERANCE = 1e-9
"""Of a comparison of scores, in points."""

_ROUNDING = 1.0 + 1e-9
"""Room for rounding in a bound."""


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

    def shift(self, state: State, visit: int) -> Array | None:
        """Return what events that have happened add at a visit, shape (R, N, K), points."""
        day, total = state.day(visit), None
        for event in self._events:
            if not event.effect.any():
                continue
            when = state.event_day[event.name]
            past = when <= (day if event.depends_on == "last" else state.day(visit - 1))
            if not past.any():
                continue
            if total is None:
                total = np.zeros_like(state.baseline)
            # Few have had an event: they alone are added to.
            lasts = np.inf if event.lasts_days is None else event.lasts_days
            lasting = (day <= when[past] + lasts)[:, None]
            total[past] += lasting * event.effect[state.stratum[past]]
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
            when = state.event_day[event.name]
            state.event_day[event.name] = np.minimum(when, self._draw(state, event, visit))
        self._cancel_after_the_end(state)
        for event in events:
            self._act(state, event, visit)

    def _draw(self, state: State, event: Event, visit: int) -> Array:
        """Return the day of an event in the interval before a visit, shape (R, N); infinite for none."""
        start, end = state.day(visit - 1), state.day(visit)
        uniform = state.uniform("event", event.name, f"day {end:g}")
        begin = np.full(state.shape, max(start, event.from_day))
        if event.only_after == RESPONSE:
            begin = np.maximum(begin, self._responded[_response_of(event)])
        elif event.only_after:
            begin = np.maximum(begin, state.event_day.get(event.only_after, np.full(state.shape, np.inf)))
        stop = end if event.until_day is None else min(end, event.until_day)
        found = np.full(state.shape, np.inf)
        risk = (begin < stop) & np.isinf(state.event_day[event.name]) & (_ended(self._events, state) >= start)
        if not risk.any():
            return found
        drawn, since = -np.log1p(-uniform[risk]), begin[risk]
        ratio = np.broadcast_to(_score_ratio(state, event, visit, risk), since.shape)
        # Events are rare: whose hazard is too small, at its largest, need not be looked at closely.
        near = drawn <= _largest_hazard(event, state, risk) * ratio * (stop - since) * _ROUNDING
        risk[risk] = near
        found[risk] = first_time(drawn[near], since[near], stop, ratio[near], factors(state, event, risk))
        return found

    def _cancel_after_the_end(self, state: State) -> None:
        """Take away what would have happened after the follow-up ended."""
        ended = _ended(self._events, state)
        if np.isinf(ended).all():
            return
        for event in self._events:
            when = state.event_day[event.name]
            state.event_day[event.name] = np.where(when > ended, np.inf, when)

    def _act(self, state: State, event: Event, visit: int) -> None:
        when = state.event_day[event.name]
        new = (when > state.day(visit - 1)) & (when <= state.day(visit))
        if not new.any():
            return
        if event.stops_infusions and state.received.shape[2]:
            state.received &= ~(new[..., None] & (infusion_days(state) > when[..., None]))
        if event.stops_therapy:
            state.in_therapy &= ~new
            state.records[THERAPY_UNTIL] = np.minimum(state.records[THERAPY_UNTIL], np.where(new, when, np.inf))
        if event.ends_follow_up:
            state.followed &= ~(when[..., None] <= np.asarray(state.variant.visits_days))

    def _note_response(self, state: State, visit: int) -> None:
        """Keep the day of the first response of every kind that an event waits for."""
        if visit < 0:
            return
        for one, day in self._responded.items():
            k = one.outcome
            met = _gain(state, visit)[..., k] >= one.improvement * np.abs(state.baseline[..., k]) - _TOLERANCE
            if one.seen and state.seen.missed is not None:
                met &= ~state.seen.missed
            day[met & np.isinf(day)] = state.day(visit)


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


def _largest_hazard(event: Event, state: State, risk: Flags) -> Array:
    """Return what no hazard of an event exceeds, but for the score, shape (n,), a day."""
    therapies = np.maximum(event.therapy_hazard_ratio, 1.0).prod()
    by_arm = event.per_day.max(axis=2) * np.maximum(event.infusion_hazard_ratio, 1.0)[:, None] * therapies
    return np.asarray(by_arm[state.arm[risk], state.stratum[risk]])


def factors(state: State, event: Event, risk: Flags) -> list[Factor]:
    """Return what the hazard of an event is made of, but for the score: its pieces, then therapies and infusions.

    Parameters
    ----------
    state : State
    event : Event
    risk : ndarray of bool, shape (R, N)
        Whose hazard is wanted, n of them.
    """
    arm, stratum = state.arm[risk], state.stratum[risk]
    ends = (*event.hazard_until[:-1], np.inf)
    starts = (-np.inf, *event.hazard_until[:-1])
    found = [
        Factor(np.array(start), np.array(end), event.per_day[arm, stratum, i])
        for i, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    for therapy, ratio in zip(state.variant.therapies, event.therapy_hazard_ratio, strict=True):
        if ratio != 1.0:
            until = state.records[THERAPY_UNTIL][risk] if THERAPY_UNTIL in state.records else np.array(np.inf)
            found.append(Factor(np.array(therapy.start_day), until, np.where(np.isin(arm, therapy.arms), ratio, 1.0)))
    if (event.infusion_hazard_ratio != 1.0).any() and state.received.shape[2]:
        last = np.where(state.received[risk], infusion_days(state)[risk], -np.inf).max(axis=1)
        found.append(Factor(np.array(-np.inf), last, event.infusion_hazard_ratio[arm]))
    return found


def infusion_days(state: State) -> Array:
    """Return the days of each participant's infusions, shape (R, N, I): those planned unless known to be others.

    Infinite where an arm has fewer, and where one was not given.
    """
    return planned_days(state)[state.arm] if state.delivery is None else state.delivery.infusion_day


def planned_days(state: State) -> Array:
    """Return the days of the planned infusions of every arm, shape (A, I); infinite where an arm has fewer."""
    planned = state.variant.infusion_days
    days = np.full((len(planned), state.received.shape[2]), np.inf)
    for arm, own in enumerate(planned):
        days[arm, : len(own)] = own
    return days


def _response_of(event: Event) -> _Response:
    return _Response(event.outcome, event.response, event.depends_on == "last")


def _score_ratio(state: State, event: Event, visit: int, risk: Flags) -> Array:
    """Return what the score that drives an event makes of its hazard in the interval before a visit, shape (n,)."""
    if event.score_hazard_ratio_per_sd == 1.0:
        return np.ones(())
    if event.depends_on == "last":
        z = state.seen.worse(event.outcome)[risk]
    else:
        z = worse_by(state.model, state.scores[:, :, visit, event.outcome][risk], event.outcome, visit)
    return np.asarray(event.score_hazard_ratio_per_sd**z)


def _gain(state: State, visit: int) -> Array:
    """Return the improvement of every score since baseline, shape (R, N, K), points; negative where it is worse."""
    better = np.where(np.array(state.variant.lower_is_better), 1.0, -1.0)
    return np.asarray(better * (state.baseline - state.scores[:, :, visit]))


def _ended(events: Sequence[Event], state: State) -> Array:
    """Return the day on which follow-up ended, shape (R, N); infinite where it did not."""
    ended = np.full(state.shape, np.inf)
    for event in events:
        if event.ends_follow_up:
            ended = np.minimum(ended, state.event_day[event.name])
    return ended
