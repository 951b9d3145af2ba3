"""A run cut into shards, each computed on its own, and what is there of it when they are put together.

For clusters without a scheduler. A shard is every n-th unit of a run in the order they are planned in, so that shards
take about equally long; its folder is a run folder that is not finished.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from trialsim.engine.history import sessions
from trialsim.engine.manifest import read_manifest
from trialsim.engine.notes import Note, Tell
from trialsim.engine.parts import done_units, find_parts, is_whole, store_unit
from trialsim.engine.plan import Unit, units
from trialsim.errors import Fault, InputError, RefusedError
from trialsim.scenario.resolved import Resolved

T = TypeVar("T")

Sources = dict[Unit, dict[str, Path]]
"""Files by unit and kind, in the folders of shards."""

MOST_SHARDS = 100_000
_MOST = f"There may be up to {MOST_SHARDS:,}"

_SAME = {
    "scenario_hash": "scenario",
    "trialsim": "version of trialsim",
    "schema": "file schema",
    "seed_scheme": "seed scheme",
    "block_size": "block size",
    "replicates": "number of replicates",
}
"""What shards of one run have in common."""

_LONGER = "Give each shorter one its command again, with its own --shard K/N and --extend {}; then merge again."


class Shard(NamedTuple):
    """One of so many parts of a run, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        """Return it as it is written in a command."""
        return f"{self.number}/{self.of}"

    def among(self, planned: Sequence[T]) -> Sequence[T]:
        """Return what of the planned work is this shard's."""
        return planned[self.number - 1 :: self.of]


def parse_shard(text: str) -> Shard:
    """Return a shard from its text, such as `3/20`.

    Raises
    ------
    InputError
    """
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    shard = Shard(int(found[1]), int(found[2])) if found else None
    if shard is None or not 1 <= shard.number <= shard.of <= MOST_SHARDS:
        raise InputError(
            [Fault("--shard", f"{text!r} is no shard; write which one of how many, such as 3/20. {_MOST}")]
        )
    return shard


class Pieces(NamedTuple):
    """The shard folders of one run.

    Attributes
    ----------
    folders : tuple of Path
    manifest : dict
        Of the first of them.
    """

    folders: tuple[Path, ...]
    manifest: dict[str, Any]


def pieces_of(folders: Sequence[Path], out: Path) -> Pieces:
    """Return the folders of one run, after a look at what they say of themselves.

    Parameters
    ----------
    folders : sequence of Path
        At least one.
    out : Path
        Where the whole is to be.

    Raises
    ------
    RefusedError
        If one is no run folder, is given twice, is where the whole is to be, or is of another scenario, version or
        length.
    """
    manifests = []
    for folder in folders:
        manifest = read_manifest(folder)
        if manifest is None:
            raise RefusedError(f"{folder} does not hold a shard of a run. Nothing was written.")
        manifests.append(manifest)
    places = [folder.resolve() for folder in folders]
    for folder, place in zip(folders, places, strict=True):
        if places.count(place) > 1:
            raise RefusedError(f"{folder} is given twice. Nothing was written.")
        if place in (out.resolve(), *out.resolve().parents):
            raise RefusedError(
                f"{folder} is one of the shards, which stay as they are. Nothing was written. Name another folder with "
                "--out."
            )
    for folder, manifest in zip(folders, manifests, strict=True):
        for key, words in _SAME.items():
            mine, theirs = manifests[0][key], manifest[key]
            if mine != theirs:
                longer = f" {_LONGER.format(max(mine, theirs))}" if key == "replicates" else ""
                raise RefusedError(
                    f"{folder} is of another {words} ({_short(theirs)}) than {folders[0]} ({_short(mine)}): they are "
                    f"not shards of one run. Nothing was written.{longer}"
                )
    return Pieces(tuple(folders), manifests[0])


def sources_of(pieces: Pieces, resolved: Resolved, tell: Tell) -> Sources:
    """Return where the files of every unit of a run are.

    Parameters
    ----------
    pieces : Pieces
    resolved : Resolved
        Their scenario.
    tell : callable

    Raises
    ------
    RefusedError
        If units are missing or damaged, or two shards disagree.
    """
    planned = units(resolved, int(pieces.manifest["replicates"]))
    found = _found(pieces, resolved, planned)
    missing = [unit for unit in planned if unit not in found]
    if missing:
        raise RefusedError(_missing_words(pieces, missing, planned))
    return _sound(found, tell)


