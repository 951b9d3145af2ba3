"""What lies in a folder of runs: each with its state, scenario, age and size. Nothing is written, little is read."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from trialsim.engine.history import finished_replicates
from trialsim.engine.lock import is_held
from trialsim.engine.manifest import COMPARISON, DESIGNS, MANIFEST, damages
from trialsim.engine.opening import manifest_of, other_version
from trialsim.engine.parts import find_parts
from trialsim.engine.plan import n_blocks
from trialsim.engine.reading import read_json
from trialsim.engine.shards import Shard, current_shards
from trialsim.errors import RefusedError


class Listed(NamedTuple):
    """A run folder.

    Attributes
    ----------
    folder : Path
    state : str
        `finished`, `shard` (all that is asked of one is there), `unfinished`, `running`, `damaged`, `other version`, or
        `comparison`, whose designs' runs are listed as well.
    blocks_done, blocks : int
        Of units of work, of a shard its own: a block of a variant each; 0 where nobody can tell.
    title : str
        Of the scenario.
    scenario_hash : str
    replicates : int
        Simulated trials per cell.
    age_seconds : float
        Since it was last worked on; 0 where the clock says that this is yet to come.
    bytes : int
        Of all its files.
    note : str
        What is the matter with it; empty where nothing is.
    shard : str
        Which part of a run it is, such as `3/20`; empty where it is a whole one.
    """

    folder: Path
    state: str
    blocks_done: int
    blocks: int
    title: str
    scenario_hash: str
    replicates: int
    age_seconds: float
    bytes: int
    note: str
    shard: str = ""


def listed(place: Path) -> list[Listed]:
    """Return the run folders in a folder, those worked on last first.

    Parameters
    ----------
    place : Path
        Looked through one level deep, and into comparisons; may itself be a run folder.
    """
    folders = [place, *sorted(place.iterdir())] if place.is_dir() else []
    designs = [run for folder in folders if (folder / DESIGNS).is_dir() for run in (folder / DESIGNS).iterdir()]
    found = [_look_at(folder) for folder in (*folders, *designs) if (folder / MANIFEST).is_file()]
    return sorted(found, key=lambda run: (run.age_seconds, run.folder))


def _look_at(folder: Path) -> Listed:
    age = max(time.time() - (folder / MANIFEST).stat().st_mtime, 0.0)
    size = _size(folder)
    try:
        there = read_json(folder / MANIFEST) or {}
        if there.get("kind") == COMPARISON:
            words, replicates = str(there.get("title", "")), there.get("replicates")
            known = replicates if isinstance(replicates, int) else 0
            return Listed(folder, COMPARISON, 0, 0, words, "", known, age, size, "")
        manifest = manifest_of(folder)
    except RefusedError as error:
        return Listed(folder, "damaged", 0, 0, "", "", 0, age, size, str(error))
    state, note = _state(folder, manifest)
    shards = [] if state == "finished" else current_shards(folder)
    done, blocks = _blocks(folder, manifest, shards)
    if shards and state == "unfinished" and done == blocks:
        state = "shard"
    return Listed(
        folder,
        state,
        done,
        blocks,
        manifest["title"],
        manifest["scenario_hash"],
        manifest["replicates"],
        age,
        size,
        note,
        ", ".join(map(str, shards)),
    )


def _state(folder: Path, manifest: dict[str, Any]) -> tuple[str, str]:
    if is_held(folder):
        return "running", ""
    other = other_version(manifest)
    if other:
        return "other version", f"made by another {other}"
    if finished_replicates(folder) != manifest["replicates"]:
        try:
            read_json(folder / "run.json")
        except RefusedError as error:
            return "damaged", str(error)
        return "unfinished", ""
    found = damages(folder, manifest, read=False)
    if found:
        first = next(iter(found))
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return "damaged", f"{first} {found[first]}{more}"
    return "finished", ""


def _blocks(folder: Path, manifest: dict[str, Any], shards: Sequence[Shard]) -> tuple[int, int]:
    """Return how many units of work are done, by the names of their files, and how many there are in these shards.

    Without shards it is all of them.
    """
    variants = manifest["scenario"].get("variants")
    if not isinstance(variants, list):
        return 0, 0
    kinds = [_n_kinds(variant) for variant in variants]
    planned = range(n_blocks(manifest["replicates"]) * len(variants))  # in the order of `plan.units`
    wanted = [shard.among(planned) for shard in shards or (Shard(1, 1),)]
    done = sum(
        unit.variant < len(variants)
        and any(unit.block * len(variants) + unit.variant in own for own in wanted)
        and len(files) >= kinds[unit.variant]
        for unit, files in find_parts(folder).items()
    )
    return done, sum(map(len, wanted))


def _n_kinds(variant: Any) -> int:
    """Return how many files a unit has, from a variant as the manifest holds it."""
    if not isinstance(variant, dict):
        return 1
    return 1 + sum(variant.get(name) is not None for name in ("safety", "unblinding", "operations"))


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:  # gone meanwhile
                continue
    return total
