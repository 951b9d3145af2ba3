"""Therapy that a patient stops, or infusions that would have made more of it.

What the therapy has brought by the day of stopping stays, and nothing is added. Where sessions bring more within a
window after an infusion, infusions that are not given open none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.infusion_course import linear_progress, progress_in_windows
from trialsim.patients.mechanisms.base import State
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

    def shift(self, state: State, visit: int) -> Array | None:
        """Return what is missing at a visit, shape (R, N, K), points: progress stays at that of the day of stopping."""
        until = state.records.get(THERAPY_UNTIL, np.full(state.shape, np.inf))
        total = None
        for therapy in self._therapies:
            short = _reached(state, therapy, np.minimum(until, state.day(visit))) - therapy.progress[state.arm, visit]
            if not short.any():
                continue
            part = short[..., None] * therapy.effect[state.arm, state.stratum]
            total = part if total is None else total + part
        return total


def _reached(state: State, therapy: Therapy, until: Array) -> Array:
    """Return the share of a therapy's effect that everybody has by a day of their own, shape (R, N)."""
    share = linear_progress(until, therapy.onset_day, therapy.end_day)
    if math.isinf(therapy.synergy_window_days):
        return share * (1.0 + therapy.synergy[state.arm])
    for arm in np.flatnonzero(therapy.synergy):
        inside, days = state.arm == arm, state.variant.infusion_days[arm]
        share[inside] += therapy.synergy[arm] * progress_in_windows(
            until[inside],
            therapy.onset_day,
            therapy.end_day,
            days,
            therapy.synergy_window_days,
            state.received[inside][:, : len(days)],
        )
    return share
