"""How far chairs, nurses, psychiatrists, therapists and raters are used, month by month."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from trialsim.report import style
from trialsim.report.operations import Operated

COLUMNS = ("resource", "resource_label", "n", "month", "mean", "mcse", "q05", "q25", "q50", "q75", "q95")


def capacity_use_data(told: Operated) -> pd.DataFrame:
    """Return what the figure draws: one row per resource and month, of trials of the largest size.

    Parameters
    ----------
    told : Operated

    Returns
    -------
    DataFrame
        Columns `resource` with its words, `n`, `month`, and of the share of its hours that are used `mean`, `mcse` and
        quantiles over trials.
    """
    parts = []
    for name, label in told.resources.items():
        part = told.series(f"use_{name}")
        part = part[part["n"] == max(told.sizes)]
        parts.append(part.assign(resource=name, resource_label=label))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)] if parts else pd.DataFrame(columns=list(COLUMNS))


def draw_capacity_use(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `capacity_use_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    names = list(dict.fromkeys(frame["resource"]))
    columns = 2 if len(names) in (2, 4) else min(len(names), 3)
    rows = -(-len(names) // columns)
    with style.styled():
        figure = Figure(figsize=(3.1 * columns + 1.0, 2.7 * rows + 0.7), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True, sharex=True)
        top = max(1.05, 1.05 * float(frame["q95"].max()))
        for place, name in enumerate(names):
            axes, part = grid.flat[place], frame[frame["resource"] == name]
            colour = style.OKABE_ITO[place % 6]
            axes.fill_between(part["month"], part["q05"], part["q95"], color=colour, alpha=0.18, linewidth=0)
            axes.plot(part["month"], part["mean"], color=colour)
            axes.axhline(1.0, color=style.MUTED, linewidth=0.9, linestyle=style.DASHES[2])
            axes.set_title(str(part["resource_label"].iloc[0]))
            style.percent_axis(axes, low=0.0, high=top)
            axes.set_xlim(0.0, float(frame["month"].max()))
            if place % columns == 0:
                axes.set_ylabel("In use, %")
            if place + columns >= len(names):
                axes.set_xlabel("Month of the trial")
                axes.tick_params(labelbottom=True)
        for axes in grid.flat[len(names) :]:
            axes.set_visible(False)
        style.add_note(
            figure,
            f"Share of what there is that is used, over all sites, in trials of {int(frame['n'].iloc[0])} patients. "
            "Line: mean over simulated trials; band: 90 % of them. Dotted: all in use.",
        )
    return figure
