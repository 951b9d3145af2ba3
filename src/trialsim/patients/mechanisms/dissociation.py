"""Dissociation: the CADSS of every participant at every infusion received."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.dissociation import draw_dissociation
from trialsim.patients.mechanisms.base import Points, State
from trialsim.scenario.dissociation_margins import fitted
from trialsim.scenario.resolved_masking import Dissociation

Array = NDArray[np.float64]

CADSS = "cadss"
"""Record of the scores, shape (R, N, I), points; NaN at infusions that were not given, or not yet."""


class Dissociating:
    """Keeps how much participants dissociate; it changes no other score.

    Parameters
    ----------
    given : Dissociation
    """

    def __init__(self, given: Dissociation) -> None:
        self._given = given

    def begin(self, state: State) -> None:
        """Draw what every participant would score at each infusion; arms share the normals."""
        given, n_strata = self._given, len(state.variant.strata)
        kind = np.array(given.kind)[state.arm]
        normals = np.stack([state.normal("dissociation", time=f"infusion {i + 1}").T for i in range(given.infusions)])
        group = np.maximum(kind, 0) * n_strata + state.stratum
        self._score = draw_dissociation(fitted(given), normals, group=group)
        self._score[kind < 0] = np.nan
        state.records[CADSS] = np.full_like(self._score, np.nan)

    def shift(self, state: State, visit: int) -> Points:
        """Dissociation moves no score by itself."""
        return {}

    def after(self, state: State, visit: int) -> None:
        """Record the scores at infusions up to the next visit, which comes before an infusion on its day."""
        past = visit + 1 >= len(state.variant.visits_days)
        until = np.inf if past else state.day(visit + 1)
        given = state.received & (state.infusion_day < until)
        state.records[CADSS] = np.where(given, self._score, np.nan)
