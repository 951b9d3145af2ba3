"""Therapy that a patient stops, or gets late or in part, or infusions that would have made more of it.

What the therapy has brought by the day of stopping stays, and nothing is added. Where sessions bring more within a
window after an infusion, infusions that are not given open none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.infusion_course import linear_progress, progress_in_windows
from trialsim.patients.mechanisms.base import Points, State, add
from trialsim.patients.mechanisms.events import THERAPY_UNTIL
from trialsim.scenario.resolved import Therapy

Array = NDArray[np.float64]


class TherapyStopped:
    """What sessions that are not attended any more, and windows that do not open, would have added.

    Parameters
    ----------
    therapies : sequence of Therapy
    """

    def __init__(self, therapies: Sequence[Therapy]) -> None:
        self._therapies = tuple(therapies)

    def begin(self, state: State) -> None:
        """Nothing is settled at entry."""

    def after(self, state: State, visit: int) -> None:
        """Nothing follows of itself."""

    def shift(self, state: State, visit: int) -> Points:
        """Return what is missing at a visit: progress stays at that of the day of stopping."""
        total = Points()
        for therapy in self._therapies:
            short = own_progress(state, therapy, visit, stops=True) - therapy.progress[state.arm, visit]
            if short.any():
                add(total, effect_of(therapy, state, short))
        return total


def effect_of(therapy: Therapy, state: State, share: Array) -> Points:
    """Return what shares of a therapy's whole effect, shape (R, N), are worth."""
    effects = {k: therapy.effect[..., k] for k in state.made}
    return {k: share * state.by_cell(effect) for k, effect in effects.items() if effect.any()}


def own_progress(state: State, therapy: Therapy, visit: int, *, stops: bool, windows: bool = True) -> Array:
    """Return how much of a therapy's effect everybody has at a visit, shape (R, N).

    Parameters
    ----------
    state : State
    therapy : Therapy
    visit : int
    stops : bool
        Whether progress ends on the day a patient stops; where sessions are counted it shows in these.
    windows : bool
        Whether what sessions bring more within a window after an infusion is part of it.

    Notes
    -----
    A therapy that begins d days late has on day t what it would have had on day t - d, times the share of its sessions
    that are held.
    """
    until = state.records.get(THERAPY_UNTIL) if stops else None
    day = np.full(state.shape, state.day(visit)) if until is None else np.minimum(until, state.day(visit))
    on_time = _reached(state, therapy, day, np.zeros(state.shape), windows=windows)
    if state.delivery is None:
        return on_time
    delay, held = state.delivery.therapy_delay_days, state.delivery.sessions_held
    late = _reached(state, therapy, np.where(np.isinf(delay), -np.inf, day - delay), delay, windows=windows)
    return np.where((delay == 0.0) & (held == 1.0), on_time, held * late)


def always_gained(state: State, therapy: Therapy, visit: int) -> Array:
    """Return the share of a therapy's effect at a visit that does not hang on the days of infusions, shape (A,)."""
    if math.isinf(therapy.synergy_window_days):
        return therapy.progress[:, visit]
    plain = linear_progress([state.day(visit)], therapy.onset_day, therapy.end_day)
    return np.repeat(plain, len(therapy.synergy))


def _reached(state: State, therapy: Therapy, until: Array, delay: Array, *, windows: bool) -> Array:
    """Return the share of a therapy's effect by a day of everybody's own, counted as the therapy's days, (R, N)."""
    share = linear_progress(until, therapy.onset_day, therapy.end_day)
    if math.isinf(therapy.synergy_window_days):
        return np.asarray(share * (1.0 + therapy.synergy[state.arm]))
    if not windows:
        return share
    begins = np.isfinite(delay)
    days = state.infusion_day - np.where(begins, delay, 0.0)[..., None]
    given = state.received & begins[..., None] & np.isfinite(days)
    for arm in np.flatnonzero(therapy.synergy):
        inside = state.arm == arm
        share[inside] += therapy.synergy[arm] * progress_in_windows(
            until[inside],
            therapy.onset_day,
            therapy.end_day,
            days[inside],
            therapy.synergy_window_days,
            given[inside],
        )
    return share
