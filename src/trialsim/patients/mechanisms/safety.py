"""Adverse events: with each infusion that is given, or at a steady rate. They change nothing else by themselves.

An event that goes with infusions comes with each of them anew, so that a patient's number is binomial given the
infusions; one that comes by day is Poisson. Each infusion and interval has draws of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.counts import poisson_quantile
from trialsim.patients.mechanisms.base import Points, State
from trialsim.patients.score_hazard import few
from trialsim.scenario.resolved_safety import AdverseEvent, Safety

Array = NDArray[np.float64]

ADVERSE_EVENTS = "adverse_events"
"""Record of the adverse events, (R, N, V + 1, E): on day 0, then from each visit to the next, that day included."""


class AdverseEvents:
    """The adverse events of a variant, had nobody left but by death; what stops infusions acts before.

    Parameters
    ----------
    safety : Safety
    """

    def __init__(self, safety: Safety) -> None:
        self._events = safety.adverse_events

    def begin(self, state: State) -> None:
        """Nothing is settled at entry."""

    def shift(self, state: State, visit: int) -> Points:
        """Return nothing: no score changes."""
        return {}

    def after(self, state: State, visit: int) -> None:
        """Draw all of them after the last visit, when it is known which infusions were given."""
        n_visits = state.scores.shape[2]
        if visit < n_visits - 1:
            return
        found = np.zeros((*state.shape, n_visits + 1, len(self._events)))
        days = np.array([0.0, *state.variant.visits_days])
        # The first visit, day 0 counted as one, that comes no earlier than an infusion.
        slots = np.searchsorted(days, state.infusion_day) if state.received.shape[2] else None
        for e, event in enumerate(self._events):
            if slots is not None and event.per_infusion.any():
                _with_infusions(state, event, slots, found[..., e])
            if event.per_day.any():
                _by_day(state, event, found[..., e])
        found[:, :, 1:] *= state.followed[..., None]
        state.records[ADVERSE_EVENTS] = found


def _with_infusions(state: State, event: AdverseEvent, slots: NDArray[np.intp], found: Array) -> None:
    """Add, in place, the events with each infusion given, to the interval (R, N, V + 1) it is in."""
    chance = event.per_infusion.take(state.arm)
    for i in range(state.received.shape[2]):
        has = state.received[..., i] & (state.uniform("adverse_event", event.name, f"infusion {i + 1}") < chance)
        who = few(has & (slots[..., i] < found.shape[2]))
        found[(*who, slots[..., i][who])] += 1.0


def _by_day(state: State, event: AdverseEvent, found: Array) -> None:
    """Add, in place, the events of each interval between visits (R, N, V + 1)."""
    rate = event.per_day.take(state.arm)
    for v in range(found.shape[2] - 1):
        uniform = state.uniform("adverse_event", event.name, f"day {state.day(v):g}")
        found[:, :, v + 1] += poisson_quantile(uniform, rate * (state.day(v) - state.day(v - 1)))
