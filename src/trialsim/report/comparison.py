"""A comparison of designs in tables and sentences, from its plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trialsim.planning.comparison.metrics import BY_NAME, METRICS
from trialsim.report.table import power_of, share_words
from trialsim.report.words import NO_BREAK_SPACE, fixed, joined, percent

Told = Mapping[str, Any]
Row = Mapping[str, Any]

_ALONE = "power_alone"
_FURTHER = (_ALONE, "adjusted_power", "patients_missing", "coverage", "infusions_per_patient", "visits_per_patient")
"""Measures that would make the table of designs too wide."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table in words.

    Parameters
    ----------
    header : tuple of str
    rows : tuple of tuple of str
    notes : tuple of str
        Why something in it is missing.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def known(value: float | None) -> float:
    """Return a number of plain data, NaN where there is none."""
    return math.nan if value is None else float(value)


def design_words(told: Told) -> dict[str, str]:
    """Return what each design is called, by name: its label, with the name where two share one."""
    labels = [str(row["label"]) for row in told["designs"]]
    return {
        str(row["name"]): str(row["label"])
        if labels.count(str(row["label"])) == 1
        else f"{row['label']} ({row['name']})"
        for row in told["designs"]
    }


def metric_words(name: str) -> str:
    """Return what a measure is called."""
    return BY_NAME[name].words


def is_within(told: Told) -> bool:
    """Return whether the power of any design is that within a multiplicity procedure."""
    return any(row["procedure"] for row in told["designs"])


def power_called(told: Told) -> str:
    """Return what power is called: `Power`, or with the procedure that it is within."""
    return power_of((str(row["procedure"]), len(row["decided_by"])) for row in told["designs"])


def metric_phrase(told: Told, name: str) -> str:
    """Return what a measure is called within a sentence: `cost`, without the unit."""
    if name == "power":
        words = power_called(told)
        return words[0].lower() + words[1:]
    return BY_NAME[name].words.partition(",")[0].lower()


def _short(told: Told, name: str) -> str:
    return power_called(told) if name == "power" else BY_NAME[name].short


def _long(told: Told, name: str) -> str:
    return power_called(told) if name == "power" else BY_NAME[name].words


def value_words(name: str, value: Mapping[str, Any], *, mcse: bool = True) -> str:
    """Return a measure of a design as a reader expects it, `82.3 ± 0.9`; a dash where there is none.

    Parameters
    ----------
    name : str
        Of the measure.
    value : mapping
        Its `value` and `mcse`.
    mcse : bool
        Whether the Monte Carlo error is shown.
    """
    if value["value"] is None:
        return "–"
    found, error = float(value["value"]), float(value["mcse"] or 0.0)
    unit = BY_NAME[name].unit
    if mcse and found in (0.0, 1.0) and value.get("low") is not None:
        return share_words(found, error, float(value["low"]), float(value["high"]))
    scale, decimals = {"share": (100.0, 1), "estimate": (1.0, 2), "months": (1.0, 1)}.get(unit, (1.0, 0))
    if unit in ("patients", "number", "usd", "days") and not error:
        text = f"{found:,.0f}" if found == round(found) else f"{found:,.1f}"
    elif unit == "usd":
        text = f"{found:,.0f}"
    else:
        text = fixed(scale * found, decimals if unit != "patients" else 1)
    if not (mcse and error):
        return text
    shown = f"{error:,.0f}" if unit == "usd" else fixed(scale * error, max(decimals, 1))
    return f"{text} ± {shown}"


