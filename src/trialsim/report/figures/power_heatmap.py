"""Power in every cell of the leading varied path by the number of patients, with the number written in each cell.

A heavy line parts the cells that reach the target from those that do not, so that the answer can be read without
the colours. Cells with nothing to find (no true difference, or one that reaches the margin) show the type I error on a
hatched ground instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from trialsim.report import style
from trialsim.report.claims import CO_PRIMARY, everywhere_null_note, is_margin
from trialsim.report.summary import (
    Hypothesis,
    leading_path,
    records_of,
    setting_words,
)
from trialsim.report.table import power_table
from trialsim.report.words import number, path_words, percent, value_words

COLUMNS = ("panel", "quantity", "row", "row_heading", "n", "null", "test", "share", "mcse", "low", "high")
TARGET = 0.8
ROW_LETTERS = 32
"""How many letters of a row's name stand in one line."""


def power_heatmap_data(
    summary: pd.DataFrame,
    *,
    hypothesis: Hypothesis | None = None,
    labels: Mapping[str, str] | None = None,
    families: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return what the heat map draws: one row per cell.

    Parameters
    ----------
    summary : DataFrame
        The summary of a run.
    hypothesis : Hypothesis, optional
        The question shown; the primary estimand by its first method when left out.
    labels : mapping, optional
        Words for arms, strata and outcomes.
    families : DataFrame, optional
        The summary of hypotheses tested together: power is then that of the power table, within the procedure.

    Returns
    -------
    DataFrame
        Columns `panel` (values of the other varied paths in words), `quantity` (what the shares are), `row` (value of
        the leading one, the longest path of numbers), `row_heading`, `n`, `null`, `test` (or `co_primary`), `share`,
        `mcse`, and `low` and `high` of the 95 % Wilson interval. Empty when the scenario varies nothing, for then there
        is no second axis.
    """
    leading = leading_path(summary)
    if leading is None:
        return pd.DataFrame(columns=list(COLUMNS))
    table = power_table(summary, hypothesis=hypothesis, labels=labels, families=families)
    records: list[dict[str, Any]] = []
    for row in table.rows:
        about = {
            "panel": setting_words({path: v for path, v in row.settings.items() if path != leading}, labels=labels),
            "quantity": table.quantity,
            "row": value_words(leading, row.settings[leading], labels=labels),
            "row_heading": path_words(leading, labels=labels),
        }
        records += [
            {**about, "n": c.n, "null": c.null, "test": c.claim}
            | {"share": c.share, "mcse": c.mcse, "low": c.low, "high": c.high}
            for c in row.cells
            if c
        ]
    return pd.DataFrame(records, columns=list(COLUMNS))


def draw_power_heatmap(
    frame: pd.DataFrame, *, title: str = "", target: float = TARGET, across: str = "Patients randomised"
) -> Figure:
    """Return the figure of `frame`, as made by `power_heatmap_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    title : str
        Set above the figure.
    target : float
        Power at which the dividing line runs.
    across : str
        Words for the axis of `n`, where something else stands there.
    """
    if frame.empty:
        raise ValueError("a heat map needs a varied path; the frame has no rows")
    panels = list(dict.fromkeys(frame["panel"]))
    values, sizes = list(dict.fromkeys(frame["row"])), sorted(frame["n"].unique())
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    names = [style.wrapped(value, ROW_LETTERS) for value in values]
    name_lines = max(name.count("\n") + 1 for name in names)
    # Short names fit beside their cells; longer ones, written once per row of panels, need room of their own.
    beyond = max(0.0, 0.085 * max(len(line) for name in names for line in name.split("\n")) - 0.8)
    width = columns * (1.4 + max(0.78 * len(sizes), 2.2)) + 1.0 + beyond
    title_letters = int(8 * (width - beyond) / columns)
    titles = [style.wrapped(panel or title, title_letters) for panel in panels]
    row_height = 0.52 + 0.16 * max(0, name_lines - 3)
    height = rows * max(0.95 + 0.16 * max(t.count("\n") for t in titles) + row_height * len(values), 2.7) + 0.6
    with style.styled():
        figure = Figure(figsize=(width, height), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        for index, (axes, panel) in enumerate(zip(grid.flat, panels, strict=False)):
            _draw_panel(axes, frame[frame["panel"] == panel], values, sizes, target)
            axes.set_yticks(range(len(values)), names if index % columns == 0 else [""] * len(values))
            axes.set_title(titles[index])
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        style.add_title(figure, title if any(panels) else "")
        heading = style.wrapped(str(frame["row_heading"].iloc[0]), int(9 * height / rows))
        for row in grid:
            row[0].set_ylabel(heading)
        for index, axes in enumerate(grid.flat[: len(panels)]):
            if index + columns >= len(panels):
                axes.set_xlabel(across)
        if not frame["null"].all():
            _add_scale(figure, list(grid.flat[: len(panels)]), target, str(frame["quantity"].iloc[0]))
        style.add_note(figure, _note(frame, target))
    return figure


def _draw_panel(axes: Axes, frame: pd.DataFrame, values: list[str], sizes: list[int], target: float) -> None:
    for row in records_of(frame):
        _draw_cell(axes, sizes.index(row["n"]), values.index(row["row"]), row)
    reached = np.zeros((len(values), len(sizes)), dtype=bool)
    for row in records_of(frame):
        reached[values.index(row["row"]), sizes.index(row["n"])] = not row["null"] and row["share"] >= target
    _draw_border(axes, reached)
    axes.set_xlim(-0.5, len(sizes) - 0.5)
    axes.set_ylim(-0.5, len(values) - 0.5)
    axes.set_xticks(range(len(sizes)), [number(float(size)) for size in sizes])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _draw_cell(axes: Axes, x: int, y: int, row: Mapping[str, Any]) -> None:
    """Draw one cell with its share and, smaller, its error, both in percent."""
    share = float(row["share"])
    estimable = not np.isnan(share)
    ground = style.POWER_MAP(share) if estimable and not row["null"] else (1.0, 1.0, 1.0, 1.0)
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=ground, edgecolor="white", linewidth=1.5))
    if row["null"]:
        axes.add_patch(
            Rectangle(
                (x - 0.47, y - 0.47), 0.94, 0.94, facecolor="none", edgecolor=style.FAINT, linewidth=0.6, hatch="////"
            )
        )
    colour = style.ALERT if row["null"] else style.text_colour_on(ground)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.2} if row["null"] else None
    words = f"{100 * share:.1f}" if estimable else "–"
    axes.text(x, y + 0.1, words, ha="center", va="center", fontsize=9.5, color=colour, bbox=box)
    if estimable:
        axes.text(
            x, y - 0.25, _error(share, row), ha="center", va="center", fontsize=6.8, color=colour, bbox=box,
        )  # fmt: skip


def _error(share: float, row: Mapping[str, Any]) -> str:
    """Return the MCSE; where all or no trials agree, which leaves none, the inner end of the interval."""
    if share == 1.0:
        return f"≥ {100 * float(row['low']):.1f}"
    return f"≤ {100 * float(row['high']):.1f}" if share == 0.0 else f"± {100 * float(row['mcse']):.1f}"


def _draw_border(axes: Axes, reached: np.ndarray) -> None:
    """Draw a line along every edge between a cell that reaches the target and one that does not."""
    rows, columns = reached.shape
    for y in range(rows):
        for x in range(columns):
            if x + 1 < columns and reached[y, x] != reached[y, x + 1]:
                axes.plot([x + 0.5] * 2, [y - 0.5, y + 0.5], color=style.INK, linewidth=2.4, solid_capstyle="round")
            if y + 1 < rows and reached[y, x] != reached[y + 1, x]:
                axes.plot([x - 0.5, x + 0.5], [y + 0.5] * 2, color=style.INK, linewidth=2.4, solid_capstyle="round")


def _add_scale(figure: Figure, axes: list[Axes], target: float, name: str) -> None:
    scale = figure.colorbar(
        ScalarMappable(Normalize(0.0, 1.0), style.POWER_MAP), ax=axes, fraction=0.04, pad=0.02, aspect=22
    )
    scale.set_ticks([0, 0.2, 0.4, 0.6, 0.8, 1.0], labels=["0", "20", "40", "60", "80", "100"])
    scale.set_label(style.wrapped(f"{name}, %", 26))
    scale.outline.set_visible(False)
    scale.ax.tick_params(length=0)
    scale.ax.axhline(target, color=style.INK, linewidth=2.0)


def _note(frame: pd.DataFrame, target: float) -> str:
    nulls = frame[frame["null"]]
    ends = " ≥ or ≤: the end of its 95 % interval, where all or no trials find it." if _is_whole(frame) else ""
    if len(nulls) == len(frame):
        return f"Type I error in %, ± its Monte Carlo standard error.{ends} {everywhere_null_note(nulls['test'])}"
    name = str(frame["quantity"].iloc[0])
    parts = [f"{name} in %, ± its Monte Carlo standard error.{ends} Heavy line: {percent(target)}."]
    if len(nulls):
        tests = set(nulls["test"])
        reason = "a true value that reaches the margin" if any(map(is_margin, tests)) else "no true difference"
        if CO_PRIMARY in tests:
            reason = "not all co-primary hypotheses have something to find"
        parts.append(f"Hatched: {reason}, so the number is the type I error.")
    return " ".join(parts)


def _is_whole(frame: pd.DataFrame) -> bool:
    """Return whether in some cell all trials agree."""
    return bool(frame["share"].isin([0.0, 1.0]).any())
