"""docs/reliability.md: faults and hostile input that were tried, how often, and what was lost.

The rows stand in docs/reliability/*.json. Those of faults.json are written by the tests that show them, with
TRIALSIM_RECORD=1 in the environment; tests/hostile/test_reliability_page.py holds that every row names a test there is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1] / "reliability"

INTRODUCTION = """\
# Reliability

A run of a night must not be lost, and a file of somebody else must do no harm. This page lists what was tried against
both. Made by `python docs/generate.py reliability.md` from the files in `docs/reliability/`, whose every row names the
test that shows it.

## What is promised

- Whatever a run dies of, the same command goes on from its finished blocks, and results, figures and report are the
  same bytes as those of an undisturbed run. Times and hosts stand in `run.json` alone.
- A block is written whole or not at all, with the checksum of its content in its name; what is damaged is found,
  said, and computed again.
- Two processes never work in one folder at a time. Another scenario's or version's folder is left as it is.
- Nothing that is read can run code. No pickle is ever read from a run folder: JSON, Parquet and arrays of numbers only.

Flushing a folder's own entry to the disk, signals, and workers that end with their command are POSIX only. On Windows
a power failure may cost blocks of the last moments, which are then computed again; they are never half there.

## Faults

"Lost" is what the same command, given again, could not bring back to the same bytes.

"""

HOSTILE = """
## Hostile input

Scenarios (YAML), data for `trialsim analyze` (CSV) and run folders may come from anybody. Each row is an input that was
tried, and what becomes of it. In **bold** is what did harm when it was first tried; it was mended, and the test keeps
it so.

"""

FUZZING = """
## Fuzzing

Property tests damage sound files in ways drawn at random, the same ones every time, with every change of the program.
Besides, coverage-guided fuzzing with [atheris](https://github.com/google/atheris) was left to itself
(`tests/fuzz/readers.py`), counting as a find every exception that is not one of trialsim's own refusals, every
warning, and every input that takes longer than five seconds.

"""

LIMITS = """
## Limits

| what | at most | beyond it |
|---|---|---|
| a scenario file | 1,000,000 bytes, 30 levels, 100,000 values with aliases written out | refused |
| a number in it | 40 characters, 2^64 | refused |
| a data file | 50,000,000 bytes, 1,000 columns | refused |
| varied values | 1,000 combinations | refused |
| replicates | 1,000,000 per cell | refused |
| a run | 200,000 blocks, 10,000 million patients, the memory and room of the machine | refused, or `--force` |
"""


def page() -> str:
    """Return the page."""
    faults = _rows("faults")
    parts = [INTRODUCTION]
    parts.append(_table(("fault", "how", "times", "lost", "computed again", "on"), [_fault(row) for row in faults]))
    total = sum(int(row["times"]) for row in faults)
    lost = sorted({row["lost"] for row in faults} - {"nothing"})
    but = f" but {' and '.join(lost)}" if lost else ""
    parts.append(f"\n{len(faults)} faults, {total} times in all; lost was nothing{but}.\n")
    parts.append(HOSTILE)
    parts.append(_table(("input", "reader", "what becomes of it", "test"), [_hostile(row) for row in _rows("hostile")]))
    parts.append(FUZZING)
    heads = ("reader", "minutes", "inputs", "finds")
    parts.append(_table(heads, [tuple(str(row[head]) for head in heads) for row in _rows("fuzzing")]))
    parts.append(LIMITS)
    return "".join(parts)


def _rows(name: str) -> list[dict[str, Any]]:
    path = DATA / f"{name}.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def _fault(row: dict[str, Any]) -> tuple[str, ...]:
    return (row["fault"], row["how"], str(row["times"]), row["lost"], row["computed_again"], row["platforms"])


def _hostile(row: dict[str, Any]) -> tuple[str, ...]:
    outcome = f"**{row['found']}** {row['outcome']}" if row["found"] else row["outcome"]
    return (row["input"], row["reader"], outcome, f"`{row['test'].partition('::')[2]}`")


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [headings, tuple("---" for _ in headings), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
