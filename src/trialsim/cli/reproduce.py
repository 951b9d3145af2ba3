"""`trialsim reproduce`: whether a run can be had again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.cli.options import AsJson
from trialsim.errors import RunError, visible

if TYPE_CHECKING:
    from trialsim.engine.reproduce import Again, Reproduction

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]


def reproduce(
    folder: RunArgument,
    share: Annotated[
        float, typer.Option("--share", metavar="S", help="Share of the blocks to compute again; at least one is.")
    ] = 0.01,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            help="Seed of the choice of blocks. [default: another choice each time]",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Processes. [default: all cores]", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a run's files and compute some of it again.

    Files are compared with their checksums, and a random share of the blocks is computed again, with the true
    values that they are judged against. Both must come out to the bit where the versions of NumPy and SciPy and
    the kind of processor are those that they were computed with, and to a relative 1e-9 elsewhere. Nothing is
    written. The exit code is 3 if something differs.
    """
    from trialsim import api

    found = api.reproduce(folder, share=share, seed=seed, workers=workers)
    if as_json:
        import json

        typer.echo(json.dumps(_as_json(found), indent=2))
    else:
        _print(found)
    if not found.same:
        raise RunError(f"{folder} was not reproduced.")


def _print(found: Reproduction) -> None:
    whole = found.files - len(found.damaged)
    typer.echo(f"Checksums: {whole:,} of {found.files:,} files are what was written.")
    for name, what in found.damaged.items():
        typer.echo(visible(f"  {found.folder / name} {what}."))
    if found.damaged:
        typer.echo("  Give the run's command again with --verify: what is damaged is made again.")
    typer.echo(f"Computed again: {len(found.blocks):,} of {found.blocks_in_all:,} blocks.")
    _print_again(found, found.blocks)
    if found.true_values:
        typer.echo("True values computed again:")
    _print_again(found, found.true_values)
    typer.echo("Reproduced." if found.same else "Not reproduced.")


def _print_again(found: Reproduction, computed: Sequence[Again]) -> None:
    for block in computed:
        typer.echo(f"  {block.block}: {_words(block.same, block.to_the_bit, block.difference)}")
        apart = [
            f"{name} {was} then, {found.here.get(name)} here"
            for name, was in block.computed_with.items()
            if was != found.here.get(name)
        ]
        if apart:
            typer.echo(visible(f"    {'; '.join(apart)}"))


def _words(same: bool, to_the_bit: bool, difference: float) -> str:
    if same:
        return "the same to the bit" if difference == 0.0 else f"the same to a relative {difference:.1e}"
    asked = "the same versions and processor should give the same bits" if to_the_bit else "more than 1e-9"
    return f"differs by a relative {difference:.1e}: {asked}"


def _as_json(found: Reproduction) -> dict[str, Any]:
    again = {"blocks": _again_as_json(found.blocks), "true_values": _again_as_json(found.true_values)}
    return {**found._asdict(), "folder": str(found.folder), **again, "same": found.same}


def _again_as_json(computed: Sequence[Again]) -> list[dict[str, Any]]:
    # JSON has no infinity.
    return [
        {**one._asdict(), "difference": None if one.difference == float("inf") else one.difference, "same": one.same}
        for one in computed
    ]
