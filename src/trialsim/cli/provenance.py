"""What `trialsim explain` shows: every value of a scenario with its source, by section."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

from trialsim.cli.text import heading, paragraph

if TYPE_CHECKING:
    from trialsim.scenario import Provenance, Resolved

SECTIONS = (
    "population",
    "outcomes",
    "course",
    "effects",
    "covariance",
    "allocation",
    "dropout",
    "estimands",
    "analysis",
    "sample_size",
    "simulation",
    "vary",
    "designs",
    "priors",
    "prior_correlations",
)
"""Order in which the sections of a scenario are shown; one that is not listed comes last."""


def print_provenance(resolved: Resolved) -> None:
    """Print every value of the resolved scenario with its source.

    Parameters
    ----------
    resolved : Resolved
    """
    heading(resolved.title)
    typer.echo(f"hash {resolved.hash[:12]}, seed {resolved.seed}")
    if resolved.variants[0].settings:
        varied = ", ".join(resolved.variants[0].settings)
        paragraph(f"{len(resolved.variants)} variants by {varied}; shown are the scenario's own values")
    paragraph(
        "given: written in the file; default: unless told otherwise; evidence: from the catalogue, with its source"
    )
    for section, items in _by_section(resolved.provenance):
        typer.echo("")
        heading(section)
        for item in items:
            _print_item(item)


def _print_item(item: Provenance) -> None:
    source = item.source if item.tag is None else f"{item.source} ({item.tag})"
    line = f"  {item.path} = {yaml_text(item.value)}"
    if not item.note and item.citation is None:
        typer.echo(f"{line}  ({source})")
        return
    typer.echo(line)
    why = ": ".join(part for part in (source, item.note) if part)
    paragraph(why if item.citation is None else f"{why} [{item.citation}]", indent=6)


def _by_section(provenance: Iterable[Provenance]) -> list[tuple[str, list[Provenance]]]:
    found: dict[str, list[Provenance]] = {}
    for item in provenance:
        found.setdefault(item.path.split(".")[0], []).append(item)
    order = {name: place for place, name in enumerate(SECTIONS)}
    return sorted(found.items(), key=lambda pair: order.get(pair[0], len(order)))


def yaml_text(value: Any) -> str:
    """Return a value in the notation of a scenario file, as `--set` takes it.

    Parameters
    ----------
    value : object
        JSON's types.
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {yaml_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(yaml_text(item) for item in value)}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
