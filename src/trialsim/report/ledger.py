"""The failure ledger: which fits fell back to another way or failed, how often, and where to look at one."""

from __future__ import annotations

from typing import Any

import pandas as pd

from trialsim.kernels.operating_characteristics import CONVERGED, FAILED
from trialsim.report.summary import records_of

RUNG_COLUMNS = ("estimand", "method", "failed", "rung", "fits", "cell", "replicate")


def count_rungs(estimates: pd.DataFrame) -> pd.DataFrame:
    """Return how often each simpler covariance and each reason of failure occurred, with one example of each.

    Parameters
    ----------
    estimates : DataFrame
        One row per fit, with `cell`, `estimand`, `method`, `replicate`, `status` and `rung`.

    Returns
    -------
    DataFrame
        Columns `estimand`, `method`, `failed`, `rung`, `fits`, and `cell` and `replicate` of the first such fit,
        which can be replayed. Fits that converged as asked are left out.
    """
    unusual = estimates[estimates["status"] != CONVERGED].sort_values(["cell", "replicate"], kind="stable")
    unusual = unusual.assign(failed=unusual["status"] == FAILED)
    groups = unusual.groupby(["estimand", "method", "failed", "rung"], sort=True, observed=True)
    counted = groups.agg(
        fits=("replicate", "size"), cell=("cell", "first"), replicate=("replicate", "first")
    ).reset_index()
    return counted[list(RUNG_COLUMNS)]


def ledger_totals(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """Return, for each estimand and method, all fits of the run by what became of them, and the worst cell.

    Parameters
    ----------
    summary : DataFrame
        The summary of a run.
    """
    totals: list[dict[str, Any]] = []
    for (estimand, method), part in summary.groupby(["estimand", "method"], sort=False):
        worst = max(records_of(part), key=lambda row: row["failed"] / row["replicates"])
        totals.append({
            "estimand": str(estimand), "method": str(method),
            "fits": int(part["replicates"].sum()), "converged": int(part["converged"].sum()),
            "fell_back": int(part["fell_back"].sum()), "failed": int(part["failed"].sum()),
            "worst_cell": int(worst["cell"]), "worst_failed": int(worst["failed"]),
            "worst_replicates": int(worst["replicates"]),
            "worst_power_as_0": float(worst["power_failures_as_0"]),
            "worst_power_as_1": float(worst["power_failures_as_1"]),
        })  # fmt: skip
    return totals
