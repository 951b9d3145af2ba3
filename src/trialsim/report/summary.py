"""Reading the summary of a run: which paths were varied, which questions were asked, which rows belong together.

The summary is a pandas frame with one row per cell, estimand and analysis method. Its columns are `cell`, `variant`,
then one per varied scenario path, then `n` and all that follows it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from trialsim.kernels.montecarlo import Interval, wilson_interval
from trialsim.report.words import estimand_label, joined, method_words, path_words, value_words

PRIMARY = "primary"


class Hypothesis(NamedTuple):
    """One estimand with one way to estimate it."""

    estimand: str
    method: str


def varied_paths(summary: pd.DataFrame) -> tuple[str, ...]:
    """Return the varied scenario paths, in the order of the scenario; empty when nothing is varied."""
    columns = list(summary.columns)
    return tuple(str(column) for column in columns[columns.index("variant") + 1 : columns.index("n")])


def leading_path(summary: pd.DataFrame) -> str | None:
    """Return the varied path that gives a figure its lines or rows: the longest one of numbers, else the first.

    The others become small multiples.
    """
    paths = varied_paths(summary)
    records = records_of(summary[list(paths)])
    values = {path: [record[path] for record in records] for path in paths}
    lengths = {path: len(set(found)) for path, found in values.items() if all(map(_is_number, found))}
    return max(lengths, key=lambda path: lengths[path]) if lengths else next(iter(paths), None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def hypotheses(summary: pd.DataFrame) -> list[Hypothesis]:
    """Return the estimands and their methods, the primary estimand first, then in order of appearance.

    An estimand's analyses go by their position: where the analysis itself is varied, the first of each variant are one
    hypothesis, by the name that it has first.
    """
    found: dict[tuple[str, int], Hypothesis] = {}
    rows = zip(summary["estimand"], summary["method"], _positions(summary), strict=True)
    for estimand, method, position in rows:
        found.setdefault((estimand, position), Hypothesis(str(estimand), str(method)))
    return sorted(found.values(), key=lambda hypothesis: hypothesis.estimand != PRIMARY)


def rows_of(summary: pd.DataFrame, hypothesis: Hypothesis) -> pd.DataFrame:
    """Return the rows of one hypothesis, by variant and then by size."""
    positions = _positions(summary)
    of_estimand = summary["estimand"] == hypothesis.estimand
    position = positions[of_estimand & (summary["method"] == hypothesis.method)].iloc[0]
    chosen = of_estimand & (positions == position)
    return summary[chosen].sort_values(["variant", "n"], kind="stable").reset_index(drop=True)


def hypothesis_words(
    summary: pd.DataFrame, hypothesis: Hypothesis, *, labels: Mapping[str, str] | None = None, method: bool = True
) -> str:
    """Return the estimand's label and, with `method`, how it is analysed: all methods, where the method is varied."""
    label = estimand_label(hypothesis.estimand, labels)
    if not method:
        return label
    methods = dict.fromkeys(method_words(str(name)) for name in rows_of(summary, hypothesis)["method"])
    return f"{label}, {joined(list(methods), word='or')}"


def _positions(summary: pd.DataFrame) -> pd.Series[int]:
    """Return for each row which of its estimand's analyses it is of."""
    return summary.groupby(["variant", "n", "estimand"], sort=False).cumcount()


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as dicts by column name, lists that a file gave back as arrays as lists again."""
    names = [str(name) for name in frame]
    columns = [map(_plain, frame[name].tolist()) for name in frame]
    rows = zip(*columns, strict=True) if columns else [()] * len(frame)
    return [dict(zip(names, row, strict=True)) for row in rows]


def json_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as JSON's types, every digit kept; None stands for a number that there is not."""
    return [{name: _finite(value) for name, value in record.items()} for record in records_of(frame)]


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def setting_words(
    settings: Mapping[str, Any], *, labels: Mapping[str, str] | None = None, skip_names: bool = False
) -> str:
    """Return varied values in words, `Missing by day 14: 7 %, Specific share ...: 34 %`.

    Parameters
    ----------
    settings : mapping
        Value of each varied path.
    labels : mapping, optional
        Words for arms, strata and outcomes.
    skip_names : bool
        Whether to give the values alone.
    """
    parts = []
    for path, value in settings.items():
        words = value_words(path, value, labels=labels)
        parts.append(words if skip_names else f"{path_words(path, labels=labels)}: {words}")
    return ", ".join(parts)


def usable_fits(row: Mapping[str, Any]) -> int:
    """Return the number of fits that gave an estimate: the denominator of power and of the type I error."""
    return int(row["converged"]) + int(row["fell_back"])


def rejection_interval(row: Mapping[str, Any]) -> Interval:
    """Return the Wilson interval of the share of fits that reject in either direction."""
    usable = usable_fits(row)
    return wilson_interval(round(float(row["rejection_rate"]) * usable) if usable else 0, usable)


def shown_share(row: Mapping[str, Any]) -> tuple[float, float, Interval]:
    """Return what a power table shows for one row: share, MCSE and interval.

    Power where there is an effect; where the true value is 0, the type I error (rejections in either direction).
    """
    if bool(row["null"]):
        return float(row["rejection_rate"]), float(row["rejection_rate_mcse"]), rejection_interval(row)
    interval = Interval(float(row["power_low"]), float(row["power_high"]))
    return float(row["power"]), float(row["power_mcse"]), interval
