"""`trialsim evidence`: the published numbers, with their sources."""

from __future__ import annotations

from typing import Annotated

import typer

from trialsim.errors import Fault, InputError


def evidence(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A study, instrument, quantity or the beginning of names; all without it.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the evidence, or show what is known under a name."""
    from trialsim.evidence import UnknownEvidenceError

    try:
        if as_json:
            _print_json(name)
        else:
            _print_text(name)
    except UnknownEvidenceError as error:
        raise InputError([Fault(f"evidence {name}", str(error.args[0]))]) from None


def _print_json(name: str | None) -> None:
    import json
    from dataclasses import asdict

    from trialsim.evidence import describe, find

    if name is not None:
        describe(name)  # says so where the name is unknown
    typer.echo(json.dumps([asdict(quantity) for quantity in find(name or "")], indent=2, ensure_ascii=False))


def _print_text(name: str | None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from trialsim.evidence import TABLE_COLUMNS, describe, overview, table_row

    console = Console()
    if name is None:
        table = Table(
            "name",
            "what it is",
            "quantities",
            title="Evidence: trialsim evidence NAME shows more",
            title_justify="left",
        )
        for key, words, count in overview():
            table.add_row(escape(key), escape(words), str(count))
        console.print(table)
        return
    description = describe(name)
    console.print(f"[bold]{escape(description.title)}[/bold]")
    for label, value in description.facts:
        console.print(f"  {escape(label)}: {escape(value)}", soft_wrap=True)
    if description.quantities:
        table = Table(*TABLE_COLUMNS)
        for quantity in description.quantities:
            table.add_row(*(escape(cell) for cell in table_row(quantity)))
        console.print(table)
