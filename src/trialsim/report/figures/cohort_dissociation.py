"""Dissociation (CADSS) at each infusion, by arm and stratum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trialsim.evidence import instrument
from trialsim.patients.cohort import Cohort
from trialsim.patients.mechanisms.dissociation import CADSS
from trialsim.report import style
from trialsim.report.figures.cohort_words import groups_of, labelled
from trialsim.scenario import Variant

COLUMNS = (
    "stratum", "stratum_label", "arm", "arm_label", "infusion", "mean", "lower_tenth", "lower_quarter", "median",
    "upper_quarter", "upper_tenth", "share_of_zeros", "n",
)  # fmt: skip
_QUANTILES = {"lower_tenth": 10, "lower_quarter": 25, "median": 50, "upper_quarter": 75, "upper_tenth": 90}


def dissociation_data(variant: Variant, trial: Cohort) -> pd.DataFrame:
    """Return what the figure draws: one row per stratum, arm and infusion of the arm.

    Parameters
    ----------
    variant : Variant
    trial : Cohort
        With R = 1 and a record of CADSS scores.

    Returns
    -------
    DataFrame
        Columns `stratum` and `arm` with their labels, `infusion` (from 1), `mean`, tenths, quarters and `median`
        (points), `share_of_zeros`, and `n` patients who had the infusion.
    """
    scores = trial.records[CADSS][0]
    records: list[dict[str, Any]] = []
    for words, inside in groups_of(variant, trial):
        for infusion in range(scores.shape[1]):
            values = scores[inside, infusion]
            seen = values[~np.isnan(values)]
            if not len(seen):
                continue
            records.append({
                **words, "infusion": infusion + 1, "mean": float(seen.mean()),
                **{name: float(np.percentile(seen, place)) for name, place in _QUANTILES.items()},
                "share_of_zeros": float((seen == 0).mean()), "n": len(seen),
            })  # fmt: skip
    return pd.DataFrame(records, columns=list(COLUMNS))


def draw_dissociation(frame: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Return the figure of `frame`, as made by `dissociation_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    title : str
        Set above the figure.
    note : str
        Said under the figure.
    """
    strata, arms = labelled(frame, "stratum"), labelled(frame, "arm")
    marks = dict(zip(arms, style.categorical_marks(len(arms)), strict=True))
    scale = instrument("cadss")
    columns = min(3, len(strata))
    rows = math.ceil(len(strata) / columns)
    with style.styled():
        figure = Figure(figsize=(4.2 * columns + 0.6, 2.9 * rows + 1.0), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axes, stratum in zip(grid.flat, strata, strict=False):
            _draw_panel(axes, frame[frame["stratum"] == stratum], marks)
            axes.set_title(style.wrapped(strata[stratum] or scale.label, 36))
            axes.set_xlabel("Infusion")
            axes.tick_params(labelbottom=True)
        for axes in list(grid.flat)[len(strata) :]:
            axes.set_axis_off()
        for row in grid:
            row[0].set_ylabel(f"{scale.label}, points")
        grid[0][0].set_xticks(sorted(frame["infusion"].unique()))
        grid[0][0].set_ylim(bottom=-0.02 * float(frame["upper_tenth"].max() or 1.0))
        style.add_title(figure, title)
        _add_key(figure, arms, marks, note)
    return figure


def _draw_panel(axes: Axes, frame: pd.DataFrame, marks: dict[Any, style.Mark]) -> None:
    for place, (arm, mark) in enumerate(marks.items()):
        part = frame[frame["arm"] == arm].sort_values("infusion")
        # Arms stand a little beside each other, so that bars do not cover one another.
        x = part["infusion"] + 0.16 * (place - (len(marks) - 1) / 2)
        axes.vlines(x, part["lower_tenth"], part["upper_tenth"], color=mark.colour, linewidth=1.2)
        axes.vlines(x, part["lower_quarter"], part["upper_quarter"], color=mark.colour, linewidth=6, alpha=0.35)
        axes.scatter(x, part["median"], color=mark.colour, marker="_", s=70, linewidths=2.2, zorder=4)
        axes.plot(x, part["mean"], color=mark.colour, marker=mark.marker, linestyle=mark.dash, markersize=5,
                  markeredgecolor="white", markeredgewidth=0.6, zorder=5)  # fmt: skip


def _add_key(figure: Figure, arms: dict[Any, str], marks: dict[Any, style.Mark], note: str) -> None:
    axes = figure.axes[0]
    handles = [
        axes.plot([], [], color=marks[arm].colour, marker=marks[arm].marker, linestyle=marks[arm].dash,
                  label=style.shortened(words, 30))[0]
        for arm, words in arms.items()
    ]  # fmt: skip
    words = "Markers: means. Dashes: medians. Wide bars: middle half of the patients. Thin bars: middle four fifths."
    words = style.wrapped(f"{words} {note}".strip(), int(figure.get_figwidth() * 13))
    style.make_room(figure, words)
    figure.legend(
        handles=handles,
        # The note stands in the key, for both would take the same place at the foot.
        title=words,
        loc="outside lower left",
        ncols=min(len(handles), 4),
        fontsize=8.5,
        title_fontsize=8,
        alignment="left",
    )
