"""What becomes of those recruited: infusions, therapy groups and visits, as far as the clinics have room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.operations.clinics import Clinics
from trialsim.operations.cost import cost_of
from trialsim.operations.groups import Registry
from trialsim.operations.infusions import Trial
from trialsim.operations.outcome import Enrolment, Outcome
from trialsim.operations.ratings import hold_visits
from trialsim.scenario.resolved_operations import Operations, TherapyGroups, Waiting
from trialsim.streams import Streams

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]


def attend(operations: Operations, streams: Streams, enrolment: Enrolment, arm: Index) -> Outcome:
    """Return what became of the participants of a block.

    Parameters
    ----------
    operations : Operations
    streams : Streams
    enrolment : Enrolment
        Of `trialsim.operations.recruit.recruit`.
    arm : ndarray of int, shape (R, N)

    Notes
    -----
    A participant who leaves for a reason of the clinic frees the place; who leaves because of scores is not known
    here, and keeps it.
    """
    course = _run(operations, streams, enrolment, arm)
    # NaN for infusions that an arm does not have, infinite for who never started.
    target = course.start[..., None] + _padded(operations.infusion_days)[arm]
    there = np.isfinite(target) & (target < course.left[..., None])
    visits = hold_visits(operations.visits, operations.visits_days, operations.first_weekday, course.start, course.left)
    held = _sessions(operations.therapy, streams, course)
    last_visit = _last(visits.day, enrolment)
    infusions = (~np.isnan(course.infusion_day)).sum(axis=(1, 2))
    costs = cost_of(
        operations.costs,
        streams,
        enrolment,
        np.where(np.isnan(last_visit), enrolment.closed_day, last_visit),
        infusions=infusions,
        sessions=held.sum(axis=(1, 2)),
        visits=(~np.isnan(visits.day)).sum(axis=(1, 2)),
    )
    return Outcome(
        operations=operations,
        enrolment=enrolment,
        arm=arm,
        start_day=course.start,
        infusion_day=course.infusion_day,
        infusion_minute=course.infusion_minute,
        infusion_late_days=course.infusion_day - np.where(np.isfinite(target), target, np.nan),
        infusion_missed=there & np.isnan(course.infusion_day),
        visit_day=visits.day,
        visit_late_days=visits.late_days,
        visit_missed=visits.missed,
        therapy_ready_day=course.therapy_ready,
        therapy_start_day=course.therapy_start,
        group=course.group,
        group_site=course.group_site,
        therapist=course.therapist,
        session_held=held,
        left_day=course.left,
        left_reason=course.reason,
        last_visit_day=last_visit,
        costs=costs,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Course:
    """What happened in the clinics, arrays as in `Outcome`; `offset` is how many sessions a group had held before."""

    start: Array
    left: Array
    reason: Index
    infusion_day: Array
    infusion_minute: Array
    therapy_ready: Array
    therapy_start: Array
    group: Index
    group_site: Index
    therapist: Index
    offset: Index

    @classmethod
    def empty(cls, n_replicates: int, n: int, width: int) -> _Course:
        """Return one in which nothing has happened."""
        never, nothing = np.full((n_replicates, n), np.inf), np.full((n_replicates, n), np.nan)
        none = np.full((n_replicates, n), -1, dtype=np.intp)
        infusions = np.full((n_replicates, n, width), np.nan)
        return cls(
            start=never,
            left=never.copy(),
            reason=np.zeros((n_replicates, n), dtype=np.intp),
            infusion_day=infusions,
            infusion_minute=infusions.copy(),
            therapy_ready=nothing,
            therapy_start=nothing.copy(),
            group=none,
            group_site=none.copy(),
            therapist=none.copy(),
            offset=np.zeros((n_replicates, n), dtype=np.intp),
        )

    def record(self, r: int, trial: Trial, registry: Registry) -> None:
        """Write down one replicate."""
        n = len(trial.start)
        self.start[r, :n], self.left[r, :n], self.reason[r, :n] = trial.start, trial.left, trial.reason
        self.infusion_day[r, :n] = np.reshape(trial.infusion_day, (n, trial.width))
        self.infusion_minute[r, :n] = np.reshape(trial.infusion_minute, (n, trial.width))
        for one, ready in registry.ready.items():
            self.therapy_ready[r, one] = ready
        for one, seat in registry.seats.items():
            self.therapy_start[r, one], self.group[r, one] = seat.start, seat.group
            self.group_site[r, one], self.therapist[r, one] = seat.group_site, seat.therapist
            self.offset[r, one] = seat.offset


def _run(operations: Operations, streams: Streams, enrolment: Enrolment, arm: Index) -> _Course:
    """Run the clinics of every replicate, one after the other."""
    n_replicates, n = arm.shape
    width = max(len(days) for days in operations.infusion_days)
    course = _Course.empty(n_replicates, n, width)
    patience = _patience(operations.clinic.waiting, streams, "start", arm.shape)
    therapy = operations.therapy
    therapy_patience = np.full(arm.shape, np.inf)
    if therapy is not None:
        therapy_patience = _patience(therapy.waiting, streams, f"therapy {therapy.name}", arm.shape)
    clinics = Clinics(operations)
    for r in range(n_replicates):
        some = slice(int(enrolment.n_reached[r]))
        trial, registry = clinics.run(
            enrolment.day[r, some].tolist(),
            enrolment.site[r, some].tolist(),
            arm[r, some].tolist(),
            patience[r, some].tolist(),
            therapy_patience[r, some].tolist(),
            closed_day=float(enrolment.closed_day[r]),
        )
        course.record(r, trial, registry)
    return course


def _patience(waiting: Waiting, streams: Streams, what: str, shape: tuple[int, ...]) -> Array:
    """Return after how many days of waiting people give up, shape (R, N)."""
    if waiting.hazard_per_day == 0.0:
        return np.full(shape, np.inf)
    uniform = streams.generator("patience", what).random(shape[::-1]).T
    return np.asarray(waiting.grace_days - np.log1p(-uniform) / waiting.hazard_per_day)


def _padded(days: Sequence[Sequence[float]]) -> Array:
    """Return the days of all arms, shape (A, I), NaN where an arm has fewer."""
    padded = np.full((len(days), max(len(one) for one in days)), np.nan)
    for a, one in enumerate(days):
        padded[a, : len(one)] = one
    return padded


def _last(visit_day: Array, enrolment: Enrolment) -> Array:
    """Return the day of the last visit, shape (R,), as `Outcome.last_visit_day`."""
    last = np.where(np.isnan(visit_day), -np.inf, visit_day).max(axis=(1, 2), initial=-np.inf)
    randomised = np.where(enrolment.reached, enrolment.day, -np.inf).max(axis=1, initial=-np.inf)
    some = np.where(np.isfinite(last), last, randomised)
    return np.where(np.isfinite(some), some, np.nan)


def _sessions(therapy: TherapyGroups | None, streams: Streams, course: _Course) -> Flags:
    """Return which sessions of the participants are held, shape (R, N, J): cancelled for the whole group or not."""
    n_sessions = 0 if therapy is None else therapy.sessions
    held = np.zeros((*course.group.shape, n_sessions), dtype=bool)
    held[course.group >= 0] = True
    if therapy is None or therapy.cancelled == 0.0:
        return held
    r, n = np.nonzero(course.group >= 0)
    group, offset = course.group[r, n], course.offset[r, n]
    order = np.argsort(group, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if not members.size:
            continue
        rows, sessions = r[members], offset[members][:, None] + np.arange(n_sessions)
        generator = streams.generator("cancelled_session", therapy.name, f"group {group[members[0]]}")
        uniform = generator.random((int(sessions.max()) + 1, len(held)))
        held[rows, n[members]] = uniform[sessions, rows[:, None]] >= therapy.cancelled
    return held
