"""`trialsim explain`: the resolved scenario, each value with its source."""

from __future__ import annotations

from typing import Annotated

import typer

from trialsim.cli.options import ScenarioFile, Settings, parse_settings


def explain(
    file: ScenarioFile,
    settings: Settings = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON, with every number of every variant.")] = False,
) -> None:
    """Show every value of a scenario with its source.

    Given in the file, a default of trialsim, or evidence with its publication and whether it was measured,
    derived or assumed.
    """
    from trialsim.scenario import load, resolve

    resolved = resolve(load(file, settings=parse_settings(settings)))
    if as_json:
        import json

        typer.echo(json.dumps(resolved.to_dict(), indent=2, ensure_ascii=False))
        return
    from trialsim.cli.provenance import print_provenance

    print_provenance(resolved)