def bring(sources: Sources, out: Path) -> None:
    """Copy the parts of shards into a run folder that does not have them yet.

    Parameters
    ----------
    sources : mapping
        Of `sources_of`.
    out : Path
        Held by this process.

    Raises
    ------
    RefusedError
        If a part is damaged; `sources_of` found it sound.
    """
    there = find_parts(out)
    for unit, files in sources.items():
        for kind, path in files.items():
            if not is_whole(path):
                raise RefusedError(f"{path} changed while it was read. Let nobody write there, and merge again.")
            if kind not in there.get(unit, {}):
                store_unit(out, unit, {kind: path.read_bytes()})


def _found(pieces: Pieces, resolved: Resolved, planned: Sequence[Unit]) -> dict[Unit, list[dict[str, Path]]]:
    """Return the files of every unit that is there, from each folder that has it; nothing is read."""
    found: dict[Unit, list[dict[str, Path]]] = {}
    for folder in pieces.folders:
        parts = find_parts(folder)
        for unit in sorted(done_units(parts, planned, resolved.variants)):
            copies = found.setdefault(unit, [])
            copies.append(parts[unit])
            names = [{path.name for path in files.values()} for files in (copies[0], parts[unit])]
            if names[0] != names[1]:
                raise RefusedError(
                    f"{next(iter(copies[0].values())).parent.parent} and {folder} both hold block {unit.block} of "
                    f"variant {unit.variant}, and not with the same results: one was computed with other versions or "
                    "on another kind of processor, or was changed. Nothing was written. Leave one of them out."
                )
    return found


def _sound(found: dict[Unit, list[dict[str, Path]]], tell: Tell) -> Sources:
    """Return a sound copy of every unit, after reading all of them."""
    sources: Sources = {}
    twice = 0
    for unit, copies in found.items():
        damaged = [next((path for path in files.values() if not is_whole(path)), None) for files in copies]
        if None not in damaged:
            raise RefusedError(
                f"{damaged[0]} is damaged: it is not what was written there. Nothing was written. Give the command of "
                "that shard again, and it computes the block anew; then merge again."
            )
        sources[unit] = copies[damaged.index(None)]
        twice += damaged.count(None) > 1
        for path in filter(None, damaged):
            place = next(iter(sources[unit].values())).parent.parent
            tell(
                Note("damaged", f"{path} is damaged: it is not what was written there. The block of {place} is taken.")
            )
    if twice:
        blocks = "1 block is" if twice == 1 else f"{twice:,} blocks are"
        tell(Note("overlap", f"{blocks} in more than one of the folders, with the same content; taken once."))
    return sources


def _missing_words(pieces: Pieces, missing: Sequence[Unit], planned: Sequence[Unit]) -> str:
    """Return which units are missing, as shards where the folders say how the run was cut."""
    known = {shard for folder in pieces.folders for shard in shards_of(folder)}
    cut = {shard.of for shard in known}
    gap, they = ("is", "It is") if len(missing) == 1 else ("are", "They are")
    beginning = f"{len(missing):,} of {len(planned):,} blocks {gap} missing, so nothing was written. {they} "
    if len(cut) == 1:
        [of], gone = cut, set(missing)
        lost = [shard for shard in (Shard(k + 1, of) for k in range(of)) if not gone.isdisjoint(shard.among(planned))]
        words = ", ".join(map(str, lost[:10])) + (" and others" if len(lost) > 10 else "")
        return f"{beginning}of shard {words}: run or finish it (--shard {lost[0]}) and merge again."
    words = ", ".join(f"{unit.block} of variant {unit.variant}" for unit in missing[:5])
    return f"{beginning}block {words}{' and others' if len(missing) > 5 else ''}."


def shards_of(folder: Path) -> set[Shard]:
    """Return the shards that were computed into a folder, as its run.json says."""
    told = [session.get("shard") for session in sessions(folder)]
    found = set()
    for text in told:
        try:
            found.add(parse_shard(str(text)))
        except InputError:
            continue
    return found


def current_shards(folder: Path) -> list[Shard]:
    """Return the shards that a folder is there for; none where a whole run was begun or put together in it last."""
    last = [str(session.get("shard", "")) for session in sessions(folder)[-1:]]
    of = last[0].partition("/")[2] if last else ""
    return sorted(shard for shard in shards_of(folder) if str(shard.of) == of)


def unfinished(folder: Path) -> RefusedError:
    """Return the refusal of a run folder that holds no results yet."""
    shards = current_shards(folder)
    if not shards:
        return RefusedError(f"The run in {folder} is not finished. Give its command again, and it goes on.")
    return RefusedError(
        f"{folder} holds shard {', '.join(map(str, shards))} of a run. Put all of its shards together first: "
        "trialsim merge SHARD... --out FOLDER"
    )


def _short(value: object) -> str:
    return str(value)[:12]
