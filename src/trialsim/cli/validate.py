"""`trialsim validate`: say everything that is wrong with scenarios, and run nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.options import Settings, parse_settings


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Scenario YAML files.", show_default=False)],
    settings: Settings = None,
) -> None:
    """Check scenarios without running them; every fault is told with its line."""
    from trialsim.errors import Fault, InputError
    from trialsim.scenario import load, resolve

    options = parse_settings(settings)
    faults: list[Fault] = []
    for file in files:
        try:
            resolved = resolve(load(file, settings=options))
        except InputError as error:
            faults.extend(error.faults)
        else:
            n_cells = sum(len(variant.sample_sizes) for variant in resolved.variants)
            typer.echo(f"{file}: good ({len(resolved.variants)} variants, {n_cells} cells)")
    if faults:
        raise InputError(faults)
