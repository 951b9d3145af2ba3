"""`trialsim runs`: what lies in the output folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.cli.options import AsJson
from trialsim.errors import visible

if TYPE_CHECKING:
    import pandas as pd

_UNITS = ((86400.0 * 365.25, "y"), (86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def runs(
    place: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Folder that holds run folders.", show_default="outputs")
    ] = Path("outputs"),
    as_json: AsJson = False,
) -> None:
    """List runs with their state, scenario, age and size.

    Those worked on last come first. A run is finished, unfinished (its command goes on from there), running
    (another process is at work in it), damaged, or of another version; a shard of one is done, or any of these. The
    runs of a comparison are listed beside it.
    """
    from trialsim import api

    found = api.list_runs(place)
    if as_json:
        import json

        from trialsim.report.summary import json_records

        typer.echo(json.dumps(json_records(found.astype({"folder": str})), indent=2))
    elif found.empty:
        typer.echo(f"{place} is no run folder, and none lies in it.")
    else:
        _print(found)


def _print(found: pd.DataFrame) -> None:
    from trialsim.cli.tables import print_grid

    rows: list[dict[str, Any]] = found.to_dict("records")
    print_grid(
        ("Run", "State", "Scenario", "Replicates", "Age", "Size"),
        [
            (
                str(row["folder"]),
                _state(row),
                _short(row["title"]),
                f"{row['replicates']:,}",
                age_words(row["age_seconds"]),
                size_words(row["bytes"]),
            )
            for row in rows
        ],
        left=3,
    )
    for row in rows:
        if row["note"]:
            typer.echo(visible(f"{row['folder']}: {row['note']}"))


def _state(row: dict[str, Any]) -> str:
    part = f"shard {row['shard']}, " if row["shard"] else ""
    if row["state"] == "shard":
        return f"{part}done"
    if row["state"] in ("unfinished", "running") and row["blocks"]:
        return f"{part}{row['state']}, {row['blocks_done']:,} of {row['blocks']:,} blocks"
    return f"{part}{row['state']}"


def _short(title: str, length: int = 50) -> str:
    return title if len(title) <= length else f"{title[: length - 1]}…"


def age_words(seconds: float) -> str:
    """Return a time in its largest unit, such as `3 h`."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return "now"


def size_words(size: float) -> str:
    """Return a number of bytes in kB, MB or GB."""
    for unit, scale in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if size < 1000.0 * scale or unit == "GB":
            break
    return f"{size / scale:.1f} {unit}"
