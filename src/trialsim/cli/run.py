"""`trialsim run`: from a scenario to power, plots and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from trialsim.cli.options import ScenarioFile, Settings, parse_settings
from trialsim.errors import Fault, InputError

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
    another scenario is left as it is.
    """
    from trialsim import api
    from trialsim.cli.results import show_run
    from trialsim.cli.telling import telling

    _check_backend(backend, scheduler)
    if extend is not None and replicates is not None:
        raise InputError([Fault("--extend", "and --replicates both say how many trials; give one of them")])
    options: dict[str, Any] = dict(parse_settings(settings))
    if replicates is not None:
        options["simulation.replicates"] = replicates
    if seed is not None:
        options["simulation.seed"] = seed
    scenario = api.load(file, settings=options)
    with telling("Simulating", quiet=quiet, as_json=as_json) as told:
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
            tell=told.tell,
        )
        told.finished(result)
    show_run(result, quiet=quiet, as_json=as_json)


def _check_backend(backend: str, scheduler: str | None) -> None:
    if backend not in BACKENDS:
        raise InputError([Fault("--backend", f"{backend!r} is none of {', '.join(BACKENDS)}")])
    if backend == "dask" and scheduler is None:
        raise InputError([Fault("--backend dask", "needs the address of a scheduler: --scheduler tcp://HOST:8786")])
    if backend == "local" and scheduler is not None:
        raise InputError([Fault("--scheduler", "goes with --backend dask")])
