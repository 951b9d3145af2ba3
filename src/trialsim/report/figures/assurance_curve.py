"""Assurance against the number of patients, beside the power that the scenario's own values have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trialsim.report import style
from trialsim.report.assurance_tables import setting_of
from trialsim.report.measures import quantity
from trialsim.report.words import percent

COLUMNS = (
    "hypothesis",
    "hypothesis_label",
    "setting",
    "series",
    "series_label",
    "n_total",
    "value",
    "low",
    "high",
    "limit",
)
SERIES = ("assurance", "success_and_relevant", "own_power")


def assurance_curve_data(answer: Mapping[str, Any]) -> pd.DataFrame:
    """Return what the figure draws: one row per varied value, series and number of patients.

    Parameters
    ----------
    answer : mapping
        Of `Assurance`, as plain data.

    Returns
    -------
    DataFrame
        Columns `hypothesis` (name), `hypothesis_label` (words), `setting` (words; empty where nothing is varied),
        `series` (assurance, success_and_relevant, own_power), `series_label` (words), `n_total`, `value`, `low`, `high`
        (95 %), `limit` (chance that what is claimed is true).
    """
    words = {
        "assurance": "assurance",
        "success_and_relevant": "success and a benefit that matters",
        "own_power": "power, were the scenario's own values true",
    }
    if answer["relevant"] is not None:
        words["success_and_relevant"] = f"success and a benefit ≥ {quantity(answer['relevant'], answer['measure'])}"
    rows = []
    for cell in answer["cells"]:
        limit = cell["measures"].get("claimable", {}).get("value")
        for size in cell["sizes"]:
            about = {
                "hypothesis": answer["hypothesis"],
                "hypothesis_label": answer["hypothesis_label"],
                "setting": setting_of(cell),
                "n_total": size["n_total"],
            }
            for series in SERIES:
                told = _told(size, series)
                if told is not None:
                    rows.append({**about, "series": series, "series_label": words[series], **told, "limit": limit})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _told(size: Mapping[str, Any], series: str) -> dict[str, float] | None:
    if series == "own_power":
        power, reach = size["own_power"], 1.96 * (size["own_mcse"] or 0.0)
        return (
            None if power is None else {"value": power, "low": max(power - reach, 0.0), "high": min(power + reach, 1.0)}
        )
    told = size["measures"].get(series)
    return None if told is None else {name: told[name] for name in ("value", "low", "high")}


def draw_assurance_curve(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `assurance_curve_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    settings = list(dict.fromkeys(frame["setting"]))
    if len(settings) == 1:
        lines = [(label, part) for label, part in frame.groupby("series_label", sort=False)]
        marks = style.categorical_marks(len(lines))
    else:
        only = frame[frame["series"] == "assurance"]
        lines = [(setting, only[only["setting"] == setting]) for setting in settings]
        marks = style.ordered_marks(len(lines))
    with style.styled():
        figure = Figure(figsize=(7.6, 4.9), layout="constrained")
        axes = figure.subplots()
        axes.set_title(f"Chance of success: {frame['hypothesis_label'].iloc[0]}")
        axes.set_xlabel("Patients randomised")
        axes.set_ylabel("Chance, %")
        for (label, part), mark in zip(lines, marks, strict=True):
            axes.fill_between(part["n_total"], part["low"], part["high"], color=mark.colour, alpha=0.16, linewidth=0)
            axes.plot(
                part["n_total"], part["value"], color=mark.colour, marker=mark.marker, linestyle=mark.dash,
                label=style.wrapped(str(label), 44),
            )  # fmt: skip
            if len(part) == 1:
                axes.vlines(part["n_total"], part["low"], part["high"], color=mark.colour, linewidth=1.1)
        style.percent_axis(axes, low=-0.02, high=1.03)
        sizes = sorted(float(n) for n in frame["n_total"].unique())
        axes.set_xticks(style.spaced(sizes, 0.04 * (sizes[-1] - sizes[0])))
        if len(settings) == 1:
            _draw_limit(axes, frame["limit"].iloc[0])
        axes.legend(loc="best", fontsize=8.5)
        note = "Bands: 95 % Monte Carlo, over the draws of the priors and the trials at each."
        if len(settings) == 1:
            note += " Dotted: the chance that what is claimed is true, which assurance tends to."
        style.add_note(figure, note)
    return figure


def _draw_limit(axes: Axes, limit: float | None) -> None:
    if limit is None or pd.isna(limit):
        return
    axes.axhline(limit, color=style.MUTED, linewidth=0.9, linestyle=style.DASHES[2], zorder=1)
    axes.text(
        0.995, limit + 0.008, percent(limit), transform=axes.get_yaxis_transform(), fontsize=7.5, color=style.MUTED,
        va="bottom", ha="right",
    )  # fmt: skip
