"""Power against the number of patients, one line per value of the first varied path, one panel per question.

Each line carries its 95 % Wilson band, because a share from a few hundred replicates is not a point. Where the true
difference is 0 the line is the type I error and has the significance level beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trialsim.report import style
from trialsim.report.summary import (
    Hypothesis,
    hypotheses,
    records_of,
    rows_of,
    setting_words,
    shown_share,
    varied_paths,
)
from trialsim.report.words import estimand_label, method_words, path_words, percent, value_words

COLUMNS = (
    "panel", "line", "line_heading", "n", "null", "alpha", "share", "mcse", "low", "high",
)  # fmt: skip
TARGETS = (0.8, 0.9)
TITLE_LETTERS = 30
"""How many letters of a title fit above one of several panels."""

LABEL_GAP = 0.062
"""Smallest distance between two direct labels, in units of the power axis."""


def power_curve_data(
    summary: pd.DataFrame,
    *,
    chosen: Sequence[Hypothesis] | None = None,
    labels: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return what the power curves draw: one row per point.

    Parameters
    ----------
    summary : DataFrame
        The summary of a run.
    chosen : sequence of Hypothesis, optional
        The questions that get a panel; all of them by default.
    labels : mapping, optional
        Words for estimands, arms, strata and outcomes.

    Returns
    -------
    DataFrame
        Columns `panel`, `line` (value of the first varied path in words), `line_heading`, `n`, `null`, `alpha`,
        `share` (power, or type I error where `null`), `mcse`, `low`, `high`.
    """
    paths = varied_paths(summary)
    first, others = paths[:1], paths[1:]
    heading = path_words(first[0], labels=labels) if first else ""
    several_methods = summary.groupby("estimand")["method"].nunique().max() > 1
    records: list[dict[str, Any]] = []
    for hypothesis in chosen if chosen is not None else hypotheses(summary):
        name = estimand_label(hypothesis.estimand, labels)
        title = f"{name}, {method_words(hypothesis.method)}" if several_methods else name
        for row in records_of(rows_of(summary, hypothesis)):
            rest = setting_words({path: row[path] for path in others}, labels=labels)
            share, mcse, interval = shown_share(row)
            records.append({
                "panel": f"{title}\n{rest}" if rest else title,
                "line": value_words(first[0], row[first[0]]) if first else "",
                "line_heading": heading,
                "n": int(row["n"]), "null": bool(row["null"]), "alpha": float(row["alpha"]),
                "share": share, "mcse": mcse, "low": interval.low, "high": interval.high,
            })  # fmt: skip
    return pd.DataFrame(records, columns=list(COLUMNS))


def draw_power_curves(frame: pd.DataFrame, *, targets: Sequence[float] = TARGETS) -> Figure:
    """Return the figure of `frame`, as made by `power_curve_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    targets : sequence of float
        Powers at which a reference line is drawn.
    """
    panels = list(dict.fromkeys(frame["panel"]))
    columns = 1 if len(panels) == 1 else 2 if len(panels) in (2, 4) else 3
    rows = -(-len(panels) // columns)
    small = len(panels) > 1
    size = (3.7 * columns, 3.1 * rows + 0.4) if small else (7.6, 4.9)
    several_sizes = frame["n"].nunique() > 1
    with style.styled():
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, frame[frame["panel"] == panel], targets=targets, small=small)
            axes.set_title(style.wrapped(panel, TITLE_LETTERS if small else 70))
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for row in grid:
            row[0].set_ylabel("Type I error, %" if frame["null"].all() else "Power, %")
        for index, axes in enumerate(grid.flat[: len(panels)]):
            if index + columns >= len(panels):
                axes.set_xlabel("Patients randomised" if several_sizes else _line_heading(frame))
        style.add_note(figure, _note(frame))
    return figure


def _note(frame: pd.DataFrame) -> str:
    """Return the line under the figure that says what labels and bands are."""
    heading = str(frame["line_heading"].iloc[0])
    several_sizes = frame["n"].nunique() > 1
    labels = f"Label at each line: {heading[:1].lower()}{heading[1:]}. " if heading and several_sizes else ""
    return f"{labels}{'Bands' if several_sizes else 'Bars'}: 95 % Monte Carlo (Wilson) intervals."


def _line_heading(frame: pd.DataFrame) -> str:
    size = f"{frame['n'].iloc[0]} patients randomised"
    heading = str(frame["line_heading"].iloc[0])
    return f"{heading} ({size})" if heading else size


def _draw_panel(axes: Axes, frame: pd.DataFrame, *, targets: Sequence[float], small: bool) -> None:
    all_null = bool(frame["null"].all())
    if all_null:
        # Nothing to find: the axis is for false positives, a few percent high.
        style.percent_axis(axes, high=max(0.12, 1.3 * float(frame["high"].max())))
    else:
        style.percent_axis(axes, low=-0.02, high=1.03)
        axes.set_yticks(np.arange(0, 1.01, 0.2))
    lines = list(dict.fromkeys(frame["line"]))
    marks = _marks(frame, lines)
    if frame["n"].nunique() > 1:
        _set_sizes(axes, [int(n) for n in frame["n"].unique()], left_share=0.2 if small else 0.13)
        _draw_lines(axes, frame, lines, marks, small=small)
    else:
        _draw_dots(axes, frame, lines, marks)
    _draw_references(axes, frame, () if all_null else targets)


