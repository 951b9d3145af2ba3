"""Who is in the trial at any date: randomised, under way, and past the last visit."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from trialsim.report import style
from trialsim.report.operations import Operated

SERIES = {"randomised": "randomised", "in_trial": "under way", "finished": "past the last visit"}
COLUMNS = ("series", "series_label", "n", "month", "mean", "mcse", "q05", "q25", "q50", "q75", "q95")


def pipeline_data(told: Operated) -> pd.DataFrame:
    """Return what the figure draws: one row per line and month, of trials of the largest size.

    Parameters
    ----------
    told : Operated

    Returns
    -------
    DataFrame
        Columns `series` with its words, `n`, `month`, and of the patients then `mean`, `mcse` and quantiles over
        trials.
    """
    parts = []
    for name, label in SERIES.items():
        part = told.series(name)
        part = part[part["n"] == max(told.sizes)]
        parts.append(part.assign(series=name, series_label=label))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def draw_pipeline(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `pipeline_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    names = list(dict.fromkeys(frame["series"]))
    with style.styled():
        figure = Figure(figsize=(7.6, 4.4), layout="constrained")
        axes = figure.subplots()
        for name, mark in zip(names, style.categorical_marks(len(names)), strict=True):
            part = frame[frame["series"] == name]
            axes.fill_between(part["month"], part["q05"], part["q95"], color=mark.colour, alpha=0.15, linewidth=0)
            axes.plot(
                part["month"], part["q50"], color=mark.colour, linestyle=mark.dash,
                label=str(part["series_label"].iloc[0]),
            )  # fmt: skip
        axes.set_title(f"Patients in the trial ({int(frame['n'].iloc[0])} to be randomised)")
        axes.set_ylabel("Patients")
        axes.set_xlabel("Month of the trial")
        axes.set_xlim(0.0, float(frame["month"].max()))
        axes.set_ylim(0.0, None)
        axes.legend(loc="upper left")
        style.add_note(
            figure,
            "Lines: medians over simulated trials. Bands: 90 % of them. Those who leave because of their scores are "
            "counted on, as if they had stayed.",
        )
    return figure
