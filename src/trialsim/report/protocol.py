"""Text for a protocol: the sample-size statement, and what the simulation leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from trialsim.report.answers import Answer, interval_words
from trialsim.report.design import analysis_words, estimand_in, variable_words, variants_of
from trialsim.report.summary import Hypothesis, rows_of
from trialsim.report.words import fixed, percent


def sample_size_statement(
    resolved: Mapping[str, Any], summary: pd.DataFrame, found: Sequence[Answer], primary: Hypothesis
) -> str:
    """Return the sample-size paragraph for a protocol, or nothing where no size is enough for the scenario's values.

    Parameters
    ----------
    resolved : mapping
        The resolved scenario.
    summary : DataFrame
        The summary of the run.
    found : sequence of Answer
        One per row of the primary power table, in its order.
    primary : Hypothesis
        The question of that table.
    """
    chosen = next((place for place, answer in enumerate(found) if answer.own and answer.cell), None)
    if chosen is None or (cell := found[chosen].cell) is None:
        return ""
    rows = rows_of(summary, primary)
    variant_index = list(dict.fromkeys(rows["variant"]))[chosen]
    row = rows[(rows["variant"] == variant_index) & (rows["n"] == cell.n)].iloc[0]
    variant = variants_of(resolved)[variant_index]
    estimand = estimand_in(variant, primary.estimand)
    analysis = next(item for item in estimand["analyses"] if item["name"] == row["method"])
    active, control = (variant["arm_labels"][estimand[side]] for side in ("active", "control"))
    outcome, day = variable_words({"variants": [variant]}, primary.estimand)
    ratio = " : ".join(str(part) for part in variant["allocation"]["ratio"])
    words = found[chosen].setting
    setting = f" This holds for {words[:1].lower()}{words[1:]}." if words else ""
    return (
        f"{cell.n} patients are randomised {ratio}. In {int(row['replicates']):,} simulated trials this number gives "
        f"a power of {interval_words(cell)} to detect a true difference of "
        f"{fixed(float(row['true_value']), 2, signed=True)} points in "
        f"{outcome} at day {day} ({active} − {control}; empirical standard "
        f"error of the estimate {fixed(float(row['empirical_se']), 2)} points). Analysis: {analysis_words(analysis)}. "
        f"On average {fixed(100 * float(row['share_missing']), 1)} % of scores are missing.{setting}"
    )


def limitations(
    summary: pd.DataFrame, provenance: Sequence[Mapping[str, Any]], *, dropout: Sequence[str | None], bounded: bool
) -> list[str]:
    """Return what a reader should know before relying on the result, one sentence or two each.

    Parameters
    ----------
    summary : DataFrame
        The summary of the run.
    provenance : sequence of mapping
        One per value.
    dropout : sequence of {'mcar', 'mar', None}
        How patients leave, several ways where that is varied; None is complete data.
    bounded : bool
        Whether any score lives on a bounded grid.
    """
    assumed = sum(item["tag"] == "assumed" for item in provenance)
    points = []
    if assumed:
        points.append(
            f"{assumed} of {len(provenance)} values of this scenario are assumed: no published number was found for "
            "them. The table of assumptions marks each one. Vary those that matter before relying on the result."
        )
    told = {
        None: "Nobody leaves these simulated trials; a real one will lose patients, and with them power.",
        "mcar": "Patients leave completely at random here. In a real trial those who do badly may leave more often, "
        "which can bias the estimate as well as cost power.",
        "mar": "Leaving depends on scores that were observed (missing at random). Leaving that depends on the score "
        "that would have followed (missing not at random) is not simulated; bias under it can be larger.",
    }  # fmt: skip
    points += [told[model] for model in dropout]
    if not summary["null"].any():
        points.append(
            "No cell has a true difference of 0, so this run says nothing about the type I error; add an effect of 0 "
            "to the varied values to see it."
        )
    if summary["estimand"].nunique() > 1:
        points.append(
            "Each estimand is tested at its own significance level; no adjustment for several tests is made, and the "
            "chance of at least one false finding over all of them is larger than each level."
        )
    if bounded:
        points.append(
            "Scores are whole steps within the bounds of their scale, while the analysis takes them as normal; the "
            "small bias that this can bring is part of the bias shown."
        )
    error = percent(round(float(summary["power_mcse"].max()), 4))
    points += [
        "Patients guessing their arm from dissociation or its absence, expectations, raters and sites act on the "
        "result only as far as the assumed means and standard deviations hold them.",
        "Sizes between those simulated are not interpolated. Monte Carlo errors are errors of this simulation, not of "
        f"the assumptions behind it; the largest error of a power here is {error}.",
    ]
    return points
