"""`trialsim merge`: one run from its shards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def merge(
    folders: Annotated[
        list[Path], typer.Argument(metavar="SHARD...", help="Run folders made with --shard.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Run folder of the whole.", show_default=False)],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no table.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results as JSON, and events as JSON lines on the error stream.")
    ] = False,
) -> None:
    """Put the shards of a run together.

    The files of the whole are the same bytes as those of a run that was computed in one piece. Shards of another
    scenario or version are refused, and missing ones named. The shards stay as they are.
    """
    from trialsim import api
    from trialsim.cli.results import show_run
    from trialsim.cli.telling import telling

    with telling("Merging", quiet=quiet, as_json=as_json) as told:
        result = api.merge(folders, out, progress=told.progress, tell=told.tell)
        told.finished(result)
    show_run(result, quiet=quiet, as_json=as_json)
