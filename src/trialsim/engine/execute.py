"""Carry out a run: compute the blocks that are missing, merge them, sum them up.

Whatever a run dies of, its folder holds whole blocks only, and the same call goes on from there to the same bytes.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from trialsim.engine.backends import Backend, Local
from trialsim.engine.environment import environment_text, environment_words
from trialsim.engine.history import Session, finished_replicates, holder
from trialsim.engine.lock import hold
from trialsim.engine.manifest import (
    AT_ONCE,
    CHECKSUMS,
    build_manifest,
    check_folder,
    damages,
    with_checksums,
    without_checksums,
)
from trialsim.engine.needs import bytes_words, needs, refuse_if_too_large, unit_memory
from trialsim.engine.notes import Note, Tell, silent
from trialsim.engine.parts import PARTS, Parts, check_parts, done_units, find_parts, kinds, store_unit
from trialsim.engine.plan import Unit, units
from trialsim.engine.shards import Shard
from trialsim.engine.store import remove_leftovers, sync_directory, write_json
from trialsim.errors import RefusedError, RunError
from trialsim.scenario.resolved import Resolved

if TYPE_CHECKING:
    from trialsim.engine.work import Done, Job

Progress = Callable[[int, int], None]
"""Called with (units computed, units in all)."""

Bring = Callable[[Path], object]

Publish = Callable[[dict[str, Any]], Sequence[Path]]
"""Draws what a finished run shows, given its manifest; returns the files."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What a call of `execute` did.

    Parameters
    ----------
    folder : Path
    manifest : dict
    replicates : int
    units_computed, units_total : int
        A finished run asked for again computes none.
    done_before : bool
        Whether the folder held the finished run and nothing was done.
    merged : bool
        False where only some of the units were to be computed.
    """

    folder: Path
    manifest: dict[str, Any]
    replicates: int
    units_computed: int
    units_total: int
    done_before: bool = False
    merged: bool = True


@dataclass(frozen=True)
class _Task:
    """A run that is wanted, and who is told of it."""

    resolved: Resolved
    folder: Path
    replicates: int
    backend: Backend
    progress: Progress
    tell: Tell
    verify: bool
    bring: Bring | None

    @cached_property
    def manifest(self) -> dict[str, Any]:
        return build_manifest(self.resolved, self.replicates)

    @property
    def planned(self) -> list[Unit]:
        return units(self.resolved, self.replicates)


def execute(
    resolved: Resolved,
    folder: Path,
    *,
    replicates: int,
    workers: int = 1,
    backend: Backend | None = None,
    progress: Progress | None = None,
    tell: Tell = silent,
    verify: bool = False,
    wait: bool = True,
    force: bool = False,
    shard: Shard | None = None,
    bring: Bring | None = None,
    publish: Publish | None = None,
) -> Execution:
    """Compute a run into a folder, or what is missing of it there.

    Parameters
    ----------
    resolved : Resolved
    folder : Path
        New, empty, or holding a run of the same scenario; replicates that it has are kept.
    replicates : int
        Per cell.
    workers : int
        Of this machine; not looked at where a backend is given.
    backend : Backend, optional
        What computes the units.
    progress : callable, optional
    tell : callable
        Told what a person should know, such as that a damaged part is computed again.
    verify : bool
        Read every file of a finished run; otherwise its manifest is trusted for files that are there in full length.
        True values that the folder does not hold are computed, also where they were found elsewhere before.
    wait : bool
        Wait for another process that works in the folder; otherwise refuse.
    force : bool
        Run what is larger than somebody may have meant.
    shard : Shard, optional
        Compute only these units and stop before merging.
    bring : callable, optional
        Called with the folder before anything is computed: brings parts that were computed elsewhere.
    publish : callable, optional
        Draws what a finished run shows.

    Raises
    ------
    RefusedError
        If the folder holds something else, or a finished run where a shard is asked for; if another process works in
        it and `wait` is false; or if the run is too large.
    RunError
        If the disk is full, the folder cannot be written to, or the memory does not suffice.
    """
    quiet = progress or (lambda done, total: None)
    task = _Task(resolved, folder, replicates, backend or Local(workers), quiet, tell, verify, bring)
    there = check_folder(folder, task.manifest)
    if shard is None and _is_carried_through(there, task) and not _damages(task, there) and _is_drawn(there, publish):
        return _as_it_is(task, there)
    if shard is not None:
        _refuse_finished(there, folder)
    _say_needs(task, force=force)
    with _told_in_words(folder), hold(folder, wait=wait, tell=tell, holder=partial(holder, folder)):
        there = check_folder(folder, task.manifest)  # another process may have worked on it meanwhile
        if there is not None and int(there["replicates"]) > replicates:
            task = replace(task, replicates=int(there["replicates"]))  # nothing that was computed is taken back
        if shard is not None:
            _refuse_finished(there, folder)
            return _compute_some(task, shard)
        if not _is_carried_through(there, task):
            return _carry_out(task, publish)
        damaged = _damages(task, there)
        blocks = {path for files in find_parts(folder).values() for path in files.values()} if damaged else ()
        for name, what in damaged.items():
            if folder / name not in blocks:  # these are told as they are removed
                tell(Note("damaged", f"{folder / name} {what}. It is made again."))
        if not damaged.keys() <= set(_shown(there)):
            return _carry_out(task, publish)
        if publish is not None and (damaged or not _is_drawn(there, publish)):
            _seal(folder, there, [folder / name for name in there[CHECKSUMS] if name not in _shown(there)], publish)
        return _as_it_is(task, there)


def _refuse_finished(there: dict[str, Any] | None, folder: Path) -> None:
    """Refuse to make a finished run a shard: its results would be those of another number of replicates."""
    if there is not None and finished_replicates(folder) == there["replicates"]:
        raise RefusedError(
            f"{folder} holds a finished run of {there['replicates']:,} simulated trials per cell. Nothing was written. "
            "Name another folder for the shard with --out."
        )


def _say_needs(task: _Task, *, force: bool) -> None:
    """Say what a large run needs before anything is written, and refuse one that is too large."""
    found = needs(task.resolved.variants, task.replicates)
    if not force:
        refuse_if_too_large(found, task.folder, task.backend.workers)
    if found.is_worth_saying:
        task.tell(Note("needs", found.words(task.backend.workers)))


def _is_carried_through(there: dict[str, Any] | None, task: _Task) -> TypeGuard[dict[str, Any]]:
    """Return whether a folder's run, of which this is the manifest, was finished with as many replicates."""
    if there is None or not same_words(there, task.manifest):
        return False
    return finished_replicates(task.folder) == max(int(there["replicates"]), task.replicates)


