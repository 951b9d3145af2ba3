"""`trialsim trial`: one simulated trial of a run to look into."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.cli.reproduce import RunArgument
from trialsim.errors import RefusedError

if TYPE_CHECKING:
    from trialsim.api.run_folders import Trial


def trial(
    folder: RunArgument,
    replicate: Annotated[
        int, typer.Option("--replicate", metavar="N", min=0, help="Which simulated trial, counted from 0.")
    ] = 0,
    cell: Annotated[int, typer.Option("--cell", metavar="N", min=0, help="Number of the cell in the summary.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Where to write. [default: RUN_cell<N>_replicate<N>, beside RUN]",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print flow and analyses as JSON; write nothing.")] = False,
) -> None:
    """Write one simulated trial of a run.

    Its patients, how they went through it, and its analyses. The trial is drawn and analysed again, with the block
    that it is part of; its estimates are those that the run stored, to the bit. Fits that failed or fell back are
    listed in RUN/failures.csv with the command that shows them.
    """
    from trialsim import api

    target = out or _beside(folder, f"_cell{cell}_replicate{replicate}")
    if not as_json and folder.resolve() in (target.resolve(), *target.resolve().parents):
        raise RefusedError(
            f"{target} lies in {folder}, among what the run wrote. Nothing was written. Name another folder with --out."
        )
    found = api.trial(folder, replicate=replicate, cell=cell)
    if as_json:
        import json

        typer.echo(json.dumps(_as_json(found), indent=2))
        return
    from trialsim.cli.folders import write_into

    files = found.files()
    _print(found)
    write_into(target, files)
    typer.echo(f"\nWrote {target}: {', '.join(files)}")


def _beside(folder: Path, ending: str) -> Path:
    """Return a neighbour of a folder, with its name and an ending; `.` and `..` have a name only once resolved."""
    place = folder.resolve() if folder.name in ("", "..") else folder
    return place.parent / f"{folder.resolve().name}{ending}"


def _as_json(found: Trial) -> dict[str, Any]:
    from trialsim.api.run_folders import trial_words
    from trialsim.report.summary import json_records

    return {
        **trial_words(found.inspected),
        "as_stored": found.as_stored,
        "flow": json_records(found.flow),
        "analysis": json_records(found.analysis),
    }


def _print(found: Trial) -> None:
    from trialsim.api.run_folders import trial_words
    from trialsim.cli.tables import print_grid

    told = trial_words(found.inspected)
    typer.echo(", ".join(f"{name} {value}" for name, value in told.items()))
    typer.echo()
    flow = found.flow.pivot_table(index="stage", columns="arm", values="patients", sort=False)
    arms = ["all", *(arm for arm in flow.columns if arm != "all")] if "all" in flow.columns else list(flow.columns)
    rows = [(str(stage), *(_count(flow.loc[stage, arm]) for arm in arms)) for stage in flow.index]
    print_grid(("Patients", *arms), rows)
    typer.echo()
    print_grid(
        ("Estimand", "Method", "Estimate", "SE", "95 % CI", "p", "Fit"),
        [_analysis(row) for row in found.inspected.analyses],
        left=2,
    )
    words = {
        True: "The run stored these estimates, to the bit.",
        False: "The run stored OTHER estimates: `trialsim reproduce` says with which versions and processor.",
        None: "The run has not computed this block yet.",
    }
    typer.echo(words[found.as_stored])


def _count(value: float) -> str:
    return "" if value != value else f"{value:.0f}"


def _analysis(row: dict[str, Any]) -> tuple[str, ...]:
    from trialsim.cli.tables import estimate_cells

    fit = {0: "as asked", 1: f"fell back: {row['rung']}", 2: f"failed: {row['rung']}"}[row["status"]]
    shown = estimate_cells(row)
    return str(row["estimand"]), str(row["method"]), shown.estimate, shown.se, shown.interval, shown.p, fit
