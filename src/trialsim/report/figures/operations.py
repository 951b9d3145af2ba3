"""The figures on how trials are run, by name."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from trialsim.report.figure_files import Draw
from trialsim.report.figures.capacity_use import capacity_use_data, draw_capacity_use
from trialsim.report.figures.pipeline import draw_pipeline, pipeline_data
from trialsim.report.figures.power_by_means import draw_power_by_means
from trialsim.report.figures.recruitment import draw_recruitment, recruitment_data
from trialsim.report.figures.site_rampup import draw_site_rampup, site_rampup_data
from trialsim.report.figures.trial_costs import draw_trial_costs, trial_costs_data
from trialsim.report.figures.trial_flow import draw_trial_flow, trial_flow_data
from trialsim.report.figures.waiting import draw_waiting, waiting_data
from trialsim.report.operations import Operated


def operations_drawings(
    told: Operated, power: pd.DataFrame | None = None, missing: Mapping[str, float] | None = None
) -> dict[str, tuple[pd.DataFrame, Draw]]:
    """Return the data of each figure and what draws it, in reading order.

    Parameters
    ----------
    told : Operated
    power : DataFrame, optional
        Power beside what it takes, as `operations.power_by_means` makes it.
    missing : mapping, optional
        Who has no score at the primary visit, as of `trial_flow_data`.
    """
    found: dict[str, tuple[pd.DataFrame, Draw]] = {
        "recruitment": (recruitment_data(told), draw_recruitment),
        "site_rampup": (site_rampup_data(told), draw_site_rampup),
        "pipeline": (pipeline_data(told), draw_pipeline),
        "trial_flow": (trial_flow_data(told, missing), draw_trial_flow),
    }
    if told.resources:
        found["capacity_use"] = (capacity_use_data(told), draw_capacity_use)
    if not told.waits.empty:
        found["waiting"] = (waiting_data(told), draw_waiting)
    found["trial_costs"] = (trial_costs_data(told), draw_trial_costs)
    if power is not None and not power.empty and power["months"].notna().all():
        found["power_by_means"] = (power, draw_power_by_means)
    return found
