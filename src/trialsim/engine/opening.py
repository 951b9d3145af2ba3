"""A run folder opened again: what was run, resolved anew from what the manifest says was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from trialsim._version import __version__
from trialsim.engine.manifest import MANIFEST, read_manifest
from trialsim.engine.store import SCHEMA_VERSION
from trialsim.errors import InputError, RefusedError
from trialsim.scenario import Resolved, load_content, resolve
from trialsim.streams import SCHEME


class RunFolder(NamedTuple):
    """A run folder with its scenario.

    Attributes
    ----------
    path : Path
    manifest : dict
    resolved : Resolved
        As it was run: the same hash.
    """

    path: Path
    manifest: dict[str, Any]
    resolved: Resolved

    @property
    def replicates(self) -> int:
        """Simulated trials per cell."""
        return int(self.manifest["replicates"])


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return the manifest of a run folder.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    RefusedError
        If it is no run folder, or its manifest is damaged.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise RefusedError(f"{folder} does not hold a trialsim run. `trialsim runs` lists those in outputs.")
    if not isinstance(manifest["scenario"].get("scenario"), dict):
        raise RefusedError(f"{folder / MANIFEST} is damaged: it does not hold the scenario.")
    return manifest


def other_version(manifest: dict[str, Any]) -> str:
    """Return what of a manifest is of another version, in words; empty where nothing is."""
    known = (
        ("trialsim", "version of trialsim", __version__),
        ("schema", "file schema", SCHEMA_VERSION),
        ("seed_scheme", "seed scheme", SCHEME),
    )
    found = [f"{words} ({manifest[key]}; this is {own})" for key, words, own in known if manifest[key] != own]
    return ", ".join(found)


def open_folder(folder: Path) -> RunFolder:
    """Return a run folder with its scenario resolved anew.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    RefusedError
        If it is no run folder, or was made by another version.
    """
    manifest = manifest_of(folder)
    other = other_version(manifest)
    if other:
        # An unreleased version may have changed its files under the same number.
        same = manifest["trialsim"] == __version__
        remedy = "Run" if same else f"Install trialsim {manifest['trialsim']} to open it, or run"
        raise RefusedError(f"{folder} was made by another {other}. {remedy} its scenario again into another folder.")
    try:
        resolved = resolve(load_content(manifest["scenario"]["scenario"], str(folder / MANIFEST)))
    except InputError as error:
        raise RefusedError(f"The scenario in {folder / MANIFEST} cannot be read:\n{error}") from error
    if resolved.hash != manifest["scenario_hash"]:
        raise RefusedError(
            f"{folder / MANIFEST} does not hold together: its scenario gives the hash {resolved.hash[:12]} and not "
            f"{manifest['scenario_hash'][:12]}. The file was changed, or was made with other evidence."
        )
    return RunFolder(folder, manifest, resolved)
