"""Power against the true effect, with what is believed of the effect beneath."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trialsim.report import style
from trialsim.report.measures import factor_of, unit_of

COLUMNS = (
    "hypothesis",
    "hypothesis_label",
    "unit",
    "benefit_sign",
    "relevant",
    "kind",
    "n_total",
    "effect",
    "power",
    "low",
    "high",
    "draws",
)
BARS = 30
SMALL = 9.0


def power_by_effect_data(answer: Mapping[str, Any], cell: int = 0) -> pd.DataFrame:
    """Return what the figure draws: one row per draw of the priors and number of patients, and one per bin of effects.

    Parameters
    ----------
    answer : mapping
        Of `Assurance`, as plain data.
    cell : int
        Which combination of varied values.

    Returns
    -------
    DataFrame
        Columns `hypothesis` (name), `hypothesis_label` (words), `unit`, `benefit_sign`, `relevant` (size of a benefit
        that matters; empty without one), `kind` (draw, or bin), `n_total`, `effect` (true, active − control, in the
        unit shown), `power`, and for bins `low`, `high` (95 %) and `draws`.
    """
    measure = answer["measure"]
    factor = factor_of(measure)
    relevant = answer["relevant"]
    about = {
        "hypothesis": answer["hypothesis"], "hypothesis_label": answer["hypothesis_label"],
        "unit": unit_of(measure), "benefit_sign": answer["benefit_sign"],
        "relevant": None if relevant is None else factor * relevant,
    }  # fmt: skip
    one, rows = answer["cells"][cell], []
    for size in one["sizes"]:
        n = size["n_total"]
        for effect, power in zip(one["table"]["effect"], one["table"][f"power_{n}"], strict=True):
            if effect is not None and power is not None:
                rows.append({**about, "kind": "draw", "n_total": n, "effect": factor * effect, "power": power})
        for row in size["by_effect"]:
            told = {name: row[name] for name in ("power", "low", "high", "draws")}
            rows.append({**about, "kind": "bin", "n_total": n, "effect": factor * row["effect"], **told})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def draw_power_by_effect(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `power_by_effect_data`: the smallest and the largest number of patients.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    first = frame.iloc[0]
    sizes = sorted({int(frame["n_total"].min()), int(frame["n_total"].max())})
    with style.styled():
        figure = Figure(figsize=(7.6, 5.8), layout="constrained")
        above, beneath = figure.subplots(2, 1, sharex=True, height_ratios=(2.6, 1.0))
        above.set_title(f"Power by true effect: {first['hypothesis_label']}")
        for n, mark in zip(sizes, style.categorical_marks(len(sizes)), strict=True):
            of = frame[frame["n_total"] == n]
            draws, bins = of[of["kind"] == "draw"], of[of["kind"] == "bin"].sort_values("effect")
            above.plot(
                draws["effect"], draws["power"], linestyle="", marker="o", markersize=2.5, color=mark.colour,
                alpha=0.25, markeredgewidth=0,
            )  # fmt: skip
            above.plot(
                bins["effect"], bins["power"], color=mark.colour, marker=mark.marker, linestyle=mark.dash,
                markersize=4.5, label=f"N = {n:,}",
            )  # fmt: skip
            above.vlines(bins["effect"], bins["low"], bins["high"], color=mark.colour, linewidth=1.1)
        style.percent_axis(above, low=-0.03, high=1.04)
        above.set_ylabel("Power, %")
        above.legend(loc="best", fontsize=8.5)
        _draw_prior(beneath, frame[(frame["kind"] == "draw") & (frame["n_total"] == sizes[-1])]["effect"].to_numpy())
        beneath.set_xlabel(f"True effect, active − control, {first['unit']}")
        _draw_marks((above, beneath), first)
        style.add_note(
            figure,
            "Dots: draws of the priors. Marks: means over draws with nearly the same effect, with 95 % intervals; "
            "whatever else has a prior is averaged over. Beneath: what is believed of the effect.",
        )
    return figure


def _draw_prior(axes: Axes, effects: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    spread = float(np.ptp(effects))
    bars = BARS if spread > 0.0 else 1
    axes.hist(
        effects, bins=bars, weights=np.full(len(effects), 100.0 / len(effects)), color=style.OKABE_ITO[4],
        edgecolor="white", linewidth=0.5,
    )  # fmt: skip
    axes.set_ylabel("Draws, %")


def _draw_marks(both: tuple[Axes, Axes], row: pd.Series) -> None:
    """Draw where there is no effect and where a benefit matters, and say which side is benefit."""
    for axes in both:
        axes.axvline(0.0, color=style.MUTED, linewidth=0.9, zorder=1)
        if not pd.isna(row["relevant"]):
            at = float(row["benefit_sign"]) * float(row["relevant"])
            axes.axvline(at, color=style.MUTED, linewidth=0.9, linestyle=style.DASHES[2], zorder=1)
    if row["benefit_sign"] == 0:
        return
    left = row["benefit_sign"] < 0
    both[1].annotate(
        "← benefit" if left else "benefit →", xy=(0.005 if left else 0.995, 0.97), xycoords="axes fraction",
        ha="left" if left else "right", va="top", fontsize=SMALL, color=style.MUTED,
    )  # fmt: skip
