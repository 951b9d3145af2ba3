"""Units on the workers of a Dask scheduler: nothing but results comes back, so no disk need be shared.

Units are handed to the scheduler directly. joblib's own Dask backend waits for ever on a task that takes its workers
down: the scheduler's verdict does not reach it.
"""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from trialsim.engine.backends.fingerprint import differences, fingerprint
from trialsim.engine.backends.local import killed_words, silent
from trialsim.engine.backends.memory import keep_freed_memory
from trialsim.errors import Fault, InputError, RefusedError, RunError

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
R = TypeVar("R")

CONNECT_SECONDS = 20.0
WORKERS_SECONDS = 60.0
_PULSE_SECONDS = 2.0
_IN_FLIGHT = 2  # batches handed out per thread of a worker, so that none waits for this process
_BATCH_SECONDS = 2.0  # a task costs scheduler and worker about 10 ms
_ADDRESS = re.compile(r"(tcp|tls|ws|wss)://[A-Za-z0-9_.:\[\]-]+:[0-9]{1,5}")


def run_on_cluster(
    function: Callable[[T], R],
    units: Sequence[T],
    scheduler: str,
    *,
    describe: Callable[[T], str] = str,
    lost: Callable[[str], None] = silent,
) -> Iterator[R]:
    """Yield what the function returns for each unit, as the workers finish.

    Workers may join and leave at any time; what a worker had not given back is computed by another.

    Parameters
    ----------
    function : callable
        Picklable, and gives the same for a unit however often it is asked.
    units : sequence
    scheduler : str
        Address, such as ``tcp://10.0.0.5:8786``.
    describe : callable
        Names a unit in an error message.
    lost : callable
        Told in words when workers left, or spend their time on watching themselves.

    Raises
    ------
    InputError
        If the address is none, or dask.distributed is not installed.
    RunError
        If no scheduler or worker answers, the scheduler goes away, or a unit takes down every worker.
    RefusedError
        If workers would compute with other versions.
    """
    with _connected(scheduler) as client:
        _check_workers(client, scheduler)
        if True in client.run(profiles_itself, on_error="return").values():
            lost(
                "Dask's workers profile themselves a hundred times a second, which may make a run a tenth longer: "
                "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=False in their environment ends that."
            )
        yield from _streamed(client, function, units, describe, _Watch(client, lost))


def check_address(scheduler: str) -> str:
    """Return the address of a scheduler, if it is one.

    Raises
    ------
    InputError
    """
    if not _ADDRESS.fullmatch(scheduler):
        message = f"{scheduler!r} is no address of a scheduler; write it as `dask scheduler` prints it: tcp://HOST:PORT"
        raise InputError([Fault("--scheduler", message)])
    return scheduler


@contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    check_address(scheduler)
    try:
        from distributed import Client
    except ImportError:
        message = "Dask is not installed here; it comes with: pip install 'trialsim[cluster]'"
        raise InputError([Fault("--backend dask", message)]) from None
    with _silence():
        try:
            client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise RunError(
                f"No Dask scheduler answers at {scheduler}. Start one (dask scheduler --host ADDRESS --port 8786) "
                "and workers (dask worker tcp://ADDRESS:8786 --nthreads 1), and look whether a firewall is between."
            ) from error
        with client:
            yield client


