"""A replayed study: how each quantity is spread over simulated studies, beside the published figure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from trialsim.engine.replay import Replay
from trialsim.engine.replay_quantities import Found
from trialsim.report import style
from trialsim.report.replay import replay_frame

COLUMNS = (
    "quantity", "label", "mark", "unit", "published", "published_low", "published_high", "arm", "arm_label",
    "arm_place", "low", "high", "share",
)  # fmt: skip
MOST_BINS = 36
PANELS_IN_A_ROW = 3
TITLE_LETTERS = 38


def replay_data(replayed: Replay) -> pd.DataFrame:
    """Return the histograms that the figure draws: one row per quantity, arm and bin.

    Parameters
    ----------
    replayed : Replay

    Returns
    -------
    DataFrame
        Columns `quantity`, `label`, `mark`, `unit`, `published` (NaN where there is no number), `published_low` and
        `published_high` (95 % interval of a share), `arm`, `arm_label`, `arm_place` (its place in the scenario, from
        0), `low` and `high` (ends of the bin) and `share` of the simulated studies in it. The bins of a quantity are
        the same in both arms and hold equally many of the
        values that a study of this size can give.
    """
    told = replay_frame(replayed).set_index("quantity")
    records: list[dict[str, Any]] = []
    for found in replayed.found:
        edges = _edges(found)
        row = told.loc[found.target.name]
        for world, arm in enumerate(replayed.arms):
            counts, _ = np.histogram(found.values[world], edges)
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
                records.append({
                    "quantity": found.target.name,
                    **{name: row[name] for name in COLUMNS[1:7]},
                    "arm": replayed.variant.arms[arm], "arm_label": replayed.variant.arm_labels[arm], "arm_place": arm,
                    "low": float(low), "high": float(high), "share": count / found.values.shape[1],
                })  # fmt: skip
    return pd.DataFrame(records, columns=list(COLUMNS))


def draw_replay(frame: pd.DataFrame, *, title: str = "", note: str = "") -> Figure:
    """Return the figure of `frame`, as made by `replay_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    title : str
        Set above the figure.
    note : str
        Said under the figure.
    """
    quantities = list(dict.fromkeys(frame["quantity"]))
    arms = dict(zip(frame["arm"], frame["arm_label"], strict=True))
    # An arm looks as in figures that have the arms in the order of the scenario, where the study's need not be first.
    places = dict(zip(frame["arm"], frame["arm_place"], strict=True))
    by_place = style.categorical_marks(max(places.values()) + 1)
    marks = {arm: by_place[places[arm]] for arm in arms}
    columns = min(PANELS_IN_A_ROW, len(quantities))
    rows = -(-len(quantities) // columns)
    with style.styled():
        figure = Figure(figsize=(3.5 * columns + 0.4, 2.2 * rows + 1.1), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, quantity in zip(grid.flat, quantities, strict=False):
            _draw_panel(axes, frame[frame["quantity"] == quantity], marks)
        for axes in list(grid.flat)[len(quantities) :]:
            axes.set_axis_off()
        for row in grid:
            row[0].set_ylabel("Simulated studies, %")
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.set(hspace=0.08, wspace=0.04)  # type: ignore[call-arg]
        _add_key(figure, arms, marks, note)
        style.add_title(figure, title)
    return figure


def _edges(found: Found) -> NDArray[np.float64]:
    """Return bin edges over both worlds, half way between values that a study can give."""
    low, high = float(found.values.min()), float(found.values.max())
    if found.lattice is None:
        return np.linspace(low, high, MOST_BINS + 1) if high > low else np.array([low - 0.5, low + 0.5])
    places = max(1, math.ceil((round((high - low) / found.lattice) + 1) / MOST_BINS))
    bins = math.ceil((round((high - low) / found.lattice) + 1) / places)
    return np.asarray(low - found.lattice / 2 + found.lattice * places * np.arange(bins + 1), dtype=np.float64)


def _draw_panel(axes: Axes, frame: pd.DataFrame, marks: dict[Any, style.Mark]) -> None:
    first = frame.iloc[0]
    for place, (arm, mark) in enumerate(marks.items()):
        part = frame[frame["arm"] == arm]
        edges = np.append(part["low"], part["high"].iloc[-1])
        axes.stairs(100 * part["share"], edges, color=mark.colour, fill=True, alpha=0.28 if place == 0 else 0.10)
        axes.stairs(100 * part["share"], edges, color=mark.colour, linestyle=mark.dash, linewidth=1.4)
    if not math.isnan(first["published_low"]):
        axes.axvspan(first["published_low"], first["published_high"], color=style.INK, alpha=0.08, linewidth=0)
    if not math.isnan(first["published"]):
        axes.axvline(first["published"], color=style.INK, linewidth=1.8)
    axes.set_title(style.wrapped(str(first["label"]), TITLE_LETTERS), fontsize=9.0)
    is_share = first["unit"] == "share"
    axes.set_xlabel(f"{'% of patients' if is_share else first['unit']}   [{first['mark']}]")
    if is_share:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f}"))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    axes.set_ylim(0, 108 * float(frame["share"].max()))


def _add_key(figure: Figure, arms: dict[Any, str], marks: dict[Any, style.Mark], note: str) -> None:
    axes = figure.axes[0]
    handles = [
        axes.plot([], [], color=mark.colour, linestyle=mark.dash, label=words)[0]
        for words, mark in zip(_worlds(list(arms.values())), marks.values(), strict=True)
    ]
    handles.append(axes.plot([], [], color=style.INK, linewidth=1.8, label="published (grey: its 95 % interval)")[0])
    figure.legend(
        handles=handles,
        # The note stands in the key, for both would take the same place at the foot.
        title=note,
        loc="outside lower left",
        ncols=len(handles),
        fontsize=8.5,
        title_fontsize=8,
        alignment="left",
    )


def _worlds(labels: list[str]) -> list[str]:
    """Return what the line of each arm is: as the study was, and the same patients otherwise."""
    return [f"{labels[0]}, as in the study", *(f"{label}, the same patients" for label in labels[1:])]
