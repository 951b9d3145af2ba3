"""How the trials of a run were carried out: the section and the figures of its report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from trialsim.report.design import labels_of
from trialsim.report.families import families_of
from trialsim.report.figure_files import Draw
from trialsim.report.operations import CAVEAT, MIX, Operated, operated_of, power_of_run
from trialsim.report.operations_tables import Table, power_table, tables
from trialsim.report.operations_words import answer_words
from trialsim.report.questions import variants_of
from trialsim.report.summary import hypotheses, records_of, rows_of, setting_words, varied_paths

FILES = ("operations_summary", "operations_calendar", "operations_waits")

CONSEQUENCES = (
    "Late and missed infusions weaken the course, waiting makes patients leave, a visit outside its window is missing, "
    "sites and therapy groups are those that came about, and where recruitment ends before its number is reached the "
    "trial has the patients it has: power here is that of the trial as it was run. True values are those of treatment "
    "as planned, so that what the clinic takes away shows as bias."
)


def operations_told(
    folder: Path, summary: pd.DataFrame, resolved: Mapping[str, Any], labels: Mapping[str, str]
) -> tuple[tuple[str, ...], list[Table]] | None:
    """Return the paragraphs and tables of a run's section on operations; None where nothing is said of them.

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
    found = _operated(folder, resolved, labels)
    if not found:
        return None
    words: list[str] = []
    for setting, told in found:
        words += [f"{setting}. {text}" if setting else text for text in answer_words(told)]
    setting, first = found[0]
    begin = f"{setting}. " if len(found) > 1 else ""
    shown = [(f"{begin}{caption}", header, rows) for caption, header, rows in tables(first)]
    power = _power(folder, summary, resolved)
    if not power.empty:
        shown.insert(0, power_table(power))
    full = any(told.is_full(n) for _, told in found for n in told.sizes)
    return (*words, CONSEQUENCES, *([MIX] if full else []), CAVEAT), shown


def running_words(folder: Path, resolved: Mapping[str, Any]) -> list[str]:
    """Return how the trials of a run were carried out, one paragraph for each number of patients.

    Parameters
    ----------
    folder : Path
    resolved : mapping
        The resolved scenario.

    Returns
    -------
    list of str
        Empty where nothing is said of operations, or where several variants were run: those stand in the report.
    """
    found = _operated(folder, resolved, labels_of(resolved))
    return answer_words(found[0][1]) if len(found) == 1 else []


def operations_drawings_of(
    folder: Path, summary: pd.DataFrame, resolved: Mapping[str, Any], labels: Mapping[str, str]
) -> dict[str, tuple[pd.DataFrame, Draw]]:
    """Return the figures on operations of a run, of its first variant but for power; nothing where there are none.

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
    found = _operated(folder, resolved, labels)
    if not found:
        return {}
    from trialsim.report.figures.operations import operations_drawings

    told = found[0][1]
    return operations_drawings(told, _power(folder, summary, resolved), _missing(told, summary))


def _missing(told: Operated, summary: pd.DataFrame) -> dict[str, float]:
    """Return who has no score at the primary visit, in the largest trials of a variant."""
    primary = rows_of(summary, hypotheses(summary)[0])
    row = primary[(primary["variant"] == told.summary["variant"].iloc[0]) & (primary["n"] == max(told.sizes))].iloc[0]
    return {name: float(row[name]) for name in ("visit_days", "share_missing")}


def _power(folder: Path, summary: pd.DataFrame, resolved: Mapping[str, Any]) -> pd.DataFrame:
    """Return power beside what it takes, of the cells that say how trials are run."""
    operated = pd.read_parquet(folder / f"{FILES[0]}.parquet")
    own = summary[summary["cell"].isin(operated["cell"])]
    return power_of_run(own, operated, resolved, families=families_of(folder))


def _operated(folder: Path, resolved: Mapping[str, Any], labels: Mapping[str, str]) -> list[tuple[str, Operated]]:
    """Return how trials are run by variant, with its varied values in words."""
    if not (folder / f"{FILES[0]}.parquet").exists():
        return []
    files = {
        name: pd.read_parquet(path) if (path := folder / f"{name}.parquet").exists() else _no_waits() for name in FILES
    }
    paths = varied_paths(files[FILES[0]])
    found = []
    for variant in variants_of(resolved):
        rows = files[FILES[0]][files[FILES[0]]["variant"] == variant["index"]]
        if rows.empty:
            continue
        first = records_of(rows.head(1))[0]
        setting = setting_words({path: first[path] for path in paths}, labels=labels)
        found.append((setting, operated_of(files, variant, labels, int(variant["index"]))))
    return found


def _no_waits() -> pd.DataFrame:
    """Return a table of waiting times where nobody waits for anything."""
    return pd.DataFrame(columns=["cell", "variant", "n", "queue", "days", "trials", "mean", "mcse", "q05", "q95"])
