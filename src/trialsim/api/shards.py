"""The shards of a run put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trialsim.api.finished import Run
from trialsim.api.runs import carry_out
from trialsim.errors import Fault, InputError, RefusedError

if TYPE_CHECKING:
    from trialsim.engine.notes import Tell


def merge(
    folders: Sequence[str | Path],
    out: str | Path,
    *,
    progress: Callable[[int, int], None] | None = None,
    tell: Tell | None = None,
) -> Run:
    """Return the run of which these folders hold the shards: the same bytes as of one that was computed in one piece.

    Parameters
    ----------
    folders : sequence of str or Path
        Made by `run` with a `shard`; they stay as they are.
    out : str or Path
        Run folder; new, or of the same run and no longer than it. Not one of the shards.
    progress : callable, optional
        Called with (blocks done, blocks in all).
    tell : callable, optional
        Called with notes (`kind`, `text`), such as that two shards have blocks in common.

    Raises
    ------
    InputError
        If there is no folder.
    RefusedError
        If a folder is no shard, is of another scenario or version, a shard is missing or damaged, or two disagree;
        or if `out` holds something else or a longer run.
    """
    from trialsim.engine.manifest import build_manifest, check_folder
    from trialsim.engine.notes import silent
    from trialsim.engine.opening import open_folder
    from trialsim.engine.shards import bring, pieces_of, sources_of

    if not folders:
        raise InputError([Fault("merge", "name the folders of the shards")])
    pieces = pieces_of([Path(folder) for folder in folders], Path(out))
    resolved = open_folder(pieces.folders[0]).resolved
    replicates = int(pieces.manifest["replicates"])
    there = check_folder(Path(out), build_manifest(resolved, replicates))
    if there is not None and int(there["replicates"]) > replicates:
        raise RefusedError(
            f"{out} holds a run of {there['replicates']:,} simulated trials per cell, more than the {replicates:,} of "
            "these shards. Nothing was written. Name another folder with --out."
        )
    sources = sources_of(pieces, resolved, tell or silent)
    return carry_out(resolved, Path(out), replicates, tell=tell, progress=progress, bring=partial(bring, sources))
