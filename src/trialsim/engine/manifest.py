"""What a run folder says of itself: what was run (manifest.json) and when (run.json)."""

from __future__ import annotations

import json
import os
import platform
import stat
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from trialsim._version import __version__
from trialsim.engine.environment import cpu_family
from trialsim.engine.history import finished_replicates
from trialsim.engine.lock import LOCK
from trialsim.engine.parts import PARTS
from trialsim.engine.reading import read_json, strange
from trialsim.engine.store import SCHEMA_VERSION, TEMPORARY, sha256_of, side_by_side
from trialsim.errors import RefusedError
from trialsim.scenario.resolved import Resolved
from trialsim.streams import BLOCK_SIZE, SCHEME

PACKAGES = ("numpy", "scipy", "pandas", "pyarrow", "joblib", "matplotlib", "pydantic")
"""Packages whose versions the results or their presentation may depend on."""

MANIFEST = "manifest.json"
ANSWER = "answer.json"
"""What a finished run shows on the screen."""
RESULTS = "results.json"
"""What it gives another program."""
AT_ONCE = (ANSWER, RESULTS)
"""What is shown without anything else being read, and therefore compared with its checksum each time."""
CHECKSUMS = "checksums"
COMPARISON = "comparison"
"""Kind of a manifest that is no run's: designs are compared in its folder."""
DESIGNS = "designs"
"""Folder in that of a comparison, of the designs' runs."""
MAXIMUM_REPLICATES = 1_000_000
"""Of a run, per cell; as many as a scenario may ask for."""

_KINDS = {
    "schema": int,
    "title": str,
    "scenario_hash": str,
    "seed": int,
    "replicates": int,
    "block_size": int,
    "seed_scheme": type(SCHEME),
    "trialsim": str,
    "versions": dict,
    "environment": dict,
    "scenario": dict,
}
"""What stands in every manifest, apart from checksums."""


def build_manifest(resolved: Resolved, replicates: int) -> dict[str, Any]:
    """Return the manifest: everything that decides the results, and nothing that does not.

    Parameters
    ----------
    resolved : Resolved
    replicates : int
    """
    return {
        "schema": SCHEMA_VERSION,
        "title": resolved.title,
        "scenario_hash": resolved.hash,
        "seed": resolved.seed,
        "replicates": replicates,
        "block_size": BLOCK_SIZE,
        "seed_scheme": SCHEME,
        "trialsim": __version__,
        "versions": dict(_versions()),
        "environment": {
            "system": platform.system(),
            "machine": platform.machine(),
            "byte_order": sys.byteorder,
            "cpu_family": cpu_family(),
        },
        "scenario": resolved.to_dict(),
    }


@cache
def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def with_checksums(manifest: dict[str, Any], folder: Path, paths: Iterable[Path]) -> dict[str, Any]:
    """Return a manifest with the checksum and size of files of its folder.

    Parameters
    ----------
    manifest : dict
    folder : Path
    paths : iterable of Path
        Below the folder; they are read.
    """
    listed = sorted(paths)
    checksums = {
        path.relative_to(folder).as_posix(): {"sha256": digest, "bytes": path.stat().st_size}
        for path, digest in zip(listed, side_by_side(sha256_of, listed), strict=True)
    }
    return {**without_checksums(manifest), CHECKSUMS: checksums}


