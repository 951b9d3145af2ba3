"""Mean scores over time, one panel per outcome and stratum, one line per arm, with the patients behind each point."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trialsim.report import style

COLUMNS = (
    "outcome", "outcome_label", "arm", "arm_label", "stratum", "stratum_label", "day", "mean", "ci_low", "ci_high",
    "n_observed",
)  # fmt: skip


TITLE_LETTERS = 32
"""How many letters of a panel's title stand in one line."""

ARM_LETTERS = 18
"""How many letters of an arm's name stand in one line."""

COUNT_LETTERS = 44
"""How many letters of an arm's name stand before its counts, which have one line."""

ENOUGH = 5
"""Patients from which on an interval has a say in how far the axis reaches."""


def trajectory_data(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that the figure draws, in its order.

    Parameters
    ----------
    frame : DataFrame
        One row per outcome, stratum, arm and day, with at least `COLUMNS`: the mean score, the ends of its 95 %
        confidence interval (points) and how many patients were observed.
    """
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise ValueError(f"trajectories lack the columns {', '.join(missing)}")
    return frame[list(COLUMNS)].reset_index(drop=True)


def draw_trajectories(frame: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Return the figure of `frame`, as made by `trajectory_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    title : str
        Set above the figure.
    note : str
        Said under the figure, such as which cell the patients are from.
    """
    outcomes, strata = _labelled(frame, "outcome"), _labelled(frame, "stratum")
    arms = _labelled(frame, "arm")
    marks = dict(zip(arms, style.categorical_marks(len(arms)), strict=True))
    titles = {
        (outcome, stratum): style.wrapped(f"{label}, {words}" if words else label, TITLE_LETTERS)
        for outcome, label in outcomes.items()
        for stratum, words in strata.items()
    }
    row_height = 2.35 + 0.16 * (len(arms) + max(title.count("\n") for title in titles.values()))
    longest = min(max(map(len, arms.values())), ARM_LETTERS)
    before = 0.055 * max(0, min(max(map(len, arms.values())), COUNT_LETTERS) - 14)
    beyond = 0.16 * max(0, longest - 12) + before
    cut = False
    with style.styled():
        figure = Figure(
            figsize=(3.6 * len(strata) + 1.2 + beyond, row_height * len(outcomes) + 0.7), layout="constrained"
        )
        grid = figure.subplots(len(outcomes), len(strata), squeeze=False, sharex=True, sharey="row")
        for row, outcome in zip(grid, outcomes, strict=True):
            shown = frame[frame["outcome"] == outcome]
            for axes, stratum in zip(row, strata, strict=True):
                _draw_panel(axes, shown[shown["stratum"] == stratum], arms, marks, counted_on_left=axes is row[0])
                axes.set_title(titles[outcome, stratum])
                axes.tick_params(labelbottom=True)
            row[0].set_ylabel("Mean score, points")
            cut |= _limit(row[0], shown)
            _label_ends(row[-1], shown, list(strata)[-1], arms, marks)
        for axes in grid[-1]:
            axes.set_xlabel("Day (0 = baseline)", labelpad=7 + 13 * len(arms))
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.set(hspace=0.07)  # type: ignore[call-arg]
        style.add_title(figure, title)
        words = "Bars: 95 % confidence intervals. Numbers under each panel: patients observed."
        if cut:
            words += f" Intervals of fewer than {ENOUGH} patients are cut off at the frame."
        style.add_note(figure, f"{words} {note}".strip())
    return figure


def _labelled(frame: pd.DataFrame, column: str) -> dict[Any, str]:
    """Return the identifiers of a column and their labels, in order of appearance."""
    pairs = frame[[column, f"{column}_label"]].drop_duplicates()
    return dict(zip(pairs[column], pairs[f"{column}_label"].astype(str), strict=True))


def _draw_panel(
    axes: Axes, frame: pd.DataFrame, arms: dict[Any, str], marks: dict[Any, style.Mark], *, counted_on_left: bool
) -> None:
    days = sorted(frame["day"].unique())
    span = max(float(days[-1] - days[0]), 1.0)
    shown = style.spaced(days, 0.085 * span)
    under = axes.get_xaxis_transform()
    for place, arm in enumerate(arms):
        part, mark = frame[frame["arm"] == arm].sort_values("day"), marks[arm]
        # Arms stand a little beside each other, so that intervals do not cover one another.
        day = part["day"] + span * 0.014 * (place - (len(arms) - 1) / 2)
        axes.vlines(day, part["ci_low"], part["ci_high"], color=mark.colour, linewidth=1.3, alpha=0.75)
        axes.plot(day, part["mean"], color=mark.colour, marker=mark.marker, linestyle=mark.dash, markersize=4.8,
                  markeredgecolor="white", markeredgewidth=0.6)  # fmt: skip
        height = -0.155 - 0.085 * place
        for exact, count in zip(part["day"], part["n_observed"], strict=True):
            if exact in shown:
                axes.text(exact, height, str(int(count)), transform=under, ha="center", va="top", fontsize=7.2,
                          color=mark.colour)  # fmt: skip
        if counted_on_left:
            name = style.shortened(arms[arm], COUNT_LETTERS)
            axes.text(-0.03, height, name, transform=axes.transAxes, ha="right", va="top", fontsize=7.2,
                      color=mark.colour)  # fmt: skip
    axes.set_xticks(shown, [f"{day:g}" for day in shown])
    axes.set_xlim(days[0] - 0.05 * span, days[-1] + 0.05 * span)


def _limit(axes: Axes, frame: pd.DataFrame) -> bool:
    """Fit the score axis to the means and to intervals of enough patients; return whether others are cut off.

    With two or three patients a t interval is many times as wide as the scale, and would flatten everything else.
    """
    wide = frame[frame["n_observed"] >= ENOUGH]
    ends = pd.concat([frame["mean"], wide["ci_low"], wide["ci_high"]]).dropna()
    if ends.empty:
        return False
    low, high = float(ends.min()), float(ends.max())
    room = 0.05 * (high - low) or 1.0
    axes.set_ylim(low - room, high + room)
    return bool((frame["ci_low"] < low - room).any() or (frame["ci_high"] > high + room).any())


def _label_ends(
    axes: Axes, frame: pd.DataFrame, stratum: Any, arms: dict[Any, str], marks: dict[Any, style.Mark]
) -> None:
    """Write each arm's name at the end of its line in the last panel of a row."""
    part = frame[frame["stratum"] == stratum]
    seen = part.dropna(subset=["mean"])
    ends = {arm: seen[seen["arm"] == arm].sort_values("day") for arm in arms}
    ends = {arm: rows for arm, rows in ends.items() if len(rows)}
    low, high = axes.get_ylim()
    names = {arm: style.wrapped(arms[arm], ARM_LETTERS) for arm in ends}
    lines = max((name.count("\n") + 1 for name in names.values()), default=1)
    heights = style.spread_labels(
        [float(rows["mean"].iloc[-1]) for rows in ends.values()],
        gap=(0.01 + 0.1 * lines) * (high - low),
        low=low,
        high=high,
    )
    for arm, height in zip(ends, heights, strict=True):
        axes.annotate(
            names[arm], xy=(1.02, height), xycoords=axes.get_yaxis_transform(), color=marks[arm].colour,
            fontsize=9, fontweight="bold", va="center", ha="left", annotation_clip=False,
        )  # fmt: skip
