"""Checks of what is chosen: schedule, allocation, dropout and sample size."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from trialsim.scenario import schema
from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.words import count, listed, number


def check_schedule(bench: Bench) -> None:
    """Check that days rise and that visits come after the first day."""
    if bench.schedule is None:
        return
    bench.rising(("schedule", "infusions"), bench.schedule.infusions)
    bench.rising(("schedule", "visits"), bench.schedule.visits)
    if bench.schedule.visits[0] <= 0:
        bench.report(
            ("schedule", "visits", 0), "visits come after day 0; the baseline is always measured and not listed"
        )


def check_allocation(bench: Bench) -> None:
    """Check that the ratio has one number per arm and that blocks hold whole ratios."""
    allocation = bench.allocation
    if allocation is None or bench.arms is None:
        return
    ratio = allocation.ratio or (1,) * len(bench.arms)
    arms = f"{count(len(bench.arms), 'arm')} ({', '.join(bench.arms)})"
    bench.length(("allocation", "ratio"), len(ratio), len(bench.arms), "number", arms)
    if allocation.method == "complete":
        _check_complete(bench, allocation)
    elif len(ratio) == len(bench.arms):
        for position, size in enumerate(allocation.block_sizes or ()):
            if size % sum(ratio):
                message = (
                    f"must be a multiple of {sum(ratio)}, the sum of the ratio {':'.join(map(str, ratio))}, not {size}"
                )
                bench.report(("allocation", "block_sizes", position), message)


def _check_complete(bench: Bench, allocation: schema.Allocation) -> None:
    if allocation.block_sizes is not None:
        bench.report(("allocation", "block_sizes"), "complete randomisation has no blocks; leave this out", key=True)
    if allocation.stratify_by:
        message = "complete randomisation draws every participant alike; leave this out or take permuted_blocks"
        bench.report(("allocation", "stratify_by"), message, key=True)


def check_dropout(bench: Bench) -> None:
    """Check that missing shares do not fall and reach the last visit, and the names of arms and strata."""
    dropout = bench.dropout
    if dropout is None:
        return
    path = ("dropout",)
    if dropout.outcome is not None:
        bench.known((*path, "outcome"), dropout.outcome, bench.outcomes, "outcome")
    if dropout.model == "mcar" and dropout.score_hazard_ratio_per_sd is not None:
        bench.report(
            (*path, "score_hazard_ratio_per_sd"), "goes with mar and mnar; with mcar scores play no part", key=True
        )
    bench.keys((*path, "arm_hazard_ratio"), dropout.arm_hazard_ratio or {}, bench.arms, "arm")
    bench.keys((*path, "stratum_hazard_ratio"), dropout.stratum_hazard_ratio or {}, bench.strata, "stratum")
    check_delta(bench, (*path, "delta"), dropout.delta)
    if dropout.missing_by is not None:
        _check_missing(bench, dropout, dropout.missing_by)


def check_delta(bench: Bench, path: tuple[str, ...], given: Mapping[str, Any] | None) -> None:
    """Check the outcomes and arms of points that are added to unseen scores.

    Parameters
    ----------
    bench : Bench
    path : tuple of str
    given : mapping of outcome to points, for all arms or by arm
    """
    bench.keys(path, given or {}, bench.outcomes, "outcome")
    for outcome, value in (given or {}).items():
        if isinstance(value, Mapping):
            bench.keys((*path, outcome), value, bench.arms, "arm")


def _check_missing(bench: Bench, dropout: schema.Dropout, missing_by: dict[str, float]) -> None:
    path = ("dropout", "missing_by")
    bench.days(path, missing_by)
    rows = sorted((float(key), key, share) for key, share in missing_by.items())
    for (day, _, share), (later_day, key, later) in pairwise(rows):
        if later_day > day and later < share:
            message = (
                f"the share missing cannot fall: {number(share)} by day {day:g}, {number(later)} by day {later_day:g}"
            )
            bench.report((*path, key), message)
    first_day, first_key, first = rows[0]
    if first_day <= 0:
        bench.report(
            (*path, first_key), "a day after day 0 is needed; those missing from the start are never_starts", key=True
        )
    if dropout.never_starts > first:
        message = f"must be at most the share missing by day {first_day:g}, {number(first)}, which it is part of"
        bench.report(("dropout", "never_starts"), f"{message}; not {number(dropout.never_starts)}")
    if bench.visits and rows[-1][0] < bench.visits[-1]:
        message = (
            f"ends on day {rows[-1][0]:g}; give the share missing by the last visit, day {bench.visits[-1]:g}, too"
        )
        bench.report(path, message, key=True)


def check_sample_size(bench: Bench) -> None:
    """Check that sizes differ and suffice for two participants per arm."""
    sizes = bench.sample_size
    if sizes is None:
        return
    listed_sizes = sizes if isinstance(sizes, tuple) else (sizes,)
    for position, size in enumerate(listed_sizes):
        path = ("sample_size", position) if isinstance(sizes, tuple) else ("sample_size",)
        if size in listed_sizes[:position]:
            bench.report(path, f"{size} is listed twice")
        if bench.arms is not None and size < 2 * len(bench.arms):
            arms = f"{count(len(bench.arms), 'arm')} ({listed(bench.arms)})"
            bench.report(path, f"{size} is too few for {arms}: two per arm are the least")


CHECKS = (check_schedule, check_allocation, check_dropout, check_sample_size)
