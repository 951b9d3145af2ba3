"""Checks of groups of patients and of what is counted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from trialsim.scenario import schema
from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.words import number

RESERVED = (
    "patient", "arm", "assigned", "stratum", "day", "present", "screening", "screened", "excluded_in_run_in",
    "infusions_given", "followed_until_day", "says_active", "sessions_attended",
)  # fmt: skip
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
        _check_size(bench, name, cluster)
        if cluster.therapy is not None and bench.therapies is not None:
            bench.known((*path, "therapy"), cluster.therapy, bench.named("therapies"), "therapy")
        for position, arm in enumerate(cluster.arms or ()):
            if cluster.therapy is not None and arm not in arms_having(bench.arms or {}, (cluster.therapy,)):
                message = f"arm {arm} has no {cluster.therapy}: give it one, or leave the arm out here"
                bench.report((*path, "arms", position), message)
        if isinstance(cluster.icc, Mapping):
            advice = "name every outcome, or give one value for all"
            bench.keys((*path, "icc"), cluster.icc, bench.outcomes, "outcome", complete=advice)


def _check_size(bench: Bench, name: str, cluster: schema.Cluster) -> None:
    """Check that it is told in one way how groups come about."""
    path = ("clusters", name)
    if isinstance(cluster.size, tuple) and cluster.size[0] > cluster.size[1]:
        bench.report((*path, "size"), "the smallest size comes first, then the largest")
    if cluster.made_by is not None:
        follow = f"follows from operations, whose {cluster.made_by.replace('_', ' ')} these are"
        _check_left_out(bench, name, cluster, ("size", "number", "of", "groups_each"), follow)
    elif cluster.of is not None or cluster.groups_each is not None:
        _check_leaders(bench, name, cluster)
    elif cluster.entry == "rolling":
        if not isinstance(cluster.size, int) or cluster.number is None:
            message = "rolling needs size (members at a time, one number) and number (of groups side by side in an arm)"
            bench.report((*path, "entry"), message)
    elif (cluster.size is None) == (cluster.number is None):
        message = "give either size (patients in a group) or number (of groups)"
        if bench.operations is not None:
            message = "give one of size (patients in a group), number (of groups) and made_by (by operations)"
        bench.report(path, message, key=True)


def _check_left_out(bench: Bench, name: str, cluster: schema.Cluster, keys: Sequence[str], follow: str) -> None:
    """Check that nothing is told of groups that follows from elsewhere; `entry` never is."""
    for key in keys:
        if getattr(cluster, key) is not None:
            bench.report(("clusters", name, key), f"{follow}: leave it out", key=True)
    if cluster.entry == "rolling":
        bench.report(("clusters", name, "entry"), f"{follow}: leave it out", key=True)


def check_groups_of_one(bench: Bench) -> None:
    """Check that no planned number of patients leaves a single patient in a therapy group."""
    if bench.arms is None or bench.allocation is None:
        return
    ratio = bench.allocation.ratio or (1,) * len(bench.arms)
    if len(ratio) != len(bench.arms):
        return
    shares = dict(zip(bench.arms, ratio, strict=True))
    for name, cluster in (bench.clusters or {}).items():
        if cluster.entry == "rolling":
            continue
        if cluster.number is not None and within_arms(bench.arms, cluster):
            _check_number(bench, name, cluster, shares)
        if isinstance(cluster.size, int) and bench.allocation.method != "complete":
            _check_last_group(bench, name, cluster, shares)


def within_arms(arms: Mapping[str, schema.Arm | None], cluster: schema.Cluster) -> bool:
    """Return whether groups belong to a therapy or to some arms only; those across all arms may be sites."""
    return cluster.therapy is not None or set(arms_with(arms, cluster)) != set(arms)


def _check_number(bench: Bench, name: str, cluster: schema.Cluster, shares: Mapping[str, int]) -> None:
    """Report so many groups that patients, who join them in turn, are fewer than two in each."""
    sizes = bench.sample_size if isinstance(bench.sample_size, tuple) else (bench.sample_size,)
    known = [size for size in sizes if isinstance(size, int)]
    if not known or cluster.number is None:
        return
    patients = patients_of(min(known), arms_with(bench.arms or {}, cluster), shares)
    if patients < 2 * cluster.number:
        message = (
            f"{cluster.number} groups of about {number(round(patients, 1))} patients leave groups of one: at most "
            f"{max(int(patients // 2), 1)} can have two, with {min(known)} randomised"
        )
        bench.report(("clusters", name, "number"), message)


def patients_of(size: int, arms: Sequence[str], shares: Mapping[str, int]) -> float:
    """Return the expected number of patients in some arms, of so many randomised."""
    return size * sum(shares.get(arm, 0) for arm in arms) / sum(shares.values())


def _check_last_group(bench: Bench, name: str, cluster: schema.Cluster, shares: Mapping[str, int]) -> None:
    """Report numbers of patients that fill groups of a fixed size but for a single patient."""
    sizes = bench.sample_size if isinstance(bench.sample_size, tuple) else (bench.sample_size,)
    if not isinstance(cluster.size, int):
        return
    for position, size in enumerate(sizes):
        for arm in arms_with(bench.arms or {}, cluster):
            patients, rest = divmod((size if isinstance(size, int) else 0) * shares.get(arm, 0), sum(shares.values()))
            if rest == 0 and patients % cluster.size == 1:
                path = ("sample_size", position) if isinstance(bench.sample_size, tuple) else ("sample_size",)
                bench.report(path, _group_of_one(patients, arm, name, cluster.size))


def _group_of_one(patients: int, arm: str, name: str, size: int) -> str:
    return (
        f"{patients} patients in arm {arm} leave a group of one in {name}, groups of {size}: take another number of "
        "patients, or another size"
    )


def arms_with(arms: Mapping[str, schema.Arm | None], cluster: schema.Cluster) -> tuple[str, ...]:
    """Return the arms that have such groups: those named, those with the therapy, or all."""
    if cluster.arms is not None:
        return cluster.arms
    if cluster.therapy is not None:
        return arms_having(arms, (cluster.therapy,))
    return tuple(arms)


def arms_having(arms: Mapping[str, schema.Arm | None], therapies: Collection[str]) -> tuple[str, ...]:
    """Return the arms that have one of some therapies."""
    return tuple(name for name, arm in arms.items() if arm is not None and arm.therapy in therapies)


def _check_leaders(bench: Bench, name: str, cluster: schema.Cluster) -> None:
    """Check that who leads groups leads some that are described, and nothing is told of them that those decide."""
    path = ("clusters", name)
    if cluster.of is None or cluster.groups_each is None:
        bench.report(
            path, "of (the groups that are led) and groups_each (how many by one therapist) go together", key=True
        )
        return
    others = [other for other in bench.named("clusters") if other != name]
    bench.known((*path, "of"), cluster.of, others, "cluster")
    led = (bench.clusters or {}).get(cluster.of)
    if led is not None and led.of is not None:
        bench.report((*path, "of"), f"{cluster.of} lead groups themselves: name the groups that patients sit in")
    keys = ("arms", "size", "number", "therapy", "effect_sd")
    _check_left_out(bench, name, cluster, keys, f"follows from the groups led, {cluster.of}")


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
        if therapy.synergy_window_days is not None and therapy.synergy is None:
            bench.report((*path, "synergy_window_days"), "give synergy too: how much more sessions bring in the window")
        if bench.visits is not None and therapy.start_day >= max(bench.visits):
            message = f"it begins on day {therapy.start_day:g}, and the last visit is on day {max(bench.visits):g}"
            bench.report((*path, "start_day"), f"{message}: nothing of it would be seen")
        if therapy.weeks is not None and therapy.onset_weeks is not None and therapy.onset_weeks >= therapy.weeks:
            bench.report((*path, "onset_weeks"), f"must be below weeks, {number(therapy.weeks)}")


CHECKS = (check_names, check_clusters, check_groups_of_one, check_counts, check_therapies)
