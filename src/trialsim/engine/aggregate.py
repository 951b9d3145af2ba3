"""From the estimates of a cell to its operating characteristics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from trialsim.engine.block import hypotheses
from trialsim.engine.plan import Cell
from trialsim.kernels.operating_characteristics import is_null, operating_characteristics
from trialsim.scenario.resolved import Variant

if TYPE_CHECKING:
    import pyarrow as pa


def summarise_cell(table: pa.Table, variant: Variant, cell: Cell, varied: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield one row of the summary for each hypothesis of a cell.

    Parameters
    ----------
    table : pyarrow.Table
        The cell's estimates: hypotheses in order, replicates in order within.
    variant : Variant
    cell : Cell
    varied : tuple of str
        Paths that the scenario varies; a column each.
    """
    listed = hypotheses(variant)
    size = table.num_rows // len(listed)
    for h, hypothesis in enumerate(listed):
        estimand = variant.estimands[hypothesis.estimand]
        analysis = estimand.analyses[hypothesis.analysis]
        rows = table.slice(h * size, size)
        columns = {
            name: np.asarray(rows[name])
            for name in ("estimate", "se", "df", "p", "status", "n_analysed", "share_missing")
        }
        yield {
            "cell": cell.index,
            "variant": variant.index,
            **{path: cell.settings.get(path) for path in varied},
            "n": cell.n,
            "estimand": estimand.name,
            "outcome": variant.outcomes[estimand.outcome],
            "visit_days": float(variant.visits_days[estimand.visit]),
            "contrast": f"{variant.arms[estimand.active]} - {variant.arms[estimand.control]}",
            "method": analysis.name,
            "alpha": analysis.alpha,
            "null": is_null(estimand.true_value),
            "true_value": float(estimand.true_value),
            **operating_characteristics(
                **columns,
                true_value=float(estimand.true_value),
                alpha=analysis.alpha,
                lower_is_better=variant.lower_is_better[estimand.outcome],
            ),
        }