def without_checksums(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest as it stands before the run is finished."""
    return {key: value for key, value in manifest.items() if key != CHECKSUMS}


def damages(folder: Path, manifest: dict[str, Any], *, read: bool) -> dict[str, str]:
    """Return what is wrong with the files that a manifest lists, by their names in it; empty where all is well.

    Parameters
    ----------
    folder : Path
    manifest : dict
    read : bool
        Read every file and compare its checksum; otherwise only those of `AT_ONCE`, and names and sizes of all.
    """
    known_of: dict[str, dict[str, Any]] = manifest.get(CHECKSUMS, {})
    found, to_read = {}, []
    for name, known in known_of.items():
        try:
            seen = os.stat(f"{folder}/{name}")  # a long run has thousands: a Path for each takes longer than looking
        except OSError:
            found[name] = "is missing"
            continue
        if not stat.S_ISREG(seen.st_mode):
            found[name] = "is no ordinary file"
        elif seen.st_size != known["bytes"]:
            found[name] = f"has {seen.st_size:,} bytes and not {known['bytes']:,}"
        elif read or name in AT_ONCE:
            to_read.append(name)
    for name, digest in zip(to_read, side_by_side(sha256_of, [folder / name for name in to_read]), strict=True):
        if digest != known_of[name]["sha256"]:
            found[name] = "is not what was written there"
    return found


def refuse_damaged(folder: Path) -> None:
    """Read every file of a run folder and refuse it where one is not what was written there.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    RefusedError
    """
    found = damages(folder, read_manifest(folder) or {}, read=True)
    for name, what in found.items():
        raise RefusedError(
            f"{folder / name} {what}. Give the run's command again with --verify: what is damaged is made again."
        )


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a run folder, of the right kinds throughout; None where there is none.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    RefusedError
        If it is there and is not one that this version writes, or is that of a comparison.
    """
    path = folder / MANIFEST
    found = read_json(path)
    if found is None:
        return None
    if found.get("kind") == COMPARISON:
        raise RefusedError(f"{folder} holds a comparison. The runs of its designs lie in {folder / DESIGNS}: name one.")
    for key, kind in _KINDS.items():
        if type(found.get(key)) is not kind:
            raise strange(path, f"{key} is {'not there' if key not in found else 'of another kind'}")
    if not 1 <= found["replicates"] <= MAXIMUM_REPLICATES:
        raise strange(path, f"replicates is {found['replicates']}")
    checksums = found.get(CHECKSUMS, {})
    if not isinstance(checksums, dict):
        raise strange(path, "checksums is of another kind")
    for name, known in checksums.items():
        _check_entry(path, name, known)
    return found


def _check_entry(path: Path, name: str, known: object) -> None:
    """Refuse a checksum that is none, or that would have a file outside the folder read."""
    inside = not name.startswith("/") and ".." not in name.split("/") and "\\" not in name and ":" not in name
    kinds = {key: type(value) for key, value in known.items()} if isinstance(known, dict) else {}
    if not inside or kinds != {"sha256": str, "bytes": int}:
        raise strange(path, f"its entry {name[:80]!r} names no file of the folder")


def was_run(folder: Path, resolved: Resolved) -> bool:
    """Return whether a folder holds a finished run of this very scenario by this version, which found it sound.

    Parameters
    ----------
    folder : Path
    resolved : Resolved
        What it says of its simulation, such as the number of replicates, is left aside.
    """
    try:
        there = read_json(folder / MANIFEST) or {}
    except RefusedError:  # told to who wants the folder
        return False
    if there.get("scenario_hash") != resolved.hash or there.get("trialsim") != __version__:
        return False
    inside = there.get("scenario")
    written = inside.get("scenario") if isinstance(inside, dict) else None
    alike = isinstance(written, dict) and _without_simulation(written) == _without_simulation(
        resolved.scenario.to_dict()
    )
    return alike and finished_replicates(folder) is not None


def _without_simulation(written: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in written.items() if key != "simulation"}, sort_keys=True)


def _is_ours_alone(path: Path) -> bool:
    """Return whether a file says nothing of a run: a lock, or what a killed process had begun to write."""
    return path.name == LOCK or (path.name.startswith(".") and path.name.endswith(TEMPORARY))


def check_folder(folder: Path, manifest: dict[str, Any]) -> dict[str, Any] | None:
    """Return the manifest that a run folder already holds, if it is of the same scenario; None for a new folder.

    Parameters
    ----------
    folder : Path
    manifest : dict
        Of the run that wants the folder.

    Raises
    ------
    RefusedError
        If the folder holds anything else: another scenario or version, or other files.
    """
    inside = next((path for path in (folder, *folder.parents) if path.exists() or path.is_symlink()), None)
    if inside is not None and not inside.is_dir():
        kind = "is a file" if inside.exists() else "is a link that leads nowhere"
        lies = "" if inside == folder else f", so nothing can be written into {folder}"
        raise RefusedError(f"{inside} {kind}{lies}. Name a folder with --out.")
    if not folder.is_dir() or all(_is_ours_alone(path) for path in folder.iterdir()):
        return None
    there = read_json(folder / MANIFEST)
    if there is None and (folder / PARTS).is_dir():
        raise RefusedError(
            f"{folder} has no {MANIFEST}, which says what its {PARTS}/ were computed for. Nothing was written. Bring "
            "the file back, or name another folder with --out."
        )
    if there is None:
        raise RefusedError(
            f"{folder} holds files that are not a trialsim run. Nothing was written. Name another folder with --out."
        )
    if there.get("kind") == COMPARISON:
        raise RefusedError(f"{folder} holds a comparison. Nothing was written. Name another folder with --out.")
    if there.get("scenario_hash") != manifest["scenario_hash"]:
        raise RefusedError(
            f"{folder} holds the results of another scenario ({str(there.get('title'))[:200]!r}, "
            f"{str(there.get('scenario_hash'))[:12]}; this one is {manifest['scenario_hash'][:12]}). "
            "Nothing was written. Name another folder with --out, or move that one away."
        )
    for key, words in (("trialsim", "version of trialsim"), ("seed_scheme", "seed scheme"), ("schema", "file schema")):
        if there.get(key) != manifest[key]:
            raise RefusedError(
                f"{folder} was made by another {words} ({str(there.get(key))[:40]}; this is {manifest[key]}). "
                "Nothing was written. Name another folder with --out."
            )
    return read_manifest(folder)
