"""The figures of one simulated cohort: courses, distributions, correlations, and dissociation where it is simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from trialsim.engine.example import trajectories
from trialsim.patients.cohort import Cohort
from trialsim.patients.mechanisms.dissociation import CADSS
from trialsim.report.figures.cohort_correlations import correlation_data, draw_correlations
from trialsim.report.figures.cohort_dissociation import dissociation_data, draw_dissociation
from trialsim.report.figures.cohort_distributions import distribution_data, draw_distributions
from trialsim.report.figures.trajectories import draw_trajectories, trajectory_data
from trialsim.report.origins import CORRELATIONS, DISSOCIATION, SCORES, Parts, origin_words
from trialsim.scenario import Provenance, Variant

Drawing = tuple[pd.DataFrame, Callable[[pd.DataFrame], Figure]]


def cohort_figures(
    variant: Variant, trial: Cohort, *, title: str, provenance: Sequence[Provenance] = ()
) -> dict[str, Drawing]:
    """Return the data of each figure and what draws it, by name, in reading order.

    Parameters
    ----------
    variant : Variant
    trial : Cohort
        With R = 1.
    title : str
        Set above every figure.
    provenance : sequence of Provenance
        Of the scenario; under each figure it is told which of the numbers behind it are assumed.

    Returns
    -------
    dict of str to (DataFrame, callable)
        `trajectories`, `distributions` and `correlations`; `dissociation` where the cohort has a record of it.
    """

    def words(parts: Parts) -> dict[str, str]:
        patients = f"{trial.arm.shape[1]:,} simulated patients of one trial."
        return {"title": title, "note": f"{patients}\n{origin_words(provenance, parts)}".strip()}

    figures: dict[str, Drawing] = {
        "trajectories": (
            trajectory_data(pd.DataFrame(trajectories(variant, trial))),
            partial(draw_trajectories, **words(SCORES)),
        ),
        "distributions": (distribution_data(variant, trial), partial(draw_distributions, **words(SCORES))),
        "correlations": (correlation_data(variant, trial), partial(draw_correlations, **words(CORRELATIONS))),
    }
    if CADSS in trial.records:
        figures["dissociation"] = (dissociation_data(variant, trial), partial(draw_dissociation, **words(DISSOCIATION)))
    return figures
