"""docs/type_i_error.md: how often each test finds a difference where there is none, in trials of 12 per arm."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]

INTRODUCTION = """\
# Type I error in small trials

How often each test says *different* at a nominal 5 % where there is no difference, in simulated trials of 12 per arm,
complete and with 20 % dropout completely at random. Made by `python docs/generate.py type_i_error.md` from
`tests/statistical/levels.py`, which `tests/statistical/test_levels_at_twelve_per_arm.py` holds to: t, ANCOVA and
Kenward-Roger from first derivatives between .045 and .055; Fisher's test never above .05, by adding up all tables; z in
place of t above .055.

- **Level.** Share of the trials that the test rejects (p ≤ .05), its Monte Carlo standard error in brackets. A test
  that keeps its promise is at .05 or below it; one at .08 claims a difference that is not there in eight trials of 100.
- **Answered.** Share of the trials, with dropout, in which the test has an answer. Levels are of those.
- Tests in **bold** are wrong on purpose: they take the normal distribution for that of t, and show that the
  simulation sees it.

Why some tests are too bold or too cautious, and what to use instead, is told in
[Analyses as kernels](concepts/analysis_kernels.md).
"""

HEADINGS = ("test", "complete", "20 % dropout", "answered")
ROW = re.compile(r"\| (.+?) \| (\.\d{4}) \((\.\d{4})\) \| (\.\d{4}) \((\.\d{4})\) \| ([\d.]+ %) \|")


UNKNOWN = ("not simulated yet", "", "", "", "")
"""What stands for a test that the page does not have yet."""


class Row(NamedTuple):
    """One test: its level and error complete and with dropout, and the share answered, as they are printed."""

    test: str
    complete: str
    complete_mcse: str
    dropout: str
    dropout_mcse: str
    answered: str


def page() -> str:
    """Return the page, simulated; a good minute of one core."""
    return _page(_simulated)


def page_with_levels_of(text: str) -> str:
    """Return the page as it should be, with the levels that are printed in `text` taken as they are."""
    rows = {match[0]: Row(*match) for match in ROW.findall(text)}
    return _page(lambda name: [rows.get(test, Row(test, *UNKNOWN)) for test in _tests_of(name)])


def _simulation() -> Any:
    if str(ROOT / "tests") not in sys.path:
        sys.path.insert(0, str(ROOT / "tests"))
    return import_module("statistical.levels")


def _tests_of(name: str) -> list[str]:
    """Return the names of a family's tests, from its smallest run."""
    simulation = _simulation()
    return list(simulation.levels(name, simulation.DROPOUT, simulation.FAMILIES[name].block))


def _simulated(name: str) -> list[Row]:
    simulation = _simulation()
    complete = simulation.levels(name, simulation.COMPLETE)
    dropout = simulation.levels(name, simulation.DROPOUT)
    return [
        Row(
            test,
            _decimals(complete[test].rate),
            _decimals(complete[test].mcse),
            _decimals(level.rate),
            _decimals(level.mcse),
            f"{100 * level.answered / level.trials:.1f} %",
        )
        for test, level in dropout.items()
    ]


def _decimals(share: float) -> str:
    return f"{share:.4f}".removeprefix("0")


def _page(rows_of: Callable[[str], list[Row]]) -> str:
    parts = [INTRODUCTION]
    for name, family in _simulation().FAMILIES.items():
        parts += [f"## {name}\n", f"{family.words} {family.trials:,} trials.\n", _table(rows_of(name))]
    return "\n".join(parts)


def _table(rows: list[Row]) -> str:
    lines = [f"| {' | '.join(HEADINGS)} |", "|" + "---|" * len(HEADINGS)]
    for row in rows:
        both = (f"{row.complete} ({row.complete_mcse})", f"{row.dropout} ({row.dropout_mcse})")
        lines.append(f"| {row.test} | {' | '.join(both)} | {row.answered} |")
    return "\n".join([*lines, ""])
