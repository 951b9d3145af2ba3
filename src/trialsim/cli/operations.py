"""`trialsim operations`: how the trial is run: how long, how likely in time, how dear, and where it jams."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.cli.options import AnswerAsJson, ScenarioFile, Settings, Workers, parse_settings

if TYPE_CHECKING:
    from trialsim.api.operating import OperationsResult


def operations(
    file: ScenarioFile,
    replicates: Annotated[
        int | None,
        typer.Option(
            "--replicates", metavar="N", min=1, help="Simulated trials. [default: the scenario's]", show_default=False
        ),
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option(
            "--run",
            metavar="FOLDER",
            help="A finished run whose power is shown against months and money; may be given again for other designs.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="Write the answer, its tables and figures here.", show_default=False
        ),
    ] = None,
    workers: Workers = None,
    settings: Settings = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no tables.")] = False,
    as_json: AnswerAsJson = False,
) -> None:
    """Simulate how the trial is run: time, numbers, cost, jams.

    Nothing of the scores is simulated, so this is quick. A trial that ends recruitment before it has its patients is an
    answer, with the date and the number reached.
    """
    from trialsim import api

    scenario = api.load(file, settings=parse_settings(settings))
    options: dict[str, Any] = {"replicates": replicates, "workers": workers, "runs": run or ()}
    if quiet or as_json:
        result = api.simulate_operations(scenario, **options)
    else:
        from trialsim.cli.progress import progress_bar

        with progress_bar("Running trials") as options["progress"]:
            result = api.simulate_operations(scenario, **options)
    if out is not None:
        from trialsim.cli.folders import write_into

        write_into(out, result.files())
    if as_json:
        import json

        typer.echo(json.dumps(result.to_dict(), indent=2))
        return
    _print(result, quiet=quiet)
    if out is not None:
        names = ", ".join(
            ["operations.json", *(f"{name}.csv" for name in _TABLES), *(f"{name}.png" for name in result.figures)]
        )
        typer.echo(f"Written into {out}: {names}; each figure also as .svg and .csv.")


_TABLES = ("operations", "operations_summary", "operations_calendar", "operations_waits")


def _print(result: OperationsResult, *, quiet: bool) -> None:
    from trialsim.cli.text import heading, paragraph

    heading(result.title)
    for words in result.text.split("\n\n"):
        paragraph(words)
    if quiet:
        return
    for caption, header, rows in result.tables:
        typer.echo("")
        paragraph(caption)
        widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
        for row in (header, *rows):
            first, *others = row
            cells = "  ".join(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
            typer.echo(f"  {first.ljust(widths[0])}  {cells}".rstrip())
