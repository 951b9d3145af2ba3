"""Checks of groups of patients and of what is counted."""

from __future__ import annotations

from collections.abc import Mapping

from trialsim.scenario.checking.bench import Bench


def check_clusters(bench: Bench) -> None:
    """Check the arms and outcomes that clusters name, and that their size is given in one way."""
    for name, cluster in (bench.clusters or {}).items():
        path = ("clusters", name)
        for position, arm in enumerate(cluster.arms or ()):
            bench.known((*path, "arms", position), arm, bench.arms, "arm")
        if (cluster.size is None) == (cluster.number is None):
            bench.report(path, "give either size (patients in a group) or number (of groups)", key=True)
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


CHECKS = (check_clusters, check_counts)
