"""What a run will need, found before it begins: memory of a worker, room on the disk, and how much work it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trialsim.engine.hypotheses import hypotheses
from trialsim.engine.plan import n_blocks
from trialsim.errors import RefusedError
from trialsim.scenario.resolved import Variant
from trialsim.streams import BLOCK_SIZE

MOST_UNITS = 200_000
"""Blocks, all variants together: each is a file or more."""

MOST_PATIENTS = 10_000_000_000
"""Simulated, all replicates and variants together: about a day on eight cores."""

# Measured as the peak of one block of the shipped scenarios, at 1,000 and 4,000 patients, and rounded up.
_PROCESS_BYTES = 200_000_000
_BYTES_PER_SCORE = 27
_BYTES_PER_VISIT = 60
_BYTES_PER_ROW = 130  # in a part and in estimates.parquet
_BYTES_PER_TRIAL_RUN = 1000  # in a part and in operations.parquet
_REPORT_BYTES = 5_000_000

_WORTH_SAYING = {"units": 400, "disk": 100_000_000, "memory": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class Needs:
    """What a run will need.

    Parameters
    ----------
    cells, units : int
        Variants at a sample size; blocks to compute.
    replicates : int
        Per cell.
    patients : int
        Simulated in all.
    memory_bytes : int
        Of one worker at its largest block, about.
    disk_bytes : int
        Of the run folder, about.
    """

    cells: int
    units: int
    replicates: int
    patients: int
    memory_bytes: int
    disk_bytes: int

    def words(self, workers: int) -> str:
        """Return the needs in a sentence.

        Parameters
        ----------
        workers : int
            Of this machine; 0 where others compute.
        """
        together = f" ({workers} at a time)" if workers > 1 else ""
        return (
            f"{self.cells:,} cells of {self.replicates:,} simulated trials, {self.units:,} blocks: about "
            f"{bytes_words(self.disk_bytes)} on the disk and {bytes_words(self.memory_bytes)} of memory for each "
            f"worker{together}."
        )

    @property
    def is_worth_saying(self) -> bool:
        """Whether somebody might be surprised by them."""
        found = {"units": self.units, "disk": self.disk_bytes, "memory": self.memory_bytes}
        return any(found[name] >= least for name, least in _WORTH_SAYING.items())


def needs(variants: Sequence[Variant], replicates: int) -> Needs:
    """Return what a run will need.

    Parameters
    ----------
    variants : sequence of Variant
    replicates : int
        Per cell.
    """
    blocks = n_blocks(replicates)
    computed = blocks * BLOCK_SIZE
    rows = sum(len(variant.sample_sizes) * len(hypotheses(variant)) for variant in variants) * computed
    run = sum(len(variant.sample_sizes) for variant in variants if variant.operations is not None) * computed
    return Needs(
        cells=sum(len(variant.sample_sizes) for variant in variants),
        units=blocks * len(variants),
        replicates=replicates,
        patients=computed * sum(max(variant.sample_sizes) for variant in variants),
        memory_bytes=max(unit_memory(variant) for variant in variants),
        disk_bytes=_REPORT_BYTES + rows * _BYTES_PER_ROW + run * _BYTES_PER_TRIAL_RUN,
    )


def unit_memory(variant: Variant) -> int:
    """Return about how many bytes a worker needs for a block of a variant."""
    visits = len(variant.visits_days) + 1
    by_visit = _BYTES_PER_SCORE * len(variant.outcomes) + _BYTES_PER_VISIT
    return _PROCESS_BYTES + BLOCK_SIZE * max(variant.sample_sizes) * visits * by_visit


def refuse_if_too_large(found: Needs, folder: Path, workers: int) -> None:
    """Refuse a run that is larger than somebody may have meant, or than this machine.

    Parameters
    ----------
    found : Needs
    folder : Path
        The run folder; what it holds already is counted as room.
    workers : int
        Of this machine; 0 where others compute.

    Raises
    ------
    RefusedError
    """
    reasons = []
    if found.units > MOST_UNITS:
        reasons.append(f"it has {found.units:,} blocks (at most {MOST_UNITS:,})")
    if found.patients > MOST_PATIENTS:
        reasons.append(
            f"it simulates {found.patients:,} patients: its largest sample size, for each varied value and every trial "
            f"in whole blocks of {BLOCK_SIZE} (at most {MOST_PATIENTS:,})"
        )
    memory, there = found.memory_bytes * workers, memory_of_machine()
    if there is not None and memory > there:
        fewer = there // found.memory_bytes
        remedy = f"; give it --workers {fewer}" if fewer else ""
        reasons.append(f"{workers} workers need about {bytes_words(memory)} of {bytes_words(there)} memory{remedy}")
    room = _room(folder)
    if found.disk_bytes > room:
        reasons.append(f"it needs about {bytes_words(found.disk_bytes)} on a disk with {bytes_words(room)} free")
    if reasons:
        raise RefusedError(
            f"This run is too large: {', and '.join(reasons)}. Nothing was written. Ask for fewer replicates, smaller "
            "samples or fewer varied values, or give --force to run it all the same."
        )


def memory_of_machine() -> int | None:
    """Return the memory of this machine, or what its container may use, in bytes; None where nobody can tell."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None  # Windows
    try:
        return min(found, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    except (OSError, ValueError):
        return found


def _room(folder: Path) -> int:
    """Return how many bytes a run folder may have: what is free, and what it holds."""
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    held = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
    return shutil.disk_usage(place).free + held


def bytes_words(count: float) -> str:
    """Return a number of bytes in words, two digits."""
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 1000:
            return f"{count:.2g} {unit}" if count < 100 else f"{count:.0f} {unit}"
    return f"{count / 1000:,.1f} TB"
