"""`trialsim new`: a commented scenario to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trialsim.errors import RefusedError


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")] = Path("my_trial.yaml"),
) -> None:
    """Write a commented starter scenario; an existing file is never overwritten."""
    from trialsim.scenario import starter

    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(file, "x", encoding="utf-8", newline="\n") as handle:
            handle.write(starter())
    except FileExistsError:
        raise RefusedError(f"{file} is there already and was left as it is. Name another file.") from None
    typer.echo(f"Wrote {file}\nCheck it:  trialsim validate {file}\nRun it:    trialsim run {file}")
