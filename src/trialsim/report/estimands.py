"""Each estimand with its attributes (ICH E9 R1), its test, its analyses and its true values, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from trialsim.report.analyses import analysis_words
from trialsim.report.benefit import benefit_words
from trialsim.report.claims import is_margin
from trialsim.report.design import either, labels_of, population_words
from trialsim.report.measures import margin_words, true_value
from trialsim.report.questions import (
    across_estimands,
    across_variants,
    contrast_words,
    endpoint_of,
    estimand_in,
    first_variant,
    measure_words,
    sides_in_words,
    strategy_words,
    tested_words,
    variable_attribute,
    variants_of,
)
from trialsim.report.summary import records_of, setting_words, varied_paths
from trialsim.report.words import joined, method_words
from trialsim.scenario.methods import MEASURES, benefit_sign


class TrueValue(NamedTuple):
    """What is true in one variant, as one measure tells it."""

    setting: str
    measure: str
    value: str
    words: str


@dataclass(frozen=True, slots=True)
class EstimandWords:
    """The five attributes of an estimand, what is tested, its analyses and its true values, in words.

    Parameters
    ----------
    simulated : bool
        Whether any true value was found by simulating and has a Monte Carlo error.
    exact : bool
        Whether any is exact.
    """

    name: str
    label: str
    treatment: str
    population: str
    variable: str
    events: str
    measures: tuple[str, ...]
    tested: str
    analyses: tuple[str, ...]
    truths: tuple[TrueValue, ...]
    simulated: bool
    exact: bool


def estimand_words(resolved: Mapping[str, Any], summary: pd.DataFrame) -> list[EstimandWords]:
    """Return each estimand's attributes, analyses and true values in words; all of them where they are varied.

    Parameters
    ----------
    resolved : mapping
        The resolved scenario.
    summary : DataFrame
        The summary of its run.
    """
    labels = labels_of(resolved)
    found = []
    for estimand in first_variant(resolved)["estimands"]:
        name = estimand["name"]
        errors = summary.loc[summary["estimand"] == name, "true_value_se"]
        found.append(
            EstimandWords(
                name=name,
                label=labels[f"estimands.{name}"],
                treatment=f"{contrast_words(resolved, name)}, as randomised",
                population=f"All randomised patients: {either(across_variants(resolved, population_words))}",
                variable=either(across_estimands(resolved, name, variable_attribute)),
                events=either(across_estimands(resolved, name, strategy_words)),
                measures=_measures(resolved, name),
                tested=either(across_estimands(resolved, name, tested_words)),
                analyses=_analyses_words(resolved, name),
                truths=_truths(resolved, name, summary, labels),
                simulated=bool((errors > 0).any()),
                exact=bool((errors == 0).any()),
            )
        )
    return found


def _measures(resolved: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the summary measures of an estimand's analyses, each once."""
    found: dict[str, None] = {}
    for variant in variants_of(resolved):
        estimand = estimand_in(variant, name)
        for analysis in estimand["analyses"]:
            found[measure_words(variant, estimand, str(analysis.get("measure", "difference")))] = None
    return tuple(found)


def _analyses_words(resolved: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return an estimand's analyses; where one is varied, every form it takes."""
    texts = []
    for position in range(len(estimand_in(first_variant(resolved), name)["analyses"])):
        forms = list(dict.fromkeys(
            analysis_words(analyses[position], estimand)
            for variant in variants_of(resolved)
            if len(analyses := (estimand := estimand_in(variant, name))["analyses"]) > position
        ))  # fmt: skip
        texts += forms if len(forms) == 1 else [f"one of {len(forms)}, varied: {form}" for form in forms]
    return tuple(texts)


def _truths(
    resolved: Mapping[str, Any], name: str, summary: pd.DataFrame, labels: Mapping[str, str]
) -> tuple[TrueValue, ...]:
    """Return one line for each variant and true value: analyses that estimate the same one share it."""
    paths = varied_paths(summary)
    rows = summary[summary["estimand"] == name].drop_duplicates(["variant", "method"])
    lines = []
    for _, part in rows.groupby(["variant", "measure", "true_value", "true_value_se"], sort=False):
        row = records_of(part.iloc[:1])[0]
        methods = joined([method_words(str(method)) for method in part["method"]])
        variant = variants_of(resolved)[row["variant"]]
        lines.append(
            TrueValue(
                setting_words({path: row[path] for path in paths}, labels=labels),
                f"{MEASURES[row['measure']].words} ({methods})",
                true_value(float(row["true_value"]), float(row["true_value_se"]), str(row["measure"])),
                _in_words(variant, estimand_in(variant, name), row),
            )
        )
    return tuple(lines)


def _in_words(variant: Mapping[str, Any], estimand: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Return who does better, and for a test against a margin on which side of it the truth is."""
    measure, test = str(row["measure"]), str(row["test"])
    words = benefit_words(
        float(row["true_value"]),
        measure=measure,
        sign=benefit_sign(endpoint_of(estimand), measure),
        sides=sides_in_words(variant, estimand),
    )
    if not is_margin(test):
        return words
    margin = margin_words(float(row["margin"]), measure)
    return f"{words}; {'reaches the margin of ' if row['null'] else 'short of the margin of '}{margin}"
