"""Hypotheses that are tested together: the procedure in words, and power alone, within it, of any and of all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from trialsim.report.questions import variants_of
from trialsim.report.summary import (
    Hypothesis,
    hypotheses,
    hypothesis_words,
    records_of,
    setting_words,
    varied_paths,
)
from trialsim.report.words import fixed, joined, method_words, percent

_NAMES = {
    "bonferroni": "Bonferroni",
    "holm": "Holm",
    "hochberg": "Hochberg",
    "hommel": "Hommel",
    "fixed_sequence": "fixed sequence",
    "fallback": "fallback",
    "dunnett": "Dunnett",
    "graph": "graph",
    "co_primary": "co-primary",
}
_RULES = {
    "bonferroni": "each hypothesis is tested at its own share of the level, whatever becomes of the others",
    "holm": "step-down after Holm: the share of a rejected hypothesis goes to those that are left",
    "hochberg": "step-up after Hochberg: from the largest p on, all are rejected as soon as one is small enough",
    "hommel": "closed test after Hommel, with Simes' test of every intersection",
    "fixed_sequence": "one after the other in this order, each at the whole level, until one is not rejected",
    "fallback": "one after the other in this order, each at its share, to which a rejected one adds its own",
    "dunnett": "step-down after Dunnett: several arms against one control, with the correlation of the comparisons",
    "graph": "graphical procedure (Bretz et al. 2009): the share of a rejected hypothesis goes where the arrows point",
    "co_primary": "all must be rejected for the active arm, each at the whole level; one alone is no success",
}


NOTHING = "–"
"""Where no fit gave an estimate."""


@dataclass(frozen=True, slots=True)
class FamilyRow:
    """One line of a family's table.

    Parameters
    ----------
    label : str
        The hypothesis, or what is counted over all of them.
    how : {'alone', 'together', ''}
        At its own level, or within the procedure; empty over all of them.
    cells : tuple of str
        Percent and its Monte Carlo standard error, by size.
    null : bool
        Whether a finding is a false one, in any of the cells.
    short : str
        What is counted over all of them, in a word.
    """

    label: str
    how: str
    cells: tuple[str, ...]
    null: bool = False
    short: str = ""


@dataclass(frozen=True, slots=True)
class FamilyTable:
    """Hypotheses tested together in one variant: what is varied, in words, the sizes, and rows as long as these."""

    setting: str
    sizes: tuple[int, ...]
    rows: tuple[FamilyRow, ...]

    @property
    def null(self) -> bool:
        """Whether a row holds false findings."""
        return any(row.null and row.how for row in self.rows)


def caption_of(tables: Sequence[FamilyTable]) -> str:
    """Return what the numbers of some tables are, in sentences."""
    words = (
        "Share of trials in %, ± its Monte Carlo standard error. Alone: the test at its own level. Together: within "
        "the procedure. Any and all: of the true effects; any null: the family-wise error rate."
    )
    if any(table.null for table in tables):
        words += (
            " Of hypotheses without anything to find, the findings in favour are shown; the family-wise error rate "
            "counts rejections either way, of co-primary hypotheses the trials that find all in favour."
        )
    if any("±" not in cell and cell != NOTHING for table in tables for row in table.rows for cell in row.cells):
        words += " Where all trials or none find it the error is not 0: the files have the 95 % interval."
    return words


def members_of(record: Mapping[str, Any], summary: pd.DataFrame) -> list[Hypothesis]:
    """Return the hypotheses of a row of the families' summary, in the procedure's order, by the names in `summary`.

    A hypothesis of which only the estimand is named is its first analysis.
    """
    asked = hypotheses(summary)
    found = []
    for name in str(record["hypotheses"]).split(", "):
        estimand, _, method = name.partition(".")
        own = [one for one in asked if one.estimand == estimand]
        found.append(next((one for one in own if one.method == method), own[0]))
    return found


def family_labels(
    summary: pd.DataFrame, members: list[Hypothesis], labels: Mapping[str, str] | None = None
) -> list[str]:
    """Return the words for hypotheses: their estimands, and their analyses where one estimand has several."""
    asked = [one.estimand for one in hypotheses(summary)]
    return [
        hypothesis_words(summary, member, labels=labels, method=asked.count(member.estimand) > 1) for member in members
    ]


def member_row(
    record: Mapping[str, Any], member: Hypothesis, position: int, summary: pd.DataFrame
) -> Mapping[str, Any]:
    """Return the row of the summary for one hypothesis in the cell of a row of the families' summary.

    Parameters
    ----------
    record : mapping
        Row of the families' summary.
    member : Hypothesis
    position : int
        Of the hypothesis in the procedure.
    summary : DataFrame
    """
    name = str(record["hypotheses"]).split(", ")[position]
    method = name.partition(".")[2]
    rows = summary[(summary["cell"] == record["cell"]) & (summary["estimand"] == member.estimand)]
    chosen = rows[rows["method"] == method] if method else rows.iloc[:1]
    return records_of(chosen)[0]


def family_tables(
    families: pd.DataFrame, summary: pd.DataFrame, *, labels: Mapping[str, str] | None = None, names: bool = False
) -> list[FamilyTable]:
    """Return one table per variant.

    Parameters
    ----------
    families : DataFrame
        The summary of hypotheses tested together.
    summary : DataFrame
        The summary of the run.
    labels : mapping, optional
        Words for estimands, arms, strata and outcomes.
    names : bool
        Whether hypotheses go by their names, which are shorter than their labels.
    """
    paths = varied_paths(families)
    tables = []
    for _, part in families.groupby("variant", sort=False):
        records = records_of(part.sort_values("n"))
        setting = setting_words({path: records[0][path] for path in paths}, labels=labels)
        tables.append(
            FamilyTable(setting, tuple(int(row["n"]) for row in records), _rows(records, summary, labels, names))
        )
    return tables


def _rows(
    records: list[dict[str, Any]], summary: pd.DataFrame, labels: Mapping[str, str] | None, names: bool
) -> tuple[FamilyRow, ...]:
    members = members_of(records[0], summary)
    said = str(records[0]["hypotheses"]).split(", ") if names else family_labels(summary, members, labels)
    rows = []
    for position, (member, label) in enumerate(zip(members, said, strict=True)):
        own = [member_row(record, member, position, summary) for record in records]
        null = any(row["null"] for row in own)
        rows.append(FamilyRow(label, "alone", tuple(_share(row, "power") for row in own), null))
        rows.append(FamilyRow(label, "together", tuple(_share(row, "adjusted_power") for row in own), null))
    for name, label, short in (
        ("disjunctive_power", "Any true effect found", "any"),
        ("conjunctive_power", "All true effects found", "all"),
        ("family_wise_error", "Any null rejected (family-wise error)", "any null"),
    ):
        if not all(math.isnan(float(record[name])) for record in records):
            cells = tuple(_share(record, name) for record in records)
            rows.append(FamilyRow(label, "", cells, name == "family_wise_error", short))
    return tuple(rows)


def _share(row: Mapping[str, Any], name: str) -> str:
    share = float(row[name])
    if math.isnan(share):
        return NOTHING
    words = fixed(100 * share, 1)
    return words if share in (0.0, 1.0) else f"{words} ± {fixed(100 * float(row[f'{name}_mcse']), 1)}"


def procedure_name(method: str) -> str:
    """Return the name of a procedure in words."""
    return _NAMES[method]


def procedure_words(resolved: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """Return the procedures of a scenario in words, each once: several where they are varied.

    Parameters
    ----------
    resolved : mapping
        The resolved scenario.
    labels : mapping
        Words for estimands, as `design.labels_of` gives them.
    """
    return list(
        dict.fromkeys(_procedure(variant, labels) for variant in variants_of(resolved) if variant.get("multiplicity"))
    )


def _procedure(variant: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    plan = variant["multiplicity"]
    called = [_member(variant, member, labels) for member in plan["hypotheses"]]
    level = percent(float(plan["alpha"]))
    listed = "; ".join(f"({place}) {name}" for place, name in enumerate(called, start=1))
    text = f"{_capital(_NAMES[plan['method']])}, two-sided level {level} of the family. {listed}. "
    text += f"{_capital(_RULES[plan['method']])}."
    if plan["weights"]:
        shares = [f"({place}) {percent(float(weight))}" for place, weight in enumerate(plan["weights"], start=1)]
        text += f" Share of the level at the start: {', '.join(shares)}."
    arrows = [_arrows(place, row) for place, row in enumerate(plan["transitions"], start=1) if any(row)]
    if arrows:
        text += f" When rejected, {'; '.join(arrows)}."
    return text


def _arrows(place: int, row: list[float]) -> str:
    """Return where the share of a rejected hypothesis goes."""
    going = [f"{percent(float(share))} to ({to})" for to, share in enumerate(row, start=1) if share]
    return f"({place}) passes {joined(going)}"


def _member(variant: Mapping[str, Any], member: list[int], labels: Mapping[str, str]) -> str:
    estimand = variant["estimands"][member[0]]
    label = labels.get(f"estimands.{estimand['name']}", str(estimand["name"]))
    if len(estimand["analyses"]) == 1:
        return label
    return f"{label}, {method_words(str(estimand['analyses'][member[1]]['name']))}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def families_of(folder: Path) -> pd.DataFrame | None:
    """Return the summary of hypotheses tested together from a run folder; None where each is tested alone."""
    path = folder / "families.parquet"
    return pd.read_parquet(path) if path.exists() else None
