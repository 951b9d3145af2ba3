"""Tipping point at the design stage: power and true effect by how much worse those who left are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trialsim.planning.sensitivity.trials import NO_ESTIMATE
from trialsim.report import style
from trialsim.report.sensitivity import power_asked
from trialsim.report.words import number, percent

COLUMNS = (
    "estimand", "n", "target", "active", "delta", "power", "mcse", "low", "high", "true_effect", "bias", "bias_mcse",
    "power_at_random", "tipping", "tipping_low", "tipping_high", "flip", "flip_low", "flip_high",
    "decided", "notes",
)  # fmt: skip

_ROOM = 1.2
"""Height of the axis of power: above 100 %, where no line goes, stands the key."""


def design_tipping_data(answer: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return what the figure draws: one row for each delta.

    Parameters
    ----------
    answer : mapping
        Of a tipping point, as plain data.
    labels : mapping, optional
        Words for arms.

    Returns
    -------
    DataFrame
        Columns `estimand`, `n`, `target`, `active` (arm), `delta` (points, towards harm), `power`, `mcse`, `low`,
        `high` (Wilson) of the analysis that adds delta, `true_effect` on everybody, `bias` and `bias_mcse` of an
        analysis at random, `power_at_random`, `tipping` and `flip` with the ends of their intervals (empty where there
        is none), `decided` (what the power is of, where hypotheses are tested together) and `notes`.
    """
    active = answer["arms"][0]
    shared = {
        key: answer[key]
        for key in (
            "estimand", "n", "target", "power_at_random", "tipping", "tipping_low", "tipping_high", "flip", "flip_low",
            "flip_high",
        )
    }  # fmt: skip
    shared["decided"] = power_asked(answer) if answer["procedure"] else ""
    shared["notes"] = " ".join(answer["notes"])
    rows = [{**shared, "active": (labels or {}).get(active, active), **row} for row in answer["rows"]]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype(dict.fromkeys(COLUMNS[4:-2], float))


def draw_design_tipping(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `design_tipping_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    first = frame.iloc[0]
    with style.styled():
        figure = Figure(figsize=(7.8, 6.2), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _draw_power(upper, frame, first)
        lower.plot(frame["delta"], frame["true_effect"], color=style.OKABE_ITO[2], marker="")
        lower.axhline(0.0, color=style.MUTED, linewidth=0.9)
        inside = not pd.isna(first["flip"]) and float(first["flip"]) <= float(frame["delta"].max())
        if inside:
            for axes, end in ((upper, 1.0 / _ROOM), (lower, 1.0)):
                axes.axvline(
                    float(first["flip"]), ymax=end, color=style.OKABE_ITO[2], linewidth=1.1, linestyle=style.DASHES[1]
                )
            lower.annotate(
                f"nothing is left at {_three(first['flip'])}", xy=(float(first["flip"]), 0.0),
                xytext=(5, -12), textcoords="offset points", fontsize=8, color=style.OKABE_ITO[2],
            )  # fmt: skip
        lower.set_ylabel("True effect on\neverybody, points")
        lower.set_xlabel(f"Delta: points by which those who left {first['active']} are worse than at random")
        upper.set_title(f"If those who left did worse: {first['estimand']}, {int(first['n']):,} patients")
        decided = f"{first['decided']}; delta is added for {first['estimand']}." if first["decided"] else ""
        style.add_note(
            figure,
            "Bands: 95 % Monte Carlo (Wilson) intervals. An analysis that takes those who left as missing at random "
            f"sees the same data whatever delta is. {decided} {first['notes']}",
        )
    return figure


def _three(value: float) -> str:
    """Return a number to three digits."""
    return number(float(f"{value:.3g}"))


def _draw_power(axes: Axes, frame: pd.DataFrame, first: pd.Series) -> None:
    blue, orange = style.OKABE_ITO[0], style.OKABE_ITO[1]
    axes.fill_between(frame["delta"], frame["low"], frame["high"], color=blue, alpha=0.16, linewidth=0)
    axes.plot(
        frame["delta"], frame["power"], color=blue, marker="o", markersize=4, label="delta added to what is imputed"
    )
    if pd.isna(first["power_at_random"]):
        axes.text(0.5, 0.5, NO_ESTIMATE, transform=axes.transAxes, ha="center", color=style.ALERT)
    else:
        axes.axhline(
            float(first["power_at_random"]), color=orange, linewidth=1.4, linestyle=style.DASHES[3],
            label="analysed as missing at random",
        )  # fmt: skip
    target = float(first["target"])
    axes.axhline(target, color=style.MUTED, linewidth=0.9, linestyle=style.DASHES[2])
    below = float(first["power_at_random"]) >= target  # on the side where the other line is not
    axes.text(
        0.995, target + (-0.012 if below else 0.012), percent(target), transform=axes.get_yaxis_transform(),
        fontsize=7.5, color=style.MUTED, va="top" if below else "bottom", ha="right",
    )  # fmt: skip
    if not pd.isna(first["tipping"]):
        low = 0.0 if pd.isna(first["tipping_low"]) else float(first["tipping_low"])
        high = float(frame["delta"].max()) if pd.isna(first["tipping_high"]) else float(first["tipping_high"])
        axes.axvspan(low, high, ymax=1.0 / _ROOM, color=blue, alpha=0.12, linewidth=0)
        axes.axvline(float(first["tipping"]), ymax=1.0 / _ROOM, color=blue, linewidth=1.1)
        axes.annotate(
            f"tips at {_three(first['tipping'])}", xy=(float(first["tipping"]), 0.03), xytext=(5, 0),
            textcoords="offset points", fontsize=8, color=blue,
        )  # fmt: skip
    style.percent_axis(axes, low=0.0, high=_ROOM)
    axes.set_yticks([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.set_ylabel("Power, %")
    axes.legend(loc="upper right", fontsize=8, ncols=2)
