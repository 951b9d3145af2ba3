"""The calendar of a trial: who has come, who is in it and what is known of them at any day.

Days are calendar days, counted from day 0 of the trial; what happens on a day has happened by it. Interim looks by
date or by information start here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsim.operations.outcome import Enrolment, Outcome

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

PIPELINE = ("waiting", "in_trial", "finished", "left")
"""Where everybody randomised is at a day: before the start, after it, beyond the last visit, or gone."""


def counted_by(times: Array, days: ArrayLike) -> Index:
    """Return how many have happened by each day, shape (R, T).

    Parameters
    ----------
    times : ndarray, shape (R, ...)
        NaN and infinite for never.
    days : array_like, shape (T,)
    """
    flat = times.reshape(len(times), -1)
    return np.stack([(flat <= day).sum(axis=1) for day in np.asarray(days, dtype=np.float64)], axis=1)


def enrolled(enrolment: Enrolment, days: ArrayLike) -> Index:
    """Return how many have been randomised by each day, shape (R, T)."""
    return counted_by(enrolment.day, days)


def sites_open(enrolment: Enrolment, days: ArrayLike) -> Index:
    """Return how many sites have opened by each day, shape (R, T)."""
    return counted_by(enrolment.site_opened_day, days)


def seen_by(outcome: Outcome, visit: int, day: ArrayLike) -> Flags:
    """Return whose score at a visit is known by a day, shape (R, N).

    Dropout that follows from scores comes on top: it is not known to the clinics.

    Parameters
    ----------
    outcome : Outcome
    visit : int
        Index of the visit.
    day : float or array_like, shape (R,)
    """
    limit = np.broadcast_to(np.asarray(day, dtype=np.float64), (len(outcome.visit_day),))
    return np.asarray(outcome.visit_day[:, :, visit] <= limit[:, None])


def information(outcome: Outcome, visit: int, days: ArrayLike) -> Index:
    """Return of how many participants the score at a visit is known by each day, shape (R, T)."""
    return counted_by(outcome.visit_day[:, :, visit], days)


def day_of_information(outcome: Outcome, visit: int, count: int) -> Array:
    """Return the day on which the score at a visit is known of so many, shape (R,), days; infinite for never.

    Parameters
    ----------
    outcome : Outcome
    visit : int
    count : int
        At least 1.
    """
    times = outcome.visit_day[:, :, visit]
    if count > times.shape[1]:
        return np.full(len(times), np.inf)
    return np.asarray(np.sort(np.where(np.isnan(times), np.inf, times), axis=1)[:, count - 1])


def finished_day(outcome: Outcome) -> Array:
    """Return the day of everybody's last visit, or the end of its window where missed, shape (R, N), days.

    Infinite for who never started or left.
    """
    operations = outcome.operations
    latest = outcome.start_day + np.floor(operations.visits_days[-1]) + operations.visits.late_days
    last = outcome.visit_day[:, :, -1]
    finished = np.where(np.isnan(last), latest, last)
    return np.where(outcome.left_day <= finished, np.inf, finished)


def pipeline(outcome: Outcome, days: ArrayLike) -> dict[str, Index]:
    """Return where those randomised by each day are, by the names of `PIPELINE`, each of shape (R, T).

    The four add up to those randomised.
    """
    enrolment, finished_on = outcome.enrolment, finished_day(outcome)
    # The clinic opens before somebody randomised on a day is; and who gives up after the last visit has finished.
    started_on = np.maximum(outcome.start_day, enrolment.day)
    left_on = np.where(np.isfinite(finished_on), np.inf, outcome.left_day)
    started, finished, left = (counted_by(times, days) for times in (started_on, finished_on, left_on))
    left_early = counted_by(np.where(np.isfinite(started_on), np.inf, left_on), days)
    return {
        "waiting": enrolled(enrolment, days) - started - left_early,
        "in_trial": started - (left - left_early) - finished,
        "finished": finished,
        "left": left,
    }


def waiting_for_therapy(outcome: Outcome, days: ArrayLike) -> Index:
    """Return how many wait for a therapy group at each day, shape (R, T)."""
    ready = outcome.therapy_ready_day
    until = np.where(np.isnan(outcome.therapy_start_day), outcome.left_day, outcome.therapy_start_day)
    return counted_by(ready, days) - counted_by(np.where(np.isnan(ready), np.nan, until), days)
