"""Whether the primary analysis tells the truth: bias of the estimate and coverage of its interval in each cell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from trialsim.kernels.montecarlo import Interval, wilson_interval
from trialsim.report import measures, style
from trialsim.report.summary import (
    Hypothesis,
    hypotheses,
    records_of,
    rows_of,
    setting_words,
    usable_fits,
    varied_paths,
)
from trialsim.report.words import joined, percent

COLUMNS = (
    "row", "n", "measure", "alpha", "bias", "bias_low", "bias_high", "coverage", "coverage_low", "coverage_high",
)  # fmt: skip
LABEL_LETTERS = 34
"""How many letters of a group's name stand in one line."""

Z = 1.959963984540054
"""Half width of a 95 % interval in standard errors."""


def accuracy_data(
    summary: pd.DataFrame, *, hypothesis: Hypothesis | None = None, labels: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return what the figure draws: bias and coverage of one question in each cell, with 95 % intervals.

    Parameters
    ----------
    summary : DataFrame
        The summary of a run.
    hypothesis : Hypothesis, optional
        The question shown; the primary estimand by its first method when left out.
    labels : mapping, optional
        Words for arms, strata and outcomes.
    """
    paths = varied_paths(summary)
    records: list[dict[str, Any]] = []
    for row in records_of(rows_of(summary, hypothesis or hypotheses(summary)[0])):
        usable, coverage = usable_fits(row), float(row["coverage"])
        covered = Interval(math.nan, math.nan)
        if not math.isnan(coverage):
            covered = wilson_interval(round(coverage * usable), usable)
        records.append({
            "row": "\n".join(
                setting_words({path: row[path]}, labels=labels, skip_names=len(paths) == 1) for path in paths
            ),
            "n": int(row["n"]), "measure": str(row["measure"]), "alpha": float(row["alpha"]),
            "bias": float(row["bias"]),
            "bias_low": row["bias"] - Z * row["bias_mcse"], "bias_high": row["bias"] + Z * row["bias_mcse"],
            "coverage": coverage, "coverage_low": covered.low, "coverage_high": covered.high,
        })  # fmt: skip
    return pd.DataFrame(records, columns=list(COLUMNS))


def draw_accuracy(frame: pd.DataFrame, *, title: str = "", row_heading: str = "", note: str = "") -> Figure:
    """Return the figure of `frame`, as made by `accuracy_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    title : str
        Set above the figure.
    row_heading : str
        What the groups of rows are, such as the varied path in words.
    note : str
        Said under the figure.
    """
    groups, sizes = list(dict.fromkeys(frame["row"])), sorted(frame["n"].unique())
    marks = dict(zip(sizes, style.ordered_marks(len(sizes)), strict=True))
    names = {group: style.wrapped(group, LABEL_LETTERS) for group in groups}
    lines = max(name.count("\n") + 1 for name in names.values())
    places = _places(groups, sizes, lines)
    height = 1.6 + max(0.17 * max(places.values()), 1.0)
    with style.styled():
        figure = Figure(figsize=(7.6 if lines == 1 else 9.0, height), layout="constrained")
        bias, coverage = figure.subplots(1, 2, sharey=True)
        unit, shown = _in_shown_unit(frame)
        _draw_intervals(bias, shown, places, marks, measure="bias")
        bias.axvline(0.0, color=style.MUTED, linewidth=1.0)
        bias.xaxis.set_major_locator(MaxNLocator(5))  # room for the digits of a log odds ratio
        bias.set(title="Bias", xlabel=style.wrapped(f"Mean estimate − truth, {unit}", 44))
        bias.set_ylabel(style.wrapped(row_heading, int(9 * (height - 1.2))))
        _draw_intervals(coverage, frame, places, marks, measure="coverage")
        nominal = sorted(1.0 - alpha for alpha in set(frame["alpha"]))
        for level in nominal:
            coverage.axvline(level, color=style.MUTED, linewidth=1.0)
        coverage.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}"))
        levels = joined([percent(level) for level in nominal], word="or")
        coverage.set(title="Coverage", xlabel=f"Intervals with the truth, % (nominal {levels})")
        if frame["coverage"].isna().all():
            _say_no_interval(coverage)
        bias.set_yticks([np.mean([places[group, n] for n in sizes]) for group in groups], list(names.values()))
        bias.set_ylim(max(places.values()) + 0.6, -0.6)
        for axes in (bias, coverage):
            axes.grid(visible=False, axis="y")
        style.add_title(figure, title)
        _add_key(figure, marks, note)
    return figure


def _in_shown_unit(frame: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Return the unit of the bias and the frame with the bias in it; measures that differ keep their own."""
    found = list(dict.fromkeys(frame["measure"]))
    if len(found) > 1:
        return "in the unit of each measure", frame
    columns = ["bias", "bias_low", "bias_high"]
    return measures.unit_of(found[0]), frame.assign(**frame[columns] * measures.factor_of(found[0]))


def _say_no_interval(axes: Axes) -> None:
    axes.set_xlabel("")
    axes.set_xticks([])
    axes.text(0.5, 0.5, "This analysis has no interval", transform=axes.transAxes, ha="center", color=style.MUTED)


def _places(groups: list[str], sizes: list[int], lines: int) -> dict[tuple[str, int], float]:
    """Return the height of each interval: sizes beside each other, groups apart and with room for their names."""
    step = max(len(sizes), 1.1 * lines) + 0.7
    return {(group, n): step * i + j for i, group in enumerate(groups) for j, n in enumerate(sizes)}


def _draw_intervals(
    axes: Axes,
    frame: pd.DataFrame,
    places: dict[tuple[str, int], float],
    marks: dict[int, style.Mark],
    *,
    measure: str,
) -> None:
    for row in records_of(frame):
        place, mark = places[row["row"], row["n"]], marks[row["n"]]
        axes.hlines(place, row[f"{measure}_low"], row[f"{measure}_high"], color=mark.colour, linewidth=1.6)
        axes.plot([row[measure]], [place], color=mark.colour, marker=mark.marker, markersize=4.5)


def _add_key(figure: Figure, marks: dict[int, style.Mark], note: str) -> None:
    axes = figure.axes[0]
    words = "Patients randomised (bars: 95 % Monte Carlo intervals)"
    handles = [
        axes.plot([], [], color=mark.colour, marker=mark.marker, markersize=4.5, label=str(n))[0]
        for n, mark in marks.items()
    ]
    shown, columns = style.by_rows(handles, 8)
    figure.legend(
        handles=shown,
        # The note stands in the key, for both would take the same place at the foot.
        title=style.wrapped(f"{note}\n{words}".strip(), int(figure.get_figwidth() * 13)),
        loc="outside lower left",
        ncols=columns,
        fontsize=8,
        title_fontsize=8,
        alignment="left",
    )
