"""`trialsim cohort`: the synthetic patients of one trial as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.files import write_own
from trialsim.cli.options import ScenarioFile, Settings, parse_settings, tell_assumed, tell_left_aside

MOST_PATIENTS = 100_000
LAST_REPLICATE = 999_999_999


def cohort(
    file: ScenarioFile,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="CSV file. [default: outputs/<name of FILE>_cohort.csv]", show_default=False
        ),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option(
            "--n",
            metavar="N",
            min=2,
            max=MOST_PATIENTS,
            help="Patients randomised. [default: the largest sample size]",
            show_default=False,
        ),
    ] = None,
    replicate: Annotated[
        int,
        typer.Option(
            "--replicate", metavar="N", min=0, max=LAST_REPLICATE, help="Which simulated trial, counted from 0."
        ),
    ] = 0,
    potential_outcomes: Annotated[
        bool,
        typer.Option(
            "--potential-outcomes", help="Show every patient in every arm (column arm; the one drawn is assigned)."
        ),
    ] = False,
    items: Annotated[
        bool, typer.Option("--items", help="Add the items of QIDS-SR16 and BSL-23, which add up to the scores.")
    ] = False,
    settings: Settings = None,
) -> None:
    """Write the patients of one simulated trial as CSV.

    One row per patient and day, with the scores as they would be seen: empty once a patient has left. They are
    the patients that `trialsim run` analyses in that replicate.
    """
    from trialsim import api
    from trialsim.report.csv_files import csv_text

    scenario = api.load(file, settings=parse_settings(settings))
    tell_left_aside(scenario)
    frame = api.cohort(scenario, n=n, replicate=replicate, potential_outcomes=potential_outcomes, items=items)
    target = out or Path("outputs") / f"{file.stem}_{'potential_outcomes' if potential_outcomes else 'cohort'}.csv"
    write_own(target, csv_text(frame))
    typer.echo(f"Wrote {target}: {frame['patient'].nunique():,} patients, {len(frame):,} rows")
    tell_assumed(scenario, file)
