"""Visits: on which day they take place, within their window and the raters' time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.operations.diary import Diary, Due, OpenDays
from trialsim.scenario.resolved_operations import VisitWindow

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """The visits of a block.

    Parameters
    ----------
    day, late_days : ndarray, shape (R, N, V)
        Calendar day and days after the planned one; NaN where the visit was not held.
    missed : ndarray of bool, shape (R, N, V)
        Not held although the participant was there.
    """

    day: Array
    late_days: Array
    missed: Flags


def hold_visits(
    window: VisitWindow, visits_days: Sequence[float], first_weekday: int, start: Array, left: Array
) -> Visits:
    """Return when visits are held.

    Parameters
    ----------
    window : VisitWindow
    visits_days : sequence of float
        Days from the start.
    first_weekday : int
    start, left : ndarray, shape (R, N), calendar days
        Infinite for never.
    """
    days = OpenDays(window.weekdays, first_weekday, early_days=window.early_days)
    started = np.isfinite(start)
    target = np.where(started, start, 0.0)[..., None] + np.floor(visits_days)
    last = int(target.max(initial=0.0))
    due = np.array([days.planned(day) for day in range(last + 1)], dtype=np.float64)[target.astype(np.intp)]
    # Who gives up on a day is not seen on it.
    held = started[..., None] & (due < left[..., None]) & (due <= target + window.late_days)
    day = np.where(held, due, np.nan)
    if window.raters is not None:
        capacity = window.raters * window.ratings_per_day
        for r in range(len(day)):
            if held[r].any() and np.bincount(due[r][held[r]].astype(np.intp)).max() > capacity:
                day[r] = _rate(window, days, capacity, target[r], due[r], held[r], left[r])
    missed = started[..., None] & (target < left[..., None]) & np.isnan(day)
    return Visits(day, day - target, missed)


def _rate(
    window: VisitWindow, days: OpenDays, capacity: int, target: Array, due: Array, held: Flags, left: Array
) -> Array:
    """Return the days on which the visits of one replicate are rated, shape (N, V), where there are too few raters.

    First those planned for earlier days; who finds no rater is seen on the next open day, within the window.
    """
    from simpy import Environment

    environment = Environment()
    day_held = np.full(target.shape, np.nan)

    def rate(day: int, waiting: list[Due]) -> None:
        there = [one for one in waiting if left[one[1]] > day]
        for _, one, visit in there[:capacity]:
            day_held[one, visit] = day
        following = days.on_or_after(day + 1)
        again = [one for one in there[capacity:] if following <= one[0] + window.late_days]
        if again:
            diary.open(following).extend(again)

    diary = Diary(environment, rate)
    for one, visit in np.argwhere(held):
        diary.open(int(due[one, visit])).append((int(target[one, visit]), int(one), int(visit)))
    environment.process(diary.run())
    environment.run()
    return day_held
