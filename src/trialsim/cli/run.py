"""`trialsim run`: from a scenario to power, plots and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.cli.options import ScenarioFile, Settings, parse_settings

if TYPE_CHECKING:
    from trialsim.api import Run


def run(
    file: ScenarioFile,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="Run folder. [default: outputs/<name of FILE>]", show_default=False
        ),
    ] = None,
    replicates: Annotated[
        int | None,
        typer.Option(
            "--replicates",
            metavar="N",
            min=1,
            help="Simulated trials per cell. [default: the scenario's]",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="N", min=0, help="Seed of all draws. [default: the scenario's]", show_default=False
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            help="Processes; results do not depend on it. [default: all cores]",
            show_default=False,
        ),
    ] = None,
    settings: Settings = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no table.")] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print summary, hypotheses tested together, closed forms and operations as JSON."),
    ] = False,
) -> None:
    """Simulate a scenario: power, figures and a report.

    Everything is written into the run folder. A run that was interrupted goes on where it stopped, more
    --replicates extend it, and a finished one is shown again without computing. A folder that holds another
    scenario is left as it is.
    """
    from trialsim import api

    options: dict[str, Any] = dict(parse_settings(settings))
    if replicates is not None:
        options["simulation.replicates"] = replicates
    if seed is not None:
        options["simulation.seed"] = seed
    scenario = api.load(file, settings=options)
    if quiet or as_json:
        result = api.run(scenario, out=out, workers=workers)
    else:
        from trialsim.cli.progress import progress_bar

        with progress_bar("Simulating") as progress:
            result = api.run(scenario, out=out, workers=workers, progress=progress)
    if as_json:
        import json

        typer.echo(json.dumps(_as_json(result), indent=2))
    elif not quiet:
        from trialsim.cli.tables import print_run

        print_run(result)


def _as_json(result: Run) -> dict[str, Any]:
    import json

    told: dict[str, Any] = {"folder": str(result.folder), "scenario_hash": result.manifest["scenario_hash"]}
    frames = {"families": result.families, "twins": result.twins, "operations": result.operations}
    for name, frame in {"summary": result.summary, **frames}.items():
        if frame is not None:
            told[name] = json.loads(frame.to_json(orient="records", double_precision=15))
    return told
