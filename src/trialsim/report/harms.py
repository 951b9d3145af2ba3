"""True effects on the wrong side: where no number of patients finds a benefit, because there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from trialsim.report import measures
from trialsim.report.claims import CO_PRIMARY
from trialsim.report.families import member_row, members_of
from trialsim.report.questions import asked_in, estimand_in, sides_of, variable_words, variants_of
from trialsim.report.summary import Hypothesis, records_of, rows_of, setting_words, varied_paths
from trialsim.scenario.harm import is_harm

TURNED = " Is the contrast turned round? It is [active arm, control arm]."


def harm_words(
    resolved: Mapping[str, Any], summary: pd.DataFrame, primary: Hypothesis, *, families: pd.DataFrame | None = None
) -> list[str]:
    """Return for each variant in which the true effect is a harm what it is; nothing for the others.

    Parameters
    ----------
    resolved : mapping
        The resolved scenario.
    summary : DataFrame
        The summary of the run.
    primary : Hypothesis
    families : DataFrame, optional
        The summary of hypotheses tested together: of co-primary ones a single harm leaves nothing to find.

    Returns
    -------
    list of str
        A sentence or two for each variant, in their order, as the rows of the power table are.
    """
    together = {} if families is None else {record["cell"]: record for record in records_of(families)}
    rows = records_of(rows_of(summary, primary).drop_duplicates("variant"))
    told = [_of_variant(resolved, summary, row, together.get(row["cell"]), primary) for row in rows]
    if not all(words or row["null"] for words, row in zip(told, rows, strict=True)):
        return told  # where some variants have a benefit the contrast is as it was meant
    return [words and f"{words}{TURNED}" for words in told]


def harm_notes(
    resolved: Mapping[str, Any],
    summary: pd.DataFrame,
    primary: Hypothesis,
    *,
    families: pd.DataFrame | None = None,
    labels: Mapping[str, str] | None = None,
) -> list[str]:
    """Return the same for readers without the table: each harm with the varied values that it is of.

    Parameters
    ----------
    resolved, summary, primary, families
        As of `harm_words`.
    labels : mapping, optional
        Words for arms, strata and outcomes.
    """
    paths = varied_paths(summary)
    rows = records_of(rows_of(summary, primary).drop_duplicates("variant"))
    told = harm_words(resolved, summary, primary, families=families)
    settings = [setting_words({path: row[path] for path in paths}, labels=labels) for row in rows]
    return [f"{where}. {words}" if where else words for where, words in zip(settings, told, strict=True) if words]


def _of_variant(
    resolved: Mapping[str, Any],
    summary: pd.DataFrame,
    row: Mapping[str, Any],
    together: Mapping[str, Any] | None,
    primary: Hypothesis,
) -> str:
    variant = variants_of(resolved)[row["variant"]]
    members = [] if together is None else members_of(together, summary)
    if together is None or together["procedure"] != CO_PRIMARY or primary not in members:
        return _words(variant, row)
    asked = (member_row(together, member, place, summary) for place, member in enumerate(members))
    return next((words for one in asked if (words := _words(variant, one))), "")


def _words(variant: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    estimand, measure = estimand_in(variant, str(row["estimand"])), str(row["measure"])
    value, error = float(row["true_value"]), float(row["true_value_se"])
    if not is_harm(asked_in(estimand), measure, value, error):
        return ""
    active, control = sides_of(variant, estimand)
    variable = variable_words({"variants": [variant]}, str(estimand["name"]))
    return sentence(active, control, variable, measure, value, error)


def sentence(active: str, control: str, variable: str, measure: str, value: float, error: float) -> str:
    """Return what a harm is: the two sides of the contrast, the variable, and the true value with its error."""
    told = measures.quantity(value, measure, error=error, signed=True)
    return (
        f"The true effect of {active} against {control} on {variable} is {told}, in favour of {control}: no number of "
        f"patients finds a benefit of {active}."
    )
