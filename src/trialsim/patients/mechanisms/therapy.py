"""Therapy that a patient stops: what it has brought by then stays, and nothing is added."""

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
        until = state.records[THERAPY_UNTIL]
        total = None
        for therapy in self._therapies:
            progress = therapy.progress[visit]
            reached = linear_progress(until, therapy.onset_day, therapy.end_day)
            short = np.minimum(reached, progress) - progress
            if not (short < 0.0).any():
                continue
            part = short[..., None] * therapy.effect[state.arm, state.stratum]
            total = part if total is None else total + part
        return total
