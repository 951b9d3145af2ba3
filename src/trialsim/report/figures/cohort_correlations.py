"""How outcomes hang together at baseline and at the last visit: correlations within arms and strata."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trialsim.patients.cohort import Cohort
from trialsim.report import style
from trialsim.report.figures.cohort_words import groups_of
from trialsim.report.words import fixed
from trialsim.scenario import Variant

COLUMNS = (
    "row", "row_label", "row_day", "column", "column_label", "column_day", "correlation", "asked", "n",
)  # fmt: skip

_SIGNED = LinearSegmentedColormap.from_list("signed", ["#a85100", "#f0c99b", "#fbfcfe", "#8fbcdc", "#0b3c6f"])
"""Orange below 0, blue above: told apart with any common colour vision; every cell has its number too."""


def correlation_data(variant: Variant, trial: Cohort) -> pd.DataFrame:
    """Return the correlations that the figure draws: one row per pair of scores, each pair both ways.

    Parameters
    ----------
    variant : Variant
    trial : Cohort
        With R = 1.

    Returns
    -------
    DataFrame
        Columns `row` and `column` (outcomes, with `_label` and `_day`; day 0 is baseline), `correlation` within arms
        and strata (their means taken out) over the `n` patients with both scores, and what was `asked` for in the
        scenario, the mean over strata by their shares.
    """
    n_outcomes, n_visits = len(variant.outcomes), len(variant.visits_days)
    scores = np.concatenate([trial.baseline[0], trial.observed[0, :, -1]], axis=1)
    places = [*range(n_outcomes), *(n_visits * n_outcomes + k for k in range(n_outcomes))]
    asked = np.tensordot(variant.strata_share, variant.correlation, axes=1)
    days = [0.0] * n_outcomes + [float(variant.visits_days[-1])] * n_outcomes
    records: list[dict[str, Any]] = []
    for i in range(2 * n_outcomes):
        for j in range(2 * n_outcomes):
            value, n = _within(variant, trial, scores[:, i], scores[:, j])
            records.append({
                "row": variant.outcomes[i % n_outcomes], "row_label": variant.outcome_labels[i % n_outcomes],
                "row_day": days[i],
                "column": variant.outcomes[j % n_outcomes], "column_label": variant.outcome_labels[j % n_outcomes],
                "column_day": days[j],
                "correlation": value, "asked": float(asked[places[i], places[j]]), "n": n,
            })  # fmt: skip
    return pd.DataFrame(records, columns=list(COLUMNS))


def _within(variant: Variant, trial: Cohort, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, int]:
    """Return the correlation of two scores with the means of arms and strata taken out, and the patients with both."""
    both = ~np.isnan(x) & ~np.isnan(y)
    xx = yy = xy = 0.0
    for _, inside in groups_of(variant, trial):
        chosen = inside & both
        if not chosen.any():
            continue
        u, v = x[chosen] - x[chosen].mean(), y[chosen] - y[chosen].mean()
        xx, yy, xy = xx + float(u @ u), yy + float(v @ v), xy + float(u @ v)
    return xy / math.sqrt(xx * yy) if xx > 0 and yy > 0 else math.nan, int(both.sum())


def draw_correlations(frame: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Return the figure of `frame`, as made by `correlation_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    title : str
        Set above the figure.
    note : str
        Said under the figure.
    """
    size = math.isqrt(len(frame))
    values = frame["correlation"].to_numpy().reshape(size, size)
    asked = frame["asked"].to_numpy().reshape(size, size)
    named = zip(frame["column_label"][:size], frame["column_day"][:size], strict=True)
    names = [(style.shortened(label, 24), "baseline" if day == 0 else f"day {day:g}") for label, day in named]
    with style.styled():
        figure = Figure(figsize=(0.95 * size + 3.6, 0.72 * size + 2.0), layout="constrained")
        axes = figure.subplots()
        axes.grid(visible=False)
        axes.imshow(np.nan_to_num(values), cmap=_SIGNED, vmin=-1, vmax=1, aspect="auto")
        _write(axes, values, asked)
        axes.set_xticks(range(size), [f"{style.wrapped(label, 12)}\n{time}" for label, time in names])
        axes.set_yticks(range(size), [", ".join(name) for name in names])
        # A line parts the scores before treatment from those after.
        for draw in (axes.axhline, axes.axvline):
            draw(size / 2 - 0.5, color=style.INK, linewidth=1.2)
        style.add_title(figure, title)
        words = "Correlations within arms and strata of patients with both scores; in small type what was asked for."
        style.add_note(figure, f"{words} {note}".strip())
    return figure


def _write(axes: Axes, values: NDArray[np.float64], asked: NDArray[np.float64]) -> None:
    for i, j in np.ndindex(values.shape):
        colour = style.text_colour_on(_SIGNED(float(np.nan_to_num(values[i, j]) + 1) / 2))
        axes.text(j, i - 0.1, fixed(float(values[i, j]), 2), ha="center", va="center", color=colour, fontsize=9.5)
        if i != j:
            axes.text(j, i + 0.25, fixed(float(asked[i, j]), 2), ha="center", va="center", color=colour, fontsize=7)
