"""Tables on the screen."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from trialsim.errors import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from trialsim.api import Compared, Run
    from trialsim.report.families import FamilyTable
    from trialsim.report.table import PowerTable


def print_run(result: Run) -> None:
    """Print power by varied value and sample size, that of hypotheses tested together, and where the rest is."""
    from rich.console import Console
    from rich.markup import escape

    from trialsim.report.recruited import as_asked

    console = Console()
    power = result.power_table()
    said = as_asked if result.asked_note else str
    console.print(f"\n[bold]{escape(str(result.manifest['title']))}[/bold]", highlight=False)
    _print_uncut(console, _power_grid(power, said))
    console.print(escape(said(power.caption)), highlight=False)
    if result.operations is not None:
        _print_running(console, result)
    if result.families is not None:
        _print_families(console, result.family_tables())
    warning = result.twin_warning
    if warning:
        console.print(f"\n{escape(warning)}", highlight=False)
    replicates = result.manifest["replicates"]
    done = f"{replicates:,} simulated trials per cell"
    if not result.computed:
        done = f"Already computed; nothing was run again ({done})"
    _print_failures(console, result)
    console.print(f"\n{done}. Results: {escape(str(result.folder))}{os.sep}", soft_wrap=True, highlight=False)
    console.print(f"Report: {escape(str(result.report))}", soft_wrap=True, highlight=False)


def _print_running(console: Console, result: Run) -> None:
    """Say how the trials were run: how long, how likely in time, how dear, where it jams."""
    from rich.markup import escape

    from trialsim.report.operations_section import running_words
    from trialsim.report.operations_words import run_words

    console.print(escape(run_words(result.operations)), highlight=False)
    for words in running_words(result.folder, result.manifest["scenario"]):
        console.print(f"\n{escape(words)}", highlight=False)


def _print_failures(console: Console, result: Run) -> None:
    """Say how many fits did not go as asked for, where they are listed, and the command that shows the first."""
    from rich.markup import escape

    words = result.failure_words()
    if words:
        console.print(f"\n{escape(words)}", soft_wrap=True, highlight=False)


def print_comparison(result: Compared) -> None:
    """Print designs with their measures, the findings, and where the rest is."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    told, shown = result.answer, result.table()
    console.print(f"\n[bold]{escape(str(told['title']))}[/bold]", highlight=False)
    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column, heading in enumerate(shown.header):
        # Long headings break between words, so that numbers and not words make the width.
        broken = heading.replace(" ", "\n", 2) if heading.count(" ") < 3 else textwrap.fill(heading, 14)
        grid.add_column(escape(broken), justify="left" if column == 0 else "right", no_wrap=True)
    for row in shown.rows:
        grid.add_row(*(escape(cell) for cell in row))
    _print_uncut(console, grid)
    for words in (result.caption(), *shown.notes):
        console.print(escape(words), highlight=False)
    console.print("")
    for words in result.findings:
        console.print(f"• {escape(words)}", highlight=False)
    for words in result.notes:
        console.print(escape(words), highlight=False)
    if not result.computed:
        console.print("\nAlready simulated; no trial was run again.", highlight=False)
    console.print(f"\nResults: {escape(str(result.folder))}{os.sep}", soft_wrap=True, highlight=False)
    console.print(f"Report: {escape(str(result.report))}", soft_wrap=True, highlight=False)


def print_grid(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """Print a table of texts, uncut; the first columns, so many as `left`, are flush left, the others right."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column, heading in enumerate(headings):
        table.add_column(escape(heading), justify="left" if column < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(escape(visible(cell)) for cell in row))
    _print_uncut(Console(), table)


def _power_grid(power: PowerTable, said: Callable[[str], str]) -> Table:
    """Return the table; sizes go down the page where there are more of them than of varied values."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    upright = len(power.sizes) > len(power.rows)
    if upright:
        left = 1
        headings = ["N", *(", ".join(row.words) or power.measure for row in power.rows)]
        body = [
            [str(size), *(cell.text if (cell := row.cells[s]) else "" for row in power.rows)]
            for s, size in enumerate(power.sizes)
        ]
    else:
        left = max(len(power.headings), 1)
        headings, body = [said(heading) for heading in power.header], [list(row) for row in power.body]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    if upright and power.headings:
        table.title = escape(", ".join(power.headings))
    for column, heading in enumerate(headings):
        table.add_column(escape(heading), justify="left" if column < left else "right", no_wrap=True)
    for row in body:
        table.add_row(*(escape(cell) for cell in row))
    return table


def _print_families(console: Console, tables: list[FamilyTable]) -> None:
    """Print hypotheses tested together: a table for each varied value, a line for each size, alone and together."""
    from rich.markup import escape

    from trialsim.report.families import caption_of

    console.print("\n[bold]Hypotheses tested together[/bold]", highlight=False)
    for table in tables:
        if table.setting:
            console.print(f"\n{escape(table.setting)}", highlight=False)
        _print_uncut(console, _family_grid(table))
    console.print(escape(caption_of(tables)), highlight=False)


def _family_grid(table: FamilyTable) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    grid.add_column("N", no_wrap=True)
    grid.add_column("Tested", no_wrap=True)
    alone = [row for row in table.rows if row.how == "alone"]
    together = [row for row in table.rows if row.how != "alone"]
    for row in together:
        heading = row.label if row.how else row.short
        grid.add_column(escape(heading), justify="right", no_wrap=True)
    for place, size in enumerate(table.sizes):
        grid.add_row(str(size), "alone", *(row.cells[place] for row in alone))
        grid.add_row("", "together", *(row.cells[place] for row in together))
    return grid


def _print_uncut(console: Console, table: Table) -> None:
    """Print a table at its full width: a terminal that is too narrow wraps lines, but no number is cut short."""
    from rich.console import Console

    wide = Console(width=10_000)
    needed = wide.measure(table).maximum
    Console(width=max(console.width, needed)).print(table, crop=False)
