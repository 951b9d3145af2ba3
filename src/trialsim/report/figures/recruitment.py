"""Recruitment over time: patients randomised by month as a fan over simulated trials, with the targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trialsim.report import style
from trialsim.report.operations import MOST_PANELS, Operated
from trialsim.report.words import fixed

COLUMNS = (
    "panel", "n", "month", "q05", "q25", "q50", "q75", "q95", "target_months", "full_by_target", "full_low",
    "full_high",
)  # fmt: skip


def recruitment_data(told: Operated) -> pd.DataFrame:
    """Return what the figure draws: one row per number of patients asked for and month.

    Parameters
    ----------
    told : Operated

    Returns
    -------
    DataFrame
        Columns `panel` (words), `n` (asked for), `month`, quantiles over trials of the patients randomised by then,
        `target_months`, and the share of trials that are full by then with its 95 % interval.
    """
    curves = told.series("randomised")
    rows = []
    for n in told.sizes:
        full = told.measure("recruited_by_target", n)
        about = {
            "panel": f"{n} patients", "n": n, "target_months": told.target_months, "full_by_target": full["value"],
            "full_low": full["low"], "full_high": full["high"],
        }  # fmt: skip
        rows += [{**about, **row} for row in curves[curves["n"] == n].to_dict("records")]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def draw_recruitment(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `recruitment_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    sizes = spread_over(list(dict.fromkeys(frame["n"])))
    with style.styled():
        figure = Figure(figsize=(7.6 if len(sizes) == 1 else 4.1 * len(sizes), 4.6), layout="constrained")
        grid = figure.subplots(1, len(sizes), squeeze=False, sharey=True)[0]
        for axes, n in zip(grid, sizes, strict=True):
            _draw_fan(axes, frame[frame["n"] == n])
        grid[0].set_ylim(0.0, 1.09 * max(sizes))
        grid[0].set_ylabel("Patients randomised")
        style.add_note(
            figure,
            "Line: median over simulated trials. Bands: the middle half of them, and 90 %. The share that is full by "
            "the target month stands with its 95 % Monte Carlo (Wilson) interval.",
        )
    return figure


def spread_over(sizes: list[int]) -> list[int]:
    """Return the first, the last and what lies between of sizes, at most as many as there is room for."""
    if len(sizes) <= MOST_PANELS:
        return sizes
    step = (len(sizes) - 1) / (MOST_PANELS - 1)
    return [sizes[round(i * step)] for i in range(MOST_PANELS)]


def _draw_fan(axes: Axes, frame: pd.DataFrame) -> None:
    colour, first, last = style.OKABE_ITO[0], frame.iloc[0], float(frame["month"].max())
    n, target = float(first["n"]), float(first["target_months"])
    for low, high, alpha in (("q05", "q95", 0.16), ("q25", "q75", 0.28)):
        axes.fill_between(frame["month"], frame[low], frame[high], color=colour, alpha=alpha, linewidth=0)
    axes.plot(frame["month"], frame["q50"], color=colour)
    axes.axhline(n, color=style.MUTED, linewidth=0.9, linestyle=style.DASHES[2])
    axes.text(
        0.012, n, f"target {n:g}", transform=axes.get_yaxis_transform(), fontsize=8, color=style.MUTED, va="bottom"
    )
    axes.axvline(target, color=style.OKABE_ITO[1], linewidth=1.1, linestyle=style.DASHES[1])
    right = target < 0.62 * last
    axes.annotate(
        _target_words(first), xy=(target, 0.02), xycoords=axes.get_xaxis_transform(),
        xytext=(5 if right else -5, 0), textcoords="offset points", fontsize=8.5, color=style.OKABE_ITO[1],
        ha="left" if right else "right", va="bottom",
    )  # fmt: skip
    axes.set_title(str(first["panel"]))
    axes.set_xlabel("Month of the trial")
    axes.set_xlim(0.0, max(last, 1.08 * target))


def _target_words(row: Mapping[str, Any]) -> str:
    share, low, high = (fixed(100.0 * float(row[name]), 1) for name in ("full_by_target", "full_low", "full_high"))
    return f"month {row['target_months']:g}:\n{share} % of trials full\n({low} to {high} %)"
