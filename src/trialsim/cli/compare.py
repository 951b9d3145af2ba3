"""`trialsim compare`: designs on the same virtual patients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from trialsim.cli.options import Settings, Workers, parse_settings

_USUAL_FRONT = "power, n, control_patients, and months and cost_usd where all have them"


def compare(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Scenarios, or one with designs.", show_default=False),
    ],
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="NAME",
            help="Design that the others are held against. [default: the first]",
            show_default=False,
        ),
    ] = None,
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="Measure to rank by, such as n or control_patients.")
    ] = "power",
    front: Annotated[
        list[str] | None,
        typer.Option(
            "--front",
            metavar="NAME",
            help=f"Measure of the Pareto front; may be repeated. [default: {_USUAL_FRONT}]",
            show_default=False,
        ),
    ] = None,
    target: Annotated[float, typer.Option("--target", metavar="P", help="Power wanted.")] = 0.8,
    estimand: Annotated[
        str | None,
        typer.Option(
            "--estimand", metavar="NAME", help="The question. [default: the first that all have]", show_default=False
        ),
    ] = None,
    max_patients: Annotated[
        float | None, typer.Option("--max-patients", metavar="N", help="Budget.", show_default=False)
    ] = None,
    max_months: Annotated[
        float | None, typer.Option("--max-months", metavar="N", help="Budget.", show_default=False)
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", metavar="USD", help="Budget.", show_default=False)
    ] = None,
    cells: Annotated[
        bool, typer.Option("--cells", help="Compare all sample sizes and varied values, not the first and base ones.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="Folder. [default: outputs/compare_<names of FILEs>]", show_default=False
        ),
    ] = None,
    replicates: Annotated[
        int | None,
        typer.Option(
            "--replicates",
            metavar="N",
            min=1,
            help="Simulated trials per design. [default: the first scenario's]",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="N", min=0, help="Seed of all draws. [default: the first scenario's]", show_default=False
        ),
    ] = None,
    workers: Workers = None,
    force: Annotated[bool, typer.Option("--force", help="Run what is refused for its size.")] = False,
    settings: Settings = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no table.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Hold designs against each other on the same virtual patients.

    Give several scenarios, or one that lists designs. Differences of power carry the small errors of pairs. Table,
    findings in words, figures and a page are written into the folder; asked again, nothing is simulated anew.
    """
    from trialsim import api
    from trialsim.scenario import Option

    options: dict[str, Any] = dict(parse_settings(settings))
    if replicates is not None:
        options["simulation.replicates"] = Option(replicates, f"--replicates {replicates}")
    if seed is not None:
        options["simulation.seed"] = Option(seed, f"--seed {seed}")
    asked: dict[str, Any] = {
        "out": out,
        "reference": reference,
        "estimand": estimand,
        "metric": metric,
        "front": front or (),
        "target": target,
        "max_patients": max_patients,
        "max_months": max_months,
        "max_cost": max_cost,
        "cells": cells,
        "workers": workers,
        "force": force,
        "settings": options,
    }
    if quiet or as_json:
        result = api.compare(files, **asked)
    else:
        from trialsim.cli.progress import progress_bar

        with progress_bar("Simulating") as progress:
            result = api.compare(files, progress=progress, **asked)
    if as_json:
        import json

        typer.echo(json.dumps(result.to_dict(), indent=2, ensure_ascii=False))
    elif not quiet:
        from trialsim.cli.tables import print_comparison

        print_comparison(result)
