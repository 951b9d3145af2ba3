"""What a trial costs, by component."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.operations.outcome import FUNNEL_STAGES, Enrolment
from trialsim.operations.recruit import draw_amount
from trialsim.scenario.resolved_operations import COST_COMPONENTS, DAYS_PER_MONTH, Costs
from trialsim.streams import Streams

Array = NDArray[np.float64]


def cost_of(
    costs: Costs,
    streams: Streams,
    enrolment: Enrolment,
    end_day: Array,
    *,
    infusions: Array,
    sessions: Array,
    visits: Array,
) -> Array:
    """Return what each replicate costs, shape (R, B), by `COST_COMPONENTS`.

    Parameters
    ----------
    costs : Costs
    streams : Streams
    enrolment : Enrolment
    end_day : ndarray, shape (R,), calendar days
        Last visit, or the end of recruitment where there was none.
    infusions, sessions, visits : ndarray, shape (R,)
        Numbers of those held.
    """
    opened = enrolment.site_opened_day
    open_days = np.maximum(end_day[:, None] - opened, 0.0)
    units = {
        "fixed": np.ones(len(end_day)),
        "month": end_day / DAYS_PER_MONTH,
        "site": np.isfinite(opened).sum(axis=1),
        "site_month": open_days.sum(axis=1) / DAYS_PER_MONTH,
        "screen": enrolment.funnel[:, FUNNEL_STAGES.index("assessed")].sum(axis=1),
        "infusion": infusions,
        "session": sessions,
        "visit": visits,
    }
    priced = [units[name] * draw_amount(getattr(costs, name), streams, "price", name) for name in COST_COMPONENTS]
    return np.stack(priced, axis=1)
