"""`trialsim cohort`: the synthetic patients of one trial as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.options import ScenarioFile, Settings, parse_settings


def cohort(
    file: ScenarioFile,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="CSV file. [default: outputs/<name of FILE>_cohort.csv]", show_default=False),
    ] = None,
    n: Annotated[
        int | None, typer.Option("--n", min=2, help="Patients. [default: the largest sample size]", show_default=False)
    ] = None,
    replicate: Annotated[int, typer.Option("--replicate", min=0, help="Which simulated trial.")] = 0,
    settings: Settings = None,
) -> None:
    """Write the synthetic patients of one simulated trial, one row per patient and day."""
    from trialsim import api
    from trialsim.errors import RefusedError

    scenario = api.load(file, settings=parse_settings(settings))
    if scenario.varied:
        typer.echo(f"Base values are used; vary is left aside ({', '.join(scenario.varied)}).", err=True)
    frame = api.cohort(scenario, n=n, replicate=replicate)
    target = out or Path("outputs") / f"{file.stem}_cohort.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    text = frame.to_csv(index=False, lineterminator="\n")
    if target.exists() and target.read_text(encoding="utf-8") != text:
        raise RefusedError(f"{target} is there already and holds something else. Name another file with --out.")
    target.write_text(text, encoding="utf-8", newline="\n")
    typer.echo(f"Wrote {target}: {frame['patient'].nunique()} patients, {len(frame)} rows")
