"""`trialsim replay`: a published study repeated in simulated patients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.errors import Fault, InputError

if TYPE_CHECKING:
    from rich.table import Table

    from trialsim.api import ReplayResult
    from trialsim.report.replay import Cells

MOST_REPLICATES = 1_000_000


def replay(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The study, such as danayan2023.", show_default=False)
    ] = None,
    replicates: Annotated[
        int | None,
        typer.Option(
            "--replicates",
            metavar="N",
            min=2,
            max=MOST_REPLICATES,
            help="Simulated studies. [default: 2000]",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="N", min=0, help="Seed of all draws. [default: the study's own]", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Also write the table (CSV) and the figure (PNG, SVG, CSV) into this folder.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the studies that can be replayed.")] = False,
) -> None:
    """Repeat a published study in simulated patients.

    Shows what was published beside the spread over simulated studies, and what the same patients would have shown
    under the comparison infusion. Each line says what agreement is worth: calibration (the model was set to it),
    check (nothing was fitted to it) or assumed.
    """
    from trialsim import api

    if listed:
        _print_names(api.replayable(), as_json=as_json)
        return
    if name is None:
        raise InputError([Fault("NAME", "is missing; `trialsim replay --list` shows what can be replayed")])
    result = api.replay(name, replicates=replicates, seed=seed)
    if out is not None:
        from trialsim.cli.folders import write_into

        write_into(out, result.files())
    if as_json:
        import json

        typer.echo(json.dumps(_as_json(result), indent=2, ensure_ascii=False))
    else:
        _print(result)
        if out is not None:
            typer.echo(f"\nWrote {out}: replay_{name}.csv, and the figure as .png and .svg with its data")


def _print_names(names: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(names, indent=2, ensure_ascii=False))
        return
    from trialsim.cli.text import definitions

    definitions(list(names.items()), indent=0)


def _as_json(result: ReplayResult) -> dict[str, Any]:
    from trialsim.report.summary import json_records

    return {
        "name": result.name,
        "title": result.title,
        "replicates": result.n_replicates,
        "seed": result.seed,
        "scenario_hash": result.scenario_hash,
        "quantities": json_records(result.frame),
        "findings": result.findings,
    }


def _print(result: ReplayResult) -> None:
    from rich.console import Console

    from trialsim.cli.text import heading, paragraph
    from trialsim.report.replay import MARKS

    heading(result.title)
    cells = result.printed()
    wide = Console(width=10_000)
    for mark, meaning in MARKS.items():
        chosen = [cell for cell in cells if cell.mark == mark]
        if not chosen:
            continue
        typer.echo()
        paragraph(f"{mark}: {meaning}")
        table = _table(chosen, cells, *result.arm_labels)
        # A terminal that is too narrow wraps lines, but no number is cut short.
        width = max(Console().width, wide.measure(table).maximum)
        Console(width=width).print(table, crop=False)
    typer.echo()
    paragraph(
        f"{result.n_replicates:,} simulated studies of {result.n_patients} patients (seed {result.seed}): mean, and "
        f"between which values 95 % of them lie. {result.arm_labels[1]}: the same patients with the same draws. Agree: "
        f"share of the studies under {result.arm_labels[0]} that show at least the published figure, a difference at "
        "the level named, the severity grade named, or less than at infusion 1. Published shares: 95 % interval."
    )
    for words in result.findings:
        typer.echo()
        paragraph(words)


def _table(chosen: list[Cells], everything: list[Cells], given: str, instead: str) -> Table:
    """Return the table of one mark, its columns as wide as those of the others."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    columns = {"label": "", "published": "Published", "simulated": given, "agrees": "Agree", "instead": instead}
    for field, words in columns.items():
        widest = max([len(words), *(len(getattr(cell, field)) for cell in everything)])
        table.add_column(escape(words), no_wrap=True, min_width=widest)
    for cell in chosen:
        table.add_row(*(escape(getattr(cell, field)) for field in columns))
    return table
