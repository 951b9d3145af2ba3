"""Tornado: how far an answer moves as each assumption goes over its plausible range, one at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from trialsim.report import style
from trialsim.report.sensitivity import (
    METRICS,
    at_words,
    measure_of,
    measure_words,
    no_measure,
    null_mark,
    null_mark_words,
)
from trialsim.report.words import path_words

COLUMNS = (
    "title", "estimand", "metric", "test", "n", "replicates", "base", "base_mcse", "base_null", "procedure",
    "measured", "path", "words", "end",
    "value", "measure", "mcse", "change", "change_mcse", "beyond_noise", "null", "source", "tag", "citation", "problem",
)  # fmt: skip

_SHARED = (
    "title",
    "estimand",
    "metric",
    "test",
    "n",
    "replicates",
    "base",
    "base_mcse",
    "base_null",
    "procedure",
    "measured",
)
_OF_END = ("end", "measure", "mcse", "change", "change_mcse", "beyond_noise", "null", "problem")
_Z95 = 1.96
_WORD_LETTERS = 44


def tornado_data(answer: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return what the tornado draws: two rows for each assumption, its low and its high end, largest swing first.

    Parameters
    ----------
    answer : mapping
        Of a tornado, as plain data.
    labels : mapping, optional
        Words for arms, strata and outcomes.

    Returns
    -------
    DataFrame
        Columns `title`, `estimand`, `metric`, `test`, `n`, `replicates`, `base`, `base_mcse` and `base_null` (with the
        scenario's own values), `procedure` that power is within, `measured` (the metric, and what it is of), `path`,
        `words`, `end` (low or high), `value` in words, `measure`, `mcse`, `change`, `change_mcse` (paired),
        `beyond_noise`, `null` (a power that is a type I error), `source`, `tag` and `citation` of the range, and
        `problem` where an end cannot be had.
    """
    shared = {**{key: answer[key] for key in _SHARED[:-1]}, "measured": measure_of(answer)}
    rows = [
        {
            **shared,
            **{key: bar[key] for key in ("path", "source", "tag", "citation")},
            "words": path_words(bar["path"], labels=labels),
            **{key: bar[end][key] for key in _OF_END},
            "value": at_words(bar["path"], bar[end]["value"], labels),
        }
        for bar in answer["bars"]
        for end in ("low", "high")
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def draw_tornado(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `tornado_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    if frame.empty:
        raise ValueError("a tornado needs an assumption with a range; the frame has no rows")
    paths = list(dict.fromkeys(frame["path"]))
    first = frame.iloc[0]
    metric = str(first["metric"])
    scale = 1.0 if metric in ("n", "bias") else 100.0
    with style.styled():
        figure = Figure(figsize=(8.6, 1.7 + 0.52 * len(paths)), layout="constrained")
        axes = figure.subplots()
        base = math.nan if pd.isna(first["base"]) else float(first["base"])
        for position, path in enumerate(paths):
            for _, row in frame[frame["path"] == path].iterrows():
                _draw_end(axes, position, row, base, scale)
        if base == base:
            axes.axvline(scale * base, color=style.INK, linewidth=1.0)
        axes.set_yticks(range(len(paths)), [_name(frame[frame["path"] == path]) for path in paths])
        axes.set_ylim(len(paths) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        unit = {"n": "", "bias": ", points"}.get(metric, ", %")
        axes.set_xlabel(f"{METRICS[metric]}{unit}")
        axes.set_title(_title(first))
        _widen(axes, frame, scale, base)
        _add_key(axes)
        style.add_note(figure, _note(first, frame))
    return figure


def _title(row: pd.Series) -> str:
    words = str(row["measured"])
    size = "" if pd.isna(row["n"]) else f", {int(row['n']):,} patients"
    if row["metric"] == "power" and words != f"Power of {row['estimand']}":
        return style.wrapped(f"What {words[0].lower()}{words[1:]} hangs on{size}", 46)
    words = {"n": "the number of patients"}.get(row["metric"], METRICS[row["metric"]])
    return f"What {words[0].lower()}{words[1:]} hangs on: {row['estimand']}{size}"


def _name(rows: pd.DataFrame) -> str:
    values = dict(zip(rows["end"], rows["value"], strict=True))
    words = style.wrapped(str(rows["words"].iloc[0]), _WORD_LETTERS)
    return f"{words}\n{style.shortened(values['low'] + ' to ' + values['high'], _WORD_LETTERS + 8)}"


def _draw_end(axes: Axes, position: int, row: pd.Series, base: float, scale: float) -> None:
    """Draw a bar from the scenario's own value to that at an end, with the error of the difference."""
    low = row["end"] == "low"
    height, offset = 0.30, (-0.16 if low else 0.16)
    if pd.isna(row["measure"]):
        why = no_measure(str(row["problem"]))
        # Without a value of the scenario's own there is no line to begin at: at the left edge.
        place, inside = (scale * base, axes.transData) if base == base else (0.0, axes.get_yaxis_transform())
        words = f"  {row['end']} end: {why}"
        axes.text(place, position + offset, words, transform=inside, fontsize=7.0, va="center", color=style.ALERT)
        return
    if pd.isna(row["change"]):
        axes.plot(scale * float(row["measure"]), position + offset, marker="o", color=style.INK, markersize=4)
        return
    colour = style.OKABE_ITO[0] if low else style.OKABE_ITO[1]
    change = scale * float(row["change"])
    shade = 1.0 if row["beyond_noise"] else 0.35
    axes.barh(
        position + offset, change, left=scale * base, height=height, color=colour, alpha=shade, linewidth=0,
        hatch="" if low else "////", edgecolor="white",
    )  # fmt: skip
    reach = _Z95 * scale * float(row["change_mcse"])
    end = scale * float(row["measure"])
    if change != 0.0:
        axes.plot([end - reach, end + reach], [position + offset] * 2, color=style.INK, linewidth=0.9, marker="")
    side = 1.0 if change >= 0.0 else -1.0
    mark = null_mark(str(row["metric"]), null=bool(row["null"]))
    axes.annotate(
        measure_words(str(row["metric"]), float(row["measure"])).removesuffix(" %") + mark,
        xy=(end + side * reach, position + offset), xytext=(3 * side, 0), textcoords="offset points", fontsize=7.0,
        va="center", ha="left" if side > 0 else "right", color=style.MUTED,
    )  # fmt: skip


def _widen(axes: Axes, frame: pd.DataFrame, scale: float, base: float) -> None:
    """Leave room for the numbers beside the bars."""
    known = frame.dropna(subset=["measure"])
    reach = _Z95 * known["change_mcse"].astype(float).fillna(0.0)
    around = [*(known["measure"] - reach), *(known["measure"] + reach), base]
    values = [scale * float(x) for x in around if x == x] or [0.0]
    room = max(0.09 * (max(values) - min(values)), 1e-9)
    axes.set_xlim(min(values) - 1.4 * room, max(values) + 1.4 * room)
    if frame["metric"].iloc[0] != "bias":  # the room beside the smallest bar has no values
        axes.set_xticks([tick for tick in axes.get_xticks() if tick >= 0.0 and tick <= max(values) + 1.4 * room])


def _add_key(axes: Axes) -> None:
    handles = [
        Patch(facecolor=style.OKABE_ITO[0], label="low end"),
        Patch(facecolor=style.OKABE_ITO[1], hatch="////", edgecolor="white", label="high end"),
    ]
    axes.legend(handles=handles, loc="lower right", fontsize=8)


def _note(row: pd.Series, frame: pd.DataFrame) -> str:
    pairing = "not paired, so a little too wide" if row["metric"] == "n" else "paired"
    words = f"Line: the scenario's own values. Whiskers: 95 % Monte Carlo interval of the difference, {pairing}."
    if not frame["beyond_noise"].astype(bool).all():
        words += " Pale: not larger than noise (3 standard errors)."
    metric = str(row["metric"])
    if null_mark(metric, null=bool(row["base_null"])):
        words += " With the scenario's own values nothing is to be found: the line is the type I error."
    if any(null_mark(metric, null=null) for null in frame["null"].astype(bool)):
        words += f" {null_mark_words(str(row['test']), str(row['procedure']))}"
    return words
