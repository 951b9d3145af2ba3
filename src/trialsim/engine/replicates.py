"""What became of every replicate of a cell, read back from a finished run folder: what comparisons are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import FAILED
from trialsim.kernels.operating_characteristics import counts_as_power
from trialsim.scenario.methods import power_sign
from trialsim.scenario.resolved import Analysis, Estimand

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_COLUMNS = ("replicate", "estimate", "p", "ci_low", "ci_high", "status", "share_missing")


@dataclass(frozen=True, slots=True, eq=False)
class Replicates:
    """The trials of one cell as one analysis sees them, in replicate order.

    Parameters
    ----------
    found, usable : ndarray of bool, shape (R,)
        Whether the effect is found on the side that counts, and whether the fit gave an estimate.
    estimate : ndarray, shape (R,)
    covered : ndarray, shape (R,)
        1 where the interval holds the true value, 0 where not, NaN where there is none.
    share_missing : ndarray, shape (R,)
        Of the randomised without a score at the visit.
    """

    found: Flags
    usable: Flags
    estimate: Array
    covered: Array
    share_missing: Array


def read_replicates(folder: Path, cell: int, estimand: Estimand, analysis: Analysis, true_value: float) -> Replicates:
    """Return the trials of one cell of a run folder.

    Parameters
    ----------
    folder : Path
    cell : int
    estimand : Estimand
    analysis : Analysis
        One of the estimand's.
    true_value : float
    """
    import pyarrow.parquet as pq

    chosen = [("cell", "==", cell), ("estimand", "==", estimand.name), ("method", "==", analysis.name)]
    table = pq.read_table(folder / "estimates.parquet", columns=list(_COLUMNS), filters=chosen)
    columns = {name: np.asarray(table[name], dtype=np.float64) for name in _COLUMNS}
    if (columns["replicate"] != np.arange(table.num_rows)).any():
        raise ValueError(f"{folder}: replicates of cell {cell} are not in order")
    sign = power_sign(estimand, analysis.measure, true_value)
    usable = columns["status"] != FAILED
    found = usable & (columns["p"] <= analysis.alpha) & counts_as_power(columns["estimate"], sign)
    inside = (columns["ci_low"] <= true_value) & (true_value <= columns["ci_high"])
    known = usable & ~np.isnan(columns["ci_low"]) & ~np.isnan(columns["ci_high"])
    return Replicates(found, usable, columns["estimate"], np.where(known, inside, np.nan), columns["share_missing"])


def read_running(folder: Path, cell: int, columns: Sequence[str]) -> dict[str, Array]:
    """Return how the trials of one cell of a run folder were run, shape (R,) each, in replicate order.

    Parameters
    ----------
    folder : Path
        Of a scenario with operations.
    cell : int
    columns : sequence of str
        Of `operations.parquet`.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(
        folder / "operations.parquet", columns=["replicate", *columns], filters=[("cell", "==", cell)]
    )
    if (np.asarray(table["replicate"]) != np.arange(table.num_rows)).any():
        raise ValueError(f"{folder}: replicates of cell {cell} are not in order")
    return {name: np.asarray(table[name], dtype=np.float64) for name in columns}


def read_summary(folder: Path) -> list[dict[str, Any]]:
    """Return the operating characteristics of a run folder, one mapping per cell and hypothesis."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(folder / "summary.parquet").to_pylist()
    return rows
