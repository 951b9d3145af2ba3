"""From those assessed to the last visit: the numbers of a CONSORT flow chart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.operations.outcome import FUNNEL_STAGES, LEFT_BEFORE_START, LEFT_BEFORE_THERAPY, Enrolment, Outcome

Index = NDArray[np.intp]


def screening_flow(enrolment: Enrolment) -> dict[str, Index]:
    """Return what became of everybody assessed, over all sites, by `FUNNEL_STAGES`, each of shape (R,)."""
    total = enrolment.funnel.sum(axis=2)
    return {stage: total[:, f] for f, stage in enumerate(FUNNEL_STAGES)}


def arm_flow(outcome: Outcome) -> dict[str, Index]:
    """Return what became of everybody randomised, by arm, each of shape (R, A).

    `randomised` = `started` + `left_before_start`; those who started were given all their infusions or not, left
    waiting for a group or not, sat in a group or not, and were seen at the last visit or not. Dropout that
    follows from scores is not in these numbers.
    """
    operations = outcome.operations
    reached = outcome.enrolment.reached
    started = np.isfinite(outcome.start_day)
    planned = np.array([len(days) for days in operations.infusion_days])[outcome.arm]
    given = (~np.isnan(outcome.infusion_day)).sum(axis=2)
    seen = ~np.isnan(outcome.visit_day[:, :, -1])
    who = {
        "randomised": reached,
        "left_before_start": outcome.left_reason == LEFT_BEFORE_START,
        "started": started,
        "all_infusions": started & (given == planned),
        "left_before_therapy": outcome.left_reason == LEFT_BEFORE_THERAPY,
        "in_group": outcome.group >= 0,
        "last_visit_held": seen,
        "last_visit_not_held": started & ~seen,
    }
    arms = [outcome.arm == a for a in range(len(operations.infusion_days))]
    return {name: np.stack([(flags & arm).sum(axis=1) for arm in arms], axis=1) for name, flags in who.items()}
