"""The search for the worst type I error: every setting tried, and what fresh draws say of the worst."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from trialsim.report import style
from trialsim.report.sensitivity import at_words

COLUMNS = ("estimand", "alpha", "stage", "rank", "n", "share", "mcse", "low", "high", "setting")

_STAGES = {
    "screening": "screened (Latin hypercube)",
    "refinement": "refined",
    "own values": "own values, fresh draws",
    "worst": "worst found, fresh draws",
}


def worst_type_i_error_data(answer: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return what the figure draws: one row for each setting of the search, and the two that were confirmed.

    Parameters
    ----------
    answer : mapping
        Of a worst type I error, as plain data.
    labels : mapping, optional
        Words for arms, strata and outcomes.

    Returns
    -------
    DataFrame
        Columns `estimand`, `alpha`, `stage` (screening, refinement, own values, worst), `rank` (by share within the
        search, from 1 for the smallest; the confirmed ones after all), `n`, `share`, `mcse`, `low`, `high` (Wilson) and
        `setting` in words.
    """
    tried = sorted(answer["tried"], key=lambda row: float(row["share"]))
    rows = [{**row, "rank": rank} for rank, row in enumerate(tried, start=1)]
    for place, (stage, key) in enumerate((("own values", "base"), ("worst", "worst")), start=len(rows) + 2):
        rows.append({**answer[key], "stage": stage, "rank": place})
    for row in rows:
        row["setting"] = "; ".join(f"{path} = {at_words(path, value, labels)}" for path, value in row["values"].items())
        row |= {"estimand": answer["estimand"], "alpha": answer["alpha"]}
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype(dict.fromkeys(("share", "mcse", "low", "high"), float))


def draw_worst_type_i_error(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `worst_type_i_error_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    first = frame.iloc[0]
    stages = [stage for stage in _STAGES if (frame["stage"] == stage).any()]
    with style.styled():
        figure = Figure(figsize=(8.2, 4.6), layout="constrained")
        axes = figure.subplots()
        looks = {"screening": (style.OKABE_ITO[4], "o"), "refinement": (style.OKABE_ITO[0], "^")}
        looks |= {"own values": (style.INK, "D"), "worst": (style.OKABE_ITO[1], "s")}
        for stage in stages:
            rows = frame[frame["stage"] == stage]
            colour, marker = looks[stage]
            axes.vlines(rows["rank"], 100 * rows["low"], 100 * rows["high"], color=colour, linewidth=1.0, alpha=0.7)
            axes.plot(
                rows["rank"], 100 * rows["share"], color=colour, marker=marker, linestyle="", markersize=5,
                label=_STAGES[stage],
            )  # fmt: skip
        level = 100 * float(first["alpha"])
        axes.axhline(level, color=style.MUTED, linewidth=0.9, linestyle=style.DASHES[2])
        axes.set_ylim(0, 1.12 * 100 * float(frame["high"].max()))
        axes.set_xticks([])
        axes.set_xlabel("Settings of the nuisances, by type I error in the search")
        axes.set_ylabel("Type I error, %")
        axes.set_title(f"Type I error over the nuisances: {first['estimand']}")
        axes.legend(loc="upper left", fontsize=8)
        style.add_note(
            figure,
            f"95 % Wilson intervals. Dotted: the nominal {level:g} %. The upper end of the search is too large by "
            "selection; what holds is the setting simulated again on fresh draws.",
        )
    return figure
