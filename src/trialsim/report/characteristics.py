"""The operating characteristics of each analysis as tables of text, every number with its Monte Carlo error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from trialsim.report.summary import Hypothesis, hypotheses, records_of, rows_of, varied_paths
from trialsim.report.words import fixed, path_words, value_words

_MEASURES = (
    "Patients randomised",
    "True difference, points",
    "Power, %",
    "Power, 95 % interval",
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
    paths = varied_paths(summary)
    header = (*(path_words(path, labels=labels) for path in paths), *_MEASURES)
    return [
        CharacteristicsTable(
            hypothesis,
            header,
            tuple(
                (*(value_words(path, row[path]) for path in paths), *_measures(row))
                for row in records_of(rows_of(summary, hypothesis))
            ),
        )
        for hypothesis in hypotheses(summary)
    ]


def _measures(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of `_MEASURES`; more decimals for scales on which a point is a lot."""
    decimals = 3 if float(row["empirical_se"]) < 0.5 else 2
    return (
        str(int(row["n"])),
        fixed(float(row["true_value"]), decimals, signed=True),
        "–" if row["null"] else _with_error(row, "power", 100, 1),
        "–" if row["null"] else f"{fixed(100 * row['power_low'], 1)} to {fixed(100 * row['power_high'], 1)}",
        _with_error(row, "rejection_rate", 100, 1),
        _with_error(row, "bias", 1, decimals, signed=True),
        _with_error(row, "empirical_se", 1, decimals),
        _with_error(row, "model_se", 1, decimals),
        _with_error(row, "coverage", 100, 1),
        _with_error(row, "mean_n_analysed", 1, 1),
        _with_error(row, "share_missing", 100, 1),
    )


def _with_error(row: Mapping[str, Any], name: str, times: float, decimals: int, *, signed: bool = False) -> str:
    value = fixed(times * float(row[name]), decimals, signed=signed)
    error = float(row[f"{name}_mcse"])
    # One decimal more, so that a small error does not look like none.
    return f"{value} ± {fixed(times * error, decimals if times > 1 else decimals + 1)}"
