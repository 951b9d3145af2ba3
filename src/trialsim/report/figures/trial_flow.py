"""The flow of patients through the trial: from those assessed to the places held at the last visit, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from trialsim.report import style
from trialsim.report.operations import Operated
from trialsim.report.words import number

COLUMNS = (
    "step", "step_label", "arm", "arm_label", "lost", "n", "mean", "mcse", "q05", "q95", "visit_days", "share_missing",
)  # fmt: skip

_SCREENED = (("assessed", "Assessed for eligibility"),)
_EXCLUDED = (
    ("not_eligible", "Not eligible"),
    ("declined", "Declined"),
    ("screen_failed", "Failed screening"),
    ("run_in_failed", "Failed the run-in"),
    ("turned_away", "Turned away: quota full"),
    ("in_screening_at_close", "In screening at the end"),
)
_IN_ARM = (
    ("randomised", "Allocated", False),
    ("left_before_start", "Gave up waiting", True),
    ("started", "Began", False),
    ("left_before_therapy", "Gave up waiting for a group", True),
    ("in_group", "In a therapy group", False),
    ("missed_last_visit", "Last visit not within its window", True),
    ("last_visit_held", "With a place at the last visit", False),
)


def trial_flow_data(told: Operated, missing: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Return what the figure draws: one row per box, or line in one, of trials of the largest size.

    Parameters
    ----------
    told : Operated
    missing : mapping, optional
        `visit_days` of the primary visit and `share_missing` of the randomised without a score there, as a run knows
        them at that size.

    Returns
    -------
    DataFrame
        Columns `step` and `arm` (empty before randomisation) with their words, whether it is a loss, `n` asked for,
        and of the people in a trial `mean`, `mcse`, `q05` and `q95` over trials; `missing` beside every row, NaN where
        it is not known.
    """
    n = max(told.sizes)
    steps = [(name, words, "", "", False) for name, words in _SCREENED]
    steps += [(name, words, "", "", True) for name, words in _EXCLUDED]
    steps.append(("randomised", "Randomised", "", "", False))
    for arm, label in told.arms.items():
        steps += [(f"{name}_{arm}", words, arm, label, lost) for name, words, lost in _IN_ARM]
    rows = []
    for name, words, arm, label, lost in steps:
        own = told.measure(name, n)
        may_be_empty = lost or name.startswith("in_group_")
        if may_be_empty and own["q95"] == 0.0 and own["value"] == 0.0:
            continue
        rows.append(
            {
                "step": name, "step_label": words, "arm": arm, "arm_label": label, "lost": lost, "n": n,
                "mean": own["value"], "mcse": own["mcse"], "q05": own["q05"], "q95": own["q95"],
                **(missing or {"visit_days": math.nan, "share_missing": math.nan}),
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def draw_trial_flow(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `trial_flow_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    arms = list(dict.fromkeys(arm for arm in frame["arm"] if arm))
    before = frame[frame["arm"] == ""]
    excluded = before[before["lost"]]
    boxes = [_boxes(frame[frame["arm"] == arm]) for arm in arms]
    deepest = max(sum(len(lines) + 1.1 for lines, _ in own) for own in boxes)
    top = max(3.4, 0.72 * len(excluded) + 1.6)
    columns = max(len(arms), 2)
    with style.styled():
        figure = Figure(figsize=(max(7.6, 2.75 * len(arms)), 0.235 * (deepest + 2.2 * top) + 0.9), layout="constrained")
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_xlim(0.0, columns)
        axes.set_ylim(-deepest - 1.4, 2.2 * top)
        axes.set_title(f"From those assessed to the last visit ({int(frame['n'].iloc[0])} to be randomised)")
        left, right, width = 0.25 * columns, 0.75 * columns, 0.45 * columns
        assessed, randomised = (_line(before[before["step"] == name]) for name in ("assessed", "randomised"))
        _box(axes, left, 2.2 * top - 1.6, [assessed], width=width)
        if not excluded.empty:
            lines = [_line(excluded.iloc[[i]]) for i in range(len(excluded))]
            height = 1.1 * top - 0.2
            _box(axes, right, height, ["Excluded", *lines], width=width, quiet=True)
            axes.annotate(
                "", xy=(right - width / 2.0, height), xytext=(left, height),
                arrowprops={"arrowstyle": "->", "color": style.MUTED},
            )  # fmt: skip
        _arrow(axes, left, 2.2 * top - 2.3, 1.85)
        _box(axes, left, 1.2, [randomised], width=width)
        places = [columns * (i + 0.5) / len(arms) for i in range(len(arms))]
        for place, arm, own in zip(places, arms, boxes, strict=True):
            axes.annotate(
                "", xy=(place, -0.75), xytext=(left, 0.55),
                arrowprops={"arrowstyle": "->", "color": style.MUTED},
            )  # fmt: skip
            _draw_arm(axes, place, str(frame.loc[frame["arm"] == arm, "arm_label"].iloc[0]), own, columns / len(arms))
        style.add_note(figure, _note(frame))
    return figure


def _note(frame: pd.DataFrame) -> str:
    words = (
        "Mean number of people over simulated trials, in brackets the range of 90 % of trials. Leaving that follows "
        "from scores is not counted here: it frees no place, so those seen at the last visit may be fewer."
    )
    first = frame.iloc[0]
    if pd.isna(first["share_missing"]):
        return words
    share = f"{100 * float(first['share_missing']):.1f} %"
    return f"{words} In this run {share} of the randomised have no score on day {number(float(first['visit_days']))}."


def _boxes(frame: pd.DataFrame) -> list[tuple[list[str], bool]]:
    """Return the boxes of an arm from above: their lines, and whether they tell of a loss."""
    return [([_line(frame.iloc[[i]])], bool(frame["lost"].iloc[i])) for i in range(len(frame))]


def _draw_arm(axes: Axes, place: float, label: str, boxes: list[tuple[list[str], bool]], room: float) -> None:
    y = -1.9
    for position, (lines, lost) in enumerate(boxes):
        shown = [style.shortened(label, 30), *lines] if position == 0 else lines
        _box(axes, place, y, shown, width=0.9 * room, quiet=lost, bold_first=position == 0)
        if position + 1 < len(boxes):
            _arrow(axes, place, y - 0.55 * len(shown) - 0.12, y - 0.55 * len(shown) - 0.8)
        y -= 1.1 * len(lines) + 1.0 + (0.55 if position == 0 else 0.0)


def _line(row: pd.DataFrame) -> str:
    one = row.iloc[0]
    digits = 0 if float(one["mean"]) >= 10 else 1
    words = [f"{float(one[name]):,.{digits}f}" for name in ("mean", "q05", "q95")]
    if words[1] == words[2] == words[0]:
        return f"{one['step_label']}: {words[0]}"
    low, high = (f"{float(one[name]):,.0f}" for name in ("q05", "q95"))
    return f"{one['step_label']}: {words[0]} ({low} to {high})"


def _box(
    axes: Axes, x: float, y: float, lines: list[str], *, width: float, quiet: bool = False, bold_first: bool = False
) -> None:
    height = 1.0 * len(lines) + 0.25
    face, edge = ("#f6f7f9", style.FAINT) if quiet else ("#eaf2f9", style.OKABE_ITO[0])
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2.0, y - height / 2.0), width, height, boxstyle="round,pad=0,rounding_size=0.04",
            facecolor=face, edgecolor=edge, linewidth=1.0, mutation_aspect=8.0,
        )
    )  # fmt: skip
    for i, line in enumerate(lines):
        axes.text(
            x, y + height / 2.0 - 0.62 - i, line, ha="center", va="center", fontsize=8.2,
            fontweight="bold" if bold_first and i == 0 else "normal", color=style.MUTED if quiet else style.INK,
        )  # fmt: skip


def _arrow(axes: Axes, x: float, start: float, end: float) -> None:
    axes.annotate("", xy=(x, end), xytext=(x, start), arrowprops={"arrowstyle": "->", "color": style.MUTED})
