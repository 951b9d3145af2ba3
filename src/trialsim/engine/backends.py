"""Where units of work run: in this process, or in worker processes of this machine.

Every process, this one included, holds the linear algebra to one thread, so that sums are taken in
the same order and results are the same bytes whatever the number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def available_workers() -> int:
    """Return how many processes this machine runs at once."""
    from joblib import cpu_count

    return int(cpu_count())


def run_units(function: Callable[[T], R], units: Sequence[T], workers: int) -> Generator[R, None, None]:
    """Yield what the function returns for each unit, as they finish.

    Parameters
    ----------
    function : callable
        Takes a unit. Picklable, with what it returns, if workers > 1.
    units : sequence
    workers : int
        1 runs in this process.
    """
    if workers == 1 or len(units) == 1:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1):
            for unit in units:
                yield function(unit)
        return
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(backend="loky", inner_max_num_threads=1):
        parallel = Parallel(n_jobs=min(workers, len(units)), return_as="generator_unordered", batch_size=1)
        yield from parallel(delayed(function)(unit) for unit in units)
