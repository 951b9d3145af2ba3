"""The tables of a run for another program, kept in its folder to be given again at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trialsim.api.finished import Run

_TABLES = ("summary", "families", "twins", "operations")
"""Of a run, in the order that they are told in; only the first is always there."""


def results_of(run: Run) -> dict[str, Any]:
    """Return the tables of a finished run as JSON's types, the rows of each.

    Parameters
    ----------
    run : Run
    """
    from trialsim.report.summary import json_records

    frames = {name: getattr(run, name) for name in _TABLES}
    return {name: json_records(frame) for name, frame in frames.items() if frame is not None}


def write_results(path: Path, run: Run) -> None:
    """Write the tables of a finished run, whole or not at all.

    Parameters
    ----------
    path : Path
    run : Run
    """
    from trialsim.engine.store import write_json

    write_json(path, results_of(run))


def read_results(path: Path) -> dict[str, Any] | None:
    """Return the tables of a run from their file; None where there is none.

    Parameters
    ----------
    path : Path

    Raises
    ------
    RefusedError
        If the file is there and does not hold them.
    """
    from trialsim.engine.reading import read_json, strange

    found = read_json(path)
    if found is None:
        return None
    if _TABLES[0] not in found:
        raise strange(path, f"no {_TABLES[0]}")
    for name, rows in found.items():
        if name not in _TABLES or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise strange(path, f"{name[:80]!r} is no table of a run")
    return found
