"""`trialsim run`: from a scenario to power, plots and a report."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.cli.options import ScenarioFile, Settings, parse_settings

if TYPE_CHECKING:
    from trialsim.api import Run
    from trialsim.planning.precision import Estimate


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
    precision: Annotated[
        float | None,
        typer.Option(
            "--precision",
            metavar="P",
            help="Add replicates until every power has a 95 % interval of this half-width. [default: the scenario's]",
            show_default=False,
        ),
    ] = None,
    minutes: Annotated[
        float,
        typer.Option("--minutes", metavar="M", min=0, help="Ask before a run to a precision that takes longer."),
    ] = 10,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask: start however long it takes.")] = False,
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
        bool, typer.Option("--json", help="Print summary, hypotheses tested together and closed forms as JSON.")
    ] = False,
) -> None:
    """Simulate a scenario: power, figures and a report.

    Everything is written into the run folder. A run that was interrupted goes on where it stopped, more
    --replicates extend it, and a finished one is shown again without computing. A folder that holds another
    scenario is left as it is. With --precision replicates are added until every power is that precise; what it
    will take is said after the first 500.
    """
    from trialsim import api

    options: dict[str, Any] = dict(parse_settings(settings))
    if replicates is not None:
        options["simulation.replicates"] = replicates
    if seed is not None:
        options["simulation.seed"] = seed
    if precision is not None:
        options["simulation.precision"] = precision
    scenario = api.load(file, settings=options)
    confirm = partial(_may_go_on, minutes=math.inf if yes else minutes, quiet=quiet or as_json)
    if quiet or as_json:
        result = api.run(scenario, out=out, workers=workers, confirm=confirm)
    else:
        from trialsim.cli.progress import progress_bar

        with progress_bar("Simulating") as progress:
            result = api.run(scenario, out=out, workers=workers, progress=progress, confirm=confirm)
    if as_json:
        import json

        typer.echo(json.dumps(_as_json(result), indent=2))
    elif not quiet:
        from trialsim.cli.tables import print_run

        print_run(result)


def _may_go_on(estimate: Estimate, *, minutes: float, quiet: bool) -> bool:
    """Say what a run to a precision will take, and ask where that is longer than may be spent unasked.

    Raises
    ------
    RefusedError
        If it is, and nobody can be asked.
    """
    import sys

    from trialsim.errors import RefusedError

    takes = (
        f"Every power to ±{100 * estimate.precision:g} percentage points: about {estimate.replicates:,} simulated "
        f"trials per cell, {_duration(estimate.seconds)} more"
    )
    if estimate.seconds <= 60.0 * minutes:
        if not quiet:
            typer.echo(f"{takes}.", err=True)
        return True
    limit = f"more than the {minutes:g} min that may be spent unasked"
    if quiet or not sys.stdin.isatty():
        raise RefusedError(
            f"{takes}, {limit}. Nothing was started but the first 500 trials of each cell, which are kept. Give --yes, "
            "more --minutes, or a wider --precision."
        )
    return typer.confirm(f"{takes}, {limit}. Start?", err=True)


def _duration(seconds: float) -> str:
    if seconds < 90.0:
        return f"about {max(round(seconds), 1)} s"
    return f"about {seconds / 60.0:.0f} min" if seconds < 5400.0 else f"about {seconds / 3600.0:.1f} h"


def _as_json(result: Run) -> dict[str, Any]:
    import json

    told: dict[str, Any] = {"folder": str(result.folder), "scenario_hash": result.manifest["scenario_hash"]}
    for name, frame in (("summary", result.summary), ("families", result.families), ("twins", result.twins)):
        if frame is not None:
            told[name] = json.loads(frame.to_json(orient="records", double_precision=15))
    return told
