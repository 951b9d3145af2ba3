"""`trialsim evidence`: the published numbers, with their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.cli.text import definitions, heading, paragraph
from trialsim.errors import Fault, InputError

if TYPE_CHECKING:
    from trialsim.evidence import Quantity


def evidence(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A number, study, instrument, publication, or the beginning of names. [default: list all]",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Show published numbers and their sources."""
    from trialsim.evidence import UnknownEvidenceError

    try:
        if as_json:
            _print_json(name)
        elif name is None:
            _print_overview()
        else:
            _print_one(name)
    except UnknownEvidenceError as error:
        raise InputError([Fault("", f"{error.args[0]}. `trialsim evidence` lists everything.")]) from None


def _print_json(name: str | None) -> None:
    import json
    from dataclasses import asdict

    from trialsim.evidence import describe, find, get, has

    if name is not None and has(name):
        listed: tuple[Quantity, ...] = (get(name),)
    else:
        listed = describe(name).quantities if name is not None else find("")
    typer.echo(json.dumps([asdict(quantity) for quantity in listed], indent=2, ensure_ascii=False))


def _print_overview() -> None:
    from trialsim.evidence import overview

    definitions([(key, f"{words} ({count})") for key, words, count in overview()], indent=0)
    typer.echo("\nIn brackets: how many numbers there are. `trialsim evidence NAME` shows them.")


def _print_one(name: str) -> None:
    from trialsim.evidence import describe

    description = describe(name)
    heading(description.title)
    definitions(description.facts)
    for quantity in description.quantities:
        typer.echo(f"\n{quantity.name}")
        paragraph(_in_a_line(quantity), indent=4)


def _in_a_line(quantity: Quantity) -> str:
    """Return value, spread, size, time, tag and citation key."""
    from trialsim.evidence import table_row

    _, value, spread, n, tag, source = table_row(quantity)
    size = f"n {n}" if n else ""
    return "; ".join(part for part in (value, spread, size, quantity.time, tag, source) if part)
