"""Therapy in groups: who waits, when groups start, and which therapist has a place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from trialsim.operations.infusions import Trial
from trialsim.operations.outcome import LEFT_BEFORE_THERAPY
from trialsim.scenario.resolved_operations import TherapyGroups

ROUNDING_DAYS = 1e-9
"""What adding up times may be off by."""


@dataclass(slots=True)
class Seat:
    """Where a participant found a place.

    Parameters
    ----------
    start : float, calendar day
        First session.
    group, therapist : int
        Numbers in the replicate, in order of first groups.
    group_site : int
    offset : int
        Sessions that the group had before.
    """

    start: float
    group: int
    therapist: int
    group_site: int
    offset: int = 0


@dataclass(slots=True)
class Registry:
    """Numbers of groups and therapists, over all sites, and who sits where.

    Parameters
    ----------
    ready : dict of int to float
        Day from which a participant waits for a group.
    seats : dict of int to Seat
    """

    groups: int = 0
    therapists: int = 0
    ready: dict[int, float] = field(default_factory=dict)
    seats: dict[int, Seat] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Therapist:
    free: int
    number: int = -1


@dataclass(slots=True, eq=False)
class _Group:
    number: int
    therapist: _Therapist
    first_day: float
    members: int


class TherapyUnit:
    """The groups of one site, or of all sites together, in one replicate.

    Parameters
    ----------
    trial : Trial
    therapy : TherapyGroups
    registry : Registry
    site : int
        −1 for all sites.
    therapists : int or None
        None for no limit.
    expected : int
        Participants who may still become ready for a group.
    closed_day : float
        Day on which recruitment ends.
    """

    def __init__(
        self,
        trial: Trial,
        therapy: TherapyGroups,
        registry: Registry,
        *,
        site: int,
        therapists: int | None,
        expected: int,
        closed_day: float,
    ) -> None:
        self._trial, self._therapy, self._registry, self._site = trial, therapy, registry, site
        self._therapists = [_Therapist(therapy.caseload) for _ in range(therapists or 0)]
        self._unlimited = therapists is None
        self._expected, self._closed_day = expected, closed_day
        self._waiting: list[int] = []
        self._open: list[_Group] = []
        self._filling = False
        self._later(math.ceil(closed_day), self._fill_soon)

    def expect(self, one: int) -> None:
        """Let a participant who starts now be ready for a group when it is time."""
        self._later(self._trial.environment.now + self._therapy.ready_day, lambda: self._ready(one))

    def lose(self, one: int) -> None:
        """Take note that a participant will never be ready."""
        self._expected -= 1
        self._fill_soon()

    def _fill_soon(self) -> None:
        """Fill groups once all else of this moment has happened, so that those who come together go together."""
        if not self._filling:
            self._filling = True
            self._later(self._trial.environment.now, self._fill)

    def _fill(self) -> None:
        self._filling = False
        if self._therapy.mode == "closed":
            self._fill_closed()
        else:
            self._fill_rolling()

    def _later(self, day: float, act: Callable[[], None]) -> None:
        environment = self._trial.environment
        environment.timeout(max(day - environment.now, 0.0)).callbacks.append(lambda _: act())

    def _ready(self, one: int) -> None:
        now = self._trial.environment.now
        self._expected -= 1
        self._registry.ready[one] = now
        self._waiting.append(one)
        self._fill_soon()
        if self._trial.therapy_patience[one] < math.inf:
            self._later(now + self._trial.therapy_patience[one], lambda: self._give_up(one))
        if self._therapy.mode == "closed" and self._therapy.start_anyway_days < math.inf:
            self._later(now + self._therapy.start_anyway_days, self._fill_soon)

    def _give_up(self, one: int) -> None:
        if one in self._registry.seats:
            return
        self._waiting.remove(one)
        self._trial.left[one] = self._trial.environment.now
        self._trial.reason[one] = LEFT_BEFORE_THERAPY

    def _fill_closed(self) -> None:
        """Start as many groups as there are people and therapists for."""
        while self._waiting:
            needed = 1 if self._must_start() else self._therapy.start_size
            therapist = None if len(self._waiting) < needed else self._freest(needed)
            if therapist is None:
                return
            places = min(self._therapy.size, therapist.free)
            members, self._waiting = self._waiting[:places], self._waiting[places:]
            group = self._start_group(therapist)
            for one in members:
                self._seat(one, group, group.first_day)

    def _must_start(self) -> bool:
        """Whether nobody else will come, or somebody has waited too long."""
        now = self._trial.environment.now
        if now >= self._closed_day and self._expected == 0:
            return True
        waited = now - self._registry.ready[self._waiting[0]]
        return waited >= self._therapy.start_anyway_days - ROUNDING_DAYS

    def _fill_rolling(self) -> None:
        """Let people join groups that have a place, or open another."""
        now = self._trial.environment.now
        while self._waiting:
            size = self._therapy.size
            group = next((one for one in self._open if one.members < size and one.therapist.free > 0), None)
            if group is None:
                therapist = self._freest(1)
                if therapist is None:
                    return
                group = self._start_group(therapist)
                self._open.append(group)
            past = math.ceil((now - group.first_day) / self._therapy.interval_days - ROUNDING_DAYS)
            offset = max(past, 0)
            self._seat(self._waiting.pop(0), group, group.first_day + offset * self._therapy.interval_days, offset)

    def _start_group(self, therapist: _Therapist) -> _Group:
        registry = self._registry
        first_day = math.ceil(self._trial.environment.now - ROUNDING_DAYS)
        group = _Group(registry.groups, therapist, first_day, 0)
        registry.groups += 1
        if therapist.number < 0:
            therapist.number = registry.therapists
            registry.therapists += 1
        return group

    def _seat(self, one: int, group: _Group, start: float, offset: int = 0) -> None:
        self._registry.seats[one] = Seat(start, group.number, group.therapist.number, self._site, offset)
        group.members += 1
        group.therapist.free -= 1
        self._later(start + self._therapy.sessions * self._therapy.interval_days, lambda: self._finish(group))

    def _finish(self, group: _Group) -> None:
        """Free the place of somebody who has had all sessions."""
        group.members -= 1
        group.therapist.free += 1
        if group.members == 0 and group in self._open:
            self._open.remove(group)
        self._fill_soon()

    def _freest(self, needed: int) -> _Therapist | None:
        """Return the therapist with most places left; None where nobody has as many as needed.

        Where there is no limit another therapist comes before a group has to do with fewer places than it could have.
        """
        if self._unlimited:
            needed = min(self._therapy.size, self._therapy.caseload)
        best = max(self._therapists, key=lambda one: one.free, default=None)
        if best is not None and best.free >= needed:
            return best
        if not self._unlimited:
            return None
        self._therapists.append(_Therapist(self._therapy.caseload))
        return self._therapists[-1]