def _damages(task: _Task, there: dict[str, Any]) -> dict[str, str]:
    return damages(task.folder, there, read=task.verify)


def _shown(there: dict[str, Any]) -> list[str]:
    """Return what a person opens: drawn from the results, and drawn again without them being made again."""
    return [
        name for name in there.get(CHECKSUMS, {}) if name.startswith("figures/") or name.endswith((".html", *AT_ONCE))
    ]


def _is_drawn(there: dict[str, Any], publish: Publish | None) -> bool:
    """Return whether a finished run has been drawn, or nobody asks for it."""
    return publish is None or set(AT_ONCE) <= set(there.get(CHECKSUMS, {}))


def _as_it_is(task: _Task, there: dict[str, Any]) -> Execution:
    replicates = int(there["replicates"])
    return Execution(task.folder, there, replicates, 0, len(units(task.resolved, replicates)), done_before=True)


def _compute_some(task: _Task, shard: Shard) -> Execution:
    planned = task.planned
    wanted = shard.among(planned)
    if not wanted:
        blocks = "1 block" if len(planned) == 1 else f"{len(planned):,} blocks"
        task.tell(Note("empty", f"This run has {blocks}: shard {shard} is empty, and the whole does not need it."))
    parts = _begin(task)
    done = done_units(parts, wanted, task.resolved.variants)
    with _session(task, shard) as session:
        _compute(task, [unit for unit in wanted if unit not in done], len(done), session)
        session.end("stopped")
    return Execution(task.folder, task.manifest, task.replicates, session.units_computed, len(planned), merged=False)


def _carry_out(task: _Task, publish: Publish | None) -> Execution:
    from trialsim.engine.merging import merge  # a finished run is shown without what computes one

    folder, planned, variants = task.folder, task.planned, task.resolved.variants
    done = done_units(_begin(task), planned, variants)
    with _session(task) as session:
        _compute(task, [unit for unit in planned if unit not in done], len(done), session)
        parts = find_parts(folder)
        merged = merge(task.resolved, folder, parts, task.replicates, again=task.verify)
        _tell_environments(task, merged.environments)
        about = {**task.manifest, "computed_with": [environment_words(words) for words in merged.environments]}
        own = [parts[unit][kind] for unit in planned for kind in kinds(variants[unit.variant])]
        manifest = _seal(folder, about, [*own, *merged.files], publish)
        session.end("finished")
    return Execution(folder, manifest, task.replicates, session.units_computed, len(planned))


def _tell_environments(task: _Task, found: dict[str, int]) -> None:
    """Say so where blocks were computed with other versions or on other processors than those here."""
    for words, count in found.items():
        if words != environment_text():
            text = (
                f"{count:,} of {sum(found.values()):,} blocks were computed with {environment_words(words)}. "
                "They agree with those of this machine to a relative 1e-9, not to the bit."
            )
            task.tell(Note("environment", text))


