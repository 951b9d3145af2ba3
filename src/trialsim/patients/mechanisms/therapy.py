"""Therapy that a patient stops, or gets late or in part: what it has brought by then stays, and no more is added."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.infusion_course import linear_progress
from trialsim.patients.mechanisms.base import State
from trialsim.patients.mechanisms.events import THERAPY_UNTIL
from trialsim.scenario.resolved import Therapy

Array = NDArray[np.float64]


class TherapyStopped:
    """What sessions that are not attended any more would have added.

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

    def shift(self, state: State, visit: int) -> Array | None:
        """Return what is missing at a visit, shape (R, N, K), points: progress stays at that of the day of stopping."""
        total = None
        for therapy in self._therapies:
            progress = therapy.progress[visit]
            short = own_progress(state, therapy, visit, stops=True) - progress
            if not (short < 0.0).any():
                continue
            part = short[..., None] * therapy.effect[state.arm, state.stratum]
            total = part if total is None else total + part
        return total


def own_progress(state: State, therapy: Therapy, visit: int, *, stops: bool) -> Array:
    """Return how much of a therapy's effect its patients have at a visit, shape (R, N).

    Parameters
    ----------
    state : State
    therapy : Therapy
    visit : int
    stops : bool
        Whether progress ends on the day a patient stops; where sessions are counted it shows in these.

    Notes
    -----
    A therapy that begins d days late has on day t what it would have had on day t - d, times the share of its sessions
    that are held.
    """
    progress: Array = np.full(state.shape, therapy.progress[visit])
    until = state.records.get(THERAPY_UNTIL) if stops else None
    if until is not None:
        progress = np.minimum(linear_progress(until, therapy.onset_day, therapy.end_day), progress)
    if state.delivery is None:
        return progress
    delay, held = state.delivery.therapy_delay_days, state.delivery.sessions_held
    day = np.full(state.shape, state.day(visit)) if until is None else np.minimum(until, state.day(visit))
    late = linear_progress(np.where(np.isinf(delay), -np.inf, day - delay), therapy.onset_day, therapy.end_day)
    return np.where((delay == 0.0) & (held == 1.0), progress, held * late)
