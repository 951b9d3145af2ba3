"""`trialsim plot`: figures of simulated patients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.options import ScenarioFile, Settings, parse_settings, tell_left_aside
from trialsim.errors import Fault, InputError

MOST_PATIENTS = 10_000
DRAWN = ("cohort", "operations")


def plot(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="cohort: the patients of one simulated trial; operations: how the trials are run.",
            show_default=False,
        ),
    ],
    file: ScenarioFile,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="Folder. [default: outputs/<name of FILE>_WHAT]", show_default=False
        ),
    ] = None,
    n: Annotated[int, typer.Option("--n", metavar="N", min=20, max=MOST_PATIENTS, help="Patients of a cohort.")] = 2000,
    settings: Settings = None,
) -> None:
    """Draw simulated patients, or how trials are run.

    cohort: mean courses, distributions of scores before and after, correlations, dissociation where it is simulated.
    operations: recruitment, sites, who is in the trial when, the flow of patients, use of capacity, waiting and costs.
    Each as PNG and SVG with the data behind it as CSV.
    """
    if what not in DRAWN:
        told = " or ".join(f"`trialsim plot {one} FILE`" for one in DRAWN)
        raise InputError([Fault("WHAT", f"{what!r} cannot be drawn; write {told}")])
    from trialsim import api
    from trialsim.cli.folders import write_into

    scenario = api.load(file, settings=parse_settings(settings))
    tell_left_aside(scenario)
    figures = api.plot_cohort(scenario, n=n) if what == "cohort" else api.simulate_operations(scenario).figures
    folder = out or Path("outputs") / f"{file.stem}_{what}"
    write_into(folder, figures.files())
    typer.echo(f"Wrote {folder}: {', '.join(figures)}, each as .png, .svg and .csv")
