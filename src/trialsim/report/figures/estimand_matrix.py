"""How far each analysis is from each question: bias in standard errors of the estimate, by estimand and analysis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trialsim.report import style
from trialsim.report.figures.accuracy import Z
from trialsim.report.matrix import flags_of, largest
from trialsim.report.summary import records_of, setting_words, varied_paths
from trialsim.report.words import estimand_label, joined, method_words

COLUMNS = (
    "panel", "n", "estimand", "estimand_label", "analysis", "measure", "unit", "null", "alpha", "true_value",
    "true_value_se", "bias", "bias_mcse", "empirical_se", "standardised_bias", "standardised_bias_mcse",
    "standardised_bias_low", "standardised_bias_high", "coverage", "coverage_mcse", "power", "power_mcse", "off",
)  # fmt: skip
LABEL_LETTERS = 30
"""How many letters of an estimand's name stand in one line."""

PANELS_ACROSS = 3

LEAST_REACH = 0.5
"""How far the axis goes at least, so that a bias too small to matter looks small."""


def estimand_matrix_data(summary: pd.DataFrame, *, labels: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return what the figure draws: one row per variant, estimand and analysis, at the largest number of patients.

    Parameters
    ----------
    summary : DataFrame
        The summary of a run.
    labels : mapping, optional
        Words for estimands, arms, strata and outcomes.

    Returns
    -------
    DataFrame
        `COLUMNS`. `standardised_bias` is bias / empirical SE, its Monte Carlo standard error that of a ratio of
        independent numbers (delta method); `off` says what is off by more than chance: `bias`, `coverage` or both.
    """
    paths = varied_paths(summary)
    rows = []
    for record in records_of(largest(summary)):
        bias, spread = float(record["bias"]), float(record["empirical_se"])
        ratio, error = _ratio(bias, float(record["bias_mcse"]), spread, float(record["empirical_se_mcse"]))
        flags = flags_of(record)
        rows.append({
            "panel": setting_words({path: record[path] for path in paths}, labels=labels), "n": int(record["n"]),
            "estimand": record["estimand"], "estimand_label": estimand_label(str(record["estimand"]), labels),
            "analysis": method_words(str(record["method"])),
            **{name: record[name] for name in COLUMNS[COLUMNS.index("measure"): COLUMNS.index("standardised_bias")]},
            "standardised_bias": ratio, "standardised_bias_mcse": error,
            "standardised_bias_low": ratio - Z * error, "standardised_bias_high": ratio + Z * error,
            **{name: record[name] for name in ("coverage", "coverage_mcse", "power", "power_mcse")},
            "off": joined([name for name, off in zip(flags._fields, flags, strict=True) if off]),
        })  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def draw_estimand_matrix(frame: pd.DataFrame, *, note: str = "") -> Figure:
    """Return the figure of `frame`, as made by `estimand_matrix_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    note : str
        Said under the figure.
    """
    panels, analyses = (list(dict.fromkeys(frame[column])) for column in ("panel", "analysis"))
    marks = dict(zip(analyses, style.categorical_marks(len(analyses)), strict=True))
    labels = dict(zip(frame["estimand"], frame["estimand_label"], strict=True))
    names = {name: style.wrapped(label, LABEL_LETTERS) for name, label in labels.items()}
    places = _places(frame, names)
    across = min(len(panels), PANELS_ACROSS)
    down = math.ceil(len(panels) / across)
    titles = [style.wrapped(panel, 64 // across) for panel in panels]
    height = 0.22 * max(places.values()) + 0.5 + 0.2 * max(title.count("\n") + 1 for title in titles)
    with style.styled():
        figure = Figure(figsize=(7.6 if across < 3 else 9.4, down * height + 1.6), layout="constrained")
        grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        for axes, panel, title in zip(grid.flat, panels, titles, strict=False):
            _draw_panel(axes, frame[frame["panel"] == panel], places, marks)
            axes.set_title(title)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        _name_axes(grid, frame, places, names, len(panels))
        _add_key(figure, grid[0, 0], frame, marks, note)
    return figure


def _ratio(bias: float, bias_error: float, spread: float, spread_error: float) -> tuple[float, float]:
    """Return bias / spread and its standard error; nothing where the estimates do not spread."""
    if not spread > 0.0:
        return math.nan, math.nan
    return bias / spread, math.hypot(bias_error / spread, bias / spread * spread_error / spread)


def _places(frame: pd.DataFrame, names: Mapping[str, str]) -> dict[tuple[str, str], float]:
    """Return the height of each analysis of each estimand: estimands apart and with room for their names."""
    places: dict[tuple[str, str], float] = {}
    start = 0.0
    for estimand in names:
        own = list(dict.fromkeys(frame.loc[frame["estimand"] == estimand, "analysis"]))
        room = max(float(len(own)), 0.85 * (names[estimand].count("\n") + 1))
        first = start + (room - len(own)) / 2.0
        places.update({(estimand, analysis): first + place for place, analysis in enumerate(own)})
        start += room + 0.8
    return places


def _draw_panel(
    axes: Axes, frame: pd.DataFrame, places: Mapping[tuple[str, str], float], marks: Mapping[str, style.Mark]
) -> None:
    axes.axvline(0.0, color=style.MUTED, linewidth=1.0)
    for row in records_of(frame):
        place, mark = places[row["estimand"], row["analysis"]], marks[row["analysis"]]
        axes.hlines(
            place, row["standardised_bias_low"], row["standardised_bias_high"], color=mark.colour, linewidth=1.6
        )
        _draw_mark(axes, [row["standardised_bias"]], [place], mark, full="bias" in row["off"])


def _draw_mark(axes: Axes, x: Sequence[float], y: Sequence[float], mark: style.Mark, *, full: bool) -> Any:
    """Draw an analysis's marker, full where it misses."""
    return axes.plot(
        x, y, color=mark.colour, marker=mark.marker, markersize=6.0, linestyle="none",
        markerfacecolor=mark.colour if full else "white", markeredgewidth=1.4,
    )[0]  # fmt: skip


def _name_axes(
    grid: Any, frame: pd.DataFrame, places: Mapping[tuple[str, str], float], names: Mapping[str, str], panels: int
) -> None:
    """Name the estimands at the left, and the quantity under the lowest panel of each column."""
    middles = [float(np.mean([place for (one, _), place in places.items() if one == name])) for name in names]
    low = [frame[f"standardised_bias_{end}"] for end in ("low", "high")]
    reach = max(float(np.nanmax(np.abs(np.concatenate(low)), initial=0.0)), LEAST_REACH) * 1.08
    grid[0, 0].set_xlim(-reach, reach)
    grid[0, 0].set_ylim(max(places.values()) + 0.8, min(places.values()) - 0.8)
    for axes in grid[:, 0]:
        axes.set_yticks(middles, list(names.values()))
    for place, axes in enumerate(grid.flat[:panels]):
        axes.grid(visible=False, axis="y")
        if place + grid.shape[1] >= panels:
            axes.set_xlabel("Bias ÷ empirical SE")
            axes.tick_params(labelbottom=True)


def _add_key(figure: Figure, axes: Axes, frame: pd.DataFrame, marks: Mapping[str, style.Mark], note: str) -> None:
    handles = [_draw_mark(axes, [], [], mark, full=False) for mark in marks.values()]
    for handle, name in zip(handles, marks, strict=True):
        handle.set_label(name)
    sizes = joined([str(n) for n in sorted(set(frame["n"]))], word="or")
    words = (
        f"At {sizes} patients randomised. Bars: 95 % Monte Carlo intervals. Full marks: the mean estimate is off by "
        "more than 4.9 of its errors."
    )
    figure.legend(
        handles=handles,
        # The note stands in the key, for both would take the same place at the foot.
        title=style.wrapped(f"{note}\n{words}".strip(), int(figure.get_figwidth() * 13)),
        loc="outside lower left",
        ncols=min(len(marks), 5),
        fontsize=8,
        title_fontsize=8,
        alignment="left",
    )
