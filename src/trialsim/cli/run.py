"""`trialsim run`: from a scenario to power, plots and a report."""

from __future__ import annotations

import math
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.cli.options import ScenarioFile, Settings, Workers, parse_settings
from trialsim.errors import Fault, InputError

if TYPE_CHECKING:
    from trialsim.planning.precision import Estimate

BACKENDS = ("local", "dask")


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
    workers: Workers = None,
    backend: Annotated[
        str,
        typer.Option("--backend", metavar="NAME", help="local: this machine. dask: the workers of a Dask scheduler."),
    ] = "local",
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="Of Dask, such as tcp://host:8786.", show_default=False),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="K/N",
            help="Compute one of N parts of the run; `trialsim merge` puts them together.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run what is refused for its size.")] = False,
    extend: Annotated[
        int | None,
        typer.Option(
            "--extend",
            metavar="N",
            min=1,
            help="Grow the run that the folder holds to N simulated trials per cell in total.",
            show_default=False,
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file of a finished run and compare its checksum.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for another process in the folder, or refuse.")
    ] = True,
    settings: Settings = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no table.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results as JSON, and events as JSON lines on the error stream.")
    ] = False,
) -> None:
    """Simulate a scenario: power, figures and a report.

    Everything is written into the run folder. A run that was interrupted goes on where it stopped, --extend (or
    more --replicates) makes it longer, and a finished one is shown again without computing. A folder that holds
    another scenario is left as it is. With --precision replicates are added until every power is that precise; what
    it will take is said after the first 500.
    """
    from trialsim import api
    from trialsim.cli.results import show_run
    from trialsim.cli.telling import telling, warnings_as_events
    from trialsim.engine.notes import Note
    from trialsim.scenario import Option

    _check_backend(backend, scheduler)
    if extend is not None and replicates is not None:
        raise InputError([Fault("--extend", "and --replicates both say how many trials; give one of them")])
    options: dict[str, Any] = dict(parse_settings(settings))
    if replicates is not None:
        options["simulation.replicates"] = Option(replicates, f"--replicates {replicates}")
    if seed is not None:
        options["simulation.seed"] = Option(seed, f"--seed {seed}")
    if precision is not None:
        options["simulation.precision"] = Option(precision, f"--precision {precision:g}")
    with warnings_as_events() if as_json and not quiet else nullcontext():
        scenario = api.load(file, settings=options)
    with telling("Simulating", quiet=quiet, as_json=as_json) as told:
        if scenario.designs:
            told.tell(Note("aside", scenario.designs_aside))
        result = api.run(
            scenario,
            out=out,
            workers=workers,
            extend=extend,
            verify=verify,
            wait=wait,
            scheduler=scheduler,
            shard=shard,
            force=force,
            progress=told.progress,
            confirm=partial(_may_go_on, minutes=math.inf if yes else minutes, quiet=quiet or as_json),
            tell=told.tell,
        )
        told.finished(result)
    show_run(result, quiet=quiet, as_json=as_json, notes=[scenario.priors_aside] if scenario.believed else [])


def _check_backend(backend: str, scheduler: str | None) -> None:
    if backend not in BACKENDS:
        raise InputError([Fault("--backend", f"{backend!r} is none of {', '.join(BACKENDS)}")])
    if backend == "dask" and scheduler is None:
        raise InputError([Fault("--backend dask", "needs the address of a scheduler: --scheduler tcp://HOST:8786")])
    if backend == "local" and scheduler is not None:
        raise InputError([Fault("--scheduler", "goes with --backend dask")])


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
