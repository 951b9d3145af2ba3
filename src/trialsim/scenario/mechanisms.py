"""What else happens to patients, as the engine takes it: groups they belong to, events that are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trialsim.scenario import resolved
from trialsim.scenario.case import Case
from trialsim.scenario.operations import arms_with_groups, group_number, group_size

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
        arms = given.arms or (case.arms if given.made_by != "therapy_groups" else arms_with_groups(case))
        icc = [given.icc[k] if isinstance(given.icc, dict) else given.icc for k in case.outcomes]
        case.ledger.note(("clusters", name), given.model_dump(exclude={"label"}, mode="json", exclude_none=True))
        found.append(
            resolved.Cluster(
                name=name,
                label=given.label or name.replace("_", " "),
                arms=tuple(case.arms.index(arm) for arm in arms),
                size=group_size(case, given),
                number=group_number(case, given),
                icc=_frozen(icc),
                made_by=given.made_by or "",
            )
        )
    return tuple(found)


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
