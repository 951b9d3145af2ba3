"""Small clinics for tests of the operational simulator, and ways to send participants to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.operations.attend import attend
from trialsim.operations.outcome import FUNNEL_STAGES, Enrolment, Outcome
from trialsim.operations.recruit import StrataOf, recruit
from trialsim.scenario.resolved_operations import (
    Amount,
    Clinic,
    Costs,
    Operations,
    Recruitment,
    Site,
    TherapyGroups,
    VisitWindow,
    Waiting,
)
from trialsim.streams import BLOCK_SIZE, Streams

Index = NDArray[np.intp]
WORKING_DAYS = (0, 1, 2, 3, 4)


def constant(value: float) -> Amount:
    """Return an amount that is known."""
    return Amount("constant", (value,))


FREE = Costs(*[constant(0.0)] * 8)
"""Nothing costs anything."""


def sites(number: int = 1, rate_per_month: float = 10.0, **limits: int | None) -> tuple[Site, ...]:
    """Return sites that are open from day 0, all alike."""
    return tuple(Site(f"site_{c}", f"Site {c}", constant(0.0), rate_per_month, **limits) for c in range(number))


def operations(**changes: Any) -> Operations:
    """Return operations without limits: one site, two arms with infusions on days 0, 3, 7, 10; and changes to that."""
    basis = Operations(
        sites=sites(),
        recruitment=Recruitment(horizon_days=3650.0),
        clinic=Clinic(),
        visits=VisitWindow(),
        costs=FREE,
        therapy=None,
        infusion_days=((0.0, 3.0, 7.0, 10.0),) * 2,
        visits_days=(3.0, 7.0, 14.0, 28.0),
        n_strata=2,
    )
    return replace(basis, **changes)


CROWDED = operations(
    sites=sites(3, 4.0, chairs=1, nurses=1, psychiatrists=1, therapists=1),
    clinic=Clinic(
        weekdays=(0, 3),
        open_minutes=340.0,
        psychiatrist_minutes=20.0,
        early_days=1,
        late_days=3,
        min_gap_days=2,
        waiting=Waiting(14.0, 0.03),
    ),
    visits=VisitWindow(WORKING_DAYS, early_days=1, late_days=2, raters=1, ratings_per_day=2),
    therapy=TherapyGroups(
        "dbt", (1,), 14.0, start_size=3, size=4, sessions=6, caseload=6, cancelled=0.1, waiting=Waiting(21.0, 0.02)
    ),
)
"""Every kind of limit, all of them felt."""


def strata_of(streams: Streams, share: Sequence[float] = (0.5, 0.5)) -> StrataOf:
    """Return the strata of those who come, as the patient model draws them."""

    def strata(number: int) -> Index:
        uniform = streams.generator("stratum").random((number, BLOCK_SIZE)).T
        return np.searchsorted(np.cumsum(share)[:-1], uniform, side="right")

    return strata


def recruited(running: Operations, number: int, *, seed: int = 1, block: int = 0) -> Enrolment:
    """Return the recruitment of a block, two strata of equal share."""
    streams = Streams(seed, block)
    return recruit(running, streams, strata_of(streams), number)


def in_turn(shape: tuple[int, ...], n_arms: int = 2) -> Index:
    """Return arms given in turn."""
    return np.broadcast_to(np.arange(shape[1]) % n_arms, shape)


def run(running: Operations, number: int, *, seed: int = 1, block: int = 0) -> Outcome:
    """Return a block of trials, arms in turn."""
    enrolment = recruited(running, number, seed=seed, block=block)
    arm = in_turn(enrolment.day.shape, len(running.infusion_days))
    return attend(running, Streams(seed, block), enrolment, arm)


def arriving(days: Sequence[float], *, site: Sequence[int] | None = None, n_sites: int = 1) -> Enrolment:
    """Return the recruitment of participants who come on days that are written down, the same in all replicates."""
    at = np.zeros(len(days), dtype=np.intp) if site is None else np.array(site, dtype=np.intp)
    shape = BLOCK_SIZE, len(days)
    return Enrolment(
        day=np.broadcast_to(np.array(days, dtype=float), shape),
        site=np.broadcast_to(at, shape),
        stratum=np.zeros(shape, dtype=np.intp),
        n_reached=np.full(BLOCK_SIZE, len(days)),
        closed_day=np.full(BLOCK_SIZE, max(days)),
        site_opened_day=np.zeros((BLOCK_SIZE, n_sites)),
        funnel=np.zeros((BLOCK_SIZE, len(FUNNEL_STAGES), n_sites), dtype=np.intp),
    )


def attended(running: Operations, enrolment: Enrolment, arm: Sequence[int] | None = None) -> Outcome:
    """Return what becomes of such participants, all in the first arm unless told."""
    given = np.zeros(enrolment.day.shape[1], dtype=np.intp) if arm is None else np.array(arm, dtype=np.intp)
    return attend(running, Streams(1, 0), enrolment, np.broadcast_to(given, enrolment.day.shape))
