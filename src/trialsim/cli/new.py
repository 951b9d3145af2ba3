"""`trialsim new`: a commented scenario to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.files import write_own
from trialsim.errors import RefusedError


def new(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write. [default: my_trial.yaml]", show_default=False)
    ] = Path("my_trial.yaml"),
) -> None:
    """Write a commented scenario to start from.

    A file that is there already is never written over.
    """
    from trialsim.scenario import starter

    if file.is_file():
        raise RefusedError(f"{file} is there already and was left as it is. Name another file.")
    write_own(file, starter())
    typer.echo(f"Wrote {file}\nCheck it:  trialsim validate {file}\nRun it:    trialsim run {file}")
