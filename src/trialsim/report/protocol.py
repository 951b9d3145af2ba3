"""Text for a protocol: the sample-size statement, and what the simulation leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from trialsim.report import measures
from trialsim.report.analyses import analysis_words
from trialsim.report.answers import Answer, interval_words
from trialsim.report.claims import CO_PRIMARY, is_margin
from trialsim.report.families import member_row, members_of, procedure_name
from trialsim.report.questions import estimand_in, sides_of, strata_words, variable_words, variants_of
from trialsim.report.recruited import reached_words
from trialsim.report.summary import Hypothesis, hypotheses, records_of, rows_of
from trialsim.report.table import PowerCell, all_words
from trialsim.report.words import fixed, joined, percent
from trialsim.scenario.methods import MEASURES, METHODS


def sample_size_statement(
    resolved: Mapping[str, Any],
    summary: pd.DataFrame,
    found: Sequence[Answer],
    primary: Hypothesis,
    *,
    families: pd.DataFrame | None = None,
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
    families : DataFrame, optional
        The summary of hypotheses tested together.
    """
    chosen = next((place for place, answer in enumerate(found) if answer.own and answer.cell), None)
    if chosen is None or (cell := found[chosen].cell) is None:
        return ""
    rows = rows_of(summary, primary)
    variant_index = list(dict.fromkeys(rows["variant"]))[chosen]
    row = rows[(rows["variant"] == variant_index) & (rows["n"] == cell.n)].iloc[0]
    variant = variants_of(resolved)[variant_index]
    asked = [row, *_co_primary(row, cell, primary, summary, families)]
    ratio = " : ".join(str(part) for part in variant["allocation"]["ratio"])
    words = found[chosen].setting
    setting = f" This holds for {words[:1].lower()}{words[1:]}." if words else ""
    gives = "this number gives" if found[chosen].recruited is None else "this plan gives"
    return (
        f"{cell.n} patients {_randomised(found[chosen], ratio)} In {int(row['replicates']):,} simulated trials {gives} "
        f"a power of {interval_words(cell)} {_whole_goal(variant, asked, cell)}.{_alone(cell)} "
        f"Analysis: {_analyses(variant, asked)}. "
        f"On average {fixed(100 * float(row['share_missing']), 1)} % of scores are missing.{setting}"
    )


def _randomised(answer: Answer, ratio: str) -> str:
    """Return that patients are randomised, or are to be where recruitment may end before, and what it then reaches."""
    if answer.recruited is None:
        return f"are randomised {ratio}."
    return f"are to be randomised {ratio}. {reached_words(answer.recruited)}"


def _goal(variant: Mapping[str, Any], estimand: Mapping[str, Any], row: pd.Series[Any]) -> str:
    """Return what the power is for: to detect what is true, or to show that it is within the margin."""
    measure = str(row["measure"])
    variable = variable_words({"variants": [variant]}, str(estimand["name"]))
    active, control = sides_of(variant, estimand)
    true = measures.quantity(float(row["true_value"]), measure, signed=True)
    about = f"empirical standard error of the estimate {_error_words(float(row['empirical_se']), measure)}"
    strata = strata_words(variant, estimand)
    named = MEASURES[measure].words if MEASURES[measure].unit in ("log", "probability") else _difference(measure)
    compared = f"{active} − {control}; {about}"
    if strata:
        compared = f"effect of {active} against {control} in {strata[0]} − that in {strata[1]}; {about}"
    truth = f"true {named} of {true} in {variable} ({compared})"
    if not is_margin(str(row["test"])):
        return f"to detect a {truth}"
    margin = measures.margin_words(float(row["margin"]), measure)
    whole = f"the effect of {active} against {control}"
    first, second = (f"{whole} in {strata[0]}", f"that in {strata[1]}") if strata else (active, control)
    shown = f"{first} is not inferior to {second} by {margin} or more"
    if row["test"] == "equivalence":
        shown = f"{first} and {second} differ by less than {margin}"
    return f"to show that {shown}, with a {truth}"


def _difference(measure: str) -> str:
    return "difference" if measure == "difference" else MEASURES[measure].words


def _error_words(error: float, measure: str) -> str:
    unit = MEASURES[measure].unit
    text = measures.shown(error, measure)
    return text if unit in ("log", "probability") else f"{text} {measures.unit_of(measure)}"


def _co_primary(
    row: pd.Series[Any], cell: PowerCell, primary: Hypothesis, summary: pd.DataFrame, families: pd.DataFrame | None
) -> list[pd.Series[Any]]:
    """Return the rows of the other hypotheses that are to be found with the primary one."""
    if families is None or cell.within != CO_PRIMARY:
        return []
    record = records_of(families[families["cell"] == row["cell"]])[0]
    return [
        pd.Series(member_row(record, member, position, summary))
        for position, member in enumerate(members_of(record, summary))
        if member != primary
    ]


def _whole_goal(variant: Mapping[str, Any], asked: Sequence[pd.Series[Any]], cell: PowerCell) -> str:
    """Return what the power is for: one finding, one within a procedure, or all co-primary ones in one trial."""
    goals = [_goal(variant, estimand_in(variant, str(row["estimand"])), row) for row in asked]
    if cell.within == CO_PRIMARY:
        level = percent(cell.alpha)
        return (
            f"for {all_words(len(goals))} co-primary hypotheses in the same trial, each at the two-sided level "
            f"{level}: {'; and '.join(goals)}"
        )
    within = f", within the procedure ({procedure_name(cell.within)})" if cell.within else ""
    return f"{goals[0]}{within}"


