"""Power around a required sample size (or a detectable effect): the fitted curve, its band, and what was simulated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trialsim.report import style
from trialsim.report.words import percent

COLUMNS = (
    "title", "axis", "target", "answer", "answer_low", "answer_high", "kind", "at", "power", "low", "high",
    "replicates", "failed",
)  # fmt: skip


def size_curve_data(answer: Mapping[str, Any]) -> pd.DataFrame:
    """Return what the figure draws: one row per point of the curve, and one per size (or value) that was simulated.

    Parameters
    ----------
    answer : mapping
        Of `RequiredSize` or `DetectableEffect`, as plain data.

    Returns
    -------
    DataFrame
        Columns `title`, `axis` (words), `target` (power), `answer` with the ends of its 95 % interval (empty where
        the power is not reached), `kind` (fitted or simulated), `at`, `power`, `low`, `high` (95 %: band of the curve,
        or Wilson), `replicates` and `failed` (empty for the curve).
    """
    if answer["kind"] == "required_size":
        about = ("Patients randomised", answer["n_total"], answer["n_low"], answer["n_high"])
    else:
        about = (f"{answer['path']} ({answer['n_total']:,} randomised)", answer["value"], answer["low"], answer["high"])
    title = answer["hypothesis"]
    rows = [
        {"title": title, "axis": about[0], "target": answer["power"], "answer": about[1], "answer_low": about[2],
         "answer_high": about[3], **row}
        for row in answer["curve"]
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def draw_size_curve(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `size_curve_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    first = frame.iloc[0]
    curve, tried = (frame[frame["kind"] == kind] for kind in ("fitted", "simulated"))
    with style.styled():
        figure = Figure(figsize=(7.6, 4.9), layout="constrained")
        axes = figure.subplots()
        axes.set_title(f"Power for {first['title']}")
        axes.set_ylabel("Power, %")
        axes.set_xlabel(str(first["axis"]))
        colour = style.OKABE_ITO[0]
        if not curve.empty:
            axes.fill_between(curve["at"], curve["low"], curve["high"], color=colour, alpha=0.16, linewidth=0)
            axes.plot(curve["at"], curve["power"], color=colour, marker="", label="fitted curve")
            # Far steps of the search would leave the curve a corner of the figure.
            tried = tried[tried["at"].between(curve["at"].min(), curve["at"].max())]
        bottom = min(part["low"].min() for part in (curve, tried) if not part.empty)
        style.percent_axis(axes, low=max(0.1 * math.floor(10.0 * bottom) - 0.02, -0.02), high=1.03)
        axes.vlines(tried["at"], tried["low"], tried["high"], color=style.INK, linewidth=1.1)
        axes.plot(tried["at"], tried["power"], color=style.INK, marker="o", linestyle="", markersize=4)
        _draw_answer(axes, first)
        note = "Points: simulated, with 95 % Monte Carlo (Wilson) intervals."
        if not curve.empty:
            note += " Band: 95 % of the fitted curve."
        style.add_note(figure, note)
    return figure


def _draw_answer(axes: Axes, row: pd.Series) -> None:
    """Draw the power asked for, and where it is reached with its interval."""
    target = float(row["target"])
    axes.axhline(target, color=style.MUTED, linewidth=0.9, linestyle=style.DASHES[2], zorder=1)
    axes.text(
        0.008, target + 0.008, percent(target), transform=axes.get_yaxis_transform(), fontsize=7.5, color=style.MUTED,
        va="bottom",
    )  # fmt: skip
    if pd.isna(row["answer"]):
        return
    if not pd.isna(row["answer_low"]):
        axes.axvspan(
            float(row["answer_low"]), float(row["answer_high"]), color=style.OKABE_ITO[1], alpha=0.18, linewidth=0
        )
    axes.axvline(float(row["answer"]), color=style.OKABE_ITO[1], linewidth=1.2)
    place = (float(row["answer"]), axes.get_ylim()[0])
    axes.annotate(
        f"{place[0]:.4g}".replace("-", "−"), xy=place, xytext=(4, 2), textcoords="offset points",
        color=style.OKABE_ITO[1], fontsize=8.5, va="bottom",
    )  # fmt: skip
