"""Power against what it takes: months until the last patient's last visit, and money."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from trialsim.report import style
from trialsim.report.figures.money import money_axis
from trialsim.report.figures.power_heatmap import TARGET
from trialsim.report.words import percent

LETTER = 0.03
"""Width of a letter of a label, with room to spare, as a share of what a panel shows across."""

LINE = 0.05
"""Height of a label in units of power."""

PANELS = {"months": "Months until the last visit", "usd": "Cost, USD"}


def draw_power_by_means(frame: pd.DataFrame) -> Figure:
    """Return the figure of a frame that `operations.power_by_means` makes.

    Parameters
    ----------
    frame : DataFrame
        One row per line and number of patients.
    """
    lines = list(dict.fromkeys(frame["line"]))
    with style.styled():
        figure = Figure(figsize=(8.6, 4.4 + 0.2 * (len(lines) > 1) * len(lines)), layout="constrained")
        grid = figure.subplots(1, 2, sharey=True)
        for axes, (name, words) in zip(grid, PANELS.items(), strict=True):
            for line, mark in zip(lines, style.categorical_marks(len(lines)), strict=True):
                part = frame[frame["line"] == line].sort_values("n")
                axes.hlines(
                    part["power"], part[f"{name}_q05"], part[f"{name}_q95"], color=mark.colour, alpha=0.3, linewidth=3
                )
                axes.vlines(part[name], part["power_low"], part["power_high"], color=mark.colour, linewidth=1.1)
                axes.plot(
                    part[name], part["power"], color=mark.colour, marker=mark.marker, linestyle=mark.dash, label=line
                )
                if len(lines) == 1:
                    _name_sizes(axes, part, name)
            axes.set_xlabel(words)
            style.percent_axis(axes, low=-0.02, high=1.03)
            axes.axhline(TARGET, color=style.MUTED, linewidth=0.9, linestyle=style.DASHES[2], zorder=1)
            axes.text(
                0.01, TARGET + 0.01, percent(TARGET), transform=axes.get_yaxis_transform(), fontsize=8,
                color=style.MUTED, va="bottom",
            )  # fmt: skip
        style.add_title(figure, "Power against what it takes")
        quantities = list(dict.fromkeys(frame["quantity"]))
        grid[0].set_ylabel(f"{quantities[0] if len(quantities) == 1 else 'Power'}, %")
        grid[1].xaxis.set_major_locator(MaxNLocator(5))
        money_axis(grid[1].xaxis)
        if len(lines) > 1:
            handles, words_of = grid[0].get_legend_handles_labels()
            shown = [style.wrapped(word, 84) for word in words_of]
            figure.legend(handles, shown, loc="outside upper left", fontsize=8.5)
        style.add_note(
            figure,
            "A point is a number of patients to be randomised, at its mean over simulated trials. Upright: 95 % Monte "
            "Carlo (Wilson) interval of the power. Across: 90 % of simulated trials.",
        )
    return figure


def _name_sizes(axes: Axes, part: pd.DataFrame, name: str) -> None:
    """Write the numbers of patients below their points; those of points that lie close stand in one line."""
    span = float(part[f"{name}_q95"].max() - part[f"{name}_q05"].min()) or 1.0
    groups: list[list[dict[Hashable, Any]]] = []
    for row in part.to_dict("records"):
        first = groups[-1][0] if groups else None
        if first is not None and _is_close(first, row, name, LETTER * span * len(_named(groups[-1]))):
            groups[-1].append(row)
        else:
            groups.append([row])
    for group in groups:
        axes.annotate(
            _named(group), xy=(group[0][name], group[0]["power"]), xytext=(6, -11), textcoords="offset points",
            fontsize=8.5, color=style.MUTED,
        )  # fmt: skip


def _is_close(first: Mapping[Hashable, Any], row: Mapping[Hashable, Any], name: str, width: float) -> bool:
    """Return whether the label of a point would cover that of another, which is so wide."""
    across, upward = (abs(float(row[key]) - float(first[key])) for key in (name, "power"))
    return across < width and upward < LINE


def _named(group: Sequence[Mapping[Hashable, Any]]) -> str:
    return ", ".join(str(row["n"]) for row in group)
