"""What an appointment takes: units of several kinds at once, first come first served."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapreplace

from trialsim.scenario.resolved_operations import Clinic, Site


class Station:
    """Units of several kinds, such as chairs and nurses; every appointment takes one of each.

    Appointments are booked in the order in which people come, and none starts before the one booked last. So each
    starts as soon as one unit of every kind is free, as in a queue with that many servers.

    Parameters
    ----------
    units : sequence of int
        How many there are of each kind, at least 1.
    """

    def __init__(self, units: Sequence[int]) -> None:
        self._free_at = [[0.0] * number for number in units]

    def book(self, arrival: float, lengths: Sequence[float], *, latest_end: float = float("inf")) -> float | None:
        """Return when an appointment starts; None, and nothing is taken, where it would end too late.

        Parameters
        ----------
        arrival : float
            Not before that of the appointment booked last.
        lengths : sequence of float
            How long one unit of each kind is taken, from the start on.
        latest_end : float
        """
        start = arrival
        for free_at in self._free_at:
            start = max(start, free_at[0])
        if start + max(lengths, default=0.0) > latest_end:
            return None
        for free_at, length in zip(self._free_at, lengths, strict=True):
            heapreplace(free_at, start + length)
        return start


def appointments(clinic: Clinic, site: Site) -> tuple[float, ...] | None:
    """Return when the infusions of a day start, in minutes from opening; None where there is no limit.

    Everybody comes at opening and all infusions take as long, so the day's appointments are the same on every day.

    Parameters
    ----------
    clinic : Clinic
    site : Site

    Raises
    ------
    ValueError
        If an infusion does not fit into the opening hours.
    """
    stay = clinic.infusion_minutes + clinic.watch_minutes
    needs = [
        (site.chairs, stay),
        (None if site.nurses is None else site.nurses * clinic.patients_per_nurse, stay),
        (site.psychiatrists, clinic.psychiatrist_minutes),
    ]
    if stay > clinic.open_minutes:
        raise ValueError(f"an infusion takes {stay:g} minutes and the clinic is open for {clinic.open_minutes:g}")
    limited = [(number, length) for number, length in needs if number is not None and length > 0.0]
    if not limited:
        return None
    station = Station([number for number, _ in limited])
    lengths = [length for _, length in limited]
    starts: list[float] = []
    while (start := station.book(0.0, lengths, latest_end=clinic.open_minutes - (stay - max(lengths)))) is not None:
        starts.append(start)
    return tuple(starts)
