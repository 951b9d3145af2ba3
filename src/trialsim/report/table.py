"""The answer as a table: varied values by number of patients, power in each cell, as plain data.

Where hypotheses are tested together, power is that within the procedure; that of the test alone is beside it.

The command line, the HTML report and other programs print the same table, each in its own way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from trialsim.report.claims import CO_PRIMARY, everywhere_null_note, nominal_level, null_note, power_name
from trialsim.report.families import family_labels, member_row, members_of, procedure_name
from trialsim.report.summary import (
    Hypothesis,
    hypotheses,
    records_of,
    rows_of,
    shown_share,
    usable_fits,
    varied_paths,
)
from trialsim.report.words import fixed, path_words, value_words

ALL_OR_NONE = "Where all trials or none find it, the 95 % interval stands in place of an error of 0."


@dataclass(frozen=True, slots=True)
class PowerCell:
    """One cell: power, or the type I error where every claim is false.

    Parameters
    ----------
    n : int
        Patients randomised.
    share, mcse, low, high : float
        The share of fits, its Monte Carlo standard error and its 95 % Wilson interval.
    null : bool
        Whether `share` is the type I error.
    alpha : float
        Two-sided significance level.
    usable, failed : int
        Fits that gave an estimate, and fits that did not.
    test : {'superiority', 'non_inferiority', 'equivalence'}
    within : str
        The procedure that `share` is within; empty for the test alone.
    members : int
        Hypotheses of the procedure.
    alone : PowerCell or None
        The test alone, where `share` is within a procedure.
    """

    n: int
    share: float
    mcse: float
    low: float
    high: float
    null: bool
    alpha: float
    usable: int
    failed: int
    test: str = "superiority"
    within: str = ""
    members: int = 0
    alone: PowerCell | None = None

    @property
    def level(self) -> float:
        """The chance of a false claim that the test is built for: alpha, or alpha / 2 against a margin."""
        return self.alpha if self.within else nominal_level(self.alpha, self.test)

    @property
    def claim(self) -> str:
        """What a success claims: what the test shows, or that all of the co-primary hypotheses hold."""
        return CO_PRIMARY if self.within == CO_PRIMARY else self.test

    @property
    def text(self) -> str:
        """Percent and its MCSE, `81.2 ± 1.7`, with a dash where no fit gave an estimate."""
        if math.isnan(self.share):
            return "–"
        return share_words(self.share, self.mcse, self.low, self.high)


@dataclass(frozen=True, slots=True)
class PowerRow:
    """One combination of varied values: the values as they are and in words, and a cell per size."""

    settings: Mapping[str, Any]
    words: tuple[str, ...]
    cells: tuple[PowerCell | None, ...]

    @property
    def null(self) -> bool:
        """Whether there is nothing to find in this row: no difference, or one that reaches the margin."""
        return any(cell.null for cell in self.cells if cell)


@dataclass(frozen=True, slots=True)
class PowerTable:
    """Power of one hypothesis in all cells of a run.

    Parameters
    ----------
    hypothesis : Hypothesis
    headings : tuple of str
        One per varied path, in words.
    sizes : tuple of int
        Patients randomised, rising.
    rows : tuple of PowerRow
        In the order of the scenario's `vary`.
    members : tuple of str
        Words for the co-primary hypotheses where all numbers are about all of them; empty otherwise.
    """

    hypothesis: Hypothesis
    headings: tuple[str, ...]
    sizes: tuple[int, ...]
    rows: tuple[PowerRow, ...]
    members: tuple[str, ...] = ()

    @property
    def null(self) -> bool:
        """Whether there is no true difference anywhere, so that no number is a power."""
        return all(row.null for row in self.rows)

    @property
    def tests(self) -> tuple[str, ...]:
        """What is tested in the cells, each kind once."""
        return tuple(dict.fromkeys(cell.test for row in self.rows for cell in row.cells if cell))

    @property
    def quantity(self) -> str:
        """What the numbers are: `Power`, with what it shows, or `Type I error` where there is nothing to find."""
        return "Type I error" if self.null else power_words(cell for row in self.rows for cell in row.cells if cell)

    @property
    def alone(self) -> PowerTable | None:
        """The same for the test alone; None where no number is within a procedure."""
        if not any(cell.alone for row in self.rows for cell in row.cells if cell):
            return None
        rows = (replace(row, cells=tuple(cell and (cell.alone or cell) for cell in row.cells)) for row in self.rows)
        return replace(self, rows=tuple(rows), members=())

    @property
    def measure(self) -> str:
        """The quantity with its unit."""
        return f"{self.quantity}, %"

    @property
    def header(self) -> tuple[str, ...]:
        """Column headings of the printed table."""
        return (*(self.headings or ("Patients randomised",)), *(str(size) for size in self.sizes))

    @property
    def body(self) -> tuple[tuple[str, ...], ...]:
        """Printed rows, as long as the header."""
        return tuple(
            (*(row.words or (self.measure,)), *(cell.text if cell else "" for cell in row.cells)) for row in self.rows
        )

    @property
    def caption(self) -> str:
        """What the numbers are, in a sentence or two."""
        words = f"{self.quantity} in %, ± its Monte Carlo standard error, by patients randomised."
        nulls = [cell.claim for row in self.rows for cell in row.cells if cell and cell.null]
        if self.null:
            words += f" {everywhere_null_note(nulls)}"
        elif nulls:
            words += f" {null_note(nulls)}"
        if any(cell.share in (0.0, 1.0) for row in self.rows for cell in row.cells if cell):
            words += f" {ALL_OR_NONE}"
        failed = sum(cell.failed for row in self.rows for cell in row.cells if cell)
        if failed:
            words += " 1 fit failed and is" if failed == 1 else f" {failed:,} fits failed and are"
            words += " in no denominator."
        return words


def share_words(share: float, mcse: float, low: float, high: float) -> str:
    """Return a share of trials in percent with its error; with its Wilson interval where that would be 0."""
    if share in (0.0, 1.0):
        return f"{fixed(100 * share, 1)} ({fixed(100 * low, 1)} to {fixed(100 * high, 1)})"
    return f"{fixed(100 * share, 1)} ± {fixed(100 * mcse, 1)}"


def all_words(number: int) -> str:
    """Return `both`, or `all 3`."""
    return "both" if number == 2 else f"all {number}"


def power_words(cells: Iterable[PowerCell]) -> str:
    """Return what the power of some cells is called: what it shows, and the procedure that it is within."""
    found = [cell for cell in cells if not cell.null]
    return power_of([(cell.within, cell.members) for cell in found], [cell.test for cell in found])


def power_of(decided: Iterable[tuple[str, int]], tests: Iterable[str] = ()) -> str:
    """Return what a power is called.

    Parameters
    ----------
    decided : iterable of (str, int)
        The procedures that it is within, empty for the test alone, and how many hypotheses each has.
    tests : iterable of str
        What is tested.
    """
    power = power_name(tests)
    members = dict(decided)
    procedures = set(members)
    if procedures == {CO_PRIMARY}:
        return f"Power for {all_words(members[CO_PRIMARY])} co-primary hypotheses"
    if not any(procedures):
        return power
    if len(procedures) == 1:
        return f"{power} within the procedure ({procedure_name(procedures.pop())})"
    return f"{power} within the procedure" + (", where there is one" if "" in procedures else "")


def power_table(
    summary: pd.DataFrame,
    *,
    hypothesis: Hypothesis | None = None,
    labels: Mapping[str, str] | None = None,
    families: pd.DataFrame | None = None,
) -> PowerTable:
    """Return the power table of one hypothesis.

    Parameters
    ----------
    summary : DataFrame
        The summary of a run.
    hypothesis : Hypothesis, optional
        The primary estimand by its first method when left out.
    labels : mapping, optional
        Words for arms, strata and outcomes.
    families : DataFrame, optional
        The summary of hypotheses tested together: power is then that within the procedure, of co-primary hypotheses
        that all of them are found. Where there is nothing to find it remains the test alone, but for co-primary
        hypotheses, where a success is false as soon as one of them has nothing to find.
    """
    chosen = hypothesis or hypotheses(summary)[0]
    paths = varied_paths(summary)
    part = rows_of(summary, chosen)
    sizes = tuple(sorted(int(size) for size in part["n"].unique()))
    decided = power_cells(summary, chosen, families=families)
    rows = []
    for _, group in part.groupby("variant", sort=False):
        records = records_of(group)
        cells = {int(record["n"]): decided[record["cell"]] for record in records}
        settings = {path: records[0][path] for path in paths}
        rows.append(
            PowerRow(
                settings=settings,
                words=tuple(value_words(path, value, labels=labels) for path, value in settings.items()),
                cells=tuple(cells.get(size) for size in sizes),
            )
        )
    headings = tuple(path_words(path, labels=labels) for path in paths)
    members = _co_primary(summary, decided.values(), families, labels)
    return PowerTable(hypothesis=chosen, headings=headings, sizes=sizes, rows=tuple(rows), members=members)


def _co_primary(
    summary: pd.DataFrame,
    cells: Iterable[PowerCell],
    families: pd.DataFrame | None,
    labels: Mapping[str, str] | None,
) -> tuple[str, ...]:
    """Return the words for the co-primary hypotheses that all cells are about; none where there are others too."""
    if families is None or any(cell.within != CO_PRIMARY for cell in cells):
        return ()
    found = {tuple(members_of(record, summary)) for record in records_of(families)}
    return tuple(family_labels(summary, list(found.pop()), labels)) if len(found) == 1 else ()


def power_cells(
    summary: pd.DataFrame, hypothesis: Hypothesis, *, families: pd.DataFrame | None = None
) -> dict[int, PowerCell]:
    """Return what `power_table` tells of each cell, by its number; parameters as there."""
    together = {} if families is None else {record["cell"]: record for record in records_of(families)}
    return {
        int(record["cell"]): _within(_cell(record), together.get(record["cell"]), hypothesis, summary)
        for record in records_of(rows_of(summary, hypothesis))
    }


def _cell(record: Mapping[str, Any]) -> PowerCell:
    share, mcse, interval = shown_share(record)
    return PowerCell(
        n=int(record["n"]),
        share=share,
        mcse=mcse,
        low=interval.low,
        high=interval.high,
        null=bool(record["null"]),
        alpha=float(record["alpha"]),
        usable=usable_fits(record),
        failed=int(record["failed"]),
        test=str(record["test"]),
    )


def _within(
    cell: PowerCell, record: Mapping[str, Any] | None, hypothesis: Hypothesis, summary: pd.DataFrame
) -> PowerCell:
    """Return a cell within its procedure, whose row of the families' summary is `record`; as it is outside of any."""
    members = [] if record is None else members_of(record, summary)
    if record is None or hypothesis not in members:
        return cell
    procedure = str(record["procedure"])
    if procedure != CO_PRIMARY and cell.null:
        return cell
    within = replace(cell, within=procedure, members=len(members), alpha=float(record["alpha"]), alone=cell)
    if procedure != CO_PRIMARY:
        row = member_row(record, hypothesis, members.index(hypothesis), summary)
        return _with_share(within, row, "adjusted_power")
    null = record["true_effects"] < len(members)
    usable = int(record["usable"])
    found = _with_share(within, record, "family_wise_error" if null else "conjunctive_power")
    return replace(found, null=null, usable=usable, failed=int(record["replicates"]) - usable)


def _with_share(cell: PowerCell, row: Mapping[str, Any], name: str) -> PowerCell:
    share, mcse, low, high = (float(row[f"{name}{end}"]) for end in ("", "_mcse", "_low", "_high"))
    return replace(cell, share=share, mcse=mcse, low=low, high=high)
