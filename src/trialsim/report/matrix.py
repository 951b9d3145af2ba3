"""Estimands against analyses: which analysis finds the value of which question, and which one misses it.

An analysis is said to miss where its mean estimate is off by more than 4.9 Monte Carlo standard errors (an analysis
without bias is, once in a million), or where its intervals hold the true value more or less often than they should by
more than 4.9 standard errors of a share that is as it should be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import pandas as pd

from trialsim.kernels.montecarlo import mcse_proportion
from trialsim.report import measures
from trialsim.report.questions import estimand_in, variants_of
from trialsim.report.summary import hypotheses, records_of, setting_words, shown_share, usable_fits, varied_paths
from trialsim.report.words import estimand_label, fixed, joined, method_words, name_words, percent
from trialsim.scenario.methods import MEASURES

BOUND = 4.9
"""How many Monte Carlo standard errors are more than chance."""

_AT_THE_VISIT = (
    "ancova", "t_test", "welch", "wilcoxon", "van_elteren", "nested",
    "risk_difference", "fisher", "cmh", "logistic", "g_computation",
)  # fmt: skip
"""Methods that look at those seen at the visit and at nobody else."""

Record = Mapping[str, Any]


class Flags(NamedTuple):
    """Whether the estimate is off, and whether the intervals hold the true value too rarely or too often."""

    bias: bool
    coverage: bool


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One analysis of one estimand, in words.

    Parameters
    ----------
    bias, coverage : str
        With unit and Monte Carlo standard error; coverage is empty for an analysis without intervals.
    power : str
        Power, or the type I error where there is nothing to find.
    flags : Flags
    sentence : str
        What is wrong; empty where nothing is.
    """

    bias: str
    coverage: str
    power: str
    flags: Flags
    sentence: str


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One estimand: its label, its strategies and true values in words, and a cell for each analysis of the table."""

    label: str
    strategies: str
    truth: str
    cells: tuple[MatrixCell | None, ...]


@dataclass(frozen=True, slots=True)
class MatrixTable:
    """Estimands against analyses in one variant, at its largest number of patients.

    Parameters
    ----------
    setting : str
        What is varied, in words.
    n : int
        Patients randomised.
    analyses : tuple of str
        Headings of the cells.
    rows : tuple of MatrixRow
    """

    setting: str
    n: int
    analyses: tuple[str, ...]
    rows: tuple[MatrixRow, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is wrong with the analyses, one sentence for each that is flagged."""
        return tuple(cell.sentence for row in self.rows for cell in row.cells if cell and cell.sentence)


def is_matrix_asked(resolved: Mapping[str, Any]) -> bool:
    """Return whether there is something to compare: two analyses of an estimand, or two strategies for one variable.

    Parameters
    ----------
    resolved : mapping
        The resolved scenario.
    """
    for variant in variants_of(resolved):
        asked = variant["estimands"]
        if any(len(estimand["analyses"]) > 1 for estimand in asked):
            return True
        if any(
            _subject(one) == _subject(two) and _handled(one) != _handled(two) for one, two in combinations(asked, 2)
        ):
            return True
    return False


def matrix_tables(
    resolved: Mapping[str, Any], summary: pd.DataFrame, *, labels: Mapping[str, str] | None = None
) -> list[MatrixTable]:
    """Return one table for each variant, at its largest number of patients.

    Parameters
    ----------
    resolved : mapping
        The resolved scenario.
    summary : DataFrame
        The summary of its run.
    labels : mapping, optional
        Words for estimands, arms, strata and outcomes.
    """
    return [_table(resolved, summary, part, labels) for _, part in largest(summary).groupby("variant", sort=True)]


