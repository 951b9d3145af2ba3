"""The number of patients that a power takes against what is varied, such as the share that is specific to the drug."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from trialsim.report import style
from trialsim.report.sizes import SizedCell
from trialsim.report.summary import setting_words
from trialsim.report.words import path_words, percent, value_words

COLUMNS = (
    "title", "power", "axis", "numeric", "value", "value_words", "line", "reached", "n_total", "n_low", "n_high",
    "closed_form", "best_n", "best_power", "reason",
)  # fmt: skip
_STEPS = ((1, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9), tuple(np.arange(1, 10, 0.2)))
"""Leading digits of the ticks, ever closer, until there are some on the axis."""
_FEWEST_TICKS = 4
_ROOM = 1.35
"""Factor between the largest number and the line on which settings stand that are out of reach."""


def size_by_setting_data(
    title: str, cells: Sequence[SizedCell], *, labels: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return what the figure draws: one row per combination of varied values.

    Parameters
    ----------
    title : str
        Of the scenario.
    cells : sequence of SizedCell
        At least one.
    labels : mapping, optional
        Words for arms, strata, outcomes and estimands.

    Returns
    -------
    DataFrame
        Columns `title`, `power` asked for, `axis` (the leading varied path, in words), `numeric` (whether its values
        are numbers), `value` (otherwise its place in order), `value_words`, `line` (the other varied values in words),
        `reached`, `n_total`, `n_low`, `n_high` (95 % interval), `closed_form` (patients by formula), `best_n` and
        `best_power`
        (the highest power seen), `reason` why there is no number.
    """
    leading = _leading([cell.settings for cell in cells])
    numbers = all(_is_number(cell.settings[leading]) for cell in cells)
    order = list(dict.fromkeys(value_words(leading, cell.settings[leading], labels=labels) for cell in cells))
    rows = []
    for cell in cells:
        words = value_words(leading, cell.settings[leading], labels=labels)
        others = {path: value for path, value in cell.settings.items() if path != leading}
        answer = cell.answer
        rows.append(
            {
                "title": title,
                "axis": path_words(leading, labels=labels),
                "numeric": numbers,
                "value": float(cell.settings[leading]) if numbers else float(order.index(words)),
                "value_words": words,
                "line": setting_words(others, labels=labels),
                "closed_form": (answer["closed_form"] or {}).get("n_total"),
                **{name: answer[name] for name in COLUMNS if name in answer and name not in ("title", "closed_form")},
            }
        )
    whole = {name: "Int64" for name in ("n_total", "n_low", "n_high", "closed_form", "best_n")}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(whole)


def _leading(settings: Sequence[Mapping[str, Any]]) -> str:
    """Return the path along the axis: the one of numbers with most values, else the first."""
    values = {path: [one[path] for one in settings] for path in settings[0]}
    numbers = {path: len(set(found)) for path, found in values.items() if all(map(_is_number, found))}
    return max(numbers, key=lambda path: numbers[path]) if numbers else next(iter(values))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def draw_size_by_setting(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `size_by_setting_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    lines = list(dict.fromkeys(frame["line"]))
    with style.styled():
        figure = Figure(figsize=(7.6, 4.9), layout="constrained")
        axes = figure.subplots()
        axes.set_title(f"Patients for {percent(float(frame['power'].iloc[0]))} power")
        axes.set_ylabel("Patients randomised")
        axes.set_xlabel(str(frame["axis"].iloc[0]))
        top = _draw_scale(axes, frame)
        for line, mark in zip(lines, style.ordered_marks(len(lines)), strict=True):
            part = frame[frame["line"] == line].sort_values("value")
            _draw_line(axes, part, mark, line, top, numbers=len(lines) == 1)
        if len(lines) > 1 or frame["closed_form"].notna().any():
            axes.legend(fontsize=8, loc="best")
        _set_values(axes, frame)
        style.add_note(figure, "Bars: 95 % intervals of the number, from simulation. The vertical axis is logarithmic.")
    return figure


def _set_values(axes: Axes, frame: pd.DataFrame) -> None:
    """Put ticks at the values, leaving out those that would collide, and room on both sides for words."""
    words = dict(zip(frame["value"], frame["value_words"], strict=True))
    values = sorted(words)
    span = (values[-1] - values[0]) or 1.0
    kept = style.spaced(values, (0.02 * max(map(len, words.values())) + 0.02) * span)
    axes.set_xticks(kept, [words[value] for value in kept])
    axes.set_xlim(values[0] - 0.1 * span, values[-1] + 0.1 * span)
    axes.grid(visible=False, axis="x")


def _draw_scale(axes: Axes, frame: pd.DataFrame) -> float:
    """Set the logarithmic axis and return the height at which settings out of reach stand."""
    seen = frame[["n_total", "n_low", "n_high", "closed_form"]].to_numpy(dtype=np.float64, na_value=np.nan)
    seen = seen[np.isfinite(seen)]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (10.0, 100.0)
    top = high * (1.0 if frame["reached"].all() else _ROOM)
    axes.set_yscale("log")
    bottom = min(low / 1.2, high / 1.6)
    axes.set_ylim(bottom, top * 1.2)
    for steps in _STEPS:
        ticks = [m * 10.0**e for e in range(6) for m in steps if bottom <= m * 10.0**e <= high * 1.15]
        if len(ticks) >= _FEWEST_TICKS:
            break
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    return top


def _draw_line(axes: Axes, part: pd.DataFrame, mark: style.Mark, line: str, top: float, *, numbers: bool) -> None:
    part = part.astype({name: "float64" for name in ("n_total", "n_low", "n_high", "closed_form")})
    found = part[part["reached"]]
    joined = bool(part["numeric"].all())
    beyond = (found["n_total"] - found["n_low"], found["n_high"] - found["n_total"])
    axes.errorbar(
        found["value"], found["n_total"], yerr=beyond, color=mark.colour, marker=mark.marker,
        linestyle=mark.dash if joined else "", markersize=4, capsize=4, label=line or "by simulation",
    )  # fmt: skip
    for row in found.itertuples() if numbers else ():
        axes.annotate(
            f"{row.n_total:,.0f}", xy=(row.value, row.n_total), xytext=(5, 5), textcoords="offset points", fontsize=8,
            color=mark.colour,
        )  # fmt: skip
    formula = part.dropna(subset=["closed_form"])
    axes.plot(
        formula["value"], formula["closed_form"], color=mark.colour, marker="_", markersize=9,
        linestyle=style.DASHES[2] if joined else "",
        linewidth=1.0, label=f"{line}, by formula" if line else "by formula",
    )  # fmt: skip
    for row in part[~part["reached"]].itertuples():
        axes.plot([row.value], [top], marker="^", color=mark.colour, markerfacecolor="white")
        axes.annotate(
            "out of reach", xy=(row.value, top), xytext=(0, -5), textcoords="offset points", fontsize=7.5, ha="center",
            va="top", color=mark.colour,
        )  # fmt: skip
