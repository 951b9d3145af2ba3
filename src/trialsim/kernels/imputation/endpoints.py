"""Estimands that need no imputation model: the event made part of the score, or the score taken until the event."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]


def before_event(event: Index, n_visits: int) -> NDArray[np.bool_]:
    """Return which visits come before the event.

    Parameters
    ----------
    event : ndarray of int, shape (R, N)
        First visit touched by the event; V or more where there was none.
    n_visits : int

    Returns
    -------
    ndarray of bool, shape (R, N, V)
    """
    return np.arange(n_visits) < event[..., None]


def composite(y: Array, event: Index, value: Array | float) -> Array:
    """Return scores in which the event counts as an outcome: `value` from the event on.

    Parameters
    ----------
    y : ndarray, shape (R, N, V)
        Scores; NaN where missing. A missing score before the event stays missing.
    event : ndarray of int, shape (R, N)
        First visit touched by the event; V or more where there was none.
    value : ndarray, broadcastable to (R, N, V), or float
        The unfavourable score: the scale's worst, or the participant's baseline as (R, N, 1).
    """
    return np.where(before_event(event, y.shape[2]), y, np.broadcast_to(value, y.shape))


def while_on_treatment(y: Array, event: Index, *, summary: str = "last", first: Array | None = None) -> Array:
    """Return one score a participant, from the visits before the event alone.

    Parameters
    ----------
    y : ndarray, shape (R, N, V)
        Scores; NaN where missing.
    event : ndarray of int, shape (R, N)
        First visit touched by the event; V or more where there was none.
    summary : {'last', 'mean'}
        The last score before the event, or the mean of them.
    first : ndarray, shape (R, N), optional
        What stands for a participant with no score before the event, such as the baseline; NaN by default.

    Returns
    -------
    ndarray, shape (R, N)

    Raises
    ------
    ValueError
        If the summary is neither of the two.
    """
    if summary not in ("last", "mean"):
        raise ValueError(f"the summary while on treatment is 'last' or 'mean', not {summary!r}")
    used = before_event(event, y.shape[2]) & ~np.isnan(y)
    count = used.sum(axis=2)
    if summary == "mean":
        value = np.where(used, y, 0.0).sum(axis=2) / np.maximum(count, 1)
    else:
        last = y.shape[2] - 1 - np.argmax(used[..., ::-1], axis=2)
        value = np.take_along_axis(y, last[..., None], axis=2)[..., 0]
    return np.where(count > 0, value, np.nan if first is None else first)
