"""The operating characteristics of each analysis as tables of text, every number with its Monte Carlo error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from trialsim.report.summary import Hypothesis, hypotheses, records_of, rows_of, usable_fits, varied_paths
from trialsim.report.words import fixed, path_words, value_words

_POWER = ("Power, %", "Power, 95 % interval")
_MEASURES = (
    "Patients randomised",
    "True difference, points",
    *_POWER,
    "Rejects either way, %",
    "Bias, points",
    "Empirical SE",
    "Model SE",
    "Coverage, %",
    "Patients analysed",
    "Scores missing, %",
)


@dataclass(frozen=True, slots=True)
class CharacteristicsTable:
    """One hypothesis: column headings and rows of text as long as the header."""

    hypothesis: Hypothesis
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


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
    """Return the table of one hypothesis; without the columns of power where there is nothing to find."""
    paths = varied_paths(summary)
    records = records_of(rows_of(summary, hypothesis))
    kept = [m for m in _MEASURES if m not in _POWER or not all(record["null"] for record in records)]
    rows = []
    for record in records:
        measures = dict(zip(_MEASURES, _measures(record), strict=True))
        settings = (value_words(path, record[path], labels=labels) for path in paths)
        rows.append((*settings, *(measures[name] for name in kept)))
    return CharacteristicsTable(hypothesis, (*(path_words(path, labels=labels) for path in paths), *kept), tuple(rows))


def _measures(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of `_MEASURES`; more decimals for scales on which a point is a lot."""
    decimals = 3 if float(row["empirical_se"]) < 0.5 else 2
    return (
        str(int(row["n"])),
        fixed(float(row["true_value"]), decimals, signed=True),
        "–" if row["null"] else _with_error(row, "power", 100, 1),
        "–" if row["null"] or not usable_fits(row) else _interval(row),
        _with_error(row, "rejection_rate", 100, 1),
        _with_error(row, "bias", 1, decimals, signed=True),
        _with_error(row, "empirical_se", 1, decimals),
        _with_error(row, "model_se", 1, decimals),
        _with_error(row, "coverage", 100, 1),
        _with_error(row, "mean_n_analysed", 1, 1),
        _with_error(row, "share_missing", 100, 1),
    )


def _interval(row: Mapping[str, Any]) -> str:
    return f"{fixed(100 * row['power_low'], 1)} to {fixed(100 * row['power_high'], 1)}"


def _with_error(row: Mapping[str, Any], name: str, times: float, decimals: int, *, signed: bool = False) -> str:
    if math.isnan(float(row[name])):
        return "–"
    value = fixed(times * float(row[name]), decimals, signed=signed)
    error = float(row[f"{name}_mcse"])
    # One decimal more, so that a small error does not look like none.
    return f"{value} ± {fixed(times * error, decimals if times > 1 else decimals + 1)}"
