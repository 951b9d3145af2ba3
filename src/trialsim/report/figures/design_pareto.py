"""Power against what a design takes: patients, months, money; and which designs no other beats."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from trialsim.planning.comparison.metrics import BY_NAME
from trialsim.report import style
from trialsim.report.comparison import design_words, metric_words, power_called
from trialsim.report.figures.money import money_axis

COLUMNS = (
    "metric", "design", "design_label", "value", "value_mcse", "power", "low", "high", "standing", "target",
    "quantity",
)  # fmt: skip


def design_pareto_data(told: Mapping[str, Any], against: str | None = None) -> pd.DataFrame:
    """Return what the figure of power against its price draws: one row for each design and measure.

    Parameters
    ----------
    told : mapping
        Of `Comparison.to_dict`.
    against : str, optional
        A measure; by default those of the Pareto front.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; `standing` is `not beaten`, `within error`, `beaten` or `over budget`.
    """
    words = design_words(told)
    chosen = [against] if against is not None else [name for name in told["front_metrics"] if name != "power"] or ["n"]
    rows = [
        (
            name,
            row["name"],
            words[row["name"]],
            row["metrics"][name]["value"],
            row["metrics"][name]["mcse"],
            row["metrics"]["power"]["value"],
            row["power_low"],
            row["power_high"],
            _standing(row),
            told["target"],
            power_called(told),
        )
        for name in chosen
        for row in told["designs"]
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _standing(row: Mapping[str, Any]) -> str:
    if not row["feasible"]:
        return "over budget"
    if not row["on_front"]:
        return "beaten"
    return "within error" if row["apparently_beaten_by"] else "not beaten"


_MARKS = {
    "not beaten": ("o", style.OKABE_ITO[0], style.OKABE_ITO[0]),
    "within error": ("D", "white", style.OKABE_ITO[0]),
    "beaten": ("s", "white", style.OKABE_ITO[1]),
    "over budget": ("X", "white", style.MUTED),
}
"""Marker, fill and edge by standing."""


def draw_design_pareto(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `design_pareto_data`: a panel for each measure."""
    metrics = list(dict.fromkeys(frame["metric"]))
    with style.styled():
        figure = Figure(figsize=(7.6, 0.8 + 3.1 * len(metrics)), layout="constrained")
        panels = figure.subplots(len(metrics), 1, squeeze=False)[:, 0]
        for axes, metric in zip(panels, metrics, strict=True):
            _draw_panel(axes, frame[frame["metric"] == metric].dropna(subset=["value", "power"]))
            axes.set_xlabel(metric_words(metric))
            if BY_NAME[metric].unit == "usd":
                axes.xaxis.set_major_locator(MaxNLocator(6))
                money_axis(axes.xaxis)
            elif frame["value"][frame["metric"] == metric].max() >= 10_000:
                axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axes.set_ylabel(style.wrapped(f"{frame['quantity'].iloc[0]}, %", 30))
        panels[0].set_title("Power against what it takes")
        figure.legend(
            handles=_handles(panels[0], set(frame["standing"])), loc="outside upper right", ncols=4, fontsize=8.5
        )
        words = "Bars: 95 % Monte Carlo intervals. Best is up and to the left. Dotted: power wanted."
        if frame.dropna(subset=["value", "power"]).duplicated(["metric", "value"]).any():
            words += " Designs that take the same stand a little beside each other."
        style.add_note(figure, words)
    return figure


def _handles(axes: Axes, standings: set[str]) -> list[Line2D]:
    """Return what the legend shows: the marks of the standings that there are."""
    return [
        axes.plot([], [], marker=marker, markerfacecolor=fill, markeredgecolor=edge, linestyle="", label=name)[0]
        for name, (marker, fill, edge) in _MARKS.items()
        if name in standings
    ]


def _draw_panel(axes: Axes, rows: pd.DataFrame) -> None:
    low = min(rows["low"].min(), float(rows["target"].iloc[0]))
    bottom, top = max(0.05 * math.floor(20 * (low - 0.01)), -0.02), 1.02
    style.percent_axis(axes, low=bottom, high=top)
    axes.axhline(float(rows["target"].iloc[0]), color=style.MUTED, linewidth=1.0, linestyle=style.DASHES[2], zorder=1)
    spread = float(rows["value"].max() - rows["value"].min()) or max(float(rows["value"].max()), 1.0) * 0.2
    same = rows.groupby("value")["value"]
    rows = rows.assign(x=rows["value"] + 0.014 * spread * (same.cumcount() - (same.transform("size") - 1) / 2.0))
    for row in rows.itertuples(index=False):
        marker, fill, edge = _MARKS[str(row.standing)]
        axes.vlines(row.x, row.low, row.high, color=edge, linewidth=1.2, zorder=2)
        axes.plot(row.x, row.power, marker=marker, markerfacecolor=fill, markeredgecolor=edge, linestyle="", zorder=3)
    axes.set_xlim(float(rows["value"].min()) - 0.08 * spread, float(rows["value"].max()) + 0.08 * spread)
    heights = style.spread_labels(list(rows["power"]), gap=0.062 * (top - bottom), low=bottom, high=top)
    right = axes.get_xlim()[1]
    labels = style.distinct(list(rows["design_label"].astype(str)), 30)
    for row, height, label in zip(rows.itertuples(index=False), heights, labels, strict=True):
        axes.annotate(
            label,
            xy=(float(row.x), float(row.power)),
            xytext=(right + 0.03 * spread, height),
            fontsize=8.5,
            va="center",
            color=style.INK,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": style.MUTED,
                "linewidth": 0.5,
                "linestyle": (0, (1, 2)),
                "shrinkA": 1,
                "shrinkB": 4,
            },
        )