def design_table(told: Told) -> Table:
    """Return one line for each design: its chief measures, the difference of power from the reference, rank and front.

    Parameters
    ----------
    told : mapping
        Of `Comparison.to_dict`.
    """
    designs = told["designs"]
    beside = [_ALONE] if is_within(told) else []
    names = [metric.name for metric in METRICS if metric.name not in _FURTHER or metric.name in beside]
    if told["metric"] not in names:
        names.append(told["metric"])
    shown = [name for name in names if any(row["metrics"][name]["value"] is not None for row in designs)]
    words = design_words(told)
    header = ["Design", *(_heading(name, _short(told, name), designs) for name in shown)]
    header.insert(2, "Difference, percentage points")
    rows = []
    for row in designs:
        cells = [_called(row, words), *(value_words(name, row["metrics"][name]) for name in shown)]
        cells.insert(2, _difference_cell(told, row))
        rows.append((*cells, _rank_words(row), _front_words(row)))
    return Table((*header, "Rank", "Not beaten"), tuple(rows), tuple(_reasons(told, names)))


def measures_table(told: Told) -> Table:
    """Return one line for each measure that a design has, the designs beside each other."""
    words, designs = design_words(told), told["designs"]
    rows = []
    # Power is that within the procedure already, where there is one.
    hidden = {"adjusted_power", *([] if is_within(told) else [_ALONE])} - {told["metric"]}
    for metric in [metric for metric in METRICS if metric.name not in hidden]:
        values = [row["metrics"][metric.name] for row in designs]
        if any(value["value"] is not None for value in values):
            heading = _heading(metric.name, _long(told, metric.name), designs)
            rows.append((heading, *(value_words(metric.name, value) for value in values)))
    header = ("Measure", *(words[row["name"]] for row in designs))
    names = [metric.name for metric in METRICS if metric.name not in hidden]
    return Table(header, tuple(rows), tuple(_reasons(told, names)))


def _called(row: Row, words: Mapping[str, str]) -> str:
    """Return what a design is called, with its name where it is not the same words."""
    name, label = str(row["name"]), words[str(row["name"])]
    if " " in name:  # a cell, whose name is made of the same words
        return label
    return label if name.replace("_", " ").lower() in label.replace("_", " ").lower() else f"{label} ({name})"


def _heading(name: str, words: str, designs: Sequence[Row]) -> str:
    """Return the words for a measure with its unit."""
    unit = BY_NAME[name].unit
    if unit == "share":
        return f"{words}, %"
    units = {str(row["unit"]) for row in designs}
    return f"{words}, {units.pop()}" if unit == "estimate" and len(units) == 1 else words


def _difference_cell(told: Told, row: Row) -> str:
    if row["name"] == told["reference"]:
        return "reference"
    found = against(told, str(row["name"]))
    if found["same_trials"]:
        return "0 exactly"
    if found["power_difference"] is None:
        return "–"
    if not found["power_difference_mcse"]:
        return f"{points(found['power_difference'])} ({interval(found, '')})"
    return f"{points(found['power_difference'])} ± {fixed(100 * found['power_difference_mcse'], 1)}"


def _rank_words(row: Row) -> str:
    rank = row["rank"]
    if rank is None:
        return "–"
    span = "" if rank["best"] == rank["worst"] else f" ({rank['best']}–{rank['worst']})"
    return f"{rank['place']}{span}"


def _front_words(row: Row) -> str:
    if not row["feasible"]:
        return "over budget"
    if row["on_front"]:
        return "within error" if row["apparently_beaten_by"] else "yes"
    return "no" if row["beaten_by"] else "–"


def _reasons(told: Told, names: Sequence[str]) -> list[str]:
    """Return why measures are missing, each reason once."""
    words = design_words(told)
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for name in names:
        lacking: dict[str, list[str]] = {}
        for row in told["designs"]:
            value = row["metrics"][name]
            if value["value"] is None:
                lacking.setdefault(str(value["reason"]), []).append(words[row["name"]])
        for reason, designs in lacking.items():
            found.setdefault((reason, tuple(designs)), []).append(metric_words(name))
    return [
        f"– {joined(measures)}{'' if len(designs) == len(words) else f' of {joined(list(designs))}'}: {reason}."
        for (reason, designs), measures in found.items()
    ]


