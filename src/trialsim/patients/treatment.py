"""Which infusions a patient was given, once it is known what happened and who left."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.mechanisms.base import State

Flags = NDArray[np.bool_]
Index = NDArray[np.intp]


def infusions_given(state: State, present: Flags) -> Index:
    """Return how many infusions each participant was given, shape (R, N).

    Parameters
    ----------
    state : State
        At the end of the trial: what was prevented is known.
    present : ndarray of bool, shape (R, N, V)
        Who is seen at each visit. Infusions go on up to the last visit seen, that day included; who starts and is never
        seen again has those of day 0, who does not start has none.
    """
    days = np.array([0.0, *state.variant.visits_days])
    last = np.where(present, np.arange(1, present.shape[2] + 1), 0).max(axis=2)
    stays = last == present.shape[2]
    until = np.where(stays, np.inf, days[last])
    there = state.received & (state.infusion_day <= until[..., None])
    return np.where(started(state), there.sum(axis=2), 0)


def started(state: State) -> Flags:
    """Return who starts treatment, shape (R, N)."""
    dropout = state.variant.dropout
    if dropout is None:
        return np.ones(state.shape, dtype=bool)
    return np.asarray(dropout.never_starts <= state.uniform("never_starts"))
