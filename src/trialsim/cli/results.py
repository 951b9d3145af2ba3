"""A finished run on the screen, or as JSON for another program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from trialsim.errors import visible

if TYPE_CHECKING:
    from trialsim.api import Run


def show_run(result: Run, *, quiet: bool, as_json: bool, notes: Sequence[str] = ()) -> None:
    """Print a run.

    Parameters
    ----------
    result : Run
    quiet : bool
        Print nothing.
    as_json : bool
        Print summary, hypotheses tested together and closed forms as JSON, also when quiet.
    notes : sequence of str
        Sentences on what was asked for.
    """
    if as_json:
        told = result.to_dict()
        typer.echo(json.dumps({**told, "notes": [*told["notes"], *notes]}, indent=2))
    elif quiet:
        return
    elif not result.whole:
        typer.echo(f"The shard is done: {result.folder}. When all are: trialsim merge SHARD... --out FOLDER")
    else:
        from trialsim.cli.tables import print_run

        print_run(result)
        for note in (*result.answer.notes, *notes):
            typer.echo(visible(note))
