"""One simulated trial to look at: its patients, and its mean trajectories with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import stdtrit

from trialsim.engine.block import draw_block
from trialsim.patients.cohort import Cohort
from trialsim.scenario.resolved import Variant
from trialsim.streams import BLOCK_SIZE, Streams


def one_trial(variant: Variant, key: str, seed: int, *, replicate: int, n: int) -> Cohort:
    """Return the patients of one replicate, as the run has them: a cohort with R = 1.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario.
    seed, replicate : int
    n : int
        Number randomised.
    """
    block, row = divmod(replicate, BLOCK_SIZE)
    return draw_block(variant, key, Streams(seed, block), n).trial(row, n)


def trajectories(variant: Variant, trial: Cohort) -> list[dict[str, Any]]:
    """Return observed means with 95 % t intervals by outcome, stratum, arm and day.

    Parameters
    ----------
    variant : Variant
    trial : Cohort
        With R = 1.

    Returns
    -------
    list of dict
        Keys outcome, outcome_label, arm, arm_label, stratum, stratum_label, day, mean, ci_low, ci_high,
        n_observed. Groups with fewer than two observed patients have no interval.
    """
    days = [0.0, *(float(day) for day in variant.visits_days)]
    scores = np.concatenate([trial.baseline[0][:, None], trial.observed[0]], axis=1)
    rows = []
    for k, outcome in enumerate(variant.outcomes):
        for s, stratum in enumerate(variant.strata):
            for a, arm in enumerate(variant.arms):
                group = scores[(trial.arm[0] == a) & (trial.stratum[0] == s)][..., k]
                for v, day in enumerate(days):
                    rows.append(
                        {
                            "outcome": outcome,
                            "outcome_label": variant.outcome_labels[k],
                            "arm": arm,
                            "arm_label": variant.arm_labels[a],
                            "stratum": stratum,
                            "stratum_label": variant.strata_labels[s],
                            "day": day,
                            **_mean_interval(group[:, v]),
                        }
                    )
    return rows


def _mean_interval(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float | int]:
    seen = values[~np.isnan(values)]
    n = len(seen)
    mean = float(seen.mean()) if n else float("nan")
    half = float(stdtrit(n - 1, 0.975) * seen.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return {"mean": mean, "ci_low": mean - half, "ci_high": mean + half, "n_observed": n}
