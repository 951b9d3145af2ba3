"""Power against the number of patients, one line per value of the leading varied path, one panel per question.

The leading path is the longest one of numbers; values of the others have panels of their own.

Each line carries its 95 % Wilson band, because a share from a few hundred replicates is not a point. Where there is
nothing to find (no true difference, or one that reaches the margin) the line is the type I error and has the level that
the test is built for beside it: alpha, or alpha / 2 against a margin.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trialsim.report import style
from trialsim.report.summary import (
    Hypothesis,
    hypotheses,
    hypothesis_words,
    leading_path,
    setting_words,
)
from trialsim.report.table import PowerCell, power_table
from trialsim.report.words import joined, path_words, percent, value_words

COLUMNS = (
    "panel", "quantity", "line", "line_heading", "n", "null", "test", "alpha", "level", "share", "mcse", "low", "high",
)  # fmt: skip
TARGETS = (0.8, 0.9)
TITLE_LETTERS = 34
"""How many letters of a title fit above one of several panels."""

LABEL_LETTERS = 24
"""Values longer than this stand in a key above the figure, not beside their lines."""

LABEL_GAP = 0.062
"""Smallest distance between two direct labels, in units of the power axis."""


def power_curve_data(
    summary: pd.DataFrame,
    *,
    chosen: Sequence[Hypothesis] | None = None,
    labels: Mapping[str, str] | None = None,
    families: pd.DataFrame | None = None,
    alone: bool = False,
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
    families : DataFrame, optional
        The summary of hypotheses tested together: power is then that of the power table, within the procedure.
    alone : bool
        Whether power is that of each test alone all the same, and is named so.

    Returns
    -------
    DataFrame
        Columns `panel`, `quantity` (what the shares of a panel are), `line` (value of the leading varied path in
        words), `line_heading`, `n`, `null`, `test` (or `co_primary`), `alpha`, `level` (of a false claim), `share`
        (power, or type I error where `null`), `mcse`, `low`, `high`.
    """
    leading = leading_path(summary)
    heading = path_words(leading, labels=labels) if leading else ""
    asked = hypotheses(summary)
    records: list[dict[str, Any]] = []
    for hypothesis in chosen if chosen is not None else asked:
        several = sum(item.estimand == hypothesis.estimand for item in asked) > 1
        title = hypothesis_words(summary, hypothesis, labels=labels, method=several)
        table = power_table(summary, hypothesis=hypothesis, labels=labels, families=families)
        single = table.alone if alone else None
        shown = single or table
        title = joined(list(shown.members)) or title
        for row in shown.rows:
            rest = setting_words({path: v for path, v in row.settings.items() if path != leading}, labels=labels)
            about = {
                "panel": f"{title}\n{rest}" if rest else title,
                "quantity": f"{shown.quantity}, tested alone" if single else shown.quantity,
                "line": value_words(leading, row.settings[leading], labels=labels) if leading else "",
                "line_heading": heading,
            }
            records += [{**about, **_point(cell)} for cell in row.cells if cell]
    return pd.DataFrame(records, columns=list(COLUMNS))


def _point(cell: PowerCell) -> dict[str, Any]:
    return {
        "n": cell.n, "null": cell.null, "test": cell.claim, "alpha": cell.alpha, "level": cell.level,
        "share": cell.share, "mcse": cell.mcse, "low": cell.low, "high": cell.high,
    }  # fmt: skip


