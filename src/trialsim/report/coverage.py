"""Intervals that hold the true value too seldom: said beside the power, which they make worth little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from trialsim.report.summary import Hypothesis, records_of, rows_of, setting_words, varied_paths
from trialsim.report.words import fixed, number, percent

ALLOWED = 0.02
"""Share of intervals by which coverage may fall short and nothing is said: small trials are not exact."""

_ERRORS = 3.0
"""Monte Carlo standard errors that it must be short by beyond that."""

_BIAS = 0.25
"""Of the standard deviation of the estimates: less bias costs hardly any coverage, and is not named as the cause."""

_SHORT = 5.0
"""Percent by which standard errors may be too small and not be named as the cause."""


def coverage_notes(summary: pd.DataFrame, primary: Hypothesis, *, labels: Mapping[str, str] | None = None) -> list[str]:
    """Return a sentence or two for each variant whose intervals hold the true value too seldom, at its worst size.

    Parameters
    ----------
    summary : DataFrame
        Of the run.
    primary : Hypothesis
    labels : mapping, optional
        Words for arms, strata and outcomes.
    """
    paths = varied_paths(summary)
    told = []
    for _, part in rows_of(summary, primary).groupby("variant", sort=False):
        short = [record for record in records_of(part) if _is_short(record)]
        if short:
            worst = min(short, key=lambda record: float(record["coverage"]))
            where = setting_words({path: worst[path] for path in paths}, labels=labels)
            told.append(f"{where}. {_words(worst)}" if where else _words(worst))
    return told


def _is_short(record: Mapping[str, Any]) -> bool:
    """Return whether coverage is short beyond what is allowed and what chance may do; not where there is none."""
    reached = float(record["coverage"]) + _ERRORS * float(record["coverage_mcse"])
    return reached < 1.0 - float(record["alpha"]) - ALLOWED


def _words(record: Mapping[str, Any]) -> str:
    text = (
        f"With {int(record['n'])} patients only {fixed(100 * record['coverage'], 1)} % "
        f"(± {fixed(100 * record['coverage_mcse'], 1)}) of the primary analysis's {percent(1.0 - record['alpha'])} "
        "confidence intervals hold the true value: its power is that of an analysis that is off."
    )
    if abs(record["bias"]) > _BIAS * record["empirical_se"]:
        text += (
            f" Its estimates are off by {number(record['bias'], digits=2)} on average, where the true value is "
            f"{number(record['true_value'], digits=3)}."
        )
    if record["relative_error_model_se"] < -_SHORT:
        text += f" Its standard errors are {fixed(-record['relative_error_model_se'], 0)} % too small."
    return text
