"""What the trial costs, by what the money goes to."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from trialsim.report import style
from trialsim.report.figures.money import money_axis
from trialsim.report.figures.recruitment import spread_over
from trialsim.report.operations import Operated, usd

COLUMNS = ("component", "component_label", "n", "mean", "mcse", "q05", "q95", "share")


def trial_costs_data(told: Operated) -> pd.DataFrame:
    """Return what the figure draws: one row per number of patients and component, the total last.

    Parameters
    ----------
    told : Operated

    Returns
    -------
    DataFrame
        Columns `component` with its words, `n`, `mean`, `mcse`, `q05` and `q95` over trials (USD), and `share` of the
        mean total.
    """
    rows = []
    for n in told.sizes:
        total = told.measure("cost_total_usd", n)
        for name, label in {**told.costs, "total": "In all"}.items():
            own = told.measure(f"cost_{name}_usd", n)
            rows.append(
                {
                    "component": name, "component_label": label, "n": n, "mean": own["value"], "mcse": own["mcse"],
                    "q05": own["q05"], "q95": own["q95"],
                    "share": own["value"] / total["value"] if total["value"] else float("nan"),
                }
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def draw_trial_costs(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `trial_costs_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    sizes = spread_over(list(dict.fromkeys(frame["n"])))
    rows = frame["component"].nunique()
    with style.styled():
        figure = Figure(
            figsize=(7.6 if len(sizes) == 1 else 3.6 * len(sizes) + 1.2, 0.36 * rows + 1.6), layout="constrained"
        )
        grid = figure.subplots(1, len(sizes), squeeze=False, sharey=True, sharex=True)[0]
        for axes, n in zip(grid, sizes, strict=True):
            _draw_bars(axes, frame[frame["n"] == n], top=1.34 * float(frame["q95"].max()))
            axes.set_title(f"{n} patients")
            axes.set_xlabel("USD")
        style.add_note(figure, "Bars: mean over simulated trials. Whiskers: 90 % of them.")
    return figure


def _draw_bars(axes: Axes, frame: pd.DataFrame, *, top: float) -> None:
    places = range(len(frame))
    colours = [style.OKABE_ITO[0] if name != "total" else style.INK for name in frame["component"]]
    axes.barh(places, frame["mean"], color=colours, height=0.62)
    axes.hlines(places, frame["q05"], frame["q95"], color=style.OKABE_ITO[1], linewidth=1.6)
    for place, row in zip(places, frame.itertuples(index=False), strict=True):
        axes.annotate(
            usd(float(row.mean)), xy=(max(float(row.q95), float(row.mean)), place), xytext=(5, 0),
            textcoords="offset points", va="center", fontsize=8.5,
        )  # fmt: skip
    axes.set_yticks(list(places), list(frame["component_label"]))
    axes.invert_yaxis()
    axes.set_xlim(0.0, top)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    money_axis(axes.xaxis)
    axes.grid(visible=False, axis="y")
