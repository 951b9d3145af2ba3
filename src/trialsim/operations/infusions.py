"""The infusion clinic of one site: who gets an appointment on which day."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trialsim.operations.diary import Diary, Due, OpenDays
from trialsim.operations.outcome import LEFT_BEFORE_START, STAYED
from trialsim.scenario.resolved_operations import Clinic

if TYPE_CHECKING:
    from simpy import Environment

NEVER = float("inf")
NOT_GIVEN = float("nan")


@dataclass(slots=True)
class Trial:
    """One replicate under way; a list holds a value for each participant.

    Parameters
    ----------
    environment : simpy.Environment
    randomised : list of float, calendar days
    site : list of int
    infusions : list of tuple of int
        Planned days from the start.
    patience, therapy_patience : list of float, days
        After which a participant gives up waiting for the first infusion, or for a group.
    width : int
        Infusions of the arm that has most.
    first_day : list of int
        Calendar day of randomisation.
    start, left : list of float, calendar days
    reason : list of int
    infusion_day, infusion_minute : list of float
        `width` for each participant.
    """

    environment: Environment
    randomised: list[float]
    site: list[int]
    infusions: list[tuple[int, ...]]
    patience: list[float]
    therapy_patience: list[float]
    width: int
    first_day: list[int] = field(init=False)
    start: list[float] = field(init=False)
    left: list[float] = field(init=False)
    reason: list[int] = field(init=False)
    infusion_day: list[float] = field(init=False)
    infusion_minute: list[float] = field(init=False)

    def __post_init__(self) -> None:
        """Let nothing have happened yet."""
        n = len(self.randomised)
        self.first_day = [int(time) for time in self.randomised]
        self.start, self.left, self.reason = [NEVER] * n, [NEVER] * n, [STAYED] * n
        self.infusion_day, self.infusion_minute = [NOT_GIVEN] * (n * self.width), [NOT_GIVEN] * (n * self.width)


class InfusionClinic:
    """Gives the infusions of one site in one replicate.

    On each day those under treatment go first, by the day for which their infusion was planned, then those who wait
    for their first one, by randomisation. Who finds no appointment is taken on the next open day; an infusion that
    would come too late is missed.

    Parameters
    ----------
    trial : Trial
    clinic : Clinic
    appointments : sequence of float or None
        When the infusions of a day start, minutes from opening; None for no limit.
    days : OpenDays
    newcomers : sequence of int
        Participants of the site with infusions, in order of randomisation.
    started, gave_up : callable
        Told of each participant who starts, and of each who has left before the start.
    """

    def __init__(
        self,
        trial: Trial,
        clinic: Clinic,
        appointments: Sequence[float] | None,
        days: OpenDays,
        newcomers: Sequence[int],
        *,
        started: Callable[[int], None],
        gave_up: Callable[[int], None],
    ) -> None:
        self._trial, self._clinic, self._days = trial, clinic, days
        self._appointments = appointments
        self._waiting = deque(newcomers)
        self._started, self._gave_up = started, gave_up
        self._diary = Diary(trial.environment, self._serve)
        if newcomers:
            self._diary.open(days.on_or_after(trial.first_day[newcomers[0]]))
            trial.environment.process(self._diary.run())

    def _serve(self, day: int, due: list[Due]) -> None:
        """Give the infusions of a day."""
        trial, taken = self._trial, 0
        places = len(due) + len(self._waiting) if self._appointments is None else len(self._appointments)
        for _, one, which in due:
            if trial.left[one] <= day:
                continue
            if taken == places:
                self._plan(one, which, day + 1)
                continue
            self._give(one, which, day, taken)
            self._plan(one, which + 1, day + self._clinic.min_gap_days)
            taken += 1
        self._begin(day, taken, places)

    def _begin(self, day: int, taken: int, places: int) -> None:
        """Give first infusions as far as there are places left, and come again for who still waits."""
        trial, waiting = self._trial, self._waiting
        while waiting and trial.first_day[waiting[0]] <= day:
            one = waiting[0]
            if day > trial.randomised[one] + trial.patience[one]:
                waiting.popleft()
                trial.left[one] = trial.randomised[one] + trial.patience[one]
                trial.reason[one] = LEFT_BEFORE_START
                self._gave_up(one)
                continue
            if taken == places:
                break
            waiting.popleft()
            self._give(one, 0, day, taken)
            taken += 1
            trial.start[one] = day
            self._plan(one, 1, day + self._clinic.min_gap_days)
            self._started(one)
        if waiting:
            self._diary.open(self._days.on_or_after(max(day + 1, trial.first_day[waiting[0]])))

    def _give(self, one: int, which: int, day: int, taken: int) -> None:
        place = one * self._trial.width + which
        self._trial.infusion_day[place] = day
        self._trial.infusion_minute[place] = 0.0 if self._appointments is None else self._appointments[taken]

    def _plan(self, one: int, which: int, earliest: int) -> None:
        """Enter the next infusion that can be given in time, from number `which` and day `earliest` on."""
        start, late = int(self._trial.start[one]), self._clinic.late_days
        for number in range(which, len(self._trial.infusions[one])):
            target = start + self._trial.infusions[one][number]
            day = self._days.planned(target)
            if day < earliest:
                day = self._days.on_or_after(earliest)
            if day <= target + late:
                self._diary.open(day).append((target, one, number))
                return
