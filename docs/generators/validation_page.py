"""docs/validation.md and docs/validation.csv: what other software gives and what trialsim gives, test by test.

The oracle tests are run in processes of their own; what their `Reference` compared is what the page shows.
"""

from __future__ import annotations

import ast
import csv
import functools
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests" / "oracle"

INTRODUCTION = """\
# Validation

Every analysis is checked against other software on data sets that are part of the test suite. This page is made by
`python docs/generate.py validation.md`, which runs the tests in `tests/oracle` and shows what they compared:
{numbers:,} numbers in {kinds} kinds of result. `pytest tests/oracle` checks the same numbers on every change.

- **Source.** The numbers were made by the software named, on data that this project's own scripts generated; see
  [tests/oracle/data](../tests/oracle/data/README.md). Functions without a version are part of R itself.
- **Numbers.** How many numbers were compared. [validation.csv](validation.csv) has a line for every fit and quantity,
  with the first of its numbers as expected and as ours.
- **Difference.** The largest, as a power of ten that it stays below, in the unit of what is allowed: *relative* to
  their number, in their standard errors (*SE*), or the plain difference. "1e-10 relative or 1e-13" allows the larger
  of the two. Differences below 1e-12 are rounding and not told apart. *Above* is by how much a −2 log-likelihood may
  exceed theirs; a lower one is a better fit.
- **Of the allowed.** The largest difference as a share of what is allowed. Where it is near 1 it is the other software
  that stops early or simulates; the tests say which.

The two data sets that belong to R packages, FEV and the antidepressant trial, are not part of this project. Their
tests run where the files are at hand, and are not on this page.

What is checked by closed forms, by simulation and by slow reference loops is in `tests/theory`, `tests/statistical` and
`tests/reference`; see [CONTRIBUTING](../CONTRIBUTING.md). How often each test errs in small trials is shown in
[Type I error](type_i_error.md).
"""

SHOWN = 4
"""Data sets of a kind shown on the page."""

FIELDS = ("kind", "source", "case", "quantity", "numbers", "expected", "ours", "difference", "allowed")


class Compared(NamedTuple):
    """One quantity of one case: how many numbers, the first of theirs and of ours, and the largest difference."""

    test: str
    kind: str
    source: str
    case: str
    quantity: str
    allowed: str
    allowance: float
    numbers: int
    theirs: float
    ours: float
    difference: float

    @property
    def data(self) -> str:
        """The data set: the case without the fit."""
        return self.case.split(": ", 1)[0]

    @property
    def share(self) -> float:
        """The largest difference as a share of what is allowed; NaN where equality is asked for."""
        return self.difference / self.allowance if self.allowance else np.nan


@functools.cache
def comparisons() -> tuple[Compared, ...]:
    """Run the oracle tests and return what they compared, sorted by test file, kind, source, case and order.

    Raises
    ------
    RuntimeError
        If a test fails: a page of numbers that do not agree is not made.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = [
            "-n",
            "0",
            "-p",
            "oracle.comparison",
            "-p",
            "no:cacheprovider",
            "-k",
            "not fev and not antidepressant",
        ]
        run = subprocess.run(  # noqa: S603 - this interpreter runs this project's tests
            [sys.executable, "-m", "pytest", *options, str(TESTS)],
            cwd=ROOT,
            env={**_environment(), "TRIALSIM_COMPARISONS": folder, "PYTHONPATH": str(ROOT / "tests")},
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise RuntimeError(f"oracle tests fail, so there is no page to make of them:\n{run.stdout[-4000:]}")
        notes = [Compared(**note) for path in Path(folder).glob("*.json") for note in json.loads(path.read_text())]
    first: dict[str, str] = {}
    for note in sorted(notes, key=lambda note: note.test):
        first.setdefault(note.kind, note.test.split("::", 1)[0])
    return tuple(sorted(notes, key=lambda note: (first[note.kind], note.kind.casefold(), *_place(note))))


def _environment() -> dict[str, str]:
    """Return the environment without what pytest tells its own workers, with one thread for linear algebra."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    return {**kept, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _place(note: Compared) -> tuple[Any, ...]:
    """Return where a note stands in its kind: sorting is stable, so those of one test and case keep their order."""
    return note.source, _natural(note.case), _natural(note.test)


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts m2 before m10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text)]


