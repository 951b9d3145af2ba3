"""`trialsim validate`: say everything that is wrong with scenarios, and run nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.cli.options import Settings, parse_settings

if TYPE_CHECKING:
    from trialsim.scenario import Resolved


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Scenario YAML files.", show_default=False)],
    settings: Settings = None,
) -> None:
    """Check scenarios without running them.

    Every fault is told with its line and column, all at once.
    """
    from trialsim.errors import Fault, InputError
    from trialsim.scenario import load, resolve

    options = parse_settings(settings)
    faults: list[Fault] = []
    for file in files:
        try:
            scenario = load(file, settings=options)
            resolved = resolve(scenario)
            if scenario.designs:
                from trialsim.scenario.designs import resolve_designs

                resolve_designs(scenario)
        except InputError as error:
            faults.extend(error.faults)
        else:
            typer.echo(f"{file}: good. {_extent(resolved)}")
    if faults:
        raise InputError(faults)


def _extent(resolved: Resolved) -> str:
    """Return how much a run would simulate, in words."""
    n_variants, n_sizes = len(resolved.variants), len(resolved.variants[0].sample_sizes)
    sizes = _counted(n_sizes, "sample size")
    cells = sizes if n_variants == 1 else f"{n_variants} variants x {sizes} = {n_variants * n_sizes} cells"
    designs = resolved.scenario.designs
    compared = f"; {_counted(len(designs), 'design')} to compare" if designs else ""
    return f"{cells}, {_counted(resolved.replicates, 'simulated trial')} each{compared}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
