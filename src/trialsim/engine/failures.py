"""Every fit that failed or fell back to another way, with the trial it is of and the command that shows it.

failures.csv   one row per such fit; no file where every fit went as asked for
"""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np

from trialsim.engine.plan import Cell
from trialsim.engine.store import sync_rename, temporary_for
from trialsim.kernels.operating_characteristics import CONVERGED, FAILED

if TYPE_CHECKING:
    import pyarrow as pa

FAILURES = "failures.csv"
COLUMNS = ("cell", "n", "estimand", "method", "replicate", "outcome", "rung", "command")
FOLDER = "FOLDER"
"""Stands for the run folder in commands: what is written does not depend on where."""


def trial_command(cell: int, replicate: int, *, folder: str = FOLDER) -> str:
    """Return the command that shows one simulated trial."""
    place = f'"{folder}"' if " " in folder else folder
    return f"trialsim trial {place} --cell {cell} --replicate {replicate}"


def failure_words(folder: Path, fell_back: int, failed: int) -> str:
    """Return how many fits of a run did not go as asked for, and how to look at the first; empty where all did.

    Parameters
    ----------
    folder : Path
        The run folder.
    fell_back, failed : int
    """
    path = folder / FAILURES
    if not (fell_back or failed) or not path.exists():
        return ""
    with open(path, encoding="utf-8", newline="") as handle:
        first = next(csv.DictReader(handle))
    told = [f"{count:,} {'fit' if count == 1 else 'fits'} {what}" for count, what in _counted(fell_back, failed)]
    command = trial_command(int(first["cell"]), int(first["replicate"]), folder=str(folder))
    return f"{' and '.join(told)}: listed in {path}. To look at the first: {command}"


def _counted(fell_back: int, failed: int) -> list[tuple[int, str]]:
    return [(count, what) for count, what in ((fell_back, "fell back"), (failed, "failed")) if count]


class FailureFiles:
    """Writes failures.csv cell by cell, whole or not at all; memory does not grow with its rows.

    Parameters
    ----------
    folder : Path
        The run folder.
    """

    def __init__(self, folder: Path) -> None:
        self._target = folder / FAILURES
        self._temporary = temporary_for(self._target)
        self._handle: IO[str] | None = None
        self._writer: Any = None
        self.paths: list[Path] = []

    def __enter__(self) -> Self:
        """Return itself; the file is opened with the first row."""
        return self

    def add(self, cell: Cell, table: pa.Table) -> None:
        """Add the fits of a cell that did not go as asked for.

        Parameters
        ----------
        cell : Cell
        table : pyarrow.Table
            The cell's estimates.
        """
        unusual = np.flatnonzero(np.asarray(table["status"]) != CONVERGED)
        if len(unusual) == 0:
            return
        if self._handle is None:
            self._handle = open(self._temporary, "w", encoding="utf-8", newline="")  # noqa: SIM115
            self._writer = csv.writer(self._handle, lineterminator="\n")
            self._writer.writerow(COLUMNS)
        rows = table.select(["estimand", "method", "replicate", "status", "rung"]).take(unusual).to_pylist()
        for row in rows:
            outcome = "failed" if row["status"] == FAILED else "fell_back"
            known = (cell.index, cell.n, row["estimand"], row["method"], row["replicate"], outcome, row["rung"])
            self._writer.writerow([*known, trial_command(cell.index, row["replicate"])])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Publish what was written, unless it was interrupted."""
        if self._handle is None:
            return
        self._handle.close()
        if kind is None:
            sync_rename(self._temporary, self._target)
            self.paths.append(self._target)
        else:
            self._temporary.unlink(missing_ok=True)
