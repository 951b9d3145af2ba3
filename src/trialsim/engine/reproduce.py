"""Whether a run can be had again: its files against their checksums; some blocks and their true values anew."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.backends import run_units
from trialsim.engine.environment import environment_text
from trialsim.engine.manifest import CHECKSUMS, damages
from trialsim.engine.opening import RunFolder
from trialsim.engine.parts import done_units, find_parts, is_whole
from trialsim.engine.plan import Unit, units
from trialsim.engine.reading import read_content
from trialsim.engine.truth import Truths, true_values
from trialsim.engine.truth_files import read_truths
from trialsim.engine.work import Done, Job, compute_unit
from trialsim.errors import RefusedError

TOLERANCE = 1e-9
"""Largest relative difference where versions or processor are not those that the block was computed with."""

SHARE = 0.01

Columns = Mapping[str, NDArray[np.generic]]


class Again(NamedTuple):
    """A block, or the true values of a variant, computed again.

    Attributes
    ----------
    block : str
        Its name; of true values, that of the variant.
    to_the_bit : bool
        Whether the same bits are asked of it; otherwise a relative difference of at most `TOLERANCE`.
    difference : float
        Largest relative difference; 0 for the same bits, infinite where other things than numbers differ.
    computed_with : dict
        Versions and processor that it was computed with first.
    """

    block: str
    to_the_bit: bool
    difference: float
    computed_with: dict[str, str]

    @property
    def same(self) -> bool:
        """Whether it came out as asked."""
        return self.difference == 0.0 if self.to_the_bit else self.difference <= TOLERANCE


class Reproduction(NamedTuple):
    """What came of it.

    Attributes
    ----------
    folder : Path
    files : int
        Files of which checksums were compared.
    damaged : dict
        What is wrong, by file.
    blocks : tuple of Again
    blocks_in_all : int
    true_values : tuple of Again
        Of the variants of these blocks, where the run has come to have them.
    here : dict
        Versions and processor of this machine.
    """

    folder: Path
    files: int
    damaged: dict[str, str]
    blocks: tuple[Again, ...]
    blocks_in_all: int
    true_values: tuple[Again, ...]
    here: dict[str, str]

    @property
    def same(self) -> bool:
        """Whether every file is whole, and every block and true value came out as asked."""
        return not self.damaged and all(again.same for again in (*self.blocks, *self.true_values))


def reproduce(run: RunFolder, *, share: float = SHARE, seed: int | None = None, workers: int = 1) -> Reproduction:
    """Compare the files of a run with their checksums and compute some of its blocks again; nothing is written.

    Parameters
    ----------
    run : RunFolder
        Finished or not; of one that is not, the blocks that are there.
    share : float
        Of the blocks, above 0 and at most 1; at least one is computed.
    seed : int, optional
        Of the choice of blocks; another choice each time by default.
    workers : int

    Raises
    ------
    RefusedError
        If no block is there.
    """
    parts = find_parts(run.path)
    damaged = damages(run.path, run.manifest, read=True)
    if CHECKSUMS not in run.manifest:
        paths = [path for files in parts.values() for path in files.values()]
        damaged = {
            path.relative_to(run.path).as_posix(): "is not what was written there"
            for path in paths
            if not is_whole(path)
        }
    planned = units(run.resolved, run.replicates)
    there = sorted(done_units(parts, planned, run.resolved.variants))
    sound = [unit for unit in there if not _is_damaged(parts[unit], run.path, damaged)]
    if not sound:
        raise RefusedError(f"{run.path} holds no whole block that could be computed again.")
    chosen = _chosen(sound, share, seed)
    job = Job(run.resolved.variants, run.resolved.hash, run.resolved.seed)
    found = [_compare(done, parts[done.unit]) for done in run_units(partial(compute_unit, job), chosen, workers)]
    return Reproduction(
        run.path,
        len(run.manifest.get(CHECKSUMS, {})) or sum(map(len, parts.values())),
        damaged,
        tuple(sorted(found, key=lambda again: again.block)),
        len(planned),
        _true_values(run, sorted({unit.variant for unit in chosen})),
        json.loads(environment_text()),
    )


def _is_damaged(files: Mapping[str, Path], folder: Path, damaged: Mapping[str, str]) -> bool:
    return any(path.relative_to(folder).as_posix() in damaged for path in files.values())


def _chosen(sound: Sequence[Unit], share: float, seed: int | None) -> list[Unit]:
    count = min(max(math.ceil(share * len(sound)), 1), len(sound))
    places = np.random.default_rng(seed).choice(len(sound), count, replace=False)
    return [sound[place] for place in sorted(places.tolist())]


def _compare(done: Done, files: Mapping[str, Path]) -> Again:
    environment = _environment(files["estimates"])
    difference = max(
        largest_difference(_columns(kind, files[kind].read_bytes()), _columns(kind, content))
        for kind, content in done.files.items()
    )
    return Again(done.unit.name, environment == environment_text(), difference, json.loads(environment))


def _true_values(run: RunFolder, indices: Sequence[int]) -> tuple[Again, ...]:
    """Compute true values of variants again, whatever was found elsewhere before; those that the folder holds."""
    found = []
    for variant in (run.resolved.variants[index] for index in indices):
        kept = read_truths(run.path, variant, run.resolved.hash)
        if kept is None:
            continue
        then, now = (_pairs(truths) for truths in (kept.truths, true_values(variant, again=True)))
        to_the_bit = kept.environment == environment_text()
        name = f"variant{variant.index:04d}"
        found.append(Again(name, to_the_bit, largest_difference(then, now), json.loads(kept.environment)))
    return tuple(found)


def _pairs(truths: Truths) -> Columns:
    return {"true_values": np.array(list(truths.values()))}


def _environment(path: Path) -> str:
    import pyarrow.parquet as pq

    metadata = pq.read_schema(path).metadata or {}
    return str(metadata.get(b"environment", b"{}").decode())


def _columns(kind: str, content: bytes) -> Columns:
    """Return the columns of a part as arrays; words as they are."""
    if kind == "guesses":
        return {"guesses": np.load(BytesIO(content), allow_pickle=False)}
    if kind == "operations":
        with np.load(BytesIO(content), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    table = read_content(content)
    return {name: np.asarray(table[name]) for name in table.column_names}


def largest_difference(one: Columns, other: Columns) -> float:
    """Return the largest relative difference of two sets of columns: 0 for the same bits, infinite for other words.

    Parameters
    ----------
    one, other : mapping of str to ndarray
        Floating-point columns may differ by some of their last bits; others may not differ.
    """
    if one.keys() != other.keys():
        return math.inf
    return max((_difference(one[name], other[name]) for name in one), default=0.0)


def _difference(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    if one.shape != other.shape or one.dtype != other.dtype:
        return math.inf
    if one.dtype != np.float64:
        return 0.0 if bool((one == other).all()) else math.inf
    apart = one.view(np.int64) != other.view(np.int64)
    if not apart.any():
        return 0.0
    ours, theirs = one[apart].astype(np.float64), other[apart].astype(np.float64)
    if not (np.isfinite(ours) & np.isfinite(theirs)).all():
        return math.inf
    size = np.maximum(np.abs(ours), np.abs(theirs))
    return float(np.max(np.abs(ours - theirs) / np.where(size == 0.0, 1.0, size)))
