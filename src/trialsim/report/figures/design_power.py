"""Power of each design beside the power wanted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from trialsim.report import style
from trialsim.report.comparison import design_words, plus_minus, power_called
from trialsim.report.figures.design_forest import name_rows
from trialsim.report.words import percent

COLUMNS = ("design", "design_label", "n", "power", "mcse", "low", "high", "target", "null", "quantity")


def design_power_data(told: Mapping[str, Any]) -> pd.DataFrame:
    """Return what the figure of powers draws: one row for each design, columns `COLUMNS`.

    Parameters
    ----------
    told : mapping
        Of `Comparison.to_dict`.
    """
    words = design_words(told)
    rows = [
        (
            row["name"],
            words[row["name"]],
            int(row["metrics"]["n"]["value"]),
            row["metrics"]["power"]["value"],
            row["metrics"]["power"]["mcse"],
            row["power_low"],
            row["power_high"],
            told["target"],
            row["null"],
            power_called(told),
        )
        for row in told["designs"]
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def draw_design_power(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `design_power_data`."""
    with style.styled():
        figure = Figure(figsize=(7.6, 1.6 + 0.46 * len(frame)), layout="constrained")
        axes = figure.subplots()
        axes.set_title("Power of each design")
        axes.set_xlabel(f"{frame['quantity'].iloc[0]}, %")
        colour = style.OKABE_ITO[0]
        places = range(len(frame))
        axes.hlines(places, 100 * frame["low"], 100 * frame["high"], color=colour, linewidth=2.2)
        axes.plot(100 * frame["power"], places, color=colour, marker="o", linestyle="")
        target = 100 * float(frame["target"].iloc[0])
        axes.axvline(target, color=style.MUTED, linewidth=1.0, linestyle=style.DASHES[2])
        ends = [*(100 * frame["low"]).dropna(), *(100 * frame["high"]).dropna(), target]
        axes.set_xlim(
            max(5.0 * math.floor((min(ends) - 2.0) / 5.0), -1.0), min(5.0 * math.ceil((max(ends) + 1.0) / 5.0), 101.0)
        )
        for place, row in enumerate(frame.itertuples(index=False)):
            text = plus_minus(float(row.power), float(row.mcse), float(row.low), float(row.high))
            axes.text(
                1.01,
                place,
                text,
                transform=axes.get_yaxis_transform(),
                va="center_baseline",
                fontsize=8.5,
                color=style.INK,
            )
        named = [
            f"{style.shortened(str(label), 44)} (N\u00a0=\u00a0{n:,})"
            for label, n in zip(frame["design_label"], frame["n"], strict=True)
        ]
        name_rows(axes, pd.Series(named))
        style.add_note(
            figure, f"Bars: 95 % Monte Carlo (Wilson) intervals of each design alone. Dotted: {percent(target / 100)}."
        )
    return figure
