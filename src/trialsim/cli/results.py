"""A finished run on the screen, or as JSON for another program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

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
    from trialsim.engine.manifest import refuse_damaged
    from trialsim.engine.reading import refusing

    with refusing(result.folder, checked=refuse_damaged) if not result.computed else nullcontext():
        _show(result, quiet=quiet, as_json=as_json, notes=notes)


def _show(result: Run, *, quiet: bool, as_json: bool, notes: Sequence[str]) -> None:
    if as_json:
        own = result.answer.notes if result.whole else ()
        typer.echo(json.dumps({**_as_json(result), "notes": [*own, *notes]}, indent=2))
    elif quiet:
        return
    elif not result.whole:
        typer.echo(f"The shard is done: {result.folder}. When all are: trialsim merge SHARD... --out FOLDER")
    else:
        from trialsim.cli.tables import print_run

        print_run(result)
        for note in (*result.answer.notes, *notes):
            typer.echo(visible(note))


def _as_json(result: Run) -> dict[str, Any]:
    told: dict[str, Any] = {"folder": str(result.folder), "scenario_hash": result.manifest["scenario_hash"]}
    if not result.whole:
        return told
    frames = {"families": result.families, "twins": result.twins, "operations": result.operations}
    for name, frame in {"summary": result.summary, **frames}.items():
        if frame is not None:
            told[name] = json.loads(frame.to_json(orient="records", double_precision=15))
    return told
