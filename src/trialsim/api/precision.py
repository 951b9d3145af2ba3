"""A run that grows until its powers are precise enough."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialsim.errors import RefusedError
from trialsim.planning.precision import LEAST, Estimate, Seen, next_replicates
from trialsim.report.families import families_of
from trialsim.streams import BLOCK_SIZE

if TYPE_CHECKING:
    from trialsim.engine.backends import Backend
    from trialsim.engine.execute import Execution, Publish
    from trialsim.scenario import Resolved

SHARES = (("disjunctive_power", "usable"), ("conjunctive_power", "usable"))
"""Powers of hypotheses that are tested together, and their denominators."""


def run_to_precision(
    resolved: Resolved,
    folder: Path,
    *,
    backend: Backend,
    publish: Publish,
    progress: Callable[[int, int], None] | None,
    confirm: Callable[[Estimate], bool] | None,
    **options: Any,
) -> Execution:
    """Carry out a run with as many replicates as its precision takes.

    Parameters
    ----------
    resolved : Resolved
        With a precision.
    folder : Path
        The run folder: grown in steps, of which each keeps what is there.
    backend : Backend
    publish : callable
        Draws the run once it is precise enough.
    progress : callable, optional
    confirm : callable, optional
        Asked before anything but the first 500 replicates is simulated.
    **options
        As of `trialsim.engine.execute.execute`.

    Raises
    ------
    RefusedError
        If it says no.
    """
    if resolved.precision is None:
        raise ValueError("the scenario asks for no precision")
    growth = _Growth(resolved, folder, resolved.precision, publish, options)
    execution, asked, seconds = growth.first(progress)
    while True:
        wanted = growth.next(execution.replicates)
        if wanted is None:
            return execution
        if not asked and confirm is not None:
            blocks = -(-wanted // BLOCK_SIZE) - execution.replicates // BLOCK_SIZE
            if not confirm(Estimate(resolved.precision, wanted, seconds * blocks / backend.workers)):
                raise RefusedError(
                    f"Not started. The first {execution.replicates:,} replicates of each cell are kept in {folder}."
                )
        asked = True
        execution = growth.to(wanted, backend, progress)


@dataclass(frozen=True, slots=True)
class _Growth:
    """A run folder that grows; it is drawn when it is precise enough."""

    resolved: Resolved
    folder: Path
    precision: float
    publish: Publish
    options: Mapping[str, Any]

    def next(self, done: int) -> int | None:
        """Return up to how many replicates the run has to grow; None where it has enough."""
        return next_replicates(done, self.resolved.replicates, _seen(self.folder), self.precision)

    def to(self, replicates: int, backend: Backend, progress: Callable[[int, int], None] | None) -> Execution:
        """Carry the run out with so many replicates."""
        from trialsim.engine.execute import execute

        def draw(manifest: dict[str, Any]) -> Sequence[Path]:
            return self.publish(manifest) if self.next(int(manifest["replicates"])) is None else ()

        task = {"replicates": replicates, "backend": backend, "progress": progress, "publish": draw, **self.options}
        return execute(self.resolved, self.folder, **task)

    def first(self, progress: Callable[[int, int], None] | None) -> tuple[Execution, bool, float]:
        """Carry out the first blocks; return that, whether more is there already, and the seconds that a block takes.

        They are computed in this process: the later ones tell how long one takes without what is done only once.
        """
        from trialsim.engine.backends import Local
        from trialsim.engine.execute import execute

        clock = _Clock(progress)
        execution = self.to(LEAST, Local(1), clock)
        begun = execution.replicates > LEAST
        if clock.seconds is None and not begun:
            # They were there before, and nobody knows how long they took.
            clock = _Clock(None)
            with tempfile.TemporaryDirectory() as place:
                execute(self.resolved, Path(place) / "pilot", replicates=LEAST, progress=clock, force=True)
        return execution, begun, (clock.seconds or 0.0) * len(self.resolved.variants)


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