def page() -> str:
    """Return the page."""
    notes = comparisons()
    by_kind = [list(group) for _, group in groupby(notes, key=lambda note: (note.kind, note.source))]
    parts = [INTRODUCTION.format(numbers=sum(note.numbers for note in notes), kinds=len(by_kind))]
    parts += ["## Summary\n", _summary(by_kind)]
    for _, group in groupby(by_kind, key=lambda kind: kind[0].kind):
        of_kind = list(group)
        parts.append(f"## {of_kind[0][0].kind}\n")
        for kind in of_kind:
            parts += [f"Compared with {kind[0].source}.\n", _quantities(kind), _cases(kind)]
    return "\n".join([*parts, "## The tests\n", _test_files(notes)])


def table() -> str:
    """Return all comparisons as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for note in comparisons():
        words = (note.kind, note.source, note.case, note.quantity, note.numbers)
        writer.writerow((*words, _number(note.theirs), _number(note.ours), _below(note.difference), note.allowed))
    return text.getvalue()


def _summary(by_kind: list[list[Compared]]) -> str:
    rows = []
    for kind in by_kind:
        numbers = f"{sum(note.numbers for note in kind):,}"
        data = str(len({note.data for note in kind}))
        rows.append((kind[0].kind, kind[0].source, data, numbers, _share(kind)))
    return _markdown(("kind", "source", "data sets", "numbers", "largest difference, of the allowed"), rows)


def _quantities(kind: list[Compared]) -> str:
    rows = []
    for quantity, allowed in dict.fromkeys((note.quantity, note.allowed) for note in kind):
        notes = [note for note in kind if (note.quantity, note.allowed) == (quantity, allowed)]
        cases = str(len({note.case for note in notes}))
        largest = _below(max(note.difference for note in notes)) if notes[0].allowance else "none"
        rows.append((quantity, cases, f"{sum(note.numbers for note in notes):,}", largest, allowed))
    return _markdown(("quantity", "cases", "numbers", "largest difference", "allowed"), rows)


def _cases(kind: list[Compared]) -> str:
    """Return a folded table with the first fit of each data set."""
    rows = []
    for data, group in groupby(kind, key=lambda note: note.data):
        notes = list(group)
        first = next((note for note in notes if note.quantity == "estimate"), notes[0])
        fit = first.case.removeprefix(data).removeprefix(": ")
        numbers = f"{sum(note.numbers for note in notes):,}"
        both = (_number(first.theirs), _number(first.ours))
        rows.append((data, ", ".join(word for word in (fit, first.quantity) if word), *both, numbers, _share(notes)))
    headings = ("data", "shown", "expected", "ours", "numbers compared", "of the allowed")
    more = f" of {len(rows)}" if len(rows) > SHOWN else ""
    heading = f"<details><summary>Data sets: {min(len(rows), SHOWN)}{more}</summary>\n\n"
    return heading + _markdown(headings, rows[:SHOWN]) + "\n</details>\n"


def _test_files(notes: Iterable[Compared]) -> str:
    """Return every file of oracle tests with what it says of itself and how many numbers it compared."""
    counts: dict[str, int] = {}
    for note in notes:
        name = Path(note.test.split("::", 1)[0]).stem
        counts[name] = counts.get(name, 0) + note.numbers
    rows = []
    for path in sorted(TESTS.glob("test_*_against_*.py")):
        words = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        first = " ".join(words.split("\n\n", 1)[0].split())
        rows.append((f"[{path.stem}](../tests/oracle/{path.name})", first, f"{counts.get(path.stem, 0):,}"))
    return _markdown(("tests", "what is held against what", "numbers"), rows)


def _share(notes: Iterable[Compared]) -> str:
    shares = [note.share for note in notes if note.allowance]
    return _below(max(shares), least=-3) if shares else "equal"


def _below(difference: float, *, least: int = -12) -> str:
    """Return a power of ten that a difference is below; what is smaller than 10 to the `least` is not told apart."""
    exponent = least if difference < 10.0**least else int(np.floor(np.log10(difference))) + 1
    return "< 1" if exponent == 0 else f"< 1e{exponent}"


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"


def _markdown(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(headings)} |", "|" + "---|" * len(headings)]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join([*lines, ""])
