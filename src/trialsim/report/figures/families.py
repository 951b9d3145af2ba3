"""Hypotheses tested together: power of each within the procedure, of any and of all, against the number of patients.

Only hypotheses with something to find have lines of power. False findings are one line, the family-wise error rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from trialsim.report import style
from trialsim.report.families import family_labels, member_row, members_of
from trialsim.report.figures.power_curves import draw_power_curves
from trialsim.report.summary import records_of, setting_words, varied_paths

COLUMNS = (
    "panel", "line", "line_heading", "n", "null", "alpha", "share", "mcse", "low", "high",
)  # fmt: skip
HEADING = "Share of trials that find"
ANY = "any true effect"
ALL = "all true effects"
ERROR = "any null (family-wise error)"


def family_data(
    families: pd.DataFrame, summary: pd.DataFrame, *, labels: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return what the figure draws: one row per point.

    Parameters
    ----------
    families : DataFrame
        The summary of hypotheses tested together.
    summary : DataFrame
        The summary of the run.
    labels : mapping, optional
        Words for estimands, arms, strata and outcomes.

    Returns
    -------
    DataFrame
        Columns `panel` (varied values in words), `line` (a hypothesis, any, all, or the family-wise error),
        `line_heading`, `n`, `null` (whether the line is the family-wise error), `alpha` (level of the family), `share`,
        `mcse`, `low`, `high`.
    """
    paths = varied_paths(families)
    records: list[dict[str, Any]] = []
    for cell in records_of(families.sort_values(["variant", "n"], kind="stable")):
        panel = setting_words({path: cell[path] for path in paths}, labels=labels)
        for line, share, null in _lines(cell, summary, labels):
            records.append({
                "panel": panel, "line": line, "line_heading": HEADING, "n": int(cell["n"]), "null": null,
                "alpha": float(cell["alpha"]), **share,
            })  # fmt: skip
    return pd.DataFrame(records, columns=list(COLUMNS))


def draw_families(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `family_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    groups = _coinciding(frame)
    hypotheses = [line for line in dict.fromkeys(frame["line"]) if line not in (ANY, ALL, ERROR)]
    # Black is for what is counted over all of them.
    colours = [mark for mark in style.categorical_marks(2 * len(hypotheses) + 1) if mark.colour != style.OKABE_ITO[-1]]
    marks = dict(zip(hypotheses, colours, strict=False))
    marks[ANY] = style.Mark(style.INK, style.MARKERS[4], style.DASHES[0])
    marks[ALL] = style.Mark(style.INK, style.MARKERS[5], style.DASHES[2])
    marks[ERROR] = style.Mark(style.ALERT, style.MARKERS[0], style.DASHES[1])
    marks = {words: marks[lines[-1]] for words, lines in groups.items()}
    names = {line: words for words, lines in groups.items() for line in lines}
    kept = frame["line"].isin({lines[0] for lines in groups.values()})
    frame = frame[kept].assign(line=frame["line"].map(names))
    # The family's error rate is held at its own alpha, whatever its members test.
    return draw_power_curves(
        frame.assign(quantity="Power", level=frame["alpha"]),
        marks=marks,
        note="Within the procedure.",
        error_name="Family-wise error",
    )


def _coinciding(frame: pd.DataFrame) -> dict[str, list[str]]:
    """Return the lines by the words that they are drawn with: those that lie on each other everywhere have one."""
    alike: dict[str, list[str]] = {}
    for line in dict.fromkeys(frame["line"]):
        points = frame.loc[frame["line"] == line, ["panel", "n", "null", "share", "low", "high"]]
        alike.setdefault(repr(sorted(points.itertuples(index=False, name=None))), []).append(str(line))
    return {_one_line(lines): lines for lines in alike.values()}


def _one_line(lines: list[str]) -> str:
    return lines[0] if len(lines) == 1 else f"{'; '.join(lines)} (one line: all the same)"


def _lines(
    cell: Mapping[str, Any], summary: pd.DataFrame, labels: Mapping[str, str] | None
) -> list[tuple[str, dict[str, float], bool]]:
    """Return the lines that a cell has a point on: name, share with its errors, and whether it is the error rate."""
    members = members_of(cell, summary)
    found = []
    for position, (member, label) in enumerate(zip(members, family_labels(summary, members, labels), strict=True)):
        row = member_row(cell, member, position, summary)
        if not row["null"]:
            found.append((label, _share(row, "adjusted_power"), False))
    if cell["true_effects"]:
        found.append((ANY, _share(cell, "disjunctive_power"), False))
        found.append((ALL, _share(cell, "conjunctive_power"), False))
    if cell["true_effects"] < len(members):
        found.append((ERROR, _share(cell, "family_wise_error"), True))
    return found


def _share(row: Mapping[str, Any], name: str) -> dict[str, float]:
    ends = {"share": name, "mcse": f"{name}_mcse", "low": f"{name}_low", "high": f"{name}_high"}
    return {end: float(row[column]) for end, column in ends.items()}