@contextmanager
def _silence() -> Iterator[None]:
    """Hold Dask's own log: what it has to say of lost workers is said here in words."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _check_workers(client: Client, scheduler: str) -> None:
    """Wait for a worker, and refuse those that would compute other bits."""
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except TimeoutError:
        raise RunError(
            f"The scheduler at {scheduler} has no worker ({WORKERS_SECONDS:g} s). "
            f"Start some: dask worker {scheduler} --nthreads 1"
        ) from None
    mine = fingerprint()
    found: Mapping[str, Any] = client.run(fingerprint, on_error="return")
    wrong = [f"{address}: {_verdict(mine, theirs)}" for address, theirs in sorted(found.items())]
    wrong = [words for words in wrong if not words.endswith(": ")]
    if wrong:
        listed = "\n".join(f"  {words}" for words in wrong)
        raise RefusedError(
            f"Workers must compute with the versions that are here, or results would not be the same bits:\n{listed}"
        )


def _verdict(mine: Mapping[str, str], theirs: Any) -> str:
    """Return why a worker cannot take part; empty where it can."""
    if isinstance(theirs, ModuleNotFoundError):
        return "trialsim is not installed, or is another version"
    if isinstance(theirs, BaseException):
        return f"{type(theirs).__name__}: {theirs}"
    return differences(mine, theirs)


def _streamed(
    client: Client, function: Callable[[T], R], units: Sequence[T], describe: Callable[[T], str], watch: _Watch
) -> Iterator[R]:
    from concurrent.futures import CancelledError

    from distributed import KilledWorker, wait
    from distributed.comm import CommClosedError

    mine = fingerprint()
    batches = _Batches(units)
    flying: dict[Future, list[T]] = {}
    try:
        while batches or flying:
            while batch := batches.cut(len(flying), watch.threads):
                flying[client.submit(on_worker, function, batch, mine, pure=False)] = batch
            done = _finished(client, wait, list(flying))
            watch.look()
            for future in done:
                batch = flying.pop(future)
                try:
                    seconds, results = future.result()
                except (KilledWorker, MemoryError):
                    if batches.alone:
                        raise RunError(killed_words(describe(batch[0]))) from None
                    batches.suspects += batch
                    continue
                batches.took(seconds / len(batch))
                yield from results
    except (CancelledError, CommClosedError) as error:
        raise RunError(
            "The connection to the Dask scheduler was lost. Finished blocks are kept: "
            "the same command goes on from there."
        ) from error


class _Batches(Generic[T]):
    """Units that are not handed out yet.

    The scheduler suspects whatever a worker that dies was given, begun or not: the units of all suspected batches are
    tried again with the whole cluster to themselves, one after the other.

    Attributes
    ----------
    suspects : list
        Units that were given to workers that died.
    alone : bool
        Whether what is handed out is one of them.
    """

    def __init__(self, units: Sequence[T]) -> None:
        self._waiting = deque(units)
        self.suspects: list[T] = []
        self.alone = False
        self._seconds = _BATCH_SECONDS  # of a unit, as far as is known

    def __bool__(self) -> bool:
        return bool(self._waiting or self.suspects)

    def cut(self, flying: int, threads: int) -> list[T]:
        """Take the next ones, as many as `_BATCH_SECONDS` have room for, fewer towards the end; none for the moment."""
        if not flying:
            self.alone = bool(self.suspects)
            if self.alone:
                return [self.suspects.pop()]
        if self.alone or self.suspects or not self._waiting or flying >= threads * _IN_FLIGHT:
            return []
        size = min(int(_BATCH_SECONDS / self._seconds), len(self._waiting) // (2 * threads))
        return [self._waiting.popleft() for _ in range(max(size, 1))]

    def took(self, seconds: float) -> None:
        """Note how long a unit took."""
        self._seconds = max(seconds, 1e-3)


def _finished(client: Client, wait: Callable[..., Any], futures: list[Future]) -> Collection[Future]:
    """Return those that are finished, after a while none."""
    try:
        with client.as_current():
            finished: Collection[Future] = wait(futures, timeout=_PULSE_SECONDS, return_when="FIRST_COMPLETED").done
    except TimeoutError:
        return ()
    return finished


class _Watch:
    """Who computes: asked now and then, because workers come and go."""

    def __init__(self, client: Client, lost: Callable[[str], None]) -> None:
        self._client, self._lost = client, lost
        self._known: set[str] = set()
        self.threads = 1
        self._asked = -_PULSE_SECONDS
        self.look()

    def look(self) -> None:
        """Ask the scheduler, if some time has passed, and tell of workers that left."""
        if time.monotonic() - self._asked < _PULSE_SECONDS:
            return
        cores: Mapping[str, int] = self._client.ncores()
        self._asked = time.monotonic()
        gone = self._known - set(cores)
        if gone:
            left = f"{len(cores)} left" if cores else "none left: waiting until one joins"
            self._lost(f"{', '.join(sorted(gone))} left; what it was computing is computed again ({left}).")
        self._known = set(cores)
        self.threads = max(1, sum(cores.values()))


def profiles_itself() -> bool:
    """Return whether Dask looks all the time what this worker is doing, as it does unless it is told not to."""
    import dask

    return bool(dask.config.get("distributed.worker.profile.enabled", False))


def on_worker(function: Callable[[T], R], units: Sequence[T], expected: Mapping[str, str]) -> tuple[float, list[R]]:
    """Compute units where they were sent, unless a worker that joined later has other versions.

    Returns
    -------
    seconds : float
        What they took together.
    results : list
    """
    found = differences(expected, fingerprint())
    if found:
        raise RefusedError(f"A worker that joined would not compute the same bits: {found}.")
    _hold_to_one_thread()
    keep_freed_memory()
    start = time.perf_counter()
    results = [function(unit) for unit in units]
    return time.perf_counter() - start, results


@cache
def _hold_to_one_thread() -> None:
    """Hold linear algebra to one thread for as long as this process lives: threads beside this one compute too."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)
