"""How long patients wait for the first infusion and for a therapy group."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from trialsim.report import style
from trialsim.report.operations import Operated
from trialsim.report.words import joined

COLUMNS = ("queue", "queue_label", "n", "days", "mean", "mcse", "q05", "q95")


def waiting_data(told: Operated) -> pd.DataFrame:
    """Return what the figure draws: one row per queue, number of patients and number of days.

    Parameters
    ----------
    told : Operated

    Returns
    -------
    DataFrame
        Columns `queue` with its words, `n`, `days`, and of the share of those who wait that have waited at most so long
        `mean`, `mcse`, `q05` and `q95` over trials.
    """
    return told.waits[list(COLUMNS)].reset_index(drop=True)


def draw_waiting(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `waiting_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    queues = list(dict.fromkeys(frame["queue"]))
    sizes = sorted(set(frame["n"]))
    shown = [sizes[0], sizes[-1]] if len(sizes) > 1 else sizes
    with style.styled():
        figure = Figure(figsize=(3.9 * len(queues) + (3.7 if len(queues) == 1 else 0.4), 4.0), layout="constrained")
        grid = figure.subplots(1, len(queues), squeeze=False)[0]
        for axes, queue in zip(grid, queues, strict=True):
            part = frame[frame["queue"] == queue]
            for n, mark in zip(shown, style.categorical_marks(len(shown)), strict=True):
                own = part[part["n"] == n]
                axes.fill_between(own["days"], own["q05"], own["q95"], color=mark.colour, alpha=0.16, linewidth=0)
                axes.plot(own["days"], own["mean"], color=mark.colour, linestyle=mark.dash, label=f"{n} patients")
            axes.set_title(str(part["queue_label"].iloc[0]))
            axes.set_xlabel("Days waited, at most")
            axes.set_xlim(0.0, _last_needed(part))
            style.percent_axis(axes, low=0.0, high=1.04)
            if len(shown) > 1:
                axes.legend(loc="lower right")
        grid[0].set_ylabel("Patients who began, %")
        words = (
            "Of all randomised who are to have it; those who leave while they wait keep the curve below 100 %. Line: "
            "mean over simulated trials; band: 90 % of them."
        )
        between = joined([f"{n}" for n in sizes if n not in shown])
        style.add_note(figure, f"{words} Not drawn, but in the data: {between} patients." if between else words)
    return figure


def _last_needed(part: pd.DataFrame) -> float:
    """Return the first number of days by which the curves have nearly reached where they end."""
    end = part.groupby("n")["mean"].transform("max")
    done = part[part["mean"] < end - 0.01]
    after = part[part["days"] > (done["days"].max() if not done.empty else 0.0)]["days"]
    return max(float(after.min()) if not after.empty else float(part["days"].max()), 7.0)
