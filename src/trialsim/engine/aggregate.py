"""From the estimates of a cell to its operating characteristics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from trialsim.engine.families import adjusted_power
from trialsim.engine.hypotheses import contrast_name, hypotheses
from trialsim.engine.plan import Cell
from trialsim.engine.truth import Truths, is_null
from trialsim.kernels.operating_characteristics import operating_characteristics
from trialsim.scenario.methods import MEASURES, power_sign
from trialsim.scenario.resolved import Estimand, Variant

if TYPE_CHECKING:
    import pyarrow as pa


COLUMNS = ("estimate", "se", "p", "ci_low", "ci_high", "status", "n_analysed", "share_missing")
"""Columns of the estimates that operating characteristics are made of."""


def summarise_cell(
    table: pa.Table, variant: Variant, cell: Cell, varied: tuple[str, ...], truths: Truths
) -> Iterator[dict[str, Any]]:
    """Yield one row of the summary for each hypothesis of a cell.

    Parameters
    ----------
    table : pyarrow.Table
        The cell's estimates: hypotheses in order, replicates in order within.
    variant : Variant
    cell : Cell
    varied : tuple of str
        Paths that the scenario varies; a column each.
    truths : Truths
        True values of the variant's hypotheses.
    """
    listed = hypotheses(variant)
    size = table.num_rows // len(listed)
    columns = {name: np.asarray(table[name]) for name in COLUMNS}
    for h, hypothesis in enumerate(listed):
        estimand = variant.estimands[hypothesis.estimand]
        analysis = estimand.analyses[hypothesis.analysis]
        rows = slice(h * size, (h + 1) * size)
        truth = truths[hypothesis]
        null = is_null(truth, variant, hypothesis)
        tested = estimand.hypothesis.kind
        yield {
            "cell": cell.index,
            "variant": variant.index,
            **{path: cell.settings.get(path) for path in varied},
            "n": cell.n,
            "estimand": estimand.name,
            "outcome": outcome_name(variant, estimand),
            "endpoint": estimand.endpoint.name or estimand.endpoint.kind,
            "visit_days": float(variant.visits_days[estimand.visit]),
            "contrast": contrast_name(variant, estimand),
            "method": analysis.name,
            "measure": analysis.measure,
            "unit": MEASURES[analysis.measure].unit,
            "test": tested,
            "margin": estimand.hypothesis.margin,
            "alpha": analysis.alpha,
            "null": null,
            "true_value": truth.value,
            "true_value_se": truth.se,
            **operating_characteristics(
                **{name: values[rows] for name, values in columns.items()},
                true_value=truth.value,
                true_value_se=truth.se,
                alpha=analysis.alpha,
                benefit_sign=power_sign(estimand, analysis.measure, truth.value),
                null=null,
            ),
            **adjusted_power(table, variant, hypothesis, truths),
        }


def outcome_name(variant: Variant, estimand: Estimand) -> str:
    """Return the name of the outcome or count an estimand is about."""
    if estimand.endpoint.kind == "count":
        return variant.counts[estimand.outcome].name
    return variant.outcomes[estimand.outcome]
