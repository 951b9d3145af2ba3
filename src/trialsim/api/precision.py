"""A run that grows until its powers are precise enough."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trialsim.errors import RefusedError
from trialsim.planning.precision import LEAST, Estimate, Seen, next_replicates
from trialsim.report.publish import families_of
from trialsim.streams import BLOCK_SIZE

if TYPE_CHECKING:
    from trialsim.engine.execute import Execution
    from trialsim.scenario import Resolved

SHARES = (("disjunctive_power", "usable"), ("conjunctive_power", "usable"))
"""Powers of hypotheses that are tested together, and their denominators."""


class Once(Protocol):
    """Carries out a run of so many replicates; what its folder has is kept."""

    def __call__(
        self,
        resolved: Resolved,
        folder: Path,
        *,
        replicates: int,
        workers: int,
        progress: Callable[[int, int], None] | None,
    ) -> Execution:
        """Return what was done."""


def run_to_precision(
    once: Once,
    resolved: Resolved,
    folder: Path,
    *,
    workers: int,
    progress: Callable[[int, int], None] | None,
    confirm: Callable[[Estimate], bool] | None,
) -> Execution:
    """Carry out a run with as many replicates as its precision takes.

    Parameters
    ----------
    once : callable
        `engine.execute.execute`.
    resolved : Resolved
        With a precision.
    folder : Path
        The run folder: grown in steps, of which each keeps what is there.
    workers : int
    progress : callable, optional
    confirm : callable, optional
        Asked before anything but the first 500 replicates is simulated.

    Raises
    ------
    RefusedError
        If it says no.
    """
    precision = resolved.precision
    assert precision is not None  # noqa: S101 - for the type checker; the caller has looked
    execution, asked, seconds = _first(once, resolved, folder, progress)
    while True:
        wanted = next_replicates(execution.replicates, resolved.replicates, _seen(folder), precision)
        if wanted is None:
            return execution
        if not asked and confirm is not None:
            blocks = -(-wanted // BLOCK_SIZE) - execution.replicates // BLOCK_SIZE
            if not confirm(Estimate(precision, wanted, seconds * blocks / workers)):
                raise RefusedError(
                    f"Not started. The first {execution.replicates:,} replicates of each cell are kept in {folder}."
                )
        asked = True
        execution = once(resolved, folder, replicates=wanted, workers=workers, progress=progress)


def _first(
    once: Once, resolved: Resolved, folder: Path, progress: Callable[[int, int], None] | None
) -> tuple[Execution, bool, float]:
    """Carry out the first blocks; return that, whether more is there already, and the seconds that a block takes.

    They are computed in this process, so that the later ones tell how long one takes without what is done only once.
    """
    clock = _Clock(progress)
    execution = once(resolved, folder, replicates=LEAST, workers=1, progress=clock)
    begun = execution.replicates > LEAST
    if clock.seconds is None and not begun:
        # They were there before, and nobody knows how long they took.
        clock = _Clock(None)
        with tempfile.TemporaryDirectory() as place:
            once(resolved, Path(place) / "pilot", replicates=LEAST, workers=1, progress=clock)
    return execution, begun, (clock.seconds or 0.0) * len(resolved.variants)


class _Clock:
    """Passes progress on and takes the seconds between one block and the next, the first left out."""

    def __init__(self, progress: Callable[[int, int], None] | None) -> None:
        self._progress = progress
        self._times: list[float] = []

    def __call__(self, done: int, total: int) -> None:
        self._times.append(time.perf_counter())
        if self._progress is not None:
            self._progress(done, total)

    @property
    def seconds(self) -> float | None:
        """Seconds of one block; None where fewer than two were computed."""
        first, *later = self._times[1:] or [0.0]
        return (later[-1] - first) / len(later) if later else None


def _seen(folder: Path) -> list[Seen]:
    """Return every power of a run so far."""
    import pandas as pd

    summary = pd.read_parquet(folder / "summary.parquet")
    usable = summary["converged"] + summary["fell_back"]
    pairs = list(zip(summary["power"], usable, strict=True))
    families = families_of(folder)
    if families is not None:
        pairs += [pair for share, count in SHARES for pair in zip(families[share], families[count], strict=True)]
    return [Seen(float(share), int(count)) for share, count in pairs if share == share]
