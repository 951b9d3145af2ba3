"""The analyses a scenario plans, carried out on the data of a real trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialsim.analysis.contract import FAILED, Estimates
from trialsim.analysis.registry import analyse as analyse_block
from trialsim.engine.aggregate import outcome_name
from trialsim.engine.hypotheses import contrast_name
from trialsim.scenario import Scenario, resolve

if TYPE_CHECKING:
    import pandas as pd


def analyse(data: pd.DataFrame | str | Path, scenario: Scenario) -> pd.DataFrame:
    """Return every analysis of every estimand of a scenario on one trial's data.

    Parameters
    ----------
    data : DataFrame, str or Path
        Long: one row per patient and day, with columns patient, arm, day, stratum (where the scenario has more than
        one), one for each outcome, one for each count (events since the visit before), one for each kind of groups
        (any label; empty for who is in none), `<event>_day` for each event (empty where it did not happen) and
        infusions_given where an analysis set needs it, as `trialsim cohort` writes them. followed_until_day, the day of
        the last visit before a patient left, seen or missed, need not be there: who is not seen again and has no event
        later has then left. Day 0 is the baseline; a score
        that was not taken is empty, or its row is absent.
    scenario : Scenario
        What it varies is left aside.

    Returns
    -------
    DataFrame
        estimand, outcome, visit_days, contrast, method, estimate, se, df, p, ci_low, ci_high (level 1 − alpha),
        alpha, how (the covariance or reason of failure), failed and n_analysed.

    Raises
    ------
    InputError
        With every fault found in the data, by line where they came from a file.
    """
    import pandas as pd

    from trialsim.api.trial_data import read_trial

    variant = resolve(scenario.at_base()).variants[0]
    observed = read_trial(data, variant)
    rows = []
    for estimand in variant.estimands:
        for analysis in estimand.analyses:
            found = analyse_block(observed, estimand, analysis, (observed.arm.shape[1],))[0]
            rows.append(
                {
                    "estimand": estimand.name,
                    "outcome": outcome_name(variant, estimand),
                    "visit_days": float(variant.visits_days[estimand.visit]),
                    "contrast": contrast_name(variant, estimand),
                    "method": analysis.name,
                    **_numbers(found, analysis.alpha),
                }
            )
    return pd.DataFrame(rows)


def _numbers(found: Estimates, alpha: float) -> dict[str, Any]:
    return {
        "estimate": float(found.estimate[0]),
        "se": float(found.se[0]),
        "df": float(found.df[0]),
        "p": float(found.p[0]),
        "ci_low": float(found.low[0]),
        "ci_high": float(found.high[0]),
        "alpha": alpha,
        "how": found.rungs[int(found.rung[0])],
        "failed": bool(found.status[0] == FAILED),
        "n_analysed": int(found.n_analysed[0]),
    }
