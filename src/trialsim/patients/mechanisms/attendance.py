r"""Sessions of a therapy that are attended, and what that makes of its effect.

A patient goes to each session with a probability p of their own, beta distributed with mean m, until they stop: at an
exponential time with hazard h from the first session on, or when an event ends their therapy. With A(t) the sessions
attended of those planned before t, as a share, the therapy's effect at t is

.. math:: E\,\pi(t)\,\frac{A(t)}{\bar A(t)}, \qquad \bar A(t) = m\,\frac{1}{n_t} \sum_{t_j < t} e^{-h (t_j - t_1)},

where E π(t) is the effect that the scenario asks for. It is thus that of the average attendance, stopping of that kind
included, as in trials that analyse everybody as randomised; what is added here has mean 0. Events come on top.
Where sessions bring more within a window after an infusion, that part goes by the sessions in such windows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.quantile_table import beta_quantiles
from trialsim.patients.mechanisms.base import Points, State, add
from trialsim.patients.mechanisms.events import THERAPY_UNTIL
from trialsim.patients.mechanisms.therapy import always_gained, effect_of, own_progress
from trialsim.scenario.resolved import Therapy
from trialsim.scenario.resolved_variation import Attendance

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

SESSIONS = "sessions"
"""Record of the sessions attended up to the last visit; 0 for who has no therapy."""


class SessionsAttended:
    """Makes the effect of therapies go by the sessions attended.

    Parameters
    ----------
    therapies : sequence of Therapy
        Those with an attendance.
    """

    def __init__(self, therapies: Sequence[Therapy]) -> None:
        self._therapies = [(therapy, therapy.attendance) for therapy in therapies if therapy.attendance is not None]
        self._came: list[Flags] = []

    def begin(self, state: State) -> None:
        """Draw to which sessions everybody would go, and when they would stop."""
        until = state.records.get(THERAPY_UNTIL, np.full(state.shape, np.inf))
        for therapy, attendance in self._therapies:
            inside = np.isin(state.arm, therapy.arms)
            self._came.append(_willing(state, therapy.name, attendance, inside))
            until = np.where(inside, np.minimum(until, _stopping(state, therapy.name, attendance)), until)
        state.records[THERAPY_UNTIL] = until
        state.records[SESSIONS] = np.zeros(state.shape, dtype=np.intp)

    def shift(self, state: State, visit: int) -> Points:
        """Return what the sessions attended add to or take from the average effect."""
        total = Points()
        for (therapy, attendance), came in zip(self._therapies, self._came, strict=True):
            planned = _planned(attendance, state.day(visit))
            if not planned or not therapy.progress[:, visit].any():
                continue  # nothing is gained yet by anybody, late or not
            share = _attended(state, attendance, came, planned) / planned
            excess = share / average_attendance(attendance, planned) - 1.0
            always = always_gained(state, therapy, visit)[state.arm]
            gained = always * excess
            if not math.isinf(therapy.synergy_window_days):
                gained = gained + _gained_in_windows(state, therapy, attendance, came[..., :planned], visit)
            if state.delivery is not None:
                own = own_progress(state, therapy, visit, stops=False, windows=False)
                gained = gained + (own - always) * (1.0 + excess)
            add(total, effect_of(therapy, state, gained))
        return total

    def after(self, state: State, visit: int) -> None:
        """Let patients stop in the interval up to the next visit; after the last visit, count sessions."""
        last = state.scores.shape[2] - 1
        if visit < last:
            state.in_therapy &= state.records[THERAPY_UNTIL] > state.day(visit + 1)
            return
        for (_, attendance), came in zip(self._therapies, self._came, strict=True):
            state.records[SESSIONS] += _attended(state, attendance, came, _planned(attendance, state.day(last)))


def _gained_in_windows(state: State, therapy: Therapy, attendance: Attendance, came: Flags, visit: int) -> Array:
    """Return what sessions in windows after infusions add to or take from their average gain, shape (R, N)."""
    gained, planned = np.zeros(state.shape), came.shape[2]
    sessions = np.asarray(attendance.session_days[:planned])
    for arm in np.flatnonzero(therapy.synergy):
        inside, infused = state.arm == arm, np.asarray(state.variant.infusion_days[arm])[:, None]
        opened = (infused <= sessions) & (sessions <= infused + therapy.synergy_window_days)
        average = _expected(attendance, planned)[opened.any(axis=0)].sum()
        if average == 0.0:
            continue
        within = state.received[inside][:, : len(infused)].astype(np.intp) @ opened.astype(np.intp) > 0
        going = came[inside] & (sessions < state.records[THERAPY_UNTIL][inside][:, None])
        whole = therapy.progress[arm, visit] - always_gained(state, therapy, visit)[arm]
        gained[inside] = whole * ((going & within).sum(axis=1) / average - 1.0)
    return gained


def average_attendance(attendance: Attendance, planned: int) -> float:
    """Return the mean share attended of the first sessions planned, Ā.

    Parameters
    ----------
    attendance : Attendance
    planned : int
        At least 1.
    """
    return float(_expected(attendance, planned).mean())


def _expected(attendance: Attendance, planned: int) -> Array:
    """Return the mean share who attend each of the first sessions planned, shape (planned,)."""
    elapsed = np.asarray(attendance.session_days[:planned]) - attendance.session_days[0]
    return np.asarray(attendance.mean * np.exp(-attendance.stop_hazard_per_day * elapsed))


def _planned(attendance: Attendance, day: float) -> int:
    """Return how many sessions are planned before a day: a visit on the day of a session comes first."""
    return int(np.searchsorted(attendance.session_days, day, side="left"))


def _attended(state: State, attendance: Attendance, came: Flags, planned: int) -> NDArray[np.intp]:
    """Return how many of the first sessions planned everybody attended, shape (R, N)."""
    until, attended = state.records[THERAPY_UNTIL], np.zeros(state.shape, dtype=np.intp)
    for j, day in enumerate(attendance.session_days[:planned]):
        attended += came[..., j] & (day < until)
    return attended


def _willing(state: State, name: str, attendance: Attendance, inside: Flags) -> Flags:
    """Return which sessions those who have the therapy would go to had they not stopped, shape (R, N, J)."""
    first = attendance.concentration * attendance.mean
    quantiles = beta_quantiles(first, attendance.concentration - first)
    share = np.where(inside, quantiles(state.uniform("attendance", name)), 0.0)
    came = [state.uniform("session", name, f"day {day:g}") < share for day in attendance.session_days]
    return np.moveaxis(np.stack(came), 0, 2)


def _stopping(state: State, name: str, attendance: Attendance) -> Array:
    """Return the day from which everybody would go to no more sessions, shape (R, N); infinite for never."""
    uniform = state.uniform("therapy_stop", name)
    if attendance.stop_hazard_per_day == 0.0:
        return np.full(state.shape, np.inf)
    return np.asarray(attendance.session_days[0] - np.log1p(-uniform) / attendance.stop_hazard_per_day)