def _alone(cell: PowerCell) -> str:
    """Return the power of the test alone, where the other is within a procedure."""
    if cell.alone is None:
        return ""
    who = "the first of them" if cell.within == CO_PRIMARY else "the test"
    return f" Alone, at its own level, {who} has a power of {interval_words(cell.alone)}."


def _analyses(variant: Mapping[str, Any], asked: Sequence[pd.Series[Any]]) -> str:
    """Return how each hypothesis is analysed, those that are alike once."""
    told = []
    for row in asked:
        estimand = estimand_in(variant, str(row["estimand"]))
        analysis = next(item for item in estimand["analyses"] if item["name"] == row["method"])
        told.append(analysis_words(analysis, estimand))
    return "; and ".join(dict.fromkeys(told))


def limitations(
    summary: pd.DataFrame,
    provenance: Sequence[Mapping[str, Any]],
    *,
    dropout: Sequence[str | None],
    bounded: bool,
    left_out: Sequence[str] = (),
    families: pd.DataFrame | None = None,
) -> list[str]:
    """Return what a reader should know before relying on the result, one sentence or two each.

    Parameters
    ----------
    summary : DataFrame
        The summary of the run.
    provenance : sequence of mapping
        One per value.
    dropout : sequence of {'mcar', 'mar', 'mnar', 'delta', None}
        How patients leave, several ways where that is varied; None is complete data.
    bounded : bool
        Whether any score that an analysis takes as normal lives on a bounded grid.
    left_out : sequence of str
        Mechanisms that the scenario does not have, in words.
    families : DataFrame, optional
        The summary of hypotheses tested together.
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
        "mnar": "Leaving depends on scores that are not seen (missing not at random): analyses of what is seen are "
        "biased by it, and part of the bias shown is this.",
        "delta": "Scores of those who left differ from those of like patients who stayed by points that are put in "
        "(missing not at random, delta): analyses that take them for alike are biased, and part of the bias shown is "
        "this.",
        "mar": "Leaving depends on scores that were observed (missing at random). Leaving that depends on the score "
        "that would have followed (missing not at random) is not simulated; bias under it can be larger.",
    }  # fmt: skip
    points += [told[model] for model in dropout]
    if not summary["null"].any():
        points.append(_no_null_words(summary))
    points += _adjustment_words(summary, families)
    if bounded:
        points.append(
            "Scores are whole steps within the bounds of their scale, while the analysis takes them as normal; the "
            "small bias that this can bring is part of the bias shown."
        )
    error = fixed(100 * float(summary["power_mcse"].max()), 2)
    if left_out:
        points.append(
            f"Not simulated: {joined(list(left_out))}. What these do counts only as far as the assumed means and "
            "standard deviations hold it."
        )
    points += [
        "Sizes between those simulated are not interpolated. Monte Carlo errors are errors of this simulation, not of "
        f"the assumptions behind it; the largest error of a power here is {error} percentage points.",
    ]
    return points


def takes_scores_as_normal(variant: Mapping[str, Any]) -> bool:
    """Return whether any analysis of a variant takes scores on a bounded grid as normal."""
    return any(
        variant["scales"][estimand["outcome"]] is not None
        for estimand in variant["estimands"]
        if estimand["endpoint"]["kind"] == "score"
        and any(METHODS[analysis["method"]].measure == "difference" for analysis in estimand["analyses"])
    )


def _no_null_words(summary: pd.DataFrame) -> str:
    margins = {is_margin(str(test)) for test in summary["test"]}
    what = {True: "a true value on the margin", False: "a true difference of 0"}
    told = " or ".join(what[kind] for kind in sorted(margins))
    remedy = "one" if len(margins) == 2 or True in margins else "an effect of 0"
    return (
        f"No cell has {told}, so this run says nothing about the type I error; add {remedy} to the varied values to "
        "see it."
    )


def _adjustment_words(summary: pd.DataFrame, families: pd.DataFrame | None) -> list[str]:
    """Return what is done about several tests: nothing, or which of them a procedure holds together."""
    asked = hypotheses(summary)
    if families is None or families.empty:
        if summary["estimand"].nunique() < 2:
            return []
        return [
            "Each estimand is tested at its own significance level; no adjustment for several tests is made, and the "
            "chance of at least one false finding over all of them is larger than each level."
        ]
    members = {member for record in families.to_dict("records") for member in members_of(record, summary)}
    names = " or ".join(dict.fromkeys(procedure_name(str(name)) for name in families["procedure"]))
    levels = " or ".join(dict.fromkeys(percent(float(alpha)) for alpha in families["alpha"]))
    text = (
        f"{len(members)} hypotheses are tested together ({names}, two-sided level {levels} of the family). Powers "
        "outside the answer, the first table, the figures of power by number of patients and in each cell, and the "
        "section on hypotheses tested together are those of each test alone."
    )
    outside = [one for one in asked if one not in members]
    if outside:
        text += (
            f" Outside the procedure, and so with findings that it does not protect: {len(outside)} "
            f"{'analysis' if len(outside) == 1 else 'analyses'}."
        )
    return [text]
