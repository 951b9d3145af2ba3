"""Sections of a report that are paragraphs and tables of text, each there only where a run has something to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from trialsim.report.blinding import blinding_of, blinding_section
from trialsim.report.clinic import CAPTION as CLINIC_CAPTION
from trialsim.report.clinic import clinic_of, clinic_words
from trialsim.report.operations_section import operations_told
from trialsim.report.safety import SAFETY_CAPTION, STOPPING_CAPTION, safety_tables, stopping_tables, stopping_words
from trialsim.report.twins import TWINS_CAPTION, twin_rows, twins_of
from trialsim.report.words import estimand_label


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of text: its caption, column headings, and rows as long as these; the first column heads its row.

    The first `words` columns are words, which stand on the left and wrap; all others are numbers.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its anchor, heading, paragraphs and tables."""

    anchor: str
    heading: str
    paragraphs: tuple[str, ...]
    tables: tuple[TextTable, ...]


def sections_of(
    folder: Path, summary: pd.DataFrame, resolved: Mapping[str, Any], labels: Mapping[str, str]
) -> list[Section]:
    """Return the sections that a run folder has files for, in the order of the report.

    Parameters
    ----------
    folder : Path
    summary : DataFrame
        The summary of the run.
    resolved : mapping
        The resolved scenario.
    labels : mapping
        Words for arms, strata, outcomes and estimands.
    """
    found = (
        _clinic(folder, summary, labels),
        _twins(folder, summary, labels),
        _blinding(folder, summary, resolved, labels),
        _safety(folder, resolved, labels),
        _operations(folder, summary, resolved, labels),
    )
    return [section for section in found if section is not None]


def _clinic(folder: Path, summary: pd.DataFrame, labels: Mapping[str, str]) -> Section | None:
    effects = clinic_of(folder)
    if effects is None:
        return None
    told = clinic_words(effects, summary, labels=labels)
    tables = [
        TextTable(
            estimand_label(name, labels),
            ("Truth", "What it means"),
            tuple((item.setting or "As in the scenario", item.words) for item in told if item.estimand == name),
            words=2,
        )
        for name in dict.fromkeys(item.estimand for item in told)
    ]
    return Section("clinic", "In the words of the clinic", (CLINIC_CAPTION,), tuple(tables))


def _twins(folder: Path, summary: pd.DataFrame, labels: Mapping[str, str]) -> Section | None:
    twins = twins_of(folder)
    if twins is None:
        return None
    words, tables = [TWINS_CAPTION], []
    for item in twin_rows(twins, summary, labels=labels):
        tables.append(TextTable(f"{item.label}. Closed form: {item.formulas}.", item.header, item.rows))
        if item.leaves_out:
            words.append(f"{item.label}: why the two may differ. {item.leaves_out}")
    return Section("twins", "Beside the closed form", tuple(words), tuple(tables))


def _blinding(
    folder: Path, summary: pd.DataFrame, resolved: Mapping[str, Any], labels: Mapping[str, str]
) -> Section | None:
    told = blinding_section(blinding_of(folder), summary, resolved, labels)
    if told is None:
        return None
    guesses = TextTable(
        told["caption"],
        ("Setting", "Arm", "Guess active, %", "Bang's index", "James' index"),
        tuple((row.setting, row.arm, row.says_active, row.bang, row.james) for row in told["guesses"]),
        words=2,
    )
    expectancy = TextTable(
        told["expectancy_caption"],
        ("Setting", "Question", "Mean estimate", "Drug alone", "Expectancy", "Share of the estimate"),
        tuple(
            (row.setting, row.label, row.estimate, row.drug, row.expectancy, row.share) for row in told["expectancy"]
        ),
        words=2,
    )
    tables = tuple(table for table in (guesses, expectancy) if table.rows)
    return Section("blinding", "Guesses and expectancy", tuple(told["words"]), tables)


def _safety(folder: Path, resolved: Mapping[str, Any], labels: Mapping[str, str]) -> Section | None:
    seen = _frame(folder, "safety")
    if seen is None:
        return None
    tables = []
    for table in safety_tables(seen, resolved, labels):
        rows = []
        for row in table.rows:
            rows.append((f"{row.label}: patients, %", *row.patients))
            rows.append((f"{row.label}: events in a trial", *row.events))
            rows.append((f"{row.label}: rate", *row.rates))
        caption = f"{_setting(table.setting)}{table.n} patients randomised. {SAFETY_CAPTION}"
        tables.append(TextTable(caption, ("Event", *table.arms), tuple(rows)))
    stops = _frame(folder, "stopping")
    for stop in [] if stops is None else stopping_tables(stops, labels):
        rows = [(label, *cells) for label, cells in stop.rows]
        header = ("Patients randomised", *(str(size) for size in stop.sizes))
        tables.append(TextTable(f"{_setting(stop.setting)}{STOPPING_CAPTION}", header, tuple(rows)))
    return Section("safety", "Safety", tuple(stopping_words(resolved, labels)), tuple(tables))


def _operations(
    folder: Path, summary: pd.DataFrame, resolved: Mapping[str, Any], labels: Mapping[str, str]
) -> Section | None:
    told = operations_told(folder, summary, resolved, labels)
    if told is None:
        return None
    words, tables = told
    return Section("operations", "Running the trial", words, tuple(TextTable(*table) for table in tables))


def _setting(words: str) -> str:
    return f"{words}. " if words else ""


def _frame(folder: Path, name: str) -> pd.DataFrame | None:
    path = folder / f"{name}.parquet"
    return pd.read_parquet(path) if path.exists() else None
