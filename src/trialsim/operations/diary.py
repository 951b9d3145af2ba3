"""Which days are open, and what is due on which."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simpy import Environment, Event

Due = tuple[int, int, int]
"""Day for which something was planned, participant, and which of its kind it is for them."""


class OpenDays:
    """The days on which something is open, by weekday and but for holds.

    Parameters
    ----------
    weekdays : sequence of int
        Monday 0 to Sunday 6, at least one.
    first_weekday : int
        Weekday of day 0.
    holds : sequence of (float, float)
        First day and the first day after; a day is closed if its middle is inside.
    early_days : int
        Most days by which something is brought forward.
    """

    def __init__(
        self,
        weekdays: Sequence[int],
        first_weekday: int,
        *,
        holds: Sequence[tuple[float, float]] = (),
        early_days: int = 0,
    ) -> None:
        self._open = [(day + first_weekday) % 7 in weekdays for day in range(7)]
        self._holds = tuple(holds)
        self._early = early_days
        self._planned: dict[int, int] = {}

    def __contains__(self, day: int) -> bool:
        """Whether a day is open."""
        return self._open[day % 7] and not any(start <= day + 0.5 < end for start, end in self._holds)

    def on_or_after(self, day: int) -> int:
        """Return the first open day from a day on."""
        while day not in self:
            day += 1
        return day

    def planned(self, day: int) -> int:
        """Return the day on which what is planned for a day is due: that day, else one before, else one after."""
        known = self._planned.get(day)
        if known is None:
            before = (day - back for back in range(self._early + 1) if day - back >= 0)
            known = next((one for one in before if one in self), None)
            known = self._planned[day] = self.on_or_after(day) if known is None else known
        return known


class Diary:
    """What is due on which day, dealt with day by day.

    Parameters
    ----------
    environment : simpy.Environment
    deal : callable
        Takes a day and what is due on it. It may enter more for later days.
    """

    def __init__(self, environment: Environment, deal: Callable[[int, list[Due]], None]) -> None:
        self._environment = environment
        self._deal = deal
        self._days: list[int] = []
        self._due: dict[int, list[Due]] = {}

    def open(self, day: int) -> list[Due]:
        """Return what is due on a day, to add to; the day will be dealt with even if nothing is."""
        due = self._due.get(day)
        if due is None:
            due = self._due[day] = []
            heappush(self._days, day)
        return due

    def run(self) -> Generator[Event, None, None]:
        """Deal with each day in turn, a process; whatever is entered later is for days still to come."""
        while self._days:
            day = heappop(self._days)
            yield self._environment.timeout(day - self._environment.now)
            due = self._due.pop(day)
            due.sort()
            self._deal(day, due)