def _begin(task: _Task) -> Parts:
    """Put a folder in order: no leftovers, the manifest, and parts that are whole; return these."""
    folder = task.folder
    for left in (path for place in (folder, folder / PARTS, folder / "figures") for path in remove_leftovers(place)):
        task.tell(Note("removed", f"Removed {left}, left half written by a process that was stopped."))
    write_json(folder / "manifest.json", task.manifest)
    if task.bring is not None:
        task.bring(folder)
    return check_parts(folder, task.tell)


def _seal(folder: Path, manifest: dict[str, Any], files: Sequence[Path], publish: Publish | None) -> dict[str, Any]:
    """Draw what a finished run shows, and write the manifest with the checksums of all files; return it."""
    shown = publish(without_checksums(manifest)) if publish is not None else ()
    manifest = with_checksums(manifest, folder, [*files, *shown])
    write_json(folder / "manifest.json", manifest)
    return manifest


def _compute(task: _Task, waiting: list[Unit], done: int, session: Session) -> None:
    """Compute units and store each as it comes: one is written while the next is computed."""
    total = done + len(waiting)
    task.progress(done, total)
    if not waiting:
        return
    from trialsim.engine.work import Job, compute_sent

    whole = Job(task.resolved.variants, task.resolved.hash, task.resolved.seed)
    jobs = {variant: whole.only(variant) for variant in {unit.variant for unit in waiting}}
    sent = [(jobs[unit.variant], unit) for unit in waiting]

    def keep(result: Done) -> None:
        store_unit(task.folder, result.unit, result.files)
        session.count(result.wall_seconds, result.cpu_seconds)

    with ThreadPoolExecutor(max_workers=1) as disk:  # however this is left, what is being written is waited for
        written: Future[None] | None = None
        results = task.backend.run(compute_sent, sent, describe=_named, lost=partial(_lost, task.tell))
        for computed, result in enumerate(results, start=1):
            if written is not None:
                written.result()
            written = disk.submit(keep, result)
            task.progress(done + computed, total)
        if written is not None:
            written.result()
    sync_directory(task.folder / PARTS)


def _lost(tell: Tell, words: str) -> None:
    tell(Note("worker", words))


def _named(sent: tuple[Job, Unit]) -> str:
    """Return a unit in words."""
    job, unit = sent
    [variant] = job.variants
    about = "".join(f", {path} {value}" for path, value in variant.settings.items())
    memory = bytes_words(unit_memory(variant))
    return f"block {unit.block} of variant {unit.variant} (N {max(variant.sample_sizes)}{about}; about {memory})"


@contextmanager
def _session(task: _Task, shard: Shard | None = None) -> Iterator[Session]:
    """Give the session of this process; how it ends is written, unless nothing can be written any more."""
    session = Session(task.folder, replicates=task.replicates, workers=task.backend.workers, shard=shard and str(shard))
    try:
        yield session
    except BaseException as error:
        with suppress(OSError):
            session.end("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        raise


_NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
_GOES_ON = "Finished blocks are kept: the same command goes on from there."


@contextmanager
def _told_in_words(folder: Path) -> Iterator[None]:
    """Turn what the system refuses into an error that says what to do."""
    try:
        yield
    except MemoryError as error:
        raise RunError(
            f"The memory does not suffice. {_GOES_ON} Give it fewer --workers, or a machine with more memory."
        ) from error
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise RunError(f"The disk of {folder} is full. {_GOES_ON} Make room first.") from error
        if error.errno in _NOT_WRITABLE:
            raise RunError(
                f"{error.filename or folder} cannot be written to ({error.strerror}). Allow writing, or name another "
                "folder with --out; finished blocks are kept."
            ) from error
        raise


def finished(folder: Path, replicates: int) -> bool:
    """Return whether a folder's run was carried through to the end with that many replicates."""
    return finished_replicates(folder) == replicates


def same_words(there: dict[str, Any], manifest: dict[str, Any]) -> bool:
    """Return whether titles and labels, which are no part of the hash, are those of the folder's report."""
    return bool(
        there.get("title") == manifest["title"]
        and json.dumps(_words(there.get("scenario", {}))) == json.dumps(_words(manifest["scenario"]))
    )


def _words(scenario: dict[str, Any]) -> list[Any]:
    variants = scenario.get("variants") or [{}]
    labels = [variants[0].get(name) for name in ("arm_labels", "strata_labels", "outcome_labels")]
    labelled = ("estimands", "clusters", "counts", "therapies")
    return [
        scenario.get("description"),
        *labels,
        *([item.get("label") for item in variants[0].get(part, [])] for part in labelled),
    ]
