"""From the power of one scenario to that of another: a step for each assumption in which they differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from trialsim.report import style
from trialsim.report.sensitivity import measure_words, power_asked
from trialsim.report.words import path_words

COLUMNS = (
    "first", "second", "estimand", "name", "words", "start", "contribution", "mcse", "alone", "last", "beyond_noise",
    "power_first", "power_second", "exact", "measured", "notes",
)  # fmt: skip
_Z95 = 1.96
_WORD_LETTERS = 40


def attribution_data(answer: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return what the figure draws: one row for each assumption, largest contribution first.

    Parameters
    ----------
    answer : mapping
        Of an attribution, as plain data.
    labels : mapping, optional
        Words for arms, strata and outcomes.

    Returns
    -------
    DataFrame
        Columns `first`, `second` (titles), `estimand`, `name`, `words`, `start` (power before this step),
        `contribution`, `mcse`, `alone` and `last` (its change if it is changed first, or last), `beyond_noise`,
        `power_first`, `power_second`, `exact`, `measured` (what the power is of) and `notes`.
    """
    rows, start = [], float(answer["power_first"])
    for one in answer["contributions"]:
        rows.append({
            **{key: answer[key] for key in ("first", "second", "estimand", "power_first", "power_second", "exact")},
            **{key: one[key] for key in ("name", "contribution", "mcse", "alone", "last", "beyond_noise")},
            "words": path_words(one["name"], labels=labels), "start": start,
            "measured": power_asked(answer), "notes": " ".join(answer["notes"]),
        })  # fmt: skip
        start += float(one["contribution"])
    return pd.DataFrame(rows, columns=list(COLUMNS))


def draw_attribution(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `attribution_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    first = frame.iloc[0]
    names = [
        style.wrapped(str(first["first"]), _WORD_LETTERS),
        *(style.wrapped(str(words), _WORD_LETTERS) for words in frame["words"]),
        style.wrapped(str(first["second"]), _WORD_LETTERS),
    ]
    with style.styled():
        figure = Figure(figsize=(8.4, 1.6 + 0.5 * len(names)), layout="constrained")
        axes = figure.subplots()
        for position, power in ((0, first["power_first"]), (len(names) - 1, first["power_second"])):
            axes.barh(position, 100 * power, height=0.6, color=style.MUTED, linewidth=0)
            axes.annotate(
                measure_words("power", float(power)), xy=(100 * power, position), xytext=(4, 0),
                textcoords="offset points", va="center", fontsize=8.5,
            )  # fmt: skip
        for position, (_, row) in enumerate(frame.iterrows(), start=1):
            _draw_step(figure, axes, position, row)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, 108)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"{first['measured']}, %")
        axes.set_title(f"Why power differs: {first['estimand']}")
        how = "all orders" if first["exact"] else "sampled orders"
        style.add_note(
            figure,
            f"Steps: mean contribution over {how} of changing the assumptions (Shapley value), in percentage points, "
            "with its 95 % Monte Carlo interval. Blue adds, orange costs; pale: not larger than noise (3 standard "
            f"errors). {first['notes']}",
        )
    return figure


def _draw_step(figure: Figure, axes: Any, position: int, row: pd.Series) -> None:
    start, change = 100 * float(row["start"]), 100 * float(row["contribution"])
    colour = style.OKABE_ITO[0] if change >= 0 else style.OKABE_ITO[1]
    axes.barh(
        position, change, left=start, height=0.6, color=colour, alpha=1.0 if row["beyond_noise"] else 0.35, linewidth=0
    )
    reach = _Z95 * 100 * float(row["mcse"])
    axes.plot(
        [start + change - reach, start + change + reach], [position] * 2, color=style.INK, linewidth=0.9, marker=""
    )
    axes.plot([start + change] * 2, [position - 0.3, position + 1.3], color=style.MUTED, linewidth=0.6, marker="")
    axes.annotate(
        measure_words("power", float(row["contribution"]), signed=True),
        xy=(max(start, start + change + reach), position), xytext=(4, 0), textcoords="offset points", va="center",
        fontsize=8.5,
    )  # fmt: skip
