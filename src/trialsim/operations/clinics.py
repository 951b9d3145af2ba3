"""All clinics of a trial together: who comes to which, and what one tells another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from trialsim.operations.diary import OpenDays
from trialsim.operations.groups import Registry, TherapyUnit
from trialsim.operations.infusions import InfusionClinic, Trial
from trialsim.operations.station import appointments
from trialsim.scenario.resolved_operations import Operations

if TYPE_CHECKING:
    from simpy import Event


class Clinics:
    """The clinics of all sites, which run one replicate after the other.

    Parameters
    ----------
    operations : Operations
    """

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
        """Return how one replicate went.

        Parameters
        ----------
        randomised : list of float, calendar days
            Of those who were reached, as all lists, in order.
        site, arm : list of int
        patience, therapy_patience : list of float, days
            Of waiting for the first infusion, and for a group.
        closed_day : float
            When recruitment ended.
        """
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
