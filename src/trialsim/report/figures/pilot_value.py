"""Where assurance may stand after a pilot, before the pilot is run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from trialsim.report import style
from trialsim.report.words import NO_BREAK_SPACE, fixed

COLUMNS = (
    "hypothesis", "hypothesis_label", "n_total", "n_pilot", "from", "to", "share", "before", "go", "chance_run",
    "chance_changed", "value",
)  # fmt: skip
BARS = 20
MOST_PILOTS = 5


def pilot_value_data(answer: Mapping[str, Any], cell: int = 0) -> pd.DataFrame:
    """Return what the figure draws: one row per pilot and bar of its histogram.

    Parameters
    ----------
    answer : mapping
        Of `Assurance`, as plain data, with pilots.
    cell : int
        Which combination of varied values.

    Returns
    -------
    DataFrame
        Columns `hypothesis` (name), `hypothesis_label` (words), `n_total` (of the trial), `n_pilot`, `from` and `to`
        (assurance after the pilot), `share` (of pilots), `before` (assurance now), `go`, `chance_run`,
        `chance_changed`, `value`.
    """
    one, rows = answer["cells"][cell], []
    edges = np.linspace(0.0, 1.0, BARS + 1)
    for pilot in one["pilots"]:
        if not pilot["after"]:
            continue
        counts, _ = np.histogram(pilot["after"], bins=edges)
        about = {
            "hypothesis": answer["hypothesis"], "hypothesis_label": answer["hypothesis_label"],
            "n_total": one["sizes"][-1]["n_total"],
            **{name: pilot[name] for name in ("n_pilot", "before", "go", "chance_run", "chance_changed", "value")},
        }  # fmt: skip
        shares = (counts / counts.sum()).tolist()
        for low, high, share in zip(edges[:-1].tolist(), edges[1:].tolist(), shares, strict=True):
            rows.append({**about, "from": low, "to": high, "share": share})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def draw_pilot_value(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `pilot_value_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row; up to five pilots are drawn.
    """
    pilots = sorted(frame["n_pilot"].unique().tolist())[:MOST_PILOTS]
    first = frame.iloc[0]
    with style.styled():
        figure = Figure(figsize=(7.6, 1.9 + 1.35 * len(pilots)), layout="constrained")
        panels = figure.subplots(len(pilots), 1, sharex=True, squeeze=False)[:, 0]
        panels[0].set_title(f"Assurance of {first['n_total']:,} patients after a pilot")
        tallest = frame["share"].max()
        for axes, n in zip(panels, pilots, strict=True):
            _draw_panel(axes, frame[frame["n_pilot"] == n], tallest)
        figure.supylabel("Simulated pilots, %", fontsize=9)
        panels[-1].set_xlabel("Assurance after the pilot, %")
        panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f}"))
        style.add_note(
            figure,
            f"{first['hypothesis_label']}. Solid line: assurance now ({_percent(first['before'])}). Dotted line: the "
            f"assurance from which the trial is run ({_percent(first['go'])}); blue bars are pilots after which it is.",
        )
    return figure


def _draw_panel(axes: Axes, part: pd.DataFrame, tallest: float) -> None:
    row = part.iloc[0]
    run = part["from"].to_numpy() >= float(row["go"]) - 1e-9
    colours = [style.OKABE_ITO[0] if one else style.FAINT for one in run]
    axes.bar(
        part["from"], part["share"], width=1.0 / BARS, align="edge", color=colours, edgecolor=style.MUTED, linewidth=0.4
    )
    axes.axvline(float(row["before"]), color=style.OKABE_ITO[1], linewidth=1.6)
    axes.axvline(float(row["go"]), color=style.INK, linewidth=1.0, linestyle=style.DASHES[2])
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.5 * tallest)  # room for words above the bars
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f}"))
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(visible=False)
    axes.set_ylabel(f"pilot of\n{int(row['n_pilot']):,}", rotation=0, ha="right", va="center")
    words = f"trial run: {_percent(row['chance_run'])}\nchanged: {_percent(row['chance_changed'])}"
    axes.text(0.012, 0.97, words, transform=axes.transAxes, va="top", fontsize=8.0, color=style.INK)


def _percent(share: float) -> str:
    return f"{fixed(100.0 * float(share), 0)}{NO_BREAK_SPACE}%"
