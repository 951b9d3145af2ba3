"""How power is distributed over the priors: its density by number of patients, and the chance of any power or more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from trialsim.report import style

COLUMNS = (
    "hypothesis",
    "hypothesis_label",
    "n_total",
    "assurance",
    "threshold",
    "power",
    "chance",
    "low",
    "high",
    "share",
)
BIN = 5
"""Width of a bar, in percentage points of power."""
MOST_SIZES = 5


def power_distribution_data(answer: Mapping[str, Any], cell: int = 0) -> pd.DataFrame:
    """Return what the figure draws: one row per number of patients and percentage point of power.

    Parameters
    ----------
    answer : mapping
        Of `Assurance`, as plain data.
    cell : int
        Which combination of varied values.

    Returns
    -------
    DataFrame
        Columns `hypothesis` (name), `hypothesis_label` (words), `n_total`, `assurance`, `threshold`, `power`, `chance`
        (of a power of at least that) with `low` and `high` (95 %), `share` (chance of a power from this to the next
        five points, at every fifth point).
    """
    rows = []
    for size in answer["cells"][cell]["sizes"]:
        at = size["exceedance"]  # empty where no trial could be analysed
        for place, row in enumerate(at):
            beyond = at[place + BIN]["chance"] if place + BIN < len(at) - 1 else 0.0
            bar = row["chance"] - beyond if place % BIN == 0 and place < len(at) - 1 else None
            rows.append({
                "hypothesis": answer["hypothesis"], "hypothesis_label": answer["hypothesis_label"],
                "n_total": size["n_total"],
                "assurance": size["measures"]["assurance"]["value"], "threshold": answer["threshold"], **row,
                "share": bar,
            })  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def draw_power_distribution(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `power_distribution_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    sizes = _shown(sorted(frame["n_total"].unique().tolist()))
    marks = style.ordered_marks(len(sizes))
    with style.styled():
        figure = Figure(figsize=(9.6, 4.9), layout="constrained")
        grid = figure.add_gridspec(len(sizes), 2)
        beyond = figure.add_subplot(grid[:, 1])
        tallest = frame["share"].max()
        first: Axes | None = None
        for row, (n, mark) in enumerate(zip(sizes, marks, strict=True)):
            part = frame[frame["n_total"] == n]
            axes = figure.add_subplot(grid[row, 0], sharex=first)
            first = first or axes
            _draw_density(axes, part, mark.colour, tallest, last=row == len(sizes) - 1)
            beyond.fill_between(part["power"], part["low"], part["high"], color=mark.colour, alpha=0.12, linewidth=0)
            beyond.plot(part["power"], part["chance"], color=mark.colour, marker="", label=f"N = {n:,}")
        if first is not None:
            first.set_title("Chance of each 5 points of power, %")
        _finish_beyond(beyond, float(frame["threshold"].iloc[0]))
        style.add_note(
            figure,
            f"{frame['hypothesis_label'].iloc[0]}, over the draws of the priors; the noise of finitely many trials at "
            "each is taken out of the spread. Left: line, the mean, which is the assurance. Right: bands are 95 % Monte"
            " Carlo; dotted, the power that makes a trial worth running.",
        )
    return figure


def _shown(sizes: list[int]) -> list[int]:
    """Return up to five of the sizes, evenly from the first to the last."""
    if len(sizes) <= MOST_SIZES:
        return sizes
    return [sizes[round(i * (len(sizes) - 1) / (MOST_SIZES - 1))] for i in range(MOST_SIZES)]


def _draw_density(axes: Axes, part: pd.DataFrame, colour: str, tallest: float, *, last: bool) -> None:
    bars = part[part["share"].notna()]
    axes.bar(
        bars["power"], bars["share"], width=0.01 * BIN, align="edge", color=colour, edgecolor="white", linewidth=0.6
    )
    axes.axvline(float(part["assurance"].iloc[0]), color=style.OKABE_ITO[1], linewidth=1.6)
    axes.set_xlim(0.0, 1.0)
    style.percent_axis(axes, low=0.0, high=1.05 * tallest)
    axes.yaxis.set_major_locator(MaxNLocator(2))
    axes.grid(visible=False)
    axes.set_ylabel(f"N = {part['n_total'].iloc[0]:,}", rotation=0, ha="right", va="center")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f}"))
    axes.tick_params(labelbottom=last)
    if last:
        axes.set_xlabel("Power, %")


def _finish_beyond(axes: Axes, threshold: float) -> None:
    axes.set_title("Chance of that power or more")
    axes.set_xlim(0.0, 1.0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f}"))
    style.percent_axis(axes, low=-0.02, high=1.03)
    axes.set_xlabel("Power, %")
    axes.set_ylabel("Chance, %")
    axes.axvline(threshold, color=style.MUTED, linewidth=0.9, linestyle=style.DASHES[2], zorder=1)
    axes.legend(loc="upper right", fontsize=8.5)
