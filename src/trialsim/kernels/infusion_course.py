r"""How the effect of infusions builds up and fades.

An infusion at :math:`t_i` adds a share g of what is still to be gained, :math:`a_i = g\,(1 - x(t_i))`. What it added
rises linearly over the onset :math:`\tau` and halves every h days:

.. math:: x(t) = \sum_{t_i < t} a_i \min\!\left(1, \frac{t - t_i}{\tau}\right) 2^{-(t - t_i)/h}.

One infusion alone gives g at most; many close together approach 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_NEVER = 1e9
"""Stands for the day of an infusion that was not given, in differences of days."""


def infusion_level(
    days: Sequence[float] | Array,
    infusion_days: Sequence[float] | Array,
    *,
    gain: float,
    half_life_days: float,
    onset_days: float,
    given: Flags | None = None,
) -> Array:
    """Return the level x of the infusions' effect on given days.

    Parameters
    ----------
    days : sequence of float, length V
        A day on which an infusion is given comes before it.
    infusion_days : sequence of float, length I
        Rising.
    gain : float
        Above 0, at most 1.
    half_life_days : float
        Above 0; infinite where nothing fades.
    onset_days : float
        At least 0.
    given : ndarray of bool, shape (..., I), optional
        Which infusions were given; all by default.

    Returns
    -------
    ndarray, shape (..., V)
        Between 0 and 1.
    """
    when = np.asarray(days, dtype=np.float64)
    doses = np.asarray(infusion_days, dtype=np.float64)
    received = np.ones(len(doses), dtype=bool) if given is None else given
    added = np.zeros((*received.shape[:-1], len(doses)))
    for i, day in enumerate(doses):
        left = 1.0 - _sum(added[..., :i], day - doses[:i], half_life_days, onset_days)
        added[..., i] = np.where(received[..., i], gain * left, 0.0)
    level = [_sum(added, day - doses, half_life_days, onset_days) for day in when]
    return np.stack(level, axis=-1) if level else np.zeros((*received.shape[:-1], 0))


def own_infusion_level(
    day: float, infusion_days: Array, *, gain: float, half_life_days: float, onset_days: float
) -> Array:
    """Return the level x on a day for people who were given infusions on days of their own.

    Parameters
    ----------
    day : float
        An infusion on this day comes after it.
    infusion_days : ndarray, shape (n, I)
        In any order; infinite for an infusion that was not given.
    gain, half_life_days, onset_days : float
        As of `infusion_level`.

    Returns
    -------
    ndarray, shape (n,)
        Between 0 and 1.
    """
    doses = np.sort(infusion_days, axis=1)
    given = np.isfinite(doses)
    doses = np.where(given, doses, _NEVER)
    added = np.zeros(doses.shape)
    for i in range(doses.shape[1]):
        before = _share(doses[:, i : i + 1] - doses[:, :i], half_life_days, onset_days)
        added[:, i] = np.where(given[:, i], gain * (1.0 - (added[:, :i] * before).sum(axis=1)), 0.0)
    return np.asarray((added * _share(day - doses, half_life_days, onset_days)).sum(axis=1))


def _sum(added: Array, elapsed: Array, half_life: float, onset: float) -> Array:
    """Return what infusions add up to after so many days each; those still to come add nothing."""
    return np.asarray(added @ _share(elapsed, half_life, onset))


def _share(elapsed: Array, half_life: float, onset: float) -> Array:
    """Return the share of what an infusion added that is there after so many days; 0 before it."""
    risen = np.where(elapsed > 0, 1.0 if onset == 0 else np.clip(elapsed / max(onset, 1e-300), 0.0, 1.0), 0.0)
    faded = np.exp2(-np.maximum(elapsed, 0.0) / half_life)
    return np.asarray(risen * faded)


def approach(days: Sequence[float] | Array, half_time_days: float) -> Array:
    """Return the share of a change reached by given days when half of what is left comes in each half-time, (V,)."""
    return np.asarray(-np.expm1(-np.log(2.0) * np.asarray(days, dtype=np.float64) / half_time_days))


def linear_progress(days: Sequence[float] | Array, start_day: float, end_day: float) -> Array:
    """Return the share of a change that is linear between two days, 0 before and 1 after, (V,)."""
    return np.clip((np.asarray(days, dtype=np.float64) - start_day) / (end_day - start_day), 0.0, 1.0)


def progress_in_windows(
    until: Sequence[float] | Array,
    start_day: float,
    end_day: float,
    infusion_days: Sequence[float] | Array,
    window_days: float,
    given: Flags | None = None,
) -> Array:
    """Return the share of a linear change that is made within so many days after an infusion.

    Parameters
    ----------
    until : sequence of float, shape (...)
        What is made by this day is counted.
    start_day, end_day : float
        Of the linear change.
    infusion_days : sequence of float, length I, or ndarray, shape (..., I)
        Rising, of those given; windows that overlap count once.
    window_days : float
        Above 0; infinite where a window never closes.
    given : ndarray of bool, shape (..., I), optional
        Which infusions were given; all by default.

    Returns
    -------
    ndarray, shape (...)
        Between 0 and `linear_progress`.
    """
    last, infusions = np.asarray(until, dtype=np.float64), np.asarray(infusion_days, dtype=np.float64)
    total, following = np.zeros(last.shape), np.full(last.shape, np.inf)
    for i in range(infusions.shape[-1] - 1, -1, -1):
        opens = infusions[..., i]
        closes = np.minimum(opens + window_days, following)
        made, before = (linear_progress(np.minimum(day, last), start_day, end_day) for day in (closes, opens))
        received = np.ones(last.shape, dtype=bool) if given is None else given[..., i]
        total = total + np.where(received, made - before, 0.0)
        following = np.where(received, opens, following)
    return total
