"""What else happens to patients, as the engine takes it: groups they belong to, events that are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trialsim.scenario import resolved, schema
from trialsim.scenario.case import Case
from trialsim.scenario.dynamics import therapy_progress
from trialsim.scenario.operations import group_number, group_places, group_therapy

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray

DAYS_PER_YEAR = 365.25


def count_names(case: Case) -> tuple[str, ...]:
    """Return the names of what is counted, in order."""
    return tuple(case.content.counts)


def clusters(case: Case) -> tuple[resolved.Cluster, ...]:
    """Return the groups that patients belong to."""
    found = []
    for name, given in case.content.clusters.items():
        arms = cluster_arms(case.content, name)
        smallest, largest = _sizes(case, given)
        led = case.content.clusters[given.of] if given.of else None
        therapy = given.therapy or (led.therapy if led is not None else None)
        icc = [given.icc[k] if isinstance(given.icc, dict) else given.icc for k in case.outcomes]
        case.ledger.note(("clusters", name), given.model_dump(exclude={"label"}, mode="json", exclude_none=True))
        found.append(
            resolved.Cluster(
                name=name,
                label=given.label or name.replace("_", " "),
                arms=tuple(case.arms.index(arm) for arm in arms),
                size=smallest,
                number=group_number(case, given),
                icc=_frozen(icc),
                growth=_frozen(np.ones(len(case.visits))) if therapy is None else therapy_progress(case, therapy),
                largest=largest,
                rolling=given.entry == "rolling",
                of=given.of or "",
                groups_each=given.groups_each or 0,
                made_by=given.made_by or "",
            )
        )
    return tuple(found)


def _sizes(case: Case, given: schema.Cluster) -> tuple[int, int]:
    """Return how many patients a group has at least and at most, by plan; 0 where groups are joined in turn."""
    if given.made_by == "therapy_groups":
        places = group_places(case)
        return places, places
    if isinstance(given.size, tuple):
        return given.size[0], given.size[1]
    return given.size or 0, given.size or 0


def cluster_arms(content: schema.Content, name: str) -> tuple[str, ...]:
    """Return the arms that have certain groups, as written or by those led, the therapy they sit in, or all arms."""
    given = content.clusters[name]
    if given.arms is not None:
        return given.arms
    if given.of is not None:
        return cluster_arms(content, given.of)
    therapy = given.therapy if given.made_by != "therapy_groups" else group_therapy(content)
    if therapy is not None:
        return tuple(a for a, arm in content.arms.items() if arm is not None and arm.therapy == therapy)
    return tuple(content.arms)


def counts(case: Case) -> tuple[resolved.Count, ...]:
    """Return the events that are counted."""
    found = []
    for name, given in case.content.counts.items():
        control = np.array(case.by_stratum(given.rate_per_year), dtype=float) / DAYS_PER_YEAR
        ratios = [case.by_stratum(given.rate_ratio.get(arm, 1.0)) for arm in case.arms]
        case.ledger.note(("counts", name), given.model_dump(exclude={"label"}, mode="json"))
        found.append(
            resolved.Count(
                name=name,
                label=given.label or name.replace("_", " "),
                rate_per_day=_frozen(np.array(ratios, dtype=float) * control),
                dispersion=given.dispersion,
                lower_is_better=given.lower_is_better,
            )
        )
    return tuple(found)


def _frozen(values: object) -> FloatArray:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array