def _marks(frame: pd.DataFrame, lines: list[str]) -> dict[str, style.Mark]:
    """Return the ramp for lines with an effect and one warm, dashed mark for the null."""
    nulls = set(frame.loc[frame["null"], "line"])
    ramp = iter(style.ordered_marks(len([line for line in lines if line not in nulls])))
    null = style.Mark(style.ALERT, "o", style.DASHES[1])
    return {line: null if line in nulls else next(ramp) for line in lines}


def _draw_lines(
    axes: Axes, frame: pd.DataFrame, lines: list[str], marks: dict[str, style.Mark], *, small: bool
) -> None:
    for line in lines:
        part, mark = frame[frame["line"] == line], marks[line]
        is_null = bool(part["null"].iloc[0])
        axes.fill_between(part["n"], part["low"], part["high"], color=mark.colour, alpha=0.16, linewidth=0)
        axes.plot(
            part["n"], part["share"], color=mark.colour, marker=mark.marker, linestyle=mark.dash,
            markerfacecolor="white" if is_null else mark.colour,
            markeredgecolor=mark.colour if is_null else "white", markeredgewidth=1.2 if is_null else 0.7,
        )  # fmt: skip
    _label_lines(axes, frame, lines, marks, small=small)


def _label_lines(
    axes: Axes, frame: pd.DataFrame, lines: list[str], marks: dict[str, style.Mark], *, small: bool
) -> None:
    """Write each line's value at its right end, moved apart where lines end together, with a thin leader."""
    if lines == [""]:
        return
    ends = [frame[frame["line"] == line].sort_values("n").iloc[-1] for line in lines]
    low, high = axes.get_ylim()
    gap = LABEL_GAP * (1.35 if small else 1.0) * (high - low) / 1.05
    heights = style.spread_labels([float(e["share"]) for e in ends], gap=gap, low=0.0, high=0.99 * high)
    # Across in shares of the axis, up in data: leaders start at the last point and end before the label.
    place = axes.get_yaxis_transform()
    left, right = axes.get_xlim()
    for line, end, height in zip(lines, ends, heights, strict=True):
        start = (float(end["n"]) - left) / (right - left)
        axes.plot(
            [start + 0.012, 1.035, 1.05], [float(end["share"]), height, height], transform=place, clip_on=False,
            color=marks[line].colour, linewidth=0.7,
        )  # fmt: skip
        null = (", null" if small else ", no effect:\ntype I error") if bool(end["null"]) else ""
        axes.annotate(
            f"{line}{null}", xy=(1.06, height), xycoords=place, color=marks[line].colour, fontsize=8.5,
            va="center", ha="left", annotation_clip=False,
        )  # fmt: skip


def _draw_dots(axes: Axes, frame: pd.DataFrame, lines: list[str], marks: dict[str, style.Mark]) -> None:
    """Draw one size only: a point with its interval for each value."""
    for place, line in enumerate(lines):
        row, mark = frame[frame["line"] == line].iloc[0], marks[line]
        axes.vlines(place, row["low"], row["high"], color=mark.colour, linewidth=2.2)
        axes.plot([place], [row["share"]], marker=mark.marker, color=mark.colour, markersize=6.5)
        words = f"{100 * row['share']:.1f} %" + ("\ntype I error" if row["null"] else "")
        above = row["high"] < 0.85
        axes.annotate(
            words, xy=(place, row["high"] if above else row["low"]), xytext=(0, 6 if above else -6),
            textcoords="offset points", ha="center", va="bottom" if above else "top", fontsize=8.5,
            color=mark.colour,
        )  # fmt: skip
    axes.set_xticks(range(len(lines)), lines)
    axes.set_xlim(-0.6, len(lines) - 0.4)
    axes.grid(visible=False, axis="x")


def _draw_references(axes: Axes, frame: pd.DataFrame, targets: Sequence[float]) -> None:
    """Draw the wanted powers and, where a null is shown, the significance level."""
    place = axes.get_yaxis_transform()
    for target in targets:
        axes.axhline(target, color=style.MUTED, linewidth=0.9, linestyle=style.DASHES[2], zorder=1)
        axes.text(0.008, target + 0.008, percent(target), transform=place, fontsize=7.5, color=style.MUTED, va="bottom")
    if frame["null"].any():
        alpha = float(frame["alpha"].iloc[0])
        axes.axhline(alpha, color=style.ALERT, linewidth=0.9, linestyle=style.DASHES[2], zorder=1)
        height = alpha + 0.012 * (axes.get_ylim()[1] / 1.03)
        words = f"α = {percent(alpha)}"
        axes.text(0.008, height, words, transform=place, fontsize=7.5, color=style.ALERT, va="bottom")


def _set_sizes(axes: Axes, sizes: Sequence[int], *, left_share: float) -> None:
    """Put ticks at the sizes that were simulated, leaving out those that would collide."""
    ordered = sorted(int(size) for size in sizes)
    span = ordered[-1] - ordered[0]
    kept = [ordered[0]]
    for size in ordered[1:]:
        if size - kept[-1] >= 0.07 * span:
            kept.append(size)
    axes.set_xticks(kept)
    # Room on the left for the words of the reference lines.
    axes.set_xlim(ordered[0] - left_share * span, ordered[-1] + 0.03 * span)
