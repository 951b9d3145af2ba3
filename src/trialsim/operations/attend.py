"""What becomes of those recruited: infusions, therapy groups and visits, as far as the clinics have room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trialsim.operations.cost import cost_of
from trialsim.operations.diary import OpenDays
from trialsim.operations.groups import Registry, TherapyUnit
from trialsim.operations.infusions import InfusionClinic, Trial
from trialsim.operations.outcome import Enrolment, Outcome
from trialsim.operations.ratings import hold_visits
from trialsim.operations.station import appointments
from trialsim.scenario.resolved_operations import Operations, TherapyGroups, Waiting
from trialsim.streams import Streams

if TYPE_CHECKING:
    from simpy import Event

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
    planned = np.array([len(days) for days in operations.infusion_days])[arm]
    days = _padded(operations.infusion_days)[arm]
    target = course.start[..., None] + days
    expected = np.arange(days.shape[2]) < planned[..., None]
    there = expected & np.isfinite(course.start)[..., None] & (target < course.left[..., None])
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
    clinics = _Clinics(operations)
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


class _Clinics:
    """The clinics of all sites, which run one replicate after the other."""

    def __init__(self, operations: Operations) -> None:
        holds = [(pause.from_day, pause.until_day) for pause in operations.recruitment.pauses if pause.stops_infusions]
        clinic = operations.clinic
        self._operations = operations
        self._days = OpenDays(clinic.weekdays, operations.first_weekday, holds=holds, early_days=clinic.early_days)
        self._appointments = [appointments(clinic, site) for site in operations.sites]
        self._infusions = [tuple(int(day) for day in days) for days in operations.infusion_days]
        self._width = max(len(days) for days in operations.infusion_days)

    def run(
        self,
        randomised: list[float],
        site: list[int],
        arm: list[int],
        patience: list[float],
        therapy_patience: list[float],
        *,
        closed_day: float,
    ) -> tuple[Trial, Registry]:
        """Return how one replicate went."""
        from simpy import Environment

        infusions = [self._infusions[one] for one in arm]
        trial = Trial(Environment(), randomised, site, infusions, patience, therapy_patience, self._width)
        registry = Registry()
        in_therapy = self._in_therapy(arm)
        units = self._units(trial, registry, in_therapy, closed_day)

        def started(one: int) -> None:
            if in_therapy[one]:
                units[site[one]].expect(one)

        def gave_up(one: int) -> None:
            if in_therapy[one]:
                units[site[one]].lose(one)

        newcomers: list[list[int]] = [[] for _ in self._operations.sites]
        for one, days in enumerate(infusions):
            if days:
                newcomers[site[one]].append(one)
            else:
                trial.start[one] = trial.first_day[one]
                trial.environment.timeout(trial.first_day[one]).callbacks.append(partial(_call, started, one))
        for place, waiting in enumerate(newcomers):
            InfusionClinic(
                trial,
                self._operations.clinic,
                self._appointments[place],
                self._days,
                waiting,
                started=started,
                gave_up=gave_up,
            )
        trial.environment.run()
        return trial, registry

    def _in_therapy(self, arm: list[int]) -> list[bool]:
        therapy = self._operations.therapy
        having = frozenset() if therapy is None else frozenset(therapy.arms)
        return [one in having for one in arm]

    def _units(
        self, trial: Trial, registry: Registry, in_therapy: list[bool], closed_day: float
    ) -> Sequence[TherapyUnit]:
        """Return the therapy unit of every site, the same for all where they share it; empty without therapy."""
        therapy = self._operations.therapy
        if therapy is None:
            return ()
        build = partial(TherapyUnit, trial, therapy, registry, closed_day=closed_day)
        n_sites = len(self._operations.sites)
        if therapy.shared:
            unit = build(site=-1, therapists=therapy.shared_therapists, expected=sum(in_therapy))
            return (unit,) * n_sites
        expected = [0] * n_sites
        for one, place in enumerate(trial.site):
            expected[place] += in_therapy[one]
        therapists = [site.therapists for site in self._operations.sites]
        return [build(site=c, therapists=therapists[c], expected=expected[c]) for c in range(n_sites)]


def _call(act: Callable[[int], None], one: int, _event: Event) -> None:
    act(one)


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
