"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.errors import Fault, InputError

if TYPE_CHECKING:
    from trialsim.scenario import Scenario

ScenarioFile = Annotated[Path, typer.Argument(metavar="FILE", help="The scenario, a YAML file.", show_default=False)]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Put a value at a path of the scenario, such as sample_size=120; may be repeated.",
    ),
]

Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="Processes; results do not depend on it. [default: all cores]",
        show_default=False,
    ),
]
NoBar = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
AnswerAsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


def parse_settings(given: list[str] | None, option: str = "--set") -> dict[str, str]:
    """Return the paths and values of `--set path=value` options.

    Parameters
    ----------
    given : list of str, optional
    option : str
        What they are called in messages.

    Raises
    ------
    InputError
        If one has no equals sign or names a path a second time.
    """
    settings: dict[str, str] = {}
    faults = []
    for text in given or []:
        path, equals, value = text.partition("=")
        path = path.strip()
        if not equals or not path:
            faults.append(Fault(f"{option} {text}", "must read path=value, such as sample_size=120"))
        elif path in settings:
            faults.append(Fault(f"{option} {text}", f"{path} is set twice; keep one"))
        settings[path] = value
    if faults:
        raise InputError(faults)
    return settings


def varied(given: list[str]) -> str:
    """Return the mapping that `vary` is to have, as a YAML text, from `--vary path=value,value` options.

    Parameters
    ----------
    given : list of str
        Values with commas, or a YAML list where they have commas of their own.

    Raises
    ------
    InputError
        As of `parse_settings`.
    """
    entries = []
    for path, values in parse_settings(given, "--vary").items():
        text = values.strip()
        entries.append(f"{path}: {text if text.startswith('[') else f'[{text}]'}")
    return f"{{{', '.join(entries)}}}"


def tell_left_aside(scenario: Scenario) -> None:
    """Say on the error stream what a command that takes one cell leaves aside."""
    if scenario.varied:
        typer.echo(f"The scenario's own values are used; vary is left aside ({', '.join(scenario.varied)}).", err=True)
    if scenario.designs:
        typer.echo(scenario.designs_aside, err=True)


_ASKED = ("estimands", "analysis", "multiplicity", "priors", "sample_size", "simulation")
"""Parts of a scenario that ask of patients and do not make them."""


def tell_assumed(scenario: Scenario, file: Path) -> None:
    """Say on the error stream how many of the values behind simulated patients are assumed, if any are."""
    from trialsim.scenario import resolve

    rows = [row for row in resolve(scenario.at_base()).provenance if row.path.partition(".")[0] not in _ASKED]
    assumed = sum(row.tag == "assumed" for row in rows)
    if assumed:
        words = f"{assumed} of the {len(rows)} values behind these patients are assumed"
        typer.echo(f"{words}; `trialsim explain {file}` marks each.", err=True)
