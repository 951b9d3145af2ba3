"""Assurance as tables: every measure with its error, and the draws of the priors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from trialsim.report.words import value_words

MEASURE_COLUMNS = ("setting", "n_total", "measure", "value", "mcse", "low", "high")


def measures_table(answer: Mapping[str, Any]) -> pd.DataFrame:
    """Return every measure by varied value and number of patients.

    Parameters
    ----------
    answer : mapping
        Of `Assurance`, as plain data.

    Returns
    -------
    DataFrame
        Columns `setting` (words; empty where nothing is varied), `n_total` (missing for what the priors alone say),
        `measure`, `value`, `mcse`, and `low` and `high` of the 95 % interval.
    """
    rows = []
    for cell in answer["cells"]:
        setting = setting_of(cell)
        rows += [_row(setting, None, name, told) for name, told in cell["measures"].items()]
        for size in cell["sizes"]:
            rows += [_row(setting, size["n_total"], name, told) for name, told in size["measures"].items()]
    frame = pd.DataFrame(rows, columns=list(MEASURE_COLUMNS))
    return frame.astype({"n_total": "Int64"})


def _row(setting: str, n: int | None, name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    return {"setting": setting, "n_total": n, "measure": name, **told}


def draws_table(answer: Mapping[str, Any]) -> pd.DataFrame:
    """Return the draws of the priors, a row each.

    Parameters
    ----------
    answer : mapping

    Returns
    -------
    DataFrame
        Columns `setting`, one for each path with a prior, `effect` (true, active − control) and `power_N` for each
        number of patients.
    """
    frames = [pd.DataFrame({"setting": setting_of(cell), **cell["table"]}) for cell in answer["cells"]]
    return pd.concat(frames, ignore_index=True)


def setting_of(cell: Mapping[str, Any]) -> str:
    """Return the varied values of a cell in words; empty where nothing is varied."""
    return ", ".join(f"{path} = {value_words(path, value)}" for path, value in cell["settings"].items())