def largest(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each variant's largest number of patients, the primary estimand first, analyses in order."""
    order = {hypothesis.estimand: place for place, hypothesis in reversed(list(enumerate(hypotheses(summary))))}
    rows = summary[summary["n"] == summary.groupby("variant")["n"].transform("max")]
    place = rows["estimand"].map(order)
    return rows.assign(_place=place).sort_values(["variant", "_place"], kind="stable").drop(columns="_place")


def flags_of(row: Record) -> Flags:
    """Return whether bias and coverage of a row of the summary are off by more than chance.

    The error of a coverage is that of a share as it should be, sqrt(alpha (1 - alpha) / fits): its own is 0 where all
    intervals, or none, hold the true value.
    """
    bias, error = float(row["bias"]), float(row["bias_mcse"])
    nominal, usable, coverage = 1.0 - float(row["alpha"]), usable_fits(row), float(row["coverage"])
    # Not-a-number, for what there is none of, compares false.
    off = usable > 0 and abs(coverage - nominal) > BOUND * mcse_proportion(nominal, usable)
    return Flags(abs(bias) > BOUND * error, off)


def _subject(estimand: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what an estimand is about: the outcome (or count), the visit and the contrast."""
    return (
        estimand["endpoint"]["kind"] == "count",
        *(estimand[key] for key in ("outcome", "visit", "active", "control")),
        tuple(estimand.get("arm_weights") or ()),
        tuple(estimand.get("interaction") or ()),
    )


def _handled(estimand: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells estimands of one variable apart: strategies, those analysed, and what expectancy is."""
    endpoint = estimand["endpoint"]
    return (
        endpoint.get("dropout", "hypothetical"),
        tuple(tuple(pair) for pair in endpoint.get("events") or ()),
        estimand.get("analysis_set", "itt"),
        estimand.get("expectancy", "included"),
    )


def _strategies(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> str:
    """Return the strategies of an estimand, `Leaving: hypothetical; Rescue: treatment policy`."""
    dropout, events, patients, expectancy = _handled(estimand)
    known = _event_labels(variant)
    told = [f"Leaving: {name_words(dropout)}"] if variant["dropout"] is not None else []
    told += [f"{known[name]}: {name_words(strategy)}" for name, strategy in events]
    told += {"mitt": ["those given an infusion"], "per_protocol": ["those treated per protocol"]}.get(patients, [])
    told += ["without what patients and raters expect"] if expectancy == "excluded" else []
    return "; ".join(told)


def _table(
    resolved: Mapping[str, Any], summary: pd.DataFrame, part: pd.DataFrame, labels: Mapping[str, str] | None
) -> MatrixTable:
    records = records_of(part)
    variant = variants_of(resolved)[int(records[0]["variant"])]
    names = list(dict.fromkeys(str(record["method"]) for record in records))
    asked = list(dict.fromkeys(str(record["estimand"]) for record in records))
    rows = []
    for name in asked:
        own = {str(record["method"]): record for record in records if record["estimand"] == name}
        label = estimand_label(name, labels)
        value = f"the true value of “{label}”" if len(asked) > 1 else "the true value"
        estimand = estimand_in(variant, name)
        cells = tuple(
            _cell(own[each], _seen(variant, estimand, each), value) if each in own else None for each in names
        )
        truths = dict.fromkeys(_truth(record) for record in own.values())
        rows.append(MatrixRow(label, _strategies(variant, estimand), "; ".join(truths), cells))
    settings = {path: records[0][path] for path in varied_paths(summary)}
    headings = tuple(method_words(name) for name in names)
    return MatrixTable(setting_words(settings, labels=labels), int(records[0]["n"]), headings, tuple(rows))


def _truth(record: Record) -> str:
    error = float(record["true_value_se"])
    return _with_unit(record, _number(record, "true_value") if error == 0 else _with_error(record, "true_value", error))


def _bias(record: Record) -> str:
    if math.isnan(float(record["bias"])):
        return "–"
    return _with_unit(record, _with_error(record, "bias", float(record["bias_mcse"])))


def _number(record: Record, name: str) -> str:
    return measures.shown(float(record[name]), str(record["measure"]), decimals=_decimals(record), signed=True)


def _with_error(record: Record, name: str, error: float) -> str:
    measure = str(record["measure"])
    return measures.with_error(float(record[name]), error, measure, decimals=_decimals(record), signed=True)


def _with_unit(record: Record, number: str) -> str:
    """Return a number with its unit; what a number is that has none, in brackets."""
    measure = str(record["measure"])
    unit = measures.unit_of(measure)
    return f"{number} {unit}" if _is_in_units(measure) else f"{number} ({unit})"


def _is_in_units(measure: str) -> bool:
    """Return whether a number of a measure has a unit: points, percentage points, days."""
    return MEASURES[measure].unit not in ("log", "probability")


def _cell(record: Record, seen: str, value: str) -> MatrixCell:
    share, error, _ = shown_share(record)
    coverage = float(record["coverage"])
    flags = flags_of(record)
    return MatrixCell(
        bias=_bias(record),
        coverage="" if math.isnan(coverage) else _share(coverage, float(record["coverage_mcse"])),
        power=f"{'Type I error' if record['null'] else 'Power'} {_share(share, error)}",
        flags=flags,
        sentence=_sentence(record, flags, seen, value) if any(flags) else "",
    )


def _share(share: float, error: float) -> str:
    return "–" if math.isnan(share) else f"{fixed(100 * share, 1)} ± {fixed(100 * error, 1)} %"


def _decimals(record: Record) -> int:
    return measures.decimals_of(str(record["measure"]), float(record["empirical_se"]))


def _analysis(record: Record, seen: str) -> str:
    """Return an analysis as a sentence begins, and whom it sees where that is not everybody."""
    name = str(record["method"])
    words = method_words(name)
    # A name that the scenario gives is left as it is.
    words = words if words == name else words[:1].upper() + words[1:]
    return f"{words}{seen}" if record["share_missing"] > 0 else words


def _seen(variant: Mapping[str, Any], estimand: Mapping[str, Any], name: str) -> str:
    """Return whom an analysis sees that looks at the visit alone: those who stayed, without events set aside."""
    method = next(str(one["method"]) for one in estimand["analyses"] if str(one["name"]) == name)
    if method not in _AT_THE_VISIT:
        return ""
    dropout, events, *_ = _handled(estimand)
    known = _event_labels(variant)
    without = [f"without {_inside(known[event])}" for event, strategy in events if strategy == "hypothetical"]
    stayed = ["who stayed"] if variant["dropout"] is not None and dropout == "hypothetical" else []
    told = [*stayed, *([joined(without)] if without else [])]
    return f" on those {' '.join(told)}" if told else ""


def _event_labels(variant: Mapping[str, Any]) -> dict[str, str]:
    return {str(event["name"]): str(event["label"]) for event in variant.get("events") or ()}


def _inside(label: str) -> str:
    """Return a label as it stands inside a sentence; abbreviations keep their capitals."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


def _sentence(record: Record, flags: Flags, seen: str, value: str) -> str:
    """Return what is wrong with an analysis: by how much it misses, and how often its intervals hold the true value."""
    covered = float(record["coverage"])
    level = percent(1.0 - float(record["alpha"]))
    share = f"in {_share(covered, float(record['coverage_mcse']))} of trials"
    if not flags.bias:
        why = "more often than they should" if covered > 1.0 - float(record["alpha"]) else "too rarely"
        name = method_words(str(record["method"]))
        return f"The {level} intervals of {name} hold {value} {share}, {why}{_spread(record, covered)}."
    missed = f"{_analysis(record, seen)} misses {value} by {_distance(record)}"
    return f"{missed}; its {level} intervals hold it {share}." if flags.coverage else f"{missed}."


def _distance(record: Record) -> str:
    """Return the size of the bias in its unit, and from what to what."""
    measure, places = str(record["measure"]), _decimals(record)
    size = measures.with_error(abs(float(record["bias"])), float(record["bias_mcse"]), measure, decimals=places)
    unit = measures.unit_of(measure) if _is_in_units(measure) else f"on the scale of the {measures.unit_of(measure)}"
    mean, truth = _number(record, "mean_estimate"), _number(record, "true_value")
    return f"{size} {unit} ({mean} on average, {truth} in truth)"


def _spread(record: Record, covered: float) -> str:
    """Return that standard errors are too small or too large, where they are and the coverage goes with it."""
    reported, seen = float(record["model_se"]), float(record["empirical_se"])
    small = covered < 1.0 - float(record["alpha"])
    if math.isnan(reported) or (reported < seen) != small:
        return ""
    measure, places = str(record["measure"]), _decimals(record)
    told = (measures.shown(size, measure, decimals=places) for size in (reported, seen))
    return ": it takes its standard error for {}, and the estimates spread by {}".format(*told)