def difference_table(told: Told) -> Table:
    """Return one line for each pair of designs: difference of power, its errors, and what the pairs save."""
    words = design_words(told)
    rows = []
    for row in told["differences"]:
        same = row["same_trials"]
        rows.append(
            (
                f"{words[row['design']]} − {words[row['other']]}",
                points(known(row["power_difference"])),
                fixed(100 * known(row["power_difference_mcse"]), 2),
                "0 exactly" if same else interval(row, ""),
                f"{interval(row, '_adjusted')} ({percent(row['level_adjusted'])})" if not same else "0 exactly",
                fixed(100 * known(row["independent_mcse"]), 2),
                _maybe(row["mcse_ratio"], 2),
                _maybe(row["normal_mcse_ratio"], 2),
                _maybe(row["replicates_saved_factor"], 1),
                _maybe(row["bias_difference"], 3, error=row["bias_difference_mcse"]),
            )
        )
    header = (
        "Designs",
        "Difference of power, %",
        "Paired MCSE",
        "95 % interval",
        "Adjusted interval (level)",
        "MCSE of independent runs",
        "Ratio",
        "Normal bound",
        "Independent runs need, times",
        "Difference of bias",
    )
    return Table(header, tuple(rows))


def _maybe(value: float | None, decimals: int, *, error: float | None = None) -> str:
    if value is None:
        return "–"
    return fixed(value, decimals) if error is None else f"{fixed(value, decimals)} ± {fixed(error, decimals)}"


def interval(row: Row, which: str) -> str:
    """Return the interval of a difference of powers in percentage points; `which` is empty or `_adjusted`."""
    low, high = (100 * known(row[f"power_difference_{end}{which}"]) for end in ("low", "high"))
    return "–" if math.isnan(low) else f"{fixed(low, 1)} to {fixed(high, 1)}"


def plus_minus(share: float, mcse: float, low: float, high: float, *, signed: bool = False) -> str:
    """Return a share in percent with its Monte Carlo error, `82.3 ± 0.9`; a dash where there is none.

    Where that error would be 0 its interval stands instead, `0.0 (0.0 to 1.5)`.
    """
    if math.isnan(share):
        return "–"
    if mcse == 0.0:
        shown = "0.0" if share == 0.0 else fixed(100 * share, 1, signed=signed)
        return f"{shown} ({fixed(100 * low, 1)} to {fixed(100 * high, 1)})"
    return f"{fixed(100 * share, 1, signed=signed)} ± {fixed(100 * mcse, 1)}"


def points(share: float) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    return "0.0" if round(100 * share, 1) == 0.0 else fixed(100 * share, 1, signed=True)


def against(told: Told, name: str) -> Row:
    """Return the difference of a design from the reference."""
    found: Row = next(row for row in told["differences"] if row["design"] == name and row["against_reference"])
    return found


def caption(told: Told) -> str:
    """Return what the numbers of the table are."""
    others = len(told["designs"]) - 1
    level = percent(told["differences"][0]["level_adjusted"])
    intervals = f"The interval of the difference from the reference has {level}. "
    if others > 1:
        intervals = (
            f"Intervals of the {others} differences from the reference hold together with 95{NO_BREAK_SPACE}% "
            f"(Bonferroni, each at {level}). "
        )
    front = joined([metric_phrase(told, name) for name in told["front_metrics"]])
    return (
        f"{told['question']['label']}. {told['replicates']:,} simulated trials of each design on the same virtual "
        f"patients (seed {told['seed']}). ± is the Monte Carlo standard error, of a difference that of the pairs. "
        f"{intervals}Ranked by {metric_phrase(told, told['metric'])}; in brackets the places that a design may have. "
        f"Not beaten: no other design is as good in {front} and better in one, beyond Monte Carlo error; "
        "within error: it seems beaten, but chance may explain it."
    )
