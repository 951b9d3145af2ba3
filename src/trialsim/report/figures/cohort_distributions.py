"""How scores are spread before treatment and at the last visit, by arm and stratum, on the steps of their scales."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from trialsim.patients.cohort import Cohort
from trialsim.report import style
from trialsim.report.figures.cohort_words import groups_of, labelled
from trialsim.scenario import Variant

COLUMNS = (
    "outcome", "outcome_label", "stratum", "stratum_label", "arm", "arm_label", "day", "low", "high", "n", "share",
    "mean", "n_observed",
)  # fmt: skip
MOST_BINS = 32
"""Neighbouring steps of a finer scale are taken together, equally many in each bin."""

TITLE_LETTERS = 44


def distribution_data(variant: Variant, trial: Cohort) -> pd.DataFrame:
    """Return the histograms that the figure draws: one row per outcome, stratum, arm, day and bin.

    Parameters
    ----------
    variant : Variant
    trial : Cohort
        With R = 1.

    Returns
    -------
    DataFrame
        Columns `outcome`, `stratum` and `arm` with their labels, `day` (0 is baseline), `low` and `high` (ends of the
        bin, half a step beyond the scores in it), `n` patients in it and their `share` of those observed, and of those
        the `mean` score and number (`n_observed`).
    """
    records: list[dict[str, Any]] = []
    last = float(variant.visits_days[-1])
    for k in range(len(variant.outcomes)):
        scores = {0.0: trial.baseline[0, :, k], last: trial.observed[0, :, -1, k]}
        edges = _edges(variant, k, np.concatenate(list(scores.values())))
        for words, inside in groups_of(variant, trial):
            for day, values in scores.items():
                seen = values[inside & ~np.isnan(values)]
                counts, _ = np.histogram(seen, edges)
                mean = float(seen.mean()) if len(seen) else math.nan
                for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
                    records.append({
                        "outcome": variant.outcomes[k], "outcome_label": variant.outcome_labels[k], **words,
                        "day": day, "low": float(low), "high": float(high), "n": int(count),
                        "share": count / len(seen) if len(seen) else math.nan, "mean": mean, "n_observed": len(seen),
                    })  # fmt: skip
    return pd.DataFrame(records, columns=list(COLUMNS))


def _edges(variant: Variant, k: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ends of the bins of an outcome: half way between steps, or 32 equal parts of the real line."""
    scale = variant.scales[k]
    if scale is None:
        seen = values[~np.isnan(values)]
        return np.linspace(float(seen.min()), float(seen.max()), MOST_BINS + 1)
    steps = round((scale.maximum - scale.minimum) / scale.step) + 1
    together = math.ceil(steps / MOST_BINS)
    bins = math.ceil(steps / together)
    return np.asarray(scale.minimum - scale.step / 2 + scale.step * together * np.arange(bins + 1), dtype=np.float64)


def draw_distributions(frame: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Return the figure of `frame`, as made by `distribution_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    title : str
        Set above the figure.
    note : str
        Said under the figure.
    """
    outcomes, strata, arms = (labelled(frame, column) for column in ("outcome", "stratum", "arm"))
    marks = dict(zip(arms, style.categorical_marks(len(arms)), strict=True))
    days = sorted(frame["day"].unique())
    panels = [(outcome, stratum) for outcome in outcomes for stratum in strata]
    with style.styled():
        figure = Figure(figsize=(9.2, 1.85 * len(panels) + 1.2), layout="constrained")
        grid = figure.subplots(len(panels), len(days), squeeze=False)
        for row, (outcome, stratum) in zip(grid, panels, strict=True):
            shown = frame[(frame["outcome"] == outcome) & (frame["stratum"] == stratum)]
            for axes, day in zip(row, days, strict=True):
                _draw_panel(axes, shown[shown["day"] == day], marks)
                time = "baseline" if day == 0 else f"day {day:g}"
                words = f"{outcomes[outcome]}, {strata[stratum]}, {time}" if strata[stratum] else outcomes[outcome]
                axes.set_title(style.wrapped(words, TITLE_LETTERS), fontsize=9.0)
                axes.set_ylim(0, 108 * float(shown["share"].max()))
            row[0].set_ylabel("Patients, %")
        for axes in grid[-1]:
            axes.set_xlabel("Score, points")
        style.add_title(figure, title)
        _add_key(figure, arms, marks, note)
    return figure


def _draw_panel(axes: Axes, frame: pd.DataFrame, marks: dict[Any, style.Mark]) -> None:
    for place, (arm, mark) in enumerate(marks.items()):
        part = frame[frame["arm"] == arm]
        if not part["n_observed"].any():
            continue
        edges = np.append(part["low"], part["high"].iloc[-1])
        axes.stairs(100 * part["share"], edges, color=mark.colour, fill=True, alpha=0.13)
        axes.stairs(100 * part["share"], edges, color=mark.colour, linestyle=mark.dash, linewidth=1.4)
        size = max(10 - 2.5 * place, 4)  # the smaller on top of the larger: means that coincide are all seen
        axes.plot([part["mean"].iloc[0]], [0], color=mark.colour, marker="^", markersize=size, clip_on=False, zorder=5,
                  markeredgecolor="white", markeredgewidth=0.6)  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def _add_key(figure: Figure, arms: dict[Any, str], marks: dict[Any, style.Mark], note: str) -> None:
    axes = figure.axes[0]
    handles = [
        axes.plot([], [], color=marks[arm].colour, linestyle=marks[arm].dash, label=style.shortened(words, 30))[0]
        for arm, words in arms.items()
    ]
    words = "Triangles: means. The bins of a fine scale hold several of its steps."
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
