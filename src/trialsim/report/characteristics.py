"""The operating characteristics of each analysis as tables of text, every number with its Monte Carlo error."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from trialsim.kernels.montecarlo import wilson_interval
from trialsim.report import measures
from trialsim.report.claims import power_name
from trialsim.report.summary import Hypothesis, hypotheses, records_of, rows_of, usable_fits, varied_paths
from trialsim.report.table import share_words
from trialsim.report.words import fixed, path_words, value_words
from trialsim.scenario.methods import MEASURES

Record = Mapping[str, Any]

_OF_TRIALS = ("power", "rejection_rate", "coverage", "bias_eliminated_coverage")
"""Shares of trials: of 0 or 1 the Monte Carlo error is not 0."""


@dataclass(frozen=True, slots=True)
class CharacteristicsTable:
    """One hypothesis: column headings and rows of text as long as the header; the first `words` are varied values."""

    hypothesis: Hypothesis
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int


def characteristics_tables(
    summary: pd.DataFrame, *, labels: Mapping[str, str] | None = None
) -> list[CharacteristicsTable]:
    """Return one table per hypothesis, the primary first.

    Parameters
    ----------
    summary : DataFrame
        The summary of a run.
    labels : mapping, optional
        Words for arms, strata and outcomes.
    """
    return [_table(summary, hypothesis, labels) for hypothesis in hypotheses(summary)]


def _table(summary: pd.DataFrame, hypothesis: Hypothesis, labels: Mapping[str, str] | None) -> CharacteristicsTable:
    """Return the table of one hypothesis."""
    paths = varied_paths(summary)
    records = records_of(rows_of(summary, hypothesis))
    columns = _columns(records)
    rows = tuple(
        (
            *(value_words(path, record[path], labels=labels) for path in paths),
            *(text(record) for text in columns.values()),
        )
        for record in records
    )
    header = (*(path_words(path, labels=labels) for path in paths), *columns)
    return CharacteristicsTable(hypothesis, header, rows, len(paths))


def _columns(records: list[dict[str, Any]]) -> dict[str, Callable[[Record], str]]:
    """Return the columns: heading, and what stands there for a row.

    Those of power are left out where there is nothing to find, those of standard errors and intervals where the method
    has none. Units are in the headings, unless the analysis is varied and with it the measure.
    """
    found = list(dict.fromkeys(str(record["measure"]) for record in records))
    unit = f", {measures.unit_of(found[0])}" if len(found) == 1 else ""
    name = power_name(str(record["test"]) for record in records)
    columns: dict[str, Callable[[Record], str]] = {"Patients randomised": lambda row: str(int(row["n"]))}
    if len(found) > 1:
        columns["Measure"] = lambda row: MEASURES[str(row["measure"])].words
    columns[_true_heading(found)] = _true_value
    if not all(record["null"] for record in records):
        columns[f"{name}, %"] = lambda row: "–" if row["null"] else _percent(row, "power")
        columns[f"{name}, 95 % interval"] = lambda row: "–" if row["null"] or not usable_fits(row) else _interval(row)
    columns["Rejects either way, %" if name == "Power" else "Makes the claim, %"] = lambda row: _percent(
        row, "rejection_rate"
    )
    columns[f"Bias{unit}"] = lambda row: _in_unit(row, "bias", signed=True)
    columns["Empirical SE"] = lambda row: _in_unit(row, "empirical_se")
    if any(not math.isnan(float(record["model_se"])) for record in records):
        columns["Model SE"] = lambda row: _in_unit(row, "model_se")
        columns["Model SE over empirical, less 1, %"] = _relative_error
    if any(not math.isnan(float(record["coverage"])) for record in records):
        columns["Coverage, %"] = lambda row: _percent(row, "coverage")
        columns["Coverage without bias, %"] = lambda row: _percent(row, "bias_eliminated_coverage")
    columns["Patients analysed"] = _analysed
    columns["Scores missing, %"] = lambda row: _percent(row, "share_missing")
    return columns


def _true_heading(found: list[str]) -> str:
    if len(found) > 1:
        return "True value"
    if measures.ratio_of(found[0]):
        return f"True {measures.unit_of(found[0])}"
    if found[0] == "superiority":
        return "True probability of a higher score, less ½"
    return f"True difference, {measures.unit_of(found[0])}"


def _true_value(row: Record) -> str:
    return measures.true_value(
        float(row["true_value"]), float(row["true_value_se"]), str(row["measure"]), decimals=_decimals(row)
    )


def _decimals(row: Record) -> int:
    return measures.decimals_of(str(row["measure"]), float(row["empirical_se"]))


def _in_unit(row: Record, name: str, *, signed: bool = False) -> str:
    return measures.with_error(
        float(row[name]), float(row[f"{name}_mcse"]), str(row["measure"]), decimals=_decimals(row), signed=signed
    )


def _relative_error(row: Record) -> str:
    share, error = float(row["relative_error_model_se"]), float(row["relative_error_model_se_mcse"])
    return "–" if math.isnan(share) else f"{fixed(share, 1, signed=True)} ± {fixed(error, 1)}"


def _percent(row: Record, name: str) -> str:
    share = float(row[name])
    if math.isnan(share):
        return "–"
    if name in _OF_TRIALS and share in (0.0, 1.0):
        interval = wilson_interval(round(share * usable_fits(row)), usable_fits(row))
        return share_words(share, 0.0, interval.low, interval.high)
    return f"{fixed(100 * share, 1)} ± {fixed(100 * float(row[f'{name}_mcse']), 1)}"


def _interval(row: Record) -> str:
    return f"{fixed(100 * row['power_low'], 1)} to {fixed(100 * row['power_high'], 1)}"


def _analysed(row: Record) -> str:
    if math.isnan(float(row["mean_n_analysed"])):
        return "–"
    return f"{fixed(float(row['mean_n_analysed']), 1)} ± {fixed(float(row['mean_n_analysed_mcse']), 2)}"
