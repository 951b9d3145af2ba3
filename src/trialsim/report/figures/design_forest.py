"""Differences of power from a reference design, with the errors of the pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trialsim.report import style
from trialsim.report.comparison import design_words, plus_minus, power_called

COLUMNS = (
    "design", "design_label", "reference", "reference_label", "difference", "mcse", "low", "high", "low_adjusted",
    "high_adjusted", "level_adjusted", "independent_mcse", "quantity",
)  # fmt: skip


def design_forest_data(told: Mapping[str, Any]) -> pd.DataFrame:
    """Return what the forest draws: one row for each design but the reference.

    Parameters
    ----------
    told : mapping
        Of `Comparison.to_dict`.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: differences of power with their paired errors and intervals, shares.
    """
    words = design_words(told)
    rows = [
        (
            row["design"],
            words[row["design"]],
            row["other"],
            words[row["other"]],
            row["power_difference"],
            row["power_difference_mcse"],
            row["power_difference_low"],
            row["power_difference_high"],
            row["power_difference_low_adjusted"],
            row["power_difference_high_adjusted"],
            row["level_adjusted"],
            row["independent_mcse"],
            power_called(told),
        )
        for row in told["differences"]
        if row["against_reference"]
    ]
    order = [row["name"] for row in told["designs"]]
    frame = pd.DataFrame(sorted(rows, key=lambda row: order.index(row[0])), columns=list(COLUMNS))
    return frame.astype(dict.fromkeys(COLUMNS[4:-1], float))


def draw_design_forest(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `design_forest_data`."""
    with style.styled():
        figure = Figure(figsize=(7.6, 1.7 + 0.46 * len(frame)), layout="constrained")
        axes = figure.subplots()
        reference = style.shortened(str(frame["reference_label"].iloc[0]), 50)
        quantity = str(frame["quantity"].iloc[0])
        axes.set_title(style.wrapped(f"Difference of {quantity[0].lower()}{quantity[1:]} from {reference}", 76))
        axes.set_xlabel("Difference of power, percentage points")
        colour = style.OKABE_ITO[0]
        places = range(len(frame))
        axes.axvline(0.0, color=style.INK, linewidth=1.0)
        scaled = {name: 100 * frame[name] for name in ("difference", "low", "high", "low_adjusted", "high_adjusted")}
        axes.hlines(places, scaled["low_adjusted"], scaled["high_adjusted"], color=colour, linewidth=1.2)
        axes.hlines(places, scaled["low"], scaled["high"], color=colour, linewidth=4.0, alpha=0.45)
        axes.plot(scaled["difference"], places, color=colour, marker="o", linestyle="")
        for place, row in enumerate(frame.itertuples(index=False)):
            text = plus_minus(row.difference, row.mcse, row.low, row.high, signed=True)
            axes.text(
                1.01,
                place,
                text,
                transform=axes.get_yaxis_transform(),
                va="center_baseline",
                fontsize=8.5,
                color=style.INK,
            )
        name_rows(axes, frame["design_label"])
        note = "Thick: 95 % interval of the pairs; thin: adjusted, so that all hold together with 95 %. ± paired MCSE."
        style.add_note(figure, note)
    return figure


def name_rows(axes: Axes, labels: pd.Series) -> None:
    """Name the rows of a figure from the top down."""
    axes.set_yticks(range(len(labels)), [style.wrapped(style.shortened(str(label), 60), 34) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
