"""The parts of a run: the files of each unit, with the checksum of their content in their names.

    parts/estimates_variant0000_block000000_0123456789abcdef.parquet
    parts/safety_variant0000_block000000_....parquet      where the scenario watches safety
    parts/guesses_variant0000_block000000_....npy         where patients guess their arm
    parts/operations_variant0000_block000000_....npz      where the running of the trial is simulated

One rename publishes content and checksum at once, so that no moment to be killed at lies between them. A unit is done
if, and only if, it has one whole file of each kind.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from trialsim.engine.notes import Note, Tell
from trialsim.engine.plan import Unit
from trialsim.engine.store import sha256_of, side_by_side, write_bytes
from trialsim.scenario.resolved import Variant

PARTS = "parts"
DIGITS = 16
"""Hexadecimal digits of the SHA-256 that stand in a name; the manifest holds all 64."""

_ENDINGS = {"estimates": "parquet", "safety": "parquet", "guesses": "npy", "operations": "npz"}
_NAME = re.compile(r"([a-z]+)_variant([0-9]{4,})_block([0-9]{6,})_([0-9a-f]{16})\.(parquet|npy|npz)")

Parts = dict[Unit, dict[str, Path]]
"""Files by unit and kind."""


def kinds(variant: Variant) -> tuple[str, ...]:
    """Return the kinds of files that a unit of a variant consists of."""
    guesses = ("guesses",) if variant.unblinding is not None else ()
    safety = ("safety",) if variant.safety is not None else ()
    operations = ("operations",) if variant.operations is not None else ()
    return ("estimates", *safety, *guesses, *operations)


def store_unit(folder: Path, unit: Unit, files: Mapping[str, bytes]) -> None:
    """Write the files of a unit, each whole or not at all.

    Parameters
    ----------
    folder : Path
        The run folder.
    unit : Unit
    files : mapping of str to bytes
        By kind.
    """
    for kind, content in files.items():
        digest = hashlib.sha256(content).hexdigest()[:DIGITS]
        path = folder / PARTS / f"{kind}_{unit.name}_{digest}.{_ENDINGS[kind]}"
        write_bytes(path, content, sync_folder=False)


def find_parts(folder: Path) -> Parts:
    """Return the files of every unit in a run folder by their names alone; nothing is read.

    Parameters
    ----------
    folder : Path
        The run folder.
    """
    found: Parts = {}
    place = folder / PARTS
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        name = _NAME.fullmatch(path.name)
        if name is not None and _ENDINGS.get(name[1]) == name[5]:
            found.setdefault(Unit(int(name[2]), int(name[3])), {})[name[1]] = path
    return found


def is_whole(path: Path) -> bool:
    """Return whether a part's content is what its name says."""
    return path.is_file() and sha256_of(path)[:DIGITS] == path.stem.rpartition("_")[2]


def check_parts(folder: Path, tell: Tell) -> Parts:
    """Return the files of every unit after reading them all; those that are damaged are removed and told.

    Parameters
    ----------
    folder : Path
        The run folder.
    tell : callable
    """
    sound: Parts = {}
    found = [(unit, kind, path) for unit, files in find_parts(folder).items() for kind, path in files.items()]
    for (unit, kind, path), whole in zip(found, side_by_side(is_whole, [path for *_, path in found]), strict=True):
        if whole:
            sound.setdefault(unit, {})[kind] = path
        else:
            tell(Note("damaged", f"{path} is damaged: it is not what was written there. Its block is run again."))
            path.unlink()
    return sound


def done_units(parts: Parts, planned: Iterable[Unit], variants: tuple[Variant, ...]) -> set[Unit]:
    """Return the planned units of which every file is there.

    Parameters
    ----------
    parts : dict
        Of `find_parts` or `check_parts`.
    planned : iterable of Unit
    variants : tuple of Variant
    """
    return {unit for unit in planned if set(kinds(variants[unit.variant])) <= parts.get(unit, {}).keys()}
