"""Checks of groups of patients and of what is counted."""

from __future__ import annotations

from collections.abc import Mapping

from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.words import number

RESERVED = ("patient", "arm", "assigned", "stratum", "day", "present")
"""Columns of a trial's data."""


def check_names(bench: Bench) -> None:
    """Check that what is measured, counted or grouped has a column of its own in a trial's data."""
    for part in ("outcomes", "clusters", "counts"):
        for name in bench.named(part):
            if name in RESERVED:
                bench.report((part, name), f"'{name}' is a column of the data already; choose another name", key=True)


def check_clusters(bench: Bench) -> None:
    """Check the arms and outcomes that clusters name, and that their size is given in one way."""
    for name, cluster in (bench.clusters or {}).items():
        path = ("clusters", name)
        for position, arm in enumerate(cluster.arms or ()):
            bench.known((*path, "arms", position), arm, bench.arms, "arm")
        ways = [cluster.size, cluster.number, cluster.made_by]
        if sum(way is not None for way in ways) != 1:
            message = "give either size (patients in a group) or number (of groups)"
            if bench.operations is not None:
                message = "give one of size (patients in a group), number (of groups) and made_by (by operations)"
            bench.report(path, message, key=True)
        if isinstance(cluster.icc, Mapping):
            advice = "name every outcome, or give one value for all"
            bench.keys((*path, "icc"), cluster.icc, bench.outcomes, "outcome", complete=advice)


def check_counts(bench: Bench) -> None:
    """Check the names of counts, and the strata and arms that their rates name."""
    for name, count in (bench.counts or {}).items():
        path = ("counts", name)
        if bench.outcomes is not None and name in bench.outcomes:
            bench.report(path, f"'{name}' is measured as a score too; give the count another name", key=True)
        bench.by_stratum((*path, "rate_per_year"), count.rate_per_year)
        bench.keys((*path, "rate_ratio"), count.rate_ratio, bench.arms, "arm")
        for arm, ratio in count.rate_ratio.items():
            bench.by_stratum((*path, "rate_ratio", arm), ratio)


def check_therapies(bench: Bench) -> None:
    """Check that arms name therapies that are described, and the outcomes and times of these."""
    for name, arm in (bench.arms or {}).items():
        if arm is not None and arm.therapy is not None and bench.therapies is not None:
            bench.known(("arms", name, "therapy"), arm.therapy, bench.named("therapies"), "therapy")
        if arm is not None and arm.infusions is not None:
            bench.rising(("arms", name, "infusions"), arm.infusions)
    used = {arm.therapy for arm in (bench.arms or {}).values() if arm is not None}
    for name, therapy in (bench.therapies or {}).items():
        path = ("therapies", name)
        if bench.arms is not None and name not in used:
            bench.report(path, f"no arm has it: write therapy: {name} in an arm, or leave it out", key=True)
        for outcome, effect in (therapy.effects or {}).items():
            bench.known((*path, "effects", outcome), outcome, bench.outcomes, "outcome", key=True)
            if (effect.points is None) == (effect.standardised is None):
                bench.report((*path, "effects", outcome), "give either points or standardised", key=True)
            bench.by_stratum((*path, "effects", outcome, "points"), effect.points)
            bench.by_stratum((*path, "effects", outcome, "standardised"), effect.standardised)
        if therapy.weeks is not None and therapy.onset_weeks is not None and therapy.onset_weeks >= therapy.weeks:
            bench.report((*path, "onset_weeks"), f"must be below weeks, {number(therapy.weeks)}")


CHECKS = (check_names, check_clusters, check_counts, check_therapies)
