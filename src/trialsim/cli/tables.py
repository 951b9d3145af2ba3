"""Tables on the screen."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from trialsim.api.answer import Grid
from trialsim.errors import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from trialsim.api import Compared, Run

NOTHING = "–"


class EstimateCells(NamedTuple):
    """One analysis as text, a dash for what there is not."""

    estimate: str
    se: str
    df: str
    p: str
    interval: str


def estimate_cells(row: Mapping[str, Any]) -> EstimateCells:
    """Return estimate, standard error, degrees of freedom, p and confidence interval of an analysis as text.

    Parameters
    ----------
    row : mapping
        With `estimate`, `se`, `p`, `ci_low`, `ci_high`, and `df` where it is known; NaN for what there is not.
    """
    from trialsim.report.words import number

    def short(value: float) -> str:
        return NOTHING if math.isnan(value) else number(value, digits=4)

    df = row.get("df", math.nan)
    p = row["p"]
    ends = (short(row["ci_low"]), short(row["ci_high"]))
    return EstimateCells(
        estimate=short(row["estimate"]),
        se=short(row["se"]),
        df="∞" if df == math.inf else NOTHING if math.isnan(df) else f"{df:.1f}",
        p="<0.0001" if p < 0.0001 else NOTHING if math.isnan(p) else f"{p:.4f}",
        interval=NOTHING if NOTHING in ends else " to ".join(ends),
    )


def print_run(result: Run) -> None:
    """Print power by varied value and sample size, that of hypotheses tested together, and where the rest is."""
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    for block in result.answer.blocks:
        if isinstance(block, Grid):
            _print_uncut(console, _table(block.headings, block.rows, left=block.left, title=block.title))
        else:
            text = escape(visible(block.text))
            console.print(f"[bold]{text}[/bold]" if block.strong else text, highlight=False)
    failures = result.failure_words()
    if failures:
        console.print(f"\n{escape(failures)}", soft_wrap=True, highlight=False)
    replicates = result.manifest["replicates"]
    done = f"{replicates:,} simulated trials per cell"
    if not result.computed:
        done = f"Already computed; nothing was run again ({done})"
    console.print(f"\n{done}. Results: {escape(str(result.folder))}{os.sep}", soft_wrap=True, highlight=False)
    console.print(f"Report: {escape(str(result.report))}", soft_wrap=True, highlight=False)


def print_comparison(result: Compared) -> None:
    """Print designs with their measures, the findings, and where the rest is."""
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    told, shown = result.answer, result.table()
    console.print(f"\n[bold]{escape(str(told['title']))}[/bold]", highlight=False)
    # Long headings break between words, so that numbers and not words make the width.
    broken = [
        heading.replace(" ", "\n", 2) if heading.count(" ") < 3 else textwrap.fill(heading, 14)
        for heading in shown.header
    ]
    _print_uncut(console, _table(broken, shown.rows, left=1))
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
    from rich.console import Console

    _print_uncut(Console(), _table(headings, rows, left=left))


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: int, title: str = "") -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    if title:
        table.title = escape(visible(title))
    for column, heading in enumerate(headings):
        table.add_column(escape(visible(heading)), justify="left" if column < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(escape(visible(cell)) for cell in row))
    return table


def _print_uncut(console: Console, table: Table) -> None:
    """Print a table at its full width: a terminal that is too narrow wraps lines, but no number is cut short."""
    from rich.console import Console

    wide = Console(width=10_000)
    needed = wide.measure(table).maximum
    Console(width=max(console.width, needed)).print(table, crop=False)
