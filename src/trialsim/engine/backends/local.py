"""Units in this process or in worker processes of this machine, which may be killed at any moment."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial
from typing import TypeVar

from trialsim.engine.backends.memory import keep_freed_memory, spare_collector
from trialsim.errors import RunError

T = TypeVar("T")
R = TypeVar("R")

DEATHS_TOGETHER = 2
"""How often a pool may break before the units that were in it are tried one by one."""

DEATHS_ALONE = 2
"""How often a unit may take down a worker that computes nothing else."""

_IN_FLIGHT = 2  # units handed out per worker
_SECONDS_BETWEEN_LOOKS = 0.5


def available_workers() -> int:
    """Return how many processes this machine runs at once."""
    from joblib import cpu_count

    return int(cpu_count())


def silent(words: str) -> None:
    """Tell nobody."""


def run_units(
    function: Callable[[T], R],
    units: Sequence[T],
    workers: int,
    *,
    describe: Callable[[T], str] = str,
    lost: Callable[[str], None] = silent,
) -> Generator[R, None, None]:
    """Yield what the function returns for each unit, as they finish.

    Parameters
    ----------
    function : callable
        Gives the same for a unit however often it is asked. Picklable if workers > 1.
    units : sequence
    workers : int
        1 runs in this process.
    describe : callable
        Names a unit in an error message.
    lost : callable
        Told in words when a worker died.

    Raises
    ------
    RunError
        If a unit takes down every worker that computes it.
    """
    if workers == 1 or len(units) <= 1:
        from threadpoolctl import threadpool_limits

        keep_freed_memory()
        with threadpool_limits(limits=1):
            for unit in units:
                yield function(unit)
        return
    waiting = dict(enumerate(units))
    deaths = 0
    while waiting and workers > 1:
        try:
            for position, result in _together(function, waiting, workers):
                del waiting[position]
                yield result
        except (BrokenProcessPool, MemoryError):
            deaths += 1
            lost("A worker process died (killed, or out of memory). What it was computing is computed again.")
        if waiting and deaths == DEATHS_TOGETHER:
            # Units are handed out in order, so those that broke the pool are among the first.
            suspects = list(waiting)[: _IN_FLIGHT * workers]
            for position in suspects:
                yield _alone(function, waiting.pop(position), describe)
            workers, deaths = workers // 2, 0
            lost(f"Going on with {max(workers, 1)} at a time.")
    for unit in waiting.values():
        yield _alone(function, unit, describe)


def _together(function: Callable[[T], R], units: Mapping[int, T], workers: int) -> Iterator[tuple[int, R]]:
    """Yield positions and results from a pool of workers, as they finish."""
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(backend="loky", inner_max_num_threads=1):
        parallel = Parallel(
            n_jobs=workers, return_as="generator_unordered", batch_size=1, pre_dispatch=_IN_FLIGHT * workers
        )
        task = delayed(partial(_numbered, os.getpid(), function))
        yield from parallel(task(position, unit) for position, unit in list(units.items()))


def _numbered(parent: int, function: Callable[[T], R], position: int, unit: T) -> tuple[int, R]:
    _end_with(parent)
    keep_freed_memory()
    result = function(unit)
    spare_collector()  # after the first unit, which imports what it needs
    return position, result


@cache
def _end_with(parent: int) -> None:
    """Let this worker end soon after the process that it works for, which may be killed and say nothing (POSIX)."""
    if os.name != "posix":
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _alone(function: Callable[[T], R], unit: T, describe: Callable[[T], str]) -> R:
    """Return the result of a unit from a worker that computes nothing else."""
    for _ in range(DEATHS_ALONE):
        try:
            # A pool of two, of which one idles: joblib runs a pool of one in this process, which must not die.
            return next(result for _, result in list(_together(function, {0: unit}, 2)))
        except (BrokenProcessPool, MemoryError):
            continue
    raise RunError(killed_words(describe(unit)))


def killed_words(unit: str) -> str:
    """Return what to do about a unit that takes its workers down."""
    return (
        f"Every worker that computes {unit} dies, also when it computes nothing else. Most often the memory does not "
        "suffice: look into the system's log, use fewer workers or a larger machine, or smaller sample sizes. Finished "
        "blocks are kept: the same command goes on from there."
    )
