"""What running a trial takes: months, money. The one place where operations and comparisons meet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.replicates import read_running
from trialsim.scenario.resolved import Variant

WITHOUT = "the scenario has no operations, which say how patients are recruited and what a trial costs"

COLUMNS = {"months": "months_to_last_visit", "cost_usd": "cost_total_usd", "randomised": "randomised"}
"""Of `operations.parquet`, by measure."""


def has_operations(variant: Variant) -> bool:
    """Return whether a design says how it is run, so that months and cost are known."""
    return variant.operations is not None


def operational_metrics(folder: Path, variant: Variant, cell: int) -> Mapping[str, NDArray[np.float64]] | None:
    """Return what each simulated trial of a cell takes, read back from its finished run folder.

    Parameters
    ----------
    folder : Path
    variant : Variant
    cell : int

    Returns
    -------
    mapping of str to ndarray, shape (R,), or None
        `months` from day 0 to the last visit, `cost_usd` and `randomised`, replicates in order, NaN where a trial has
        none; None where nothing is said of operations.
    """
    if not has_operations(variant):
        return None
    found = read_running(folder, cell, tuple(COLUMNS.values()))
    return {measure: found[column] for measure, column in COLUMNS.items()}
