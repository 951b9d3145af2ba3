"""What a run folder says of itself: what was run (manifest.json) and when (run.json)."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

from trialsim._version import __version__
from trialsim.engine.store import SCHEMA_VERSION
from trialsim.errors import RefusedError
from trialsim.scenario.resolved import Resolved
from trialsim.streams import BLOCK_SIZE, SCHEME

PACKAGES = ("numpy", "scipy", "pandas", "pyarrow", "joblib", "matplotlib", "pydantic")
"""Packages whose versions the results or their presentation may depend on."""


def build_manifest(resolved: Resolved, replicates: int) -> dict[str, Any]:
    """Return the manifest: everything that decides the results, and nothing that does not.

    Parameters
    ----------
    resolved : Resolved
    replicates : int
    """
    from importlib.metadata import version

    return {
        "schema": SCHEMA_VERSION,
        "title": resolved.title,
        "scenario_hash": resolved.hash,
        "seed": resolved.seed,
        "replicates": replicates,
        "block_size": BLOCK_SIZE,
        "seed_scheme": SCHEME,
        "trialsim": __version__,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "environment": {
            "system": platform.system(),
            "machine": platform.machine(),
            "byte_order": sys.byteorder,
        },
        "scenario": resolved.to_dict(),
    }


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a JSON object from a file; None where there is no such file.

    Raises
    ------
    RefusedError
        If the file is there and cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RefusedError(
            f"{path} cannot be read ({error}). Name another folder with --out, or delete this one."
        ) from error
    if not isinstance(content, dict):
        raise RefusedError(f"{path} is not what trialsim writes there. Name another folder with --out.")
    return content


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
    if folder.exists() and not folder.is_dir():
        raise RefusedError(f"{folder} is a file. Name a folder with --out.")
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    there = read_json(folder / "manifest.json")
    if there is None:
        raise RefusedError(
            f"{folder} holds files that are not a trialsim run. Nothing was written. Name another folder with --out."
        )
    if there.get("scenario_hash") != manifest["scenario_hash"]:
        raise RefusedError(
            f"{folder} holds the results of another scenario ({there.get('title')!r}, "
            f"{str(there.get('scenario_hash'))[:12]}; this one is {manifest['scenario_hash'][:12]}). "
            "Nothing was written. Name another folder with --out, or move that one away."
        )
    for key, words in (("trialsim", "version of trialsim"), ("seed_scheme", "seed scheme"), ("schema", "file schema")):
        if there.get(key) != manifest[key]:
            raise RefusedError(
                f"{folder} was made by another {words} ({there.get(key)}; this is {manifest[key]}). "
                "Nothing was written. Name another folder with --out."
            )
    return there
