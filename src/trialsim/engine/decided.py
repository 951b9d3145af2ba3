"""Which replicates of a finished run succeed by what decides the trial: a hypothesis within its procedure, or alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import FAILED
from trialsim.engine.decision import family
from trialsim.engine.hypotheses import Hypothesis
from trialsim.kernels.multiplicity import is_rejected
from trialsim.kernels.operating_characteristics import counts_as_power
from trialsim.scenario.methods import power_sign
from trialsim.scenario.resolved import Analysis, Estimand, Variant

Flags = NDArray[np.bool_]
Row = Mapping[str, Any]
CO_PRIMARY = "co_primary"


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """What became of the trials of one cell by what decides them.

    Parameters
    ----------
    procedure : str
        That the hypothesis is tested within; empty for the test alone.
    rows : tuple of mapping
        Operating characteristics of the hypotheses that a success finds: all of them where they are co-primary,
        otherwise the one that is asked for.
    found, usable : ndarray of bool, shape (R,)
        Whether a trial finds all of these, each on the side that counts, and whether all gave estimates.
    """

    procedure: str
    rows: tuple[Row, ...]
    found: Flags
    usable: Flags

    @property
    def null(self) -> bool:
        """Whether a success is false, as one of its hypotheses has nothing to find."""
        return any(bool(row["null"]) for row in self.rows)


def read_decided(folder: Path, variant: Variant, hypothesis: Hypothesis, rows: Sequence[Row]) -> Decided | None:
    """Return what became of the trials of one cell of a run; None for a hypothesis that is tested alone.

    Parameters
    ----------
    folder : Path
        Of the run.
    variant : Variant
    hypothesis : Hypothesis
    rows : sequence of mapping
        Operating characteristics of the hypotheses of the cell.
    """
    plan = variant.multiplicity
    if plan is None or hypothesis not in family(plan):
        return None
    members = family(plan) if plan.method == CO_PRIMARY else [hypothesis]
    asked = [_asked(variant, member) for member in members]
    own = [_row_of(rows, estimand, analysis) for estimand, analysis in asked]
    parts = [
        _found(folder, estimand, analysis, row, plan.alpha)
        for (estimand, analysis), row in zip(asked, own, strict=True)
    ]
    found, usable = (np.all(np.stack(flags), axis=0) for flags in zip(*parts, strict=True))
    return Decided(plan.method, tuple(own), np.asarray(found), np.asarray(usable))


def _asked(variant: Variant, member: Hypothesis) -> tuple[Estimand, Analysis]:
    estimand = variant.estimands[member.estimand]
    return estimand, estimand.analyses[member.analysis]


def _row_of(rows: Sequence[Row], estimand: Estimand, analysis: Analysis) -> Row:
    return next(row for row in rows if (row["estimand"], row["method"]) == (estimand.name, analysis.name))


def _found(folder: Path, estimand: Estimand, analysis: Analysis, row: Row, alpha: float) -> tuple[Flags, Flags]:
    """Return whether each trial rejects a hypothesis within the procedure for the better, and has an estimate of it."""
    import pyarrow.parquet as pq

    chosen = [("cell", "==", row["cell"]), ("estimand", "==", estimand.name), ("method", "==", analysis.name)]
    columns = ["replicate", "estimate", "p_adjusted", "status"]
    table = pq.read_table(folder / "estimates.parquet", columns=columns, filters=chosen)
    if (np.asarray(table["replicate"]) != np.arange(table.num_rows)).any():
        raise ValueError(f"{folder}: replicates of cell {row['cell']} are not in order")
    sign = power_sign(estimand, analysis.measure, float(row["true_value"]))
    estimate, usable = np.asarray(table["estimate"]), np.asarray(table["status"]) != FAILED
    rejected = is_rejected(np.asarray(table["p_adjusted"]), alpha)
    return rejected & counts_as_power(estimate, sign) & usable, usable
