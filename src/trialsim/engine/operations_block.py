"""What is kept of how the trials of a block were run: numbers of each trial, series by month, and waiting times."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.operations import calendar
from trialsim.operations.flow import arm_flow, screening_flow
from trialsim.operations.outcome import Outcome
from trialsim.operations.usage import Resource, Use, infusion_use, rater_use, therapist_use
from trialsim.scenario.resolved import Variant
from trialsim.scenario.resolved_operations import COST_COMPONENTS, DAYS_PER_MONTH, Operations

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

WAITED_DAYS = (
    *range(15), 17, 19, 21, 24, 28, 31, 35, 42, 49, 56, 63, 70, 77, 84, 98, 112, 126, 140, 168, 196, 224, 252, 308, 365,
)  # fmt: skip
"""Days at which it is counted how many have waited at most so long."""

IN_CLINIC: tuple[Resource, ...] = ("chairs", "nurses", "psychiatrists")
"""What an infusion takes."""

SPARE_MONTHS = 6
"""Beyond the last visit of who is recruited last and begins at once; what is later counts to the last month."""


@dataclass(frozen=True, slots=True, eq=False)
class OperationsBlock:
    """How the trials of a block were run at one sample size.

    Parameters
    ----------
    n : int
        Number to be randomised.
    numbers : mapping of str to ndarray, shape (R,)
        Of each trial; NaN where there is no such thing.
    series : mapping of str to ndarray, shape (R, M)
        At the beginning of each month from 0 on; the use of resources in it.
    waits : mapping of str to ndarray, shape (R, D)
        Share of those who are to begin who have begun after at most `WAITED_DAYS`.
    """

    n: int
    numbers: Mapping[str, Array]
    series: Mapping[str, Array]
    waits: Mapping[str, Array]


def operations_block(variant: Variant, outcome: Outcome) -> OperationsBlock:
    """Return what is kept of a block.

    Parameters
    ----------
    variant : Variant
    outcome : Outcome
        Of the variant's operations.
    """
    edges: Array = DAYS_PER_MONTH * np.arange(months_kept(outcome.operations) + 1, dtype=np.float64)
    used = _used(outcome, edges)
    numbers = {
        **_recruitment(outcome),
        **_attendance(outcome),
        **_by_arm(variant, outcome),
        **_by_stratum(variant, outcome),
        **_waiting(outcome),
        **{f"use_{name}": use.over(1).share for name, use in used.items()},
        **{f"peak_use_{name}": np.nan_to_num(use.share).max(axis=1) for name, use in used.items()},
        **_busiest(outcome, edges),
        **_costs(outcome),
    }
    series = {**_calendar(variant, outcome, edges[:-1]), **{f"use_{name}": use.share for name, use in used.items()}}
    return OperationsBlock(outcome.arm.shape[1], numbers, series, _waited(outcome))


def months_kept(operations: Operations) -> int:
    """Return the number of months that series have, the same for every block."""
    therapy = operations.therapy
    ready = 0.0 if therapy is None else therapy.ready_day
    last = operations.recruitment.horizon_days + ready + operations.visits_days[-1]
    return math.ceil(last / DAYS_PER_MONTH) + SPARE_MONTHS + 1


def _used(outcome: Outcome, edges: Array) -> dict[str, Use]:
    """Return what is used of each resource that has a limit, by month, shape (R, M), over the sites with a limit."""
    operations = outcome.operations
    found: dict[str, Use] = {}
    for name in IN_CLINIC:
        limited = np.array([getattr(site, name) is not None for site in operations.sites])
        if limited.any():
            use = infusion_use(outcome, name, edges)
            found[name] = Use(use.used[:, limited], use.available[:, limited]).over(1)
    for other, use in (
        ("therapists", therapist_use(outcome, (edges[:-1] + edges[1:]) / 2.0)),  # at the middle of each month
        ("raters", rater_use(outcome, edges)),
    ):
        if np.isfinite(use.available).all() and use.available.any():
            going = outcome.last_visit_day[:, None] > edges[:-1]
            found[other] = Use(use.used, np.where(going, use.available, 0.0))
    return found


def _busiest(outcome: Outcome, edges: Array) -> dict[str, Array]:
    """Return the use of each resource in the clinic at the site where it is highest, over the whole trial, (R,)."""
    found = {}
    for name in IN_CLINIC:
        if any(getattr(site, name) is not None for site in outcome.operations.sites):
            share = infusion_use(outcome, name, edges[[0, -1]]).share[..., 0]
            found[f"busiest_site_use_{name}"] = np.nan_to_num(share).max(axis=1)
    return found


def _recruitment(outcome: Outcome) -> dict[str, Array]:
    enrolment = outcome.enrolment
    full = enrolment.n_reached >= outcome.arm.shape[1]
    target = outcome.operations.target_months * DAYS_PER_MONTH
    per_site = np.stack([(enrolment.site == c).sum(axis=1) for c in range(len(outcome.operations.sites))], axis=1)
    counts = {
        "recruited": full,
        "recruited_by_target": full & (enrolment.closed_day <= target),
        "randomised_by_target": calendar.enrolled(enrolment, [target])[:, 0],
        "sites_opened": np.isfinite(enrolment.site_opened_day).sum(axis=1),
        "smallest_site": per_site.min(axis=1),
        "largest_site": per_site.max(axis=1),
        **screening_flow(enrolment),
    }
    return {
        **{name: values.astype(np.float64) for name, values in counts.items()},
        "months_to_recruit": np.where(full, enrolment.closed_day / DAYS_PER_MONTH, np.nan),
        "months_recruiting": enrolment.closed_day / DAYS_PER_MONTH,
        "months_to_last_visit": outcome.last_visit_day / DAYS_PER_MONTH,
    }


def _attendance(outcome: Outcome) -> dict[str, Array]:
    given = np.isfinite(outcome.infusion_day)
    late = given & (np.nan_to_num(outcome.infusion_late_days) > 0.0)
    counts = {
        "infusions_given": given,
        "infusions_late": late,
        "infusions_missed": outcome.infusion_missed,
        "visits_held": np.isfinite(outcome.visit_day),
        "visits_missed": outcome.visit_missed,
    }
    found = {name: flags.sum(axis=(1, 2)).astype(np.float64) for name, flags in counts.items()}
    found["share_infusions_late"] = _ratio(found["infusions_late"], found["infusions_given"])
    due = found["infusions_given"] + found["infusions_missed"]
    found["share_infusions_missed"] = _ratio(found["infusions_missed"], due)
    due = found["visits_held"] + found["visits_missed"]
    found["share_visits_missed"] = _ratio(found["visits_missed"], due)
    if outcome.operations.therapy is not None:
        seated = outcome.group >= 0
        found["therapy_groups"] = (outcome.group.max(axis=1, initial=-1) + 1).astype(np.float64)
        found["in_therapy_groups"] = seated.sum(axis=1).astype(np.float64)
        found["sessions_held"] = (outcome.session_held & seated[..., None]).sum(axis=(1, 2)).astype(np.float64)
        found["sessions_cancelled"] = outcome.sessions_cancelled.sum(axis=1).astype(np.float64)
    return found


def _by_arm(variant: Variant, outcome: Outcome) -> dict[str, Array]:
    """Return the stages of `arm_flow`, over all arms where something may be lost, and by arm."""
    flow = arm_flow(outcome)
    whole = {name: flow[name].sum(axis=1).astype(np.float64) for name in ("left_before_start", "left_before_therapy")}
    flow["missed_last_visit"] = np.stack(
        [(outcome.visit_missed[..., -1] & (outcome.arm == a)).sum(axis=1) for a in range(len(variant.arms))], axis=1
    )
    return whole | {
        f"{stage}_{arm}": counts[:, a].astype(np.float64)
        for a, arm in enumerate(variant.arms)
        for stage, counts in flow.items()
    }


def _by_stratum(variant: Variant, outcome: Outcome) -> dict[str, Array]:
    """Return how many were randomised by stratum, where there are several: quotas make another mix than the shares."""
    enrolment = outcome.enrolment
    return {
        f"stratum_{name}_randomised": (enrolment.reached & (enrolment.stratum == s)).sum(axis=1).astype(np.float64)
        for s, name in enumerate(variant.strata)
        if len(variant.strata) > 1
    }


def _waiting(outcome: Outcome) -> dict[str, Array]:
    found = {"mean_wait_days": _mean(outcome.start_wait_days), "longest_wait_days": _longest(outcome.start_wait_days)}
    if outcome.operations.therapy is not None:
        found["mean_therapy_wait_days"] = _mean(outcome.therapy_wait_days)
        found["longest_therapy_wait_days"] = _longest(outcome.therapy_wait_days)
    return found


def _waited(outcome: Outcome) -> dict[str, Array]:
    """Return the shares of those who are to begin who have begun after so many days, (R, D)."""
    reached = outcome.enrolment.reached
    infused = np.array([len(days) > 0 for days in outcome.operations.infusion_days])
    found = {}
    if infused.any():
        found["infusion"] = _begun(outcome.start_wait_days, reached & infused[outcome.arm])
    if outcome.operations.therapy is not None:
        found["therapy"] = _begun(outcome.therapy_wait_days, reached & np.isfinite(outcome.therapy_ready_day))
    return found


def _begun(wait: Array, asked: Flags) -> Array:
    counts = calendar.counted_by(np.where(asked, wait, np.inf), WAITED_DAYS).astype(np.float64)
    return _ratio(counts, asked.sum(axis=1)[:, None].astype(np.float64))


def _costs(outcome: Outcome) -> dict[str, Array]:
    total = outcome.costs.sum(axis=1)
    return {
        **{f"cost_{name}_usd": outcome.costs[:, place] for place, name in enumerate(COST_COMPONENTS)},
        "cost_total_usd": total,
        "cost_per_randomised_usd": _ratio(total, outcome.enrolment.n_reached.astype(np.float64)),
    }


def _calendar(variant: Variant, outcome: Outcome, days: Array) -> dict[str, Array]:
    """Return numbers on given days: sites, patients, and how much of the information there is."""
    enrolment, visit = outcome.enrolment, variant.estimands[0].visit
    seen = calendar.information(outcome, visit, days).astype(np.float64)
    final = np.isfinite(outcome.visit_day[:, :, visit]).sum(axis=1)[:, None].astype(np.float64)
    counts = {
        "open_sites": np.where(days <= enrolment.closed_day[:, None], calendar.sites_open(enrolment, days), 0),
        "randomised": calendar.enrolled(enrolment, days),
        **calendar.pipeline(outcome, days),
    }
    return {
        **{name: values.astype(np.float64) for name, values in counts.items()},
        "seen_at_primary_visit": seen,
        "information": _ratio(seen, final),
    }


def _mean(values: Array) -> Array:
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64))


def _longest(values: Array) -> Array:
    longest = np.where(np.isnan(values), -np.inf, values).max(axis=1)
    return np.where(np.isfinite(longest), longest, np.nan)


def _ratio(part: Array, whole: Array) -> Array:
    """Return a share, NaN where there is nothing that it could be of."""
    there = whole > 0.0
    return np.asarray(np.where(there, part / np.where(there, whole, 1.0), np.nan))
