"""Which infusions a patient was given, once it is known what happened and who left."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.mechanisms.base import State

Flags = NDArray[np.bool_]
Index = NDArray[np.intp]


def infusions_given(state: State, left: Index) -> Index:
    """Return how many infusions each participant was given, shape (R, N).

    Parameters
    ----------
    state : State
        At the end of the trial: what was prevented is known.
    left : ndarray of int, shape (R, N)
        First visit by which a participant has left; V for none. Infusions go on up to the last visit before it, that
        day included, seen or missed; who starts and is gone by the first has those of day 0, who does not start none.
    """
    days = np.array([0.0, *state.variant.visits_days])
    until = np.where(left == len(days) - 1, np.inf, days[left])
    there = state.received & (state.infusion_day <= until[..., None])
    return np.where(started(state), there.sum(axis=2), 0)


def started(state: State) -> Flags:
    """Return who starts treatment, shape (R, N)."""
    dropout = state.variant.dropout
    if dropout is None:
        return np.ones(state.shape, dtype=bool)
    return np.asarray(dropout.never_starts <= state.uniform("never_starts"))