def draw_power_curves(
    frame: pd.DataFrame,
    *,
    targets: Sequence[float] = TARGETS,
    marks: Mapping[str, style.Mark] | None = None,
    note: str = "",
    error_name: str = "Type I error",
) -> Figure:
    """Return the figure of `frame`, as made by `power_curve_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    targets : sequence of float
        Powers at which a reference line is drawn.
    marks : mapping, optional
        How each line is drawn, for lines that have no order, in the order of their key. Lines are shades of one colour
        by default.
    note : str
        Said under the figure.
    error_name : str
        What the shares of null lines are called.
    """
    panels = list(dict.fromkeys(frame["panel"]))
    columns = 1 if len(panels) == 1 else 2 if len(panels) in (2, 4) else 3
    rows = -(-len(panels) // columns)
    small = len(panels) > 1
    titles = [style.wrapped(panel, TITLE_LETTERS if small else 70) for panel in panels]
    title_lines = max(title.count("\n") for title in titles)
    keyed = marks is not None or _too_long(frame, small=small)
    marks = marks or _marks(frame)
    key_height = (
        0.17 * sum(1 + key.count("\n") for key in _key_words(set(frame["line"]), columns)) + 0.3 if keyed else 0.0
    )
    size = ((3.7 * columns, (3.0 + 0.16 * title_lines) * rows + 0.4) if small else (7.6, 4.9))  # fmt: skip
    with style.styled():
        figure = Figure(figsize=(size[0], size[1] + key_height), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, panel, title in zip(grid.flat, panels, titles, strict=False):
            _draw_panel(axes, frame[frame["panel"] == panel], marks, targets=targets, small=small, keyed=keyed)
            axes.set_title(title, fontsize=9.5 if small else None)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        _name_axes(frame, grid, panels, error_name)
        if keyed:
            _add_key(figure, frame, columns, marks)
        style.add_note(figure, f"{_note(frame, keyed=keyed)} {note}".strip())
    return figure


def _name_axes(frame: pd.DataFrame, grid: np.ndarray, panels: Sequence[str], error_name: str) -> None:
    """Name the vertical axis where it is not that of the panel on the left, the other one at the foot of a column."""
    several_sizes = frame["n"].nunique() > 1
    columns = grid.shape[1]
    left = ""
    for index, (axes, panel) in enumerate(zip(grid.flat, panels, strict=False)):
        shown = frame[frame["panel"] == panel]
        quantity = error_name if shown["null"].all() else str(shown["quantity"].iloc[0])
        measure = f"{quantity}, %"
        if index % columns == 0 or measure != left:
            axes.set_ylabel(measure)
        left = measure
        if index + columns >= len(panels):
            words = "Patients randomised" if several_sizes else _line_heading(frame)
            axes.set_xlabel(style.wrapped(words, 70 if len(panels) == 1 else 34))


def _too_long(frame: pd.DataFrame, *, small: bool) -> bool:
    """Return whether the lines' values are too long to stand beside them, or under points, so that a key is needed."""
    lines = list(dict.fromkeys(frame["line"]))
    if frame["n"].nunique() > 1:
        return max(map(len, lines)) > LABEL_LETTERS
    return max(words.count("\n") for words in _under_points(lines, small=small)) > 3


def _under_points(lines: Sequence[str], *, small: bool) -> list[str]:
    letters = int((30 if small else 72) / len(lines))
    return [style.wrapped(line, letters) for line in lines]


def _key_words(lines: Iterable[str], columns: int) -> list[str]:
    """Return the entries of the key, broken into lines that the figure has room for."""
    letters = 44 * columns if columns > 1 else 84
    return [style.wrapped(str(line), letters) for line in lines]


def _add_key(figure: Figure, frame: pd.DataFrame, columns: int, marks: Mapping[str, style.Mark]) -> None:
    lines = [line for line in marks if line in set(frame["line"])]
    handles = [
        figure.axes[0].plot([], [], color=mark.colour, marker=mark.marker, linestyle=mark.dash, label=words)[0]
        for mark, words in zip((marks[line] for line in lines), _key_words(lines, columns), strict=True)
    ]
    figure.legend(
        handles=handles, title=str(frame["line_heading"].iloc[0]), loc="outside upper left", fontsize=8.5,
        title_fontsize=8.5, alignment="left",
    )  # fmt: skip


def _note(frame: pd.DataFrame, *, keyed: bool) -> str:
    """Return the line under the figure that says what labels and bands are."""
    heading = str(frame["line_heading"].iloc[0])
    several_sizes = frame["n"].nunique() > 1
    labels = ""
    if heading and several_sizes and not keyed:
        labels = f"Label at each line: {heading[:1].lower()}{heading[1:]}. "
    return f"{labels}{'Bands' if several_sizes else 'Bars'}: 95 % Monte Carlo (Wilson) intervals."


def _line_heading(frame: pd.DataFrame) -> str:
    size = f"{frame['n'].iloc[0]} patients randomised"
    heading = str(frame["line_heading"].iloc[0])
    return f"{heading} ({size})" if heading else size


def _draw_panel(
    axes: Axes,
    frame: pd.DataFrame,
    marks: Mapping[str, style.Mark],
    *,
    targets: Sequence[float],
    small: bool,
    keyed: bool,
) -> None:
    all_null = bool(frame["null"].all())
    if all_null:
        # Nothing to find: the axis is for false positives, a few percent high.
        style.percent_axis(axes, high=max(0.12, 1.3 * float(frame["high"].max())))
    else:
        style.percent_axis(axes, low=-0.02, high=1.03)
        axes.set_yticks(np.arange(0, 1.01, 0.2))
    lines = list(dict.fromkeys(frame["line"]))
    marks = _marks_in_panel(frame, marks)
    if frame["n"].nunique() > 1:
        _set_sizes(axes, [int(n) for n in frame["n"].unique()], small=small)
        _draw_lines(axes, frame, lines, marks)
        if not keyed:
            _label_lines(axes, frame, lines, marks, small=small)
    else:
        _draw_dots(axes, frame, marks)
        axes.set_xticks(range(len(lines)), [""] * len(lines) if keyed else _under_points(lines, small=small))
    _draw_references(axes, frame, () if all_null else targets)


def _marks(frame: pd.DataFrame) -> dict[str, style.Mark]:
    """Return the ramp for lines with an effect in any panel, and warm, dashed marks for those without."""
    lines = dict.fromkeys(frame["line"])
    found = set(frame.loc[~frame["null"], "line"])
    ramp = iter(style.ordered_marks(len(found)))
    shapes = itertools.cycle(zip(style.MARKERS[:6], style.DASHES[1:], strict=True))
    return {line: next(ramp) if line in found else style.Mark(style.ALERT, *next(shapes)) for line in lines}


def _marks_in_panel(frame: pd.DataFrame, marks: Mapping[str, style.Mark]) -> dict[str, style.Mark]:
    """Return the marks of a panel's lines, in the colour of the null where there is no effect in this panel."""
    nulls = set(frame.loc[frame["null"], "line"])
    return {
        line: style.Mark(style.ALERT, marks[line].marker, style.DASHES[1])
        if line in nulls and marks[line].colour != style.ALERT
        else marks[line]
        for line in dict.fromkeys(frame["line"])
    }


def _draw_lines(axes: Axes, frame: pd.DataFrame, lines: list[str], marks: dict[str, style.Mark]) -> None:
    for line in lines:
        part, mark = frame[frame["line"] == line], marks[line]
        is_null = bool(part["null"].iloc[0])
        axes.fill_between(part["n"], part["low"], part["high"], color=mark.colour, alpha=0.16, linewidth=0)
        axes.plot(
            part["n"], part["share"], color=mark.colour, marker=mark.marker, linestyle=mark.dash,
            markerfacecolor="white" if is_null else mark.colour,
            markeredgecolor=mark.colour if is_null else "white", markeredgewidth=1.2 if is_null else 0.7,
        )  # fmt: skip


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
        null = (
            (", null" if small else f":{' ' if len(line) < 13 else chr(10)}type I error") if bool(end["null"]) else ""
        )
        axes.annotate(
            f"{line}{null}", xy=(1.06, height), xycoords=place, color=marks[line].colour, fontsize=8.5,
            va="center", ha="left", annotation_clip=False,
        )  # fmt: skip


def _draw_dots(axes: Axes, frame: pd.DataFrame, marks: dict[str, style.Mark]) -> None:
    """Draw one size only: a point with its interval for each value."""
    top, all_null = axes.get_ylim()[1], bool(frame["null"].all())
    for place, (line, mark) in enumerate(marks.items()):
        row = frame[frame["line"] == line].iloc[0]
        axes.vlines(place, row["low"], row["high"], color=mark.colour, linewidth=2.2)
        axes.plot([place], [row["share"]], marker=mark.marker, color=mark.colour, markersize=6.5)
        words = f"{100 * row['share']:.1f} %" + ("\ntype I error" if row["null"] and not all_null else "")
        above = row["high"] < 0.83 * top
        axes.annotate(
            words, xy=(place, row["high"] if above else row["low"]), xytext=(0, 6 if above else -6),
            textcoords="offset points", ha="center", va="bottom" if above else "top", fontsize=8.5,
            color=mark.colour,
        )  # fmt: skip
    axes.set_xlim(-0.6, len(marks) - 0.4)
    axes.grid(visible=False, axis="x")


def _draw_references(axes: Axes, frame: pd.DataFrame, targets: Sequence[float]) -> None:
    """Draw the wanted powers and, where a null is shown, the significance level."""
    place = axes.get_yaxis_transform()
    for target in targets:
        axes.axhline(target, color=style.MUTED, linewidth=0.9, linestyle=style.DASHES[2], zorder=1)
        axes.text(0.008, target + 0.008, percent(target), transform=place, fontsize=7.5, color=style.MUTED, va="bottom")
    nulls = frame[frame["null"]]
    levels = {
        level: "α/2" if level < alpha else "α" for alpha, level in zip(nulls["alpha"], nulls["level"], strict=True)
    }
    scale = axes.get_ylim()[1] / 1.03
    heights = style.spread_labels(
        [level + 0.012 * scale for level in sorted(levels)], gap=0.035 * scale, low=0.0, high=axes.get_ylim()[1]
    )
    for level, height in zip(sorted(levels), heights, strict=True):
        axes.axhline(level, color=style.ALERT, linewidth=0.9, linestyle=style.DASHES[2], zorder=1)
        words = f"{levels[level]} = {percent(level)}"
        axes.text(0.008, height, words, transform=place, fontsize=7.5, color=style.ALERT, va="bottom")


def _set_sizes(axes: Axes, sizes: Sequence[int], *, small: bool) -> None:
    """Put ticks at the sizes that were simulated, leaving out those that would collide."""
    ordered = sorted(int(size) for size in sizes)
    span = ordered[-1] - ordered[0]
    # A digit and the gap beside a number, as shares of the axis.
    digit, gap = (0.034, 0.05) if small else (0.0135, 0.025)
    kept = style.spaced(ordered, (digit * len(str(ordered[-1])) + gap) * span * 1.1)
    axes.set_xticks(kept, [f"{size:g}" for size in kept])
    # Room on the left for the words of the reference lines.
    axes.set_xlim(ordered[0] - (0.38 if small else 0.13) * span, ordered[-1] + 0.03 * span)
