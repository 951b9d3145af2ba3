"""Sites that are open, month by month, over simulated trials."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from trialsim.report import style
from trialsim.report.operations import Operated

COLUMNS = ("n", "month", "mean", "mcse", "q05", "q25", "q50", "q75", "q95")


def site_rampup_data(told: Operated) -> pd.DataFrame:
    """Return what the figure draws: one row per month, of trials of the largest size.

    Parameters
    ----------
    told : Operated

    Returns
    -------
    DataFrame
        Columns `n`, `month`, and of the sites open then `mean`, `mcse` and quantiles over trials.
    """
    curves = told.series("open_sites")
    return curves[curves["n"] == max(told.sizes)].reset_index(drop=True)[list(COLUMNS)]


def draw_site_rampup(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `site_rampup_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    colour = style.OKABE_ITO[2]
    with style.styled():
        figure = Figure(figsize=(7.6, 3.8), layout="constrained")
        axes = figure.subplots()
        axes.fill_between(frame["month"], frame["q05"], frame["q95"], color=colour, alpha=0.2, linewidth=0, step="post")
        axes.step(frame["month"], frame["mean"], color=colour, where="post")
        axes.set_title(f"Sites that are open ({int(frame['n'].iloc[0])} to be randomised)")
        axes.set_ylabel("Sites")
        axes.set_xlabel("Month of the trial")
        axes.set_xlim(0.0, float(frame["month"].max()))
        axes.set_ylim(0.0, 1.08 * float(frame["q95"].max()) + 0.2)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        style.add_note(
            figure, "Line: mean over simulated trials. Band: 90 % of them. A site closes when recruitment has ended."
        )
    return figure
