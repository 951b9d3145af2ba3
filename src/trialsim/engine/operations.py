"""The running of the trials of a block: recruitment, randomisation, clinic; and what of it the patients meet."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trialsim.designs.allocation import allocate
from trialsim.patients.delivery import Delivery
from trialsim.patients.population import draw_strata
from trialsim.scenario.resolved import Variant
from trialsim.scenario.resolved_operations import Operations
from trialsim.streams import BLOCK_SIZE, Streams

if TYPE_CHECKING:
    from trialsim.operations.outcome import Enrolment, Outcome

Array = NDArray[np.float64]
Index = NDArray[np.intp]


def operate(variant: Variant, streams: Streams, n_participants: int) -> Outcome:
    """Return how the trials of a block are run.

    Parameters
    ----------
    variant : Variant
        With operations.
    streams : Streams
    n_participants : int
        Number to be randomised.

    Raises
    ------
    ValueError
        If the variant says nothing of operations.
    """
    from trialsim.operations.attend import attend

    running, enrolment = _enrolled(variant, streams, n_participants)
    arm = allocate(variant.allocation, enrolment.stratum, variant.strata, streams)
    return attend(running, streams, enrolment, arm)


def number_enrolled(variant: Variant, streams: Streams, n_participants: int) -> Index:
    """Return how many each trial of a block recruits, shape (R,), without running its clinic.

    Parameters
    ----------
    variant, streams, n_participants
        As of `operate`.
    """
    _, enrolment = _enrolled(variant, streams, n_participants)
    return enrolment.n_reached


def _enrolled(variant: Variant, streams: Streams, n_participants: int) -> tuple[Operations, Enrolment]:
    from trialsim.operations.recruit import recruit

    running = variant.operations
    if running is None:
        raise ValueError("the scenario says nothing of operations")
    strata = partial(draw_strata, variant, n_replicates=BLOCK_SIZE, streams=streams)
    return running, recruit(running, streams, strata, n_participants)


def is_as_planned(outcome: Outcome) -> bool:
    """Return whether everybody of a block was enrolled, and treated and seen as planned."""
    waits = _therapy_delay(outcome)
    return bool(
        outcome.enrolment.reached.all()
        and np.isfinite(outcome.start_day).all()
        and np.isinf(outcome.left_day).all()
        and not outcome.infusion_missed.any()
        and not np.nan_to_num(outcome.infusion_late_days).any()
        and not outcome.visit_missed.any()
        and not waits.any()
        and (_sessions_held(outcome) == 1.0).all()
    )


def delivery_of(variant: Variant, outcome: Outcome) -> Delivery:
    """Return what the patients were given, on their own clocks.

    Parameters
    ----------
    variant : Variant
    outcome : Outcome
        Of the variant's operations.
    """
    started = np.isfinite(outcome.start_day)
    start = np.where(started, outcome.start_day, 0.0)
    return Delivery(
        infusion_day=_infusion_days(variant, outcome),
        left_day=np.where(started, outcome.left_day - start, 0.0),
        visited=np.isfinite(outcome.visit_day),
        therapy_delay_days=_therapy_delay(outcome),
        sessions_held=_sessions_held(outcome),
        enrolled=outcome.enrolment.reached,
        groups=_groups(variant, outcome),
    )


def _infusion_days(variant: Variant, outcome: Outcome) -> Array:
    """Return the days of the infusions given from the patient's day 0, as many as the arm with most has; else infinite.

    A delay is added to the day planned, so that an infusion that is on time is so to the last bit.
    """
    most = max((len(days) for days in variant.infusion_days), default=0)
    planned = np.full((len(variant.infusion_days), most), np.inf)
    for arm, days in enumerate(variant.infusion_days):
        planned[arm, : len(days)] = days
    late = outcome.infusion_late_days
    return np.where(np.isnan(late), np.inf, planned[outcome.arm] + np.nan_to_num(late))


def _therapy_delay(outcome: Outcome) -> Array:
    therapy = outcome.operations.therapy
    if therapy is None:
        return np.zeros(outcome.arm.shape)
    wait = outcome.therapy_wait_days
    return np.where(np.isin(outcome.arm, therapy.arms), np.where(np.isnan(wait), np.inf, wait), 0.0)


def _sessions_held(outcome: Outcome) -> Array:
    """Return the share of their sessions that were held, 1 for who has no group."""
    if outcome.operations.therapy is None:
        return np.ones(outcome.arm.shape)
    return np.where(outcome.group >= 0, outcome.session_held.mean(axis=2), 1.0)


def _groups(variant: Variant, outcome: Outcome) -> dict[str, Index]:
    made = {"sites": outcome.enrolment.site, "therapy_groups": outcome.group}
    return {
        cluster.name: np.where(np.isin(outcome.arm, cluster.arms), made[cluster.made_by], -1)
        for cluster in variant.clusters
        if cluster.made_by
    }
