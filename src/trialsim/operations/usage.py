"""How much of chairs, staff, therapists and raters is used, over time and against what there is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsim.operations.calendar import counted_by
from trialsim.operations.diary import OpenDays
from trialsim.operations.outcome import Outcome
from trialsim.scenario.resolved_operations import Operations, Site

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Resource = Literal["chairs", "nurses", "psychiatrists"]


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """What is used of something, and what there is.

    Parameters
    ----------
    used, available : ndarray
        One shape; `available` is infinite where there is no limit, and 0 where there is nothing yet.
    """

    used: Array
    available: Array

    @property
    def share(self) -> Array:
        """Share that is used; NaN where nothing is available or there is no limit."""
        limited = (self.available > 0.0) & np.isfinite(self.available)
        return np.where(limited, self.used / np.where(limited, self.available, 1.0), np.nan)

    def over(self, axis: int) -> Use:
        """Return the sums over an axis."""
        return Use(self.used.sum(axis=axis), self.available.sum(axis=axis))


def infusion_use(outcome: Outcome, resource: Resource, edges: ArrayLike) -> Use:
    """Return the minutes of chairs, places with nurses, or psychiatrists, shape (R, C, T).

    Parameters
    ----------
    outcome : Outcome
    resource : {'chairs', 'nurses', 'psychiatrists'}
        A nurse counts as many places as patients who are looked after at a time.
    edges : array_like, shape (T + 1,), calendar days
        Rising; a day belongs to the period in which it begins. A site counts from its opening to the last visit.
    """
    operations, edge = outcome.operations, np.asarray(edges, dtype=np.float64)
    n_sites, n_periods = len(operations.sites), len(edge) - 1
    given = ~np.isnan(outcome.infusion_day)
    r, n, _ = np.nonzero(given)
    period = np.searchsorted(edge, outcome.infusion_day[given], side="right") - 1
    inside = (period >= 0) & (period < n_periods)
    used = np.zeros((len(given), n_sites, n_periods))
    np.add.at(used, (r[inside], outcome.enrolment.site[r, n][inside], period[inside]), _minutes(operations, resource))
    open_days = _open_days(outcome, edge)
    numbers = np.array([_number(operations, site, resource) for site in operations.sites])
    with np.errstate(invalid="ignore"):
        available = np.nan_to_num(open_days * (numbers * operations.clinic.open_minutes)[:, None], posinf=np.inf)
    return Use(used, available)


def _minutes(operations: Operations, resource: Resource) -> float:
    clinic = operations.clinic
    if resource == "psychiatrists":
        return clinic.psychiatrist_minutes
    return clinic.infusion_minutes + clinic.watch_minutes


def _number(operations: Operations, site: Site, resource: Resource) -> float:
    number = getattr(site, resource)
    if number is None:
        return np.inf
    return float(number * operations.clinic.patients_per_nurse if resource == "nurses" else number)


def _open_days(outcome: Outcome, edge: Array) -> Array:
    """Return the days on which each clinic was open in each period, shape (R, C, T)."""
    operations = outcome.operations
    holds = [(one.from_day, one.until_day) for one in operations.recruitment.pauses if one.stops_infusions]
    calendar = OpenDays(operations.clinic.weekdays, operations.first_weekday, holds=holds)
    last = math.ceil(max(edge[-1], 0.0))
    before = np.concatenate([[0.0], np.cumsum([day in calendar for day in range(last + 1)])])
    opened = outcome.enrolment.site_opened_day[..., None]
    end = np.where(np.isnan(outcome.last_visit_day), outcome.enrolment.closed_day, outcome.last_visit_day)
    until = np.floor(end)[:, None, None] + 1.0
    start = np.ceil(np.clip(np.maximum(edge[:-1], opened), 0.0, last + 1.0))
    stop = np.ceil(np.clip(np.minimum(edge[1:], until), 0.0, last + 1.0))
    counts = before[stop.astype(np.intp)] - before[start.astype(np.intp)]
    return np.asarray(np.maximum(counts, 0.0))


def therapist_use(outcome: Outcome, days: ArrayLike) -> Use:
    """Return the participants in therapy groups at each day, and the places of the therapists, shape (R, T).

    Parameters
    ----------
    outcome : Outcome
    days : array_like, shape (T,), calendar days
        Therapists of a site count from its opening.
    """
    operations, therapy = outcome.operations, outcome.operations.therapy
    if therapy is None:
        nothing = np.zeros((len(outcome.arm), len(np.asarray(days))))
        return Use(nothing, nothing)
    end = outcome.therapy_start_day + therapy.sessions * therapy.interval_days
    used = counted_by(outcome.therapy_start_day, days) - counted_by(end, days)
    opened = outcome.enrolment.site_opened_day
    if therapy.shared:
        places = np.array([_places(therapy.shared_therapists, therapy.caseload)])
        opened = opened.min(axis=1, keepdims=True)
    else:
        places = np.array([_places(site.therapists, therapy.caseload) for site in operations.sites])
    is_open = opened[..., None] <= np.asarray(days, dtype=np.float64)
    available = np.where(is_open, places[:, None], 0.0).sum(axis=1)
    return Use(used.astype(np.float64), available)


def _places(therapists: int | None, caseload: int) -> float:
    return np.inf if therapists is None else float(therapists * caseload)


def rater_use(outcome: Outcome, edges: ArrayLike) -> Use:
    """Return the visits held in each period and how many the raters could have held, shape (R, T).

    Parameters
    ----------
    outcome : Outcome
    edges : array_like, shape (T + 1,), calendar days
        Rising; a day belongs to the period in which it begins. All open days of a period count.
    """
    operations, edge = outcome.operations, np.asarray(edges, dtype=np.float64)
    held = np.diff(counted_by(outcome.visit_day, np.nextafter(edge, -np.inf)), axis=1)
    window = operations.visits
    capacity = np.inf if window.raters is None else float(window.raters * window.ratings_per_day)
    calendar = OpenDays(window.weekdays, operations.first_weekday)
    is_open = np.array([day in calendar for day in range(math.ceil(max(edge[-1], 0.0)))], dtype=np.float64)
    before = np.concatenate([[0.0], np.cumsum(is_open)])
    open_days = np.diff(before[np.ceil(np.clip(edge, 0.0, len(is_open))).astype(np.intp)])
    available = np.where(open_days > 0.0, capacity, 0.0) * np.maximum(open_days, 1.0)
    return Use(held.astype(np.float64), np.broadcast_to(available, held.shape))
