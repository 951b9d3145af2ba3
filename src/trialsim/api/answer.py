"""What a run answers on the screen: sentences and tables, kept in its folder to be shown again at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

if TYPE_CHECKING:
    import pandas as pd

    from trialsim.api.finished import Run
    from trialsim.report.families import FamilyTable
    from trialsim.report.table import PowerTable


@dataclass(frozen=True, slots=True)
class Sentence:
    """A paragraph; a line end before it sets it apart.

    Parameters
    ----------
    text : str
    strong : bool
    """

    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of texts.

    Parameters
    ----------
    headings : tuple of str
    rows : tuple of tuple of str
        Each as long as the headings.
    left : int
        Columns that are flush left, the first ones; the others are flush right.
    title : str
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1
    title: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a finished run says; nothing in it depends on when or where it was computed, or on its folder.

    Parameters
    ----------
    blocks : tuple of Sentence or Grid
        From the title to what to beware of.
    notes : tuple of str
        Harms and short coverage, which stand last.
    fell_back, failed : int
        Fits that did not go as asked for.
    """

    blocks: tuple[Sentence | Grid, ...]
    notes: tuple[str, ...]
    fell_back: int
    failed: int


def answer_of(run: Run) -> Answer:
    """Return the answer of a finished run from its tables.

    Parameters
    ----------
    run : Run
    """
    fits = run.summary[["fell_back", "failed"]].sum()
    return Answer(
        blocks=tuple(_blocks(run)),
        notes=(*run.harms, *run.short_coverage),
        fell_back=int(fits["fell_back"]),
        failed=int(fits["failed"]),
    )


def write_answer(path: Path, run: Run) -> None:
    """Write the answer of a finished run, whole or not at all.

    Parameters
    ----------
    path : Path
    run : Run
    """
    from trialsim.engine.store import write_text

    write_text(path, json.dumps(asdict(answer_of(run)), indent=2, ensure_ascii=False) + "\n")


def read_answer(path: Path) -> Answer | None:
    """Return an answer from its file; None where there is none.

    Parameters
    ----------
    path : Path

    Raises
    ------
    RefusedError
        If the file is there and holds no answer.
    """
    from trialsim.engine.reading import read_json, strange

    found = read_json(path)
    if found is None:
        return None
    try:
        return TypeAdapter(Answer).validate_python(found)
    except ValidationError as error:
        raise strange(path, "no answer of a run") from error


def _blocks(run: Run) -> Iterator[Sentence | Grid]:
    from trialsim.report.recruited import as_asked

    power = run.power_table()
    said = as_asked if run.asked_note else str
    yield Sentence(f"\n{run.manifest['title']}", strong=True)
    yield _power_grid(power, said)
    yield Sentence(said(power.caption))
    if run.operations is not None:
        yield from _running(run, run.operations)
    if run.families is not None:
        yield from _families(run.family_tables())
    if run.twin_warning:
        yield Sentence(f"\n{run.twin_warning}")


def _power_grid(power: PowerTable, said: Callable[[str], str]) -> Grid:
    """Return the table; sizes go down the page where there are more of them than of varied values."""
    if len(power.sizes) <= len(power.rows):
        return Grid(tuple(said(heading) for heading in power.header), power.body, left=max(len(power.headings), 1))
    return Grid(
        headings=("N", *(", ".join(row.words) or power.measure for row in power.rows)),
        rows=tuple(
            (str(size), *(cell.text if (cell := row.cells[place]) else "" for row in power.rows))
            for place, size in enumerate(power.sizes)
        ),
        title=", ".join(power.headings),
    )


def _running(run: Run, operated: pd.DataFrame) -> Iterator[Sentence]:
    """Yield how the trials were run: how long, how likely in time, how dear, where it jams."""
    from trialsim.report.operations_section import running_words
    from trialsim.report.operations_words import run_words

    yield Sentence(run_words(operated))
    for words in running_words(run.folder, run.manifest["scenario"]):
        yield Sentence(f"\n{words}")


def _families(tables: list[FamilyTable]) -> Iterator[Sentence | Grid]:
    """Yield hypotheses tested together: a table for each varied value, a line for each size, alone and together."""
    from trialsim.report.families import caption_of

    yield Sentence("\nHypotheses tested together", strong=True)
    for table in tables:
        if table.setting:
            yield Sentence(f"\n{table.setting}")
        yield _family_grid(table)
    yield Sentence(caption_of(tables))


def _family_grid(table: FamilyTable) -> Grid:
    alone = [row for row in table.rows if row.how == "alone"]
    together = [row for row in table.rows if row.how != "alone"]
    rows: list[tuple[str, ...]] = []
    for place, size in enumerate(table.sizes):
        more = [""] * (len(together) - len(alone))
        rows.append((str(size), "alone", *(row.cells[place] for row in alone), *more))
        rows.append(("", "together", *(row.cells[place] for row in together)))
    return Grid(("N", "Tested", *(row.label if row.how else row.short for row in together)), tuple(rows), left=2)
